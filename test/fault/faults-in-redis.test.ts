/** The short form of the fault suite with sessions in Redis: one that has a replica, and a Cluster of three nodes. */
import { test } from 'tap'
import { Cluster } from './cluster/cluster.js'
import { redisInstalled } from './cluster/redis.js'
import { summarise } from './history.js'
import { play } from './play.js'
import { runSeed } from './random/seed.js'
import { schedulesFor } from './schedules/index.js'

const tree = process.cwd()
const skip = !redisInstalled() && 'redis-server is not installed'

for (const store of ['redis', 'cluster'] as const) {
  test(`sessions in Redis: ${store}`, { skip }, async t => {
    const cluster = await Cluster.start(store)
    t.teardown(() => cluster.close())
    const fleet = await cluster.fleet(tree, 3)
    await Promise.all(fleet.instances.map(instance => instance.start()))
    for (const schedule of schedulesFor(store)) {
      await t.test(schedule.rule, async t => {
        const { violations, failed } = await play(cluster, fleet, tree, schedule)
        t.same(summarise(violations), [])
        t.equal(failed?.message, undefined, 'it was played to its end')
      })
    }
    for (const seed of [1, 2]) {
      await t.test(`seed ${seed}: people, operators and faults at once`, async t => {
        const { violations, report, operations } = await runSeed(cluster, fleet, tree, { seed, seconds: 3 })
        t.equal(violations, 0, report)
        t.ok(operations > 20, 'something was tried')
      })
    }
  })
}
