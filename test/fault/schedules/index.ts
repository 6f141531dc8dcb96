/** All directed schedules. */
import type { Store } from '../cluster/session-redis.js'
import { changes } from './changes.js'
import { failovers } from './failovers.js'
import { faults } from './faults.js'
import { feed } from './feed.js'
import { inRedis } from './in-redis.js'
import { reads } from './reads.js'
import { repeats } from './repeats.js'
import type { Schedule } from './schedule.js'
import { sets } from './sets.js'

/** With sessions in the table. */
export const schedules: readonly Schedule[] = [
  ...reads,
  ...changes,
  ...sets,
  ...faults,
  ...failovers,
  ...feed,
  ...repeats,
]

/** Those that look into the table, or wait for its statements, have nothing to say of sessions in Redis. */
export function schedulesFor(store: Store): readonly Schedule[] {
  if (store === 'postgres') return schedules
  return [...schedules.filter(({ anyStore }) => anyStore), ...inRedis]
}
