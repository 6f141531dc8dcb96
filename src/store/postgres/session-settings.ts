/** What a connection must have in force: asked for when it is made, and read back before anything else is sent on it. */
import postgres from 'postgres'
import { Outage } from '../../core/errors.js'
import { isAnswer, nonsense } from './answer.js'
import { directly, remedyOf } from './remedies.js'

/** Milliseconds. Each limit on the server is shorter than the caller's, so that hitting the caller's means "frozen". */
export interface Deadlines {
  readonly caller: number
  readonly statement: number
  readonly lock: number
  readonly connect: number
}

/**
 * The role of this database's service, made by `mintmark migrate`. Roles belong to the whole server, so the name holds
 * what no other database has: its oid and the server's system identifier. A rename keeps both. A copy from a template, a
 * restored dump and another server have another name, so nobody's rights come along with the data.
 */
export const serviceRole = `(select 'mintmark_service_' || d.oid || '_' || c.system_identifier
  from pg_database d, pg_control_system() c where d.datname = current_database())`

/** Strings all: the driver leaves out what is falsy. */
export type Settings = Readonly<Record<string, string>>

/** What a role or a database may have been given, and our statements and their answers rest on. */
export function settingsFor({ statement, lock }: Deadlines, more: Settings = {}): Settings {
  return {
    application_name: 'mintmark',
    client_encoding: 'UTF8',
    TimeZone: 'UTC',
    DateStyle: 'ISO, MDY',
    IntervalStyle: 'postgres',
    search_path: 'public',
    bytea_output: 'hex',
    extra_float_digits: '1',
    standard_conforming_strings: 'on',
    transform_null_equals: 'off',
    // A COMMIT whose wait for the standby was cancelled succeeds, and only a warning says so.
    client_min_messages: 'warning',
    default_transaction_read_only: 'off',
    synchronous_commit: 'on',
    default_transaction_isolation: 'read committed',
    statement_timeout: String(statement),
    lock_timeout: String(lock),
    // An instance that was stopped in the middle of a change gives its locks back.
    idle_in_transaction_session_timeout: String(statement),
    // A client that was dropped does not keep its backend waiting for a lock.
    client_connection_check_interval: '1000',
    ...more,
  }
}

/** What only a superuser can change, and so is not asked for: guards and foreign keys of the tables are in force. */
const given: Settings = { session_replication_role: 'origin' }

/**
 * Anybody who logs in, the service's own rights are enough: it appends to the audit log and cannot change it. The role is
 * taken here rather than asked for at the start of the session, since only the database knows its name.
 */
export const takeRole = `select set_config('role', ${serviceRole}, false)`

interface InForce {
  readonly role: boolean
  readonly pid: number
  readonly settings: Record<string, string>
}

/** What is not as it was asked for, each with its remedy. One round trip. */
export async function readBack(client: postgres.Sql, asked: Settings): Promise<string[]> {
  const wanted = { ...asked, ...given }
  const names = Object.keys(wanted).map(name => `'${name}'`)
  // The simple protocol, so that nothing is left prepared on a server connection that others may get.
  const answers = await client.unsafe<{ [k: string]: unknown }[]>(`${takeRole};
    select current_user = ${serviceRole} as role, pg_backend_pid() as pid,
      (select json_object_agg(name, setting) from pg_settings where name in (${names.join(', ')})) as settings`)
  const answer = (answers as unknown as postgres.RowList<InForce[]>[])[1]
  const [inForce] = answer ?? []
  if (!answer || !inForce) return [`Postgres did not report the settings of the session: ${takeOut}`]
  if (isPooled(answer, inForce.pid)) return [directly]
  const differing = Object.entries(wanted)
    .filter(([name, value]) => inForce.settings[name] !== value)
    .map(([name, value]) => `${name} is ${inForce.settings[name]}, but the service needs ${value}`)
  if (!inForce.role) differing.unshift('the session does not have the role of the service')
  return differing.length === 0 ? [] : [`${differing.join(', ')}: ${takeOut}`]
}

const takeOut =
  'set DATABASE_URL to the address of Postgres itself, and remove anything that changes the settings of a session (a pooler, an event trigger on login)'

/** The server named a process for this session, and another one answers: a pooler stands between. */
export function isPooled({ state }: postgres.ResultQueryMeta<number, string>, pid: number): boolean {
  return state.pid !== pid
}

/** Throws `Outage` unless this connection, on which nothing has been sent yet, is as it was asked for. */
export async function requireSettings(client: postgres.Sql, asked: Settings): Promise<void> {
  const faults = await readBack(client, asked).catch(error => {
    if (error instanceof postgres.PostgresError)
      throw new Outage('nothing', `Postgres: ${error.code} ${error.message}: ${remedyOf(error)}`)
    throw isAnswer(error) ? error : nonsense()
  })
  if (faults.length > 0) throw new Outage('nothing', faults.join('; '))
}
