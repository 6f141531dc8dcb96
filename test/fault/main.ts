/** The long form: directed schedules, random seeds, mutants, many revocations, role removals or rotations; ends with a verdict line. */
import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { Cluster } from './cluster/cluster.js'
import { runMutants } from './mutants.js'
import { play, report } from './play.js'
import { runSeed } from './random/seed.js'
import { runRevokes } from './revokes.js'
import { runRoleRemovals } from './role-removals.js'
import { runRotations } from './rotations.js'
import { schedulesFor } from './schedules/index.js'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string' },
    seed: { type: 'string' },
    seconds: { type: 'string', default: '4' },
    mutants: { type: 'boolean', default: false },
    revokes: { type: 'string' },
    'role-removals': { type: 'string' },
    rotations: { type: 'string' },
    only: { type: 'string' },
    store: { type: 'string', default: 'postgres' },
  },
})
const print = (line: string) => void process.stdout.write(`${line}\n`)
const tree = process.cwd()
let passed = 0
let failed = 0

function count(held: boolean): void {
  if (held) passed++
  else failed++
}

async function directed(cluster: Cluster): Promise<void> {
  const fleet = await cluster.fleet(tree, 3)
  await Promise.all(fleet.instances.map(instance => instance.start()))
  for (const schedule of schedulesFor(store ?? 'postgres')) {
    if (values.only !== undefined && !schedule.rule.includes(values.only)) continue
    if (schedule.needsRedis && !cluster.redis) {
      print(`skipped  ${schedule.rule}: redis-server is not installed`)
      continue
    }
    const played = await play(cluster, fleet, tree, schedule)
    print(report(played))
    count(played.violations.length === 0 && !played.failed)
  }
  await fleet.close()
}

async function random(cluster: Cluster): Promise<void> {
  const only = values.seed === undefined ? undefined : Number(values.seed)
  const seeds = only === undefined ? Number(values.seeds ?? 20) : 1
  const first = only ?? randomInt(1_000_000)
  const seconds = Math.min(10, Number(values.seconds))
  const fleet = await cluster.fleet(tree, 3)
  await Promise.all(fleet.instances.map(instance => instance.start()))
  const startedAt = performance.now()
  let operations = 0
  let violations = 0
  for (let seed = first; seed < first + seeds; seed++) {
    const run = await runSeed(cluster, fleet, tree, { seed, seconds })
    operations += run.operations
    violations += run.violations
    count(run.violations === 0)
    print(run.report)
  }
  const took = ((performance.now() - startedAt) / 1000).toFixed(0)
  print(`${seeds} seeds from ${first}, ${operations} operations, ${violations} violations, ${took} s`)
  await fleet.close()
}

const store = (['postgres', 'redis', 'cluster'] as const).find(name => name === values.store)
if (!store) throw new Error('--store takes postgres, redis or cluster')
const cluster = await Cluster.start(store)
const end = async () => {
  await cluster.close()
  print(`${passed} passed, ${failed} failed`)
}
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void end().then(() => process.exit(130)))
}
// The operator's functions run in this process: what would end their command is told, and the run goes on.
process.on('uncaughtException', error => {
  count(false)
  print(`VIOLATED  a command of the operator would have crashed: ${error.stack}`)
})
try {
  if (values.revokes !== undefined) count(await runRevokes(cluster, tree, Number(values.revokes), print))
  else if (values.rotations !== undefined) {
    const wanted = { rotations: Number(values.rotations), mintsPerSecond: 100 }
    count(await runRotations(cluster, tree, wanted, print))
  } else if (values['role-removals'] !== undefined)
    count(await runRoleRemovals(cluster, tree, Number(values['role-removals']), print))
  else if (values.mutants) for (const caught of await runMutants(cluster, print, values.only)) count(caught)
  else {
    const nothing = values.seeds === undefined && values.seed === undefined
    if (nothing || values.only !== undefined) await directed(cluster)
    if (values.only === undefined) await random(cluster)
  }
} catch (error) {
  failed++
  print(String((error as Error).stack))
} finally {
  await end()
}
// Not waiting for what a dropped connection may still keep open.
process.exit(failed === 0 && passed > 0 ? 0 : 1)
