/** Applies drizzle/ to the database, one instance at a time, and tells whether all of it has been applied. */

import { fileURLToPath } from 'node:url'
import { readMigrationFiles } from 'drizzle-orm/migrator'
import { drizzle } from 'drizzle-orm/postgres-js'
import { migrate as applyMigrations } from 'drizzle-orm/postgres-js/migrator'
import { type Address, asFault, serviceRole } from './connection.js'
import { type LineageRow, lineageStatement } from './lineage.js'
import { client } from './socket.js'

const migrationsFolder = fileURLToPath(new URL('../../../drizzle', import.meta.url))
/** Any number that nothing else in this database uses as an advisory lock. */
const migrationLock = '7351946000'

/**
 * Of many that start at once one migrates while the others wait for it. The lock lives on a connection of its own:
 * the migrator would otherwise wait for the connection that holds it.
 */
export async function migrate(address: Address): Promise<void> {
  const guard = single(address)
  const client = single(address)
  try {
    await guard`select pg_advisory_lock(${migrationLock})`
    await applyMigrations(drizzle(client), { migrationsFolder })
  } catch (error) {
    throw asFault(error, 'unknown')
  } finally {
    await Promise.all([guard.end({ timeout: 1 }), client.end({ timeout: 1 })])
  }
}

/** What a start must know about a database before it serves from it. */
export interface DatabaseState {
  readonly inRecovery: boolean
  /** As `server_version_num`: 150004 is 15.4. */
  readonly version: number
  /** Migrations of this release that the database lacks. */
  readonly missing: number
  /** The login owns what it should only add to: it could change the audit log. */
  readonly ownsAudit: boolean
  /** The login may act as the service's role. Undefined before the first migration, which makes that role. */
  readonly mayServe: boolean | undefined
  /** It is the server that was recorded (src/store/postgres/lineage.ts). Undefined where that cannot be read yet. */
  readonly trusted: boolean | undefined
}

export async function inspect(address: Address): Promise<DatabaseState> {
  const client = single(address)
  try {
    const [server] = await client<
      {
        in_recovery: boolean
        version: number
        migrated: boolean
        owns_audit: boolean
        may_serve: boolean | null
      }[]
    >`
      select pg_is_in_recovery() as in_recovery, current_setting('server_version_num')::int as version,
        exists(select from pg_tables where schemaname = 'drizzle' and tablename = '__drizzle_migrations') as migrated,
        coalesce(has_table_privilege(session_user, to_regclass('audit_events'), 'update'), false) as owns_audit,
        (select pg_has_role(session_user, oid, 'member') from pg_roles where rolname = ${serviceRole}) as may_serve`
    // A login without the service's rights is told so; it could not read what was applied.
    const applied =
      server?.migrated && server.may_serve
        ? await client<{ hash: string }[]>`select hash from drizzle.__drizzle_migrations`
        : []
    const hashes = new Set(applied.map(({ hash }) => hash))
    const unknown = server?.migrated && server.may_serve === false
    const missing = readMigrationFiles({ migrationsFolder }).filter(({ hash }) => !hashes.has(hash)).length
    const readable = server?.migrated && server.may_serve && missing === 0
    const [lineage] = readable ? await client.unsafe<LineageRow[]>(lineageStatement) : []
    return {
      inRecovery: server?.in_recovery ?? true,
      version: server?.version ?? 0,
      missing: unknown ? 0 : missing,
      ownsAudit: server?.owns_audit ?? false,
      mayServe: server?.may_serve ?? undefined,
      trusted: lineage?.timeline_trusted && lineage.system_trusted,
    }
  } catch (error) {
    throw asFault(error, 'nothing')
  } finally {
    await client.end({ timeout: 1 })
  }
}

function single(address: Address) {
  const options = {
    max: 1,
    connect_timeout: 5,
    idle_timeout: 0,
    fetch_types: false,
    onnotice: () => {},
    connection: { application_name: 'mintmark migrate' },
  }
  return client(address, options)
}
