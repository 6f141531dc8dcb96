/** The short form of the fault suite: every directed schedule but those of the feed, and a few random runs, on three instances of the build. */
import tap, { test } from 'tap'
import { Cluster } from './cluster/cluster.js'
import { summarise } from './history.js'
import { play } from './play.js'
import { runSeed } from './random/seed.js'
import { feed } from './schedules/feed.js'
import { schedules } from './schedules/index.js'

const tree = process.cwd()
const cluster = await Cluster.start()
const fleet = await cluster.fleet(tree, 3)
tap.teardown(() => cluster.close())
await Promise.all(fleet.instances.map(instance => instance.start()))

// Those of the feed are in a file of their own: each takes long.
for (const schedule of schedules.filter(one => !feed.includes(one))) {
  const skip = schedule.needsRedis && !cluster.redis && 'redis-server is not installed'
  test(schedule.rule, { skip: skip || false }, async t => {
    const { violations, failed } = await play(cluster, fleet, tree, schedule)
    t.same(summarise(violations), [])
    t.equal(failed?.message, undefined, 'it was played to its end')
  })
}

for (const seed of [1, 2]) {
  test(`seed ${seed}: people, operators and faults at once, and nothing contradicts a promise`, async t => {
    const { violations, report, operations } = await runSeed(cluster, fleet, tree, { seed, seconds: 3 })
    t.equal(violations, 0, report)
    t.ok(operations > 20, 'something was tried')
  })
}
