/** The short form for what follows the feed: its directed schedules, on three instances of the build. */
import tap, { test } from 'tap'
import { Cluster } from './cluster/cluster.js'
import { summarise } from './history.js'
import { play } from './play.js'
import { feed } from './schedules/feed.js'

const tree = process.cwd()
const cluster = await Cluster.start()
const fleet = await cluster.fleet(tree, 3)
tap.teardown(() => cluster.close())
await Promise.all(fleet.instances.map(instance => instance.start()))

for (const schedule of feed) {
  test(schedule.rule, async t => {
    const { violations, failed } = await play(cluster, fleet, tree, schedule)
    t.same(summarise(violations), [])
    t.equal(failed?.message, undefined, 'it was played to its end')
  })
}
