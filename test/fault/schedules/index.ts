/** All directed schedules. */
import { changes } from './changes.js'
import { failovers } from './failovers.js'
import { faults } from './faults.js'
import { reads } from './reads.js'
import type { Schedule } from './schedule.js'
import { sets } from './sets.js'

export const schedules: readonly Schedule[] = [...reads, ...changes, ...sets, ...faults, ...failovers]
