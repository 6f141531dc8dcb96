/**
 * Which server may be believed: the one recorded in `service`, by system identifier and timeline. A promoted standby
 * has another timeline, a restored dump another identifier; either may lack revocations that were answered with 200,
 * so nothing is accepted from it until `mintmark recover`.
 */
import { Outage } from '../../errors.js'

/**
 * The timeline that this server writes, as in the names of its WAL files. From the running server, not from its
 * control file, which a promotion changes only at the next checkpoint.
 */
export const timelineNow = `case when pg_is_in_recovery() then 'in recovery'
  else left(pg_walfile_name(pg_current_wal_lsn()), 8) end`

/** Tells one run of one server from any other: a promotion keeps it, a restart or another server changes it. */
export const serverNow = 'extract(epoch from pg_postmaster_start_time())::float8'

/** Reads the control file: for every connection's first statement and every change, not for every check. */
export const lineageStatement = `select ${serverNow} as server, pg_is_in_recovery() as in_recovery,
  g.timeline = ${timelineNow} as timeline_trusted,
  g.system_identifier = (select system_identifier::text from pg_control_system()) as system_trusted
  from service g where g.only`

export interface LineageRow {
  readonly server: number
  readonly in_recovery: boolean
  readonly timeline_trusted: boolean
  readonly system_trusted: boolean
}

/** Throws `Outage` unless this row comes from the recorded primary. */
export function assertTrusted(row: Omit<LineageRow, 'server'> | undefined): void {
  if (row?.in_recovery) throw new Outage('nothing', 'this Postgres is in recovery: it is not the primary')
  if (row?.timeline_trusted && row.system_trusted) return
  throw new Outage('nothing', 'this Postgres is not the one that was trusted: run `mintmark recover`')
}
