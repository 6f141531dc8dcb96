/**
 * Which server may be believed: the one recorded in `service`, by system identifier and timeline. A promoted standby
 * has another timeline, a restored dump another identifier; either may lack revocations that were answered with 200,
 * so nothing is accepted from it until `mintmark recover`.
 *
 * A former primary, and a copy of the data folder, have recorded themselves. They are told by what was trusted since:
 * `recover` raises the generation, and on one timeline the position in the write-ahead log never falls.
 */
import { Outage } from '../../core/errors.js'

/**
 * The timeline that this server writes, as in the names of its WAL files. From the running server, not from its
 * control file, which a promotion changes only at the next checkpoint.
 */
export const timelineNow = `case when pg_is_in_recovery() then 'in recovery'
  else left(pg_walfile_name(pg_current_wal_lsn()), 8) end`

/** Bytes of the log that are on the disk: what a standby may have already, so that no crash takes them back. */
const positionNow = `case when pg_is_in_recovery() then 0
  else (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::float8 end`

/** Tells one run of one server from any other: a promotion keeps it, a restart or another server changes it. */
const serverNow = 'extract(epoch from pg_postmaster_start_time())::float8'

/** What the server says of itself, beside the row `g` of `service`: for every check. */
export const clusterColumns = `${serverNow} as server,
  pg_is_in_recovery() as in_recovery,
  g.timeline = ${timelineNow} as timeline_trusted,
  g.generation::float8 as generation,
  g.timeline as timeline,
  ${positionNow} as position`

/** Reads the control file: for every connection's first statement and every change, not for every check. */
export const clusterStatement = `select ${clusterColumns},
  g.system_identifier = (select system_identifier::text from pg_control_system()) as system_trusted
  from service g where g.only`

/** Where a server is: compared in this order. */
export interface Seen {
  /** Raised by `mintmark recover` alone. */
  readonly generation: number
  /** Eight hexadecimal digits: as text in the order of the numbers. */
  readonly timeline: string
  readonly position: number
}

export interface ClusterIdentityRow extends Seen {
  readonly server: number
  readonly in_recovery: boolean
  readonly timeline_trusted: boolean
  readonly system_trusted: boolean
}

/** Throws `Outage` unless this row comes from the recorded primary. */
function assertRecorded(row: ClusterIdentityRow | undefined): asserts row is ClusterIdentityRow {
  if (row?.in_recovery) throw new Outage('nothing', 'this Postgres is in recovery: it is not the primary')
  if (row?.timeline_trusted && row.system_trusted) return
  throw new Outage('nothing', 'this Postgres is not the one that was trusted: run `mintmark recover`')
}

/** What a process has trusted. It never goes back to an earlier server, however sound that one is by itself. */
export class Trust {
  #highest: Seen
  readonly #raised: (generation: number) => void

  /** `generation` is what was trusted before this process began, and `raised` hears of each higher one. */
  constructor(generation = 0, raised: (generation: number) => void = () => {}) {
    this.#highest = { generation, timeline: '', position: 0 }
    this.#raised = raised
  }

  /** Taken before a statement is sent: anybody who answers it cannot be behind this. */
  get highest(): Seen {
    return this.#highest
  }

  /** Throws `Outage` unless this is the recorded primary, and no earlier one than was trusted when it was asked. */
  assert(row: ClusterIdentityRow | undefined, whenAsked: Seen): void {
    assertRecorded(row)
    // Answers to statements that were under way together may come in any order, with the positions of their moments.
    const behind = isSameLine(row, whenAsked) && row.position < whenAsked.position
    if (behind || isEarlierLine(row, this.#highest)) {
      throw new Outage(
        'nothing',
        'this Postgres is a former primary or a restored copy and lacks data that was trusted before: set DATABASE_URL to the current one, or run `mintmark recover`',
      )
    }
    const { generation, timeline, position } = row
    const { generation: before } = this.#highest
    if (isSameLine(row, this.#highest) && position <= this.#highest.position) return
    this.#highest = { generation, timeline, position }
    if (generation > before) this.#raised(generation)
  }
}

const isSameLine = (one: Seen, other: Seen) =>
  one.generation === other.generation && one.timeline === other.timeline

const isEarlierLine = (one: Seen, other: Seen) =>
  one.generation < other.generation || (one.generation === other.generation && one.timeline < other.timeline)
