/** One random run: new people, clients, operators and faults by the seed; then all is healed, looked at and judged. */
import type { Cluster, Fleet } from '../cluster/cluster.js'
import type { Instance } from '../cluster/instance.js'
import { summarise, type Violation } from '../history.js'
import { Stage } from '../stage.js'
import { Client } from './clients.js'
import { befall } from './nemesis.js'
import { operate } from './operators.js'
import { chance } from './prng.js'
import { castWatchers, watch } from './watchers.js'

export interface SeedOptions {
  readonly seed: number
  readonly seconds: number
}

export interface SeedRun {
  readonly operations: number
  readonly violations: number
  readonly report: string
}

export async function runSeed(
  cluster: Cluster,
  fleet: Fleet,
  tree: string,
  { seed, seconds }: SeedOptions,
): Promise<SeedRun> {
  const startedAt = performance.now()
  const stage = await Stage.set(cluster, fleet, tree)
  try {
    const dice = chance(seed)
    const clients = await cast(stage, dice.fork(0))
    const watchers = await castWatchers(stage)
    const until = performance.now() + seconds * 1000
    // Two of them, so that faults meet.
    const nemeses = [1, 2].map(name => befall(stage, dice.fork(name), until))
    const operators = operate(stage, dice.fork(3), until)
    const services = watchers.map((watcher, index) => watch(stage, watcher, dice.fork(50 + index), until))
    await Promise.all([operators, ...services, ...clients.map(client => client.live(until))])
    const befell = (await Promise.all(nemeses)).flat()
    await heal(cluster, fleet)
    // All faults are over: each is as good as new, and says of every token what is right.
    await Promise.all(watchers.map(watcher => watcher.fresh()))
    for (const token of stage.tokens) for (const watcher of watchers) await watcher.verify(token)
    const healing = performance.now()
    await Promise.all(
      clients.flatMap(({ device }) =>
        fleet.instances.map(at => device.cookie && device.heals(at, device.cookie)),
      ),
    )
    const healed = performance.now() - healing
    const violations = await stage.verdict()
    const { entries } = stage.history
    const took = ((performance.now() - startedAt) / 1000).toFixed(1)
    const count = (outcome: string) => entries.filter(entry => entry.outcome === outcome).length
    const tally = `${count('ok')} ok, ${count('refused')} refused, ${count('unknown')} unknown`
    const line = `seed ${seed}: ${entries.length} operations (${tally}), accepted again in ${healed.toFixed(0)} ms, ${took} s`
    return {
      operations: entries.length,
      violations: violations.length,
      report: tell(line, violations, befell),
    }
  } finally {
    await stage.end()
  }
}

function tell(line: string, violations: readonly Violation[], befell: readonly string[]): string {
  if (violations.length === 0) return line
  const what = summarise(violations)
  return [`VIOLATED  ${line}`, ...what, 'what befell:', ...befell.map(one => `    ${one}`)].join('\n')
}

/** Eight to sixteen devices of three or four people in two tenants. */
async function cast(stage: Stage, dice: ReturnType<typeof chance>): Promise<Client[]> {
  const tenants = [await stage.tenant(), await stage.tenant()]
  for (let count = dice.between(3, 4); count > 0; count--) await stage.person(tenants)
  const clients: Client[] = []
  for (let count = dice.between(8, 16); count > 0; count--) {
    const person = stage.people[count % stage.people.length] ?? stage.people[0]
    if (!person) break
    clients.push(new Client(stage, await stage.device(person, dice.of(tenants)), dice.fork(10 + count)))
  }
  return clients
}

async function heal(cluster: Cluster, fleet: Fleet): Promise<void> {
  await cluster.operators.heal()
  await cluster.sessionRedis?.heal()
  for (const instance of fleet.instances) {
    await instance.postgres.heal()
    await instance.redis?.heal()
    instance.resume()
  }
  await Promise.all(fleet.instances.map(backAgain))
}

/** One that was started while its servers were away has ended: like a supervisor, start it again. */
async function backAgain(instance: Instance): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      return await (instance.alive ? instance.ready() : instance.start())
    } catch (error) {
      if (instance.alive || tries === 3) throw error
    }
  }
}
