/** What a verb that takes something away is to the fault suite: how it is asked for, and how it is seen whether it holds. */
import type { Ask } from '../cluster/http.js'
import type { World } from './world.js'

export interface Verb {
  /** The route or the command that it is: `DELETE /v1/session`, `users disable`. */
  readonly covers: string
  /** What is special about it, beside others of the same route or command. */
  readonly when?: string
  /** It ends what the others rest on: they are played without it. */
  readonly everybody?: true
  /** It is more than one change: the first alone does not take it away. */
  readonly inSteps?: true
  /** Only where sessions lie there. */
  readonly sessionsIn?: 'Redis'
  readonly prepare: (world: World) => Promise<Prepared>
}

export interface Prepared {
  /** A request, or the words of a command. It is sent more than once, and stays the same. */
  readonly ask: Ask | readonly string[]
  /** What it takes away, as the service sees it. */
  readonly stillThere: () => Promise<boolean>
}

export function nameOf({ covers, when }: Verb): string {
  return when === undefined ? covers : `${covers} (${when})`
}

/** What came of asking: 503, or a command that says so, is no answer to whether it was done. */
export interface Told {
  readonly answered: boolean
  /** That it may or may not have been done, and can be repeated. */
  readonly unconfirmed: boolean
  readonly says: string
}
