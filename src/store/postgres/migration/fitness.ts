/** Whether a Postgres is one to serve from: what a start must know before, and each fault with its remedy. */
import { readMigrationFiles } from 'drizzle-orm/migrator'
import postgres from 'postgres'
import { type ClusterIdentityRow, clusterStatement } from '../cluster-identity.js'
import { type Address, asFault, connect, type Sql } from '../connection.js'
import { deadlines, hotSettings } from '../hot-reads.js'
import { directly, remedyOf } from '../remedies.js'
import { isOpen, lackingRights } from '../service-role.js'
import { isPooled, readBack, settingsFor } from '../session-settings.js'
import { migrationsFolder, reasonOf, single } from './migrate.js'

export interface Fitness {
  readonly faults: readonly string[]
  /** What can be served with, and ought to be changed. */
  readonly warnings: readonly string[]
  /** Of the database. 0 where it cannot be read. */
  readonly generation: number
}

/** What was trusted here before, and the file that says so. */
interface Trusted {
  readonly kept: number
  readonly file: string
}

const nothingBefore: Trusted = { kept: 0, file: '' }

export async function examinePostgres(address: Address, before = nothingBefore): Promise<Fitness> {
  try {
    const state = await inspect(address)
    const { generation } = state
    return {
      faults: faultsOf(state, before),
      warnings: 'url' in address ? warningsOf(state) : [],
      generation,
    }
  } catch (error) {
    const faults = [`Postgres cannot be reached (${reasonOf(error)}): ${remedyOf(error)}`]
    return { faults, warnings: [], generation: 0 }
  }
}

function faultsOf(state: DatabaseState, { kept, file }: Trusted): string[] {
  const faults: string[] = []
  if (state.pooled) return [directly]
  if (state.inRecovery)
    faults.push('this Postgres is in recovery (a standby): set DATABASE_URL to the primary')
  if (state.version < 150_000) faults.push('this Postgres is older than 15: upgrade it')
  if (state.missing > 0)
    faults.push(`the database lacks ${state.missing} migration(s): run \`mintmark migrate\``)
  else faults.push(...state.settings)
  if (state.lacking.length > 0) {
    faults.push(
      `the service's role lacks the right to write (${state.lacking.join(', ')}): run \`mintmark migrate\``,
    )
  }
  if (!state.inRecovery && state.trusted === false) {
    faults.push(
      'this Postgres is not the trusted one (after a fail-over or a restored backup): read docs/backup-and-upgrade.md, then run `mintmark recover`',
    )
  }
  if (state.trusted && state.generation < kept) {
    faults.push(
      `this Postgres is a former primary or a restored backup: its generation is ${state.generation}, and ${file} says that ${kept} was trusted here. Set DATABASE_URL to the current one. If the file comes from another database that once used these keys, remove it. If this database is to be used from now on, read docs/backup-and-upgrade.md and run \`mintmark recover\``,
    )
  }
  return faults
}

function warningsOf({ ownsAudit, open }: DatabaseState): string[] {
  const warnings: string[] = []
  if (ownsAudit) {
    warnings.push(
      'the login of DATABASE_URL can change the audit log: set MINTMARK_OWNER_DATABASE_URL and run `mintmark migrate`',
    )
  }
  if (open)
    warnings.push('every login of this Postgres server may connect to the database: run `mintmark migrate`')
  return warnings
}

export interface DatabaseState {
  /** A pooler answers, and not Postgres itself: nothing else was asked. */
  readonly pooled: boolean
  readonly inRecovery: boolean
  /** As `server_version_num`: 150004 is 15.4. */
  readonly version: number
  /** Migrations of this release that the database lacks. */
  readonly missing: number
  /** What of a session's settings is not in force, or why the service's role is not, each with its remedy. */
  readonly settings: readonly string[]
  /** What the service's role may not do and has to, as `insert on sessions`. */
  readonly lacking: readonly string[]
  /** The login owns what it should only add to: it could change the audit log. */
  readonly ownsAudit: boolean
  /** Every login of the server may connect. */
  readonly open: boolean
  /** It is the server that was recorded (src/store/postgres/cluster-identity.ts). Undefined where that cannot be read yet. */
  readonly trusted: boolean | undefined
  /** 0 where that cannot be read yet. */
  readonly generation: number
}

interface First extends Pick<DatabaseState, 'inRecovery' | 'version' | 'ownsAudit' | 'open'> {
  readonly migrated: boolean
  readonly pid: number
}

/** Changes nothing. Throws what the driver throws where Postgres cannot be asked. */
export async function inspect(address: Address): Promise<DatabaseState> {
  const client = single(address)
  try {
    const answer = await client.unsafe<First[]>(`
      select pg_is_in_recovery() as "inRecovery", current_setting('server_version_num')::int as version,
        pg_backend_pid() as pid, to_regclass('drizzle.__drizzle_migrations') is not null as migrated,
        coalesce(has_table_privilege(session_user, to_regclass('public.audit_events'), 'update'), false) as "ownsAudit",
        o.open from (${isOpen}) o`)
    const [first] = answer
    if (!first) throw new Error('Postgres did not report its identity')
    const { pid, migrated, ...state } = first
    const pooled = isPooled(answer, pid)
    const nothing = {
      pooled,
      missing: 0,
      settings: [],
      lacking: [],
      trusted: undefined,
      generation: 0,
      ...state,
    }
    if (pooled) return nothing
    if (!migrated) return { ...nothing, missing: releaseHashes().length }
    return { ...nothing, ...(await inspectAsService(address)) }
  } finally {
    await client.end({ timeout: 1 })
  }
}

/** On a connection as the service makes it: first whether it is as it was asked for. */
async function inspectAsService(address: Address): Promise<Partial<DatabaseState>> {
  const client = connect({ address, deadlines, settings: hotSettings }, { closed: () => {} })
  try {
    const settings = await readBack(client, settingsFor(deadlines, hotSettings)).catch(error => {
      if (error instanceof postgres.PostgresError) return [sentence(error)]
      throw error
    })
    if (settings.length > 0) return { settings }
    const applied = await client<{ hash: string }[]>`select hash from drizzle.__drizzle_migrations`
    const hashes = new Set(applied.map(({ hash }) => hash))
    const missing = releaseHashes().filter(hash => !hashes.has(hash)).length
    return missing > 0 ? { missing } : { missing, ...(await inspectTables(client)) }
  } finally {
    await client.end({ timeout: 1 })
  }
}

async function inspectTables(
  client: Sql,
): Promise<Pick<DatabaseState, 'lacking' | 'trusted' | 'generation'>> {
  const lacking = await client.unsafe<{ table: string; right: string }[]>(lackingRights)
  const [lineage] = lacking.length === 0 ? await client.unsafe<ClusterIdentityRow[]>(clusterStatement) : []
  return {
    lacking: lacking.map(({ table, right }) => `${right} on ${table}`),
    trusted: lineage?.timeline_trusted && lineage.system_trusted,
    generation: lineage?.generation ?? 0,
  }
}

function sentence(error: postgres.PostgresError): string {
  return `${remedyOf(error)} (${(asFault(error, 'nothing') as Error).message})`
}

function releaseHashes(): string[] {
  return readMigrationFiles({ migrationsFolder }).map(({ hash }) => hash)
}
