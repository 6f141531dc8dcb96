/** Plays directed schedules on the instances of one build: what each found, and how long it took. */
import type { Cluster, Fleet } from './cluster/cluster.js'
import { summarise, type Violation } from './history.js'
import type { Schedule } from './schedules/schedule.js'
import { Stage } from './stage.js'

export interface Played {
  readonly schedule: Schedule
  readonly violations: readonly Violation[]
  /** It could not be played: nothing was tried. */
  readonly failed: Error | undefined
  readonly milliseconds: number
}

/** Seconds after which a schedule has hung, unless it says otherwise. */
const usualPatience = 20

export async function play(
  cluster: Cluster,
  fleet: Fleet,
  tree: string,
  schedule: Schedule,
): Promise<Played> {
  const startedAt = performance.now()
  const stage = await Stage.set(cluster, fleet, tree)
  let violations: Violation[] = []
  let failed: Error | undefined
  try {
    await within(schedule.play(stage), schedule.patience ?? usualPatience)
  } catch (error) {
    failed = error as Error
  }
  try {
    // What was seen before it failed counts as well.
    violations = await stage.verdict()
  } finally {
    await heal(cluster, fleet)
    await stage.end()
  }
  return { schedule, violations, failed, milliseconds: performance.now() - startedAt }
}

export function report({ schedule, violations, failed, milliseconds }: Played): string {
  const took = `${(milliseconds / 1000).toFixed(1)} s`
  if (violations.length > 0)
    return `VIOLATED  ${schedule.rule} (${took})\n${summarise(violations).join('\n')}`
  if (failed) return `NOT PLAYED  ${schedule.rule} (${took})\n    ${failed.message}`
  return `held  ${schedule.rule} (${took})`
}

async function heal(cluster: Cluster, fleet: Fleet): Promise<void> {
  await cluster.operators.heal()
  await cluster.sessionRedis?.heal()
  for (const instance of fleet.instances) {
    await instance.postgres.heal()
    await instance.redis?.heal()
    if (!instance.alive) await instance.start()
  }
}

async function within(work: Promise<void>, patience: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  // One that has hung may fail later, when what it waited for is taken away.
  work.catch(() => {})
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`it hung for ${patience} s`)), patience * 1000)
  })
  try {
    await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
