/** What a directed schedule is: one order of events that a bug would need, played the same way each time. */
import type { Cluster } from '../cluster/cluster.js'
import type { Stage } from '../stage.js'

export interface Schedule {
  /** The rule that it holds the service to. */
  readonly rule: string
  /** The planted bugs that it must expose: files of test/fault/mutants/, without `.patch`. */
  readonly exposes?: readonly string[]
  /** What instances are told of the cluster, for mutants that need to know more than a service may. */
  readonly tells?: (cluster: Cluster) => Promise<Record<string, string>>
  readonly needsRedis?: true
  /** It speaks of what people see, wherever rows lie. */
  readonly anyStore?: true
  /** Seconds after which it has hung, where it takes longer than others. */
  readonly patience?: number
  /** On at least two instances that are ready and unharmed; so it leaves them. */
  readonly play: (stage: Stage) => Promise<void>
}
