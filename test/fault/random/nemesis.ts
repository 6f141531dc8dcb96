/** What befalls servers and instances in a random run: each fault begins, lasts a while, and is undone. */
import { setTimeout } from 'node:timers/promises'
import type { Instance } from '../cluster/instance.js'
import type { Stage } from '../stage.js'
import type { Chance } from './prng.js'
import { redisFaults } from './redis-nemesis.js'

export type Undo = () => Promise<unknown> | unknown
export interface Fault {
  readonly name: string
  /** Milliseconds that it lasts. */
  readonly lasts: readonly [least: number, most: number]
  readonly begin: (stage: Stage, at: Instance, chance: Chance) => Promise<Undo> | Undo
}

const nothing = () => {}

export const faults: readonly Fault[] = [
  {
    name: 'instance stopped',
    lasts: [50, 900],
    begin(_, at) {
      at.stop()
      return at.resume
    },
  },
  {
    name: 'instance killed',
    lasts: [0, 200],
    async begin(_, at) {
      await at.kill()
      return () => at.start({}, { wait: false })
    },
  },
  {
    name: 'Postgres slow',
    lasts: [200, 1200],
    begin(_, { postgres }, chance) {
      postgres.delayMs = chance.between(3, 60)
      return () => {
        postgres.delayMs = 0
      }
    },
  },
  {
    name: 'Postgres frozen',
    lasts: [100, 2600],
    begin(_, { postgres }) {
      postgres.freeze()
      return () => postgres.heal()
    },
  },
  {
    name: 'answers of Postgres cut in the middle',
    lasts: [0, 0],
    begin(_, { postgres }, chance) {
      postgres.cut(chance.between(1, 12))
      return nothing
    },
  },
  {
    name: 'Postgres unreachable',
    lasts: [50, 1000],
    async begin(_, { postgres }) {
      await postgres.refuse()
      return () => postgres.heal()
    },
  },
  {
    name: 'answers to operators cut',
    lasts: [0, 0],
    begin({ cluster }, _, chance) {
      cluster.operators.cut(chance.between(1, 6))
      return nothing
    },
  },
  {
    name: 'backends ended',
    lasts: [0, 0],
    async begin({ cluster }, _, chance) {
      for (let round = chance.between(1, 3); round > 0; round--) await cluster.primary.terminate(0.5)
      return nothing
    },
  },
  {
    name: 'rows of a person locked',
    lasts: [100, 2400],
    async begin({ sql, people }, _, chance) {
      const user = chance.of(people).id
      const held = await sql.reserve()
      await held`begin`
      // Whoever waits for these takes a connection of its pool.
      if (chance.next() < 0.5) await held`select from users where id = ${user} for update`
      else await held`select from sessions where user_id = ${user} and ended_at is null for update`
      return async () => {
        await held`commit`
        held.release()
      }
    },
  },
  {
    name: 'synchronous standby gone',
    lasts: [100, 1500],
    begin: ({ cluster }) => cluster.primary.loseSynchronousStandby(),
  },
  {
    name: 'Redis emptied',
    lasts: [0, 0],
    async begin({ cluster }) {
      await cluster.redis?.empty()
      return nothing
    },
  },
  {
    name: 'Redis gone',
    lasts: [100, 1500],
    async begin({ cluster }) {
      await cluster.redis?.kill()
      return () => cluster.redis?.start()
    },
  },
  {
    name: 'Redis frozen',
    lasts: [100, 1500],
    begin({ cluster }) {
      cluster.redis?.freeze()
      return () => cluster.redis?.thaw()
    },
  },
  {
    name: 'Redis unreachable from one instance',
    lasts: [100, 1500],
    async begin(_, { redis }) {
      await redis?.refuse()
      return () => redis?.heal()
    },
  },
  {
    name: 'feed cut',
    lasts: [50, 2000],
    async begin({ watchers }, _, chance) {
      if (watchers.length === 0) return nothing
      const { proxy } = chance.of(watchers)
      await proxy.refuse()
      return () => proxy.heal()
    },
  },
  {
    name: 'feed delayed',
    lasts: [200, 2000],
    begin({ watchers }, _, chance) {
      if (watchers.length === 0) return nothing
      const { proxy } = chance.of(watchers)
      proxy.delayMs = chance.between(20, 800)
      return () => {
        proxy.delayMs = 0
      }
    },
  },
  {
    name: 'feed frozen',
    lasts: [100, 2000],
    begin({ watchers }, _, chance) {
      if (watchers.length === 0) return nothing
      const { proxy } = chance.of(watchers)
      proxy.freeze()
      return () => proxy.heal()
    },
  },
  {
    name: 'feed replayed by a relay',
    lasts: [200, 2000],
    begin({ watchers }, _, chance) {
      if (watchers.length === 0) return nothing
      const watcher = chance.of(watchers)
      const { answers } = watcher
      if (answers.length === 0) return nothing
      return watcher.replay(answers.slice(chance.between(0, answers.length - 1)))
    },
  },
]

/** One fault after the other, sometimes with none between, undone by `until`. Answers what befell, with its time. */
export async function befall(stage: Stage, chance: Chance, until: number): Promise<string[]> {
  const told: string[] = []
  const { sessionRedis } = stage.cluster
  const all = sessionRedis
    ? [...faults.filter(({ name }) => !/Redis/.test(name)), ...redisFaults(sessionRedis)]
    : faults
  while (performance.now() < until) {
    const fault = chance.of(all)
    const at = chance.of(stage.fleet.instances)
    const [least, most] = fault.lasts
    // Most are short: a run in which everything stands still tries little.
    const drawn = least + (most - least) * chance.next() ** 3
    const lasts = Math.min(drawn, Math.max(0, until - performance.now()))
    const began = performance.now()
    const overs = stage.watchers.map(watcher => watcher.disturbed())
    const undo = await fault.begin(stage, at, chance)
    await setTimeout(lasts)
    await undo()
    for (const over of overs) over()
    told.push(`${began.toFixed(0)}–${performance.now().toFixed(0)} ms ${fault.name} (${at.number})`)
    await setTimeout(chance.between(0, 150))
  }
  return told
}
