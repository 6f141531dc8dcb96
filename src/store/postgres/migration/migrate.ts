/** Applies drizzle/ to the database, one instance at a time, and gives the service its role and its rights there. */

import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { readMigrationFiles } from 'drizzle-orm/migrator'
import { MigrationRefused, Outage } from '../../../core/errors.js'
import { type Address, asFault, type Sql } from '../connection.js'
import { remedyOf } from '../remedies.js'
import { createRoles, grantRights, isMissingRight, type Queries, type ServiceRole } from '../service-role.js'
import { isPooled, type Settings } from '../session-settings.js'
import { open } from '../socket.js'
import { becomeMember, grantService } from './grant-service.js'

export const migrationsFolder = fileURLToPath(new URL('../../../../drizzle', import.meta.url))
/** Any number that nothing else in this database uses as an advisory lock. */
const migrationLock = '7351946000'
/** Milliseconds between two tries to get it. */
const lockEvery = 50

export interface MigrateOptions {
  readonly folder?: string
  /** The address with the login of the service, where anybody who migrates is another one. */
  readonly serviceUrl?: string | undefined
}

export interface Migrated {
  readonly role: ServiceRole
  /** The login of the service, where it is not the one that migrated. */
  readonly login: string | undefined
}

/** Throws `MigrationRefused`, with the remedy, for what an operator can change. Safe to repeat. */
export async function migrate(
  address: Address,
  { folder = migrationsFolder, serviceUrl }: MigrateOptions = {},
): Promise<Migrated> {
  const guard = single(address)
  const owner = new Owner(address)
  try {
    await enter(guard, serviceUrl === undefined ? 'DATABASE_URL' : 'MINTMARK_OWNER_DATABASE_URL')
    await createRoles(owner)
    for (const migration of await pending(owner, folder)) await apply(owner, migration)
    const role = await owner.transaction(() => grantRights(owner))
    if (serviceUrl !== undefined) return { role, login: await grantService(owner, role, serviceUrl) }
    await becomeMember(owner, role, role.owner)
    return { role, login: undefined }
  } catch (error) {
    if (isMissingRight(error)) {
      const { message } = error as Error
      throw new MigrationRefused(
        `the login ${owner.user} lacks a right (${message}): migrate as the owner of the database and its tables`,
      )
    }
    throw error instanceof MigrationRefused ? error : asFault(error, 'unknown')
  } finally {
    await Promise.all([guard.end({ timeout: 1 }), owner.close()])
  }
}

/**
 * Of many that start at once one migrates while the others wait for it. The lock lives on a connection of its own. It
 * is tried for and not waited for: an index that is built concurrently waits for every statement that is under way.
 */
async function enter(guard: Sql, setting: string): Promise<void> {
  const session = await guard<{ pid: number }[]>`select pg_backend_pid() as pid`.catch(error => {
    throw new MigrationRefused(`Postgres cannot be reached (${reasonOf(error)}): ${remedyOf(error, setting)}`)
  })
  if (session[0] && isPooled(session, session[0].pid)) {
    throw new MigrationRefused(
      `a connection pooler does not keep the migration lock: set ${setting} to the address of Postgres itself`,
    )
  }
  for (;;) {
    const [lock] = await guard<{ mine: boolean }[]>`select pg_try_advisory_lock(${migrationLock}) as mine`
    if (lock?.mine) return
    await setTimeout(lockEvery)
  }
}

export function reasonOf(error: unknown): string {
  return (asFault(error, 'nothing') as Error).message
}

/**
 * The owner's connection. Once it is lost nothing is sent any more: the driver would go on with the next statement on a
 * new one, outside of the transaction; its own transactions end the process then.
 */
class Owner implements Queries {
  readonly #client: Sql
  #lost = false

  constructor(address: Address) {
    this.#client = single(address, () => {
      this.#lost = true
    })
  }

  get user(): string {
    return this.#client.options.user
  }

  readonly unsafe: Sql['unsafe'] = (...statement) => {
    if (this.#lost) throw new Outage('unknown', 'the connection to Postgres was lost')
    return this.#client.unsafe(...statement)
  }

  async transaction<T>(work: () => Promise<T>): Promise<T> {
    await this.unsafe('begin')
    try {
      const answer = await work()
      await this.unsafe('commit')
      return answer
    } catch (error) {
      if (!this.#lost) await this.unsafe('rollback').catch(() => {})
      throw error
    }
  }

  close(): Promise<void> {
    return this.#client.end({ timeout: 1 })
  }
}

interface Migration {
  readonly sql: readonly string[]
  readonly folderMillis: number
  readonly hash: string
}

/** What of this release has not been applied, in its order. */
async function pending(owner: Queries, folder: string): Promise<Migration[]> {
  const [there] = await owner.unsafe("select where to_regclass('drizzle.__drizzle_migrations') is not null")
  // Asked for where it is there already, it would want a right that only the first migration needs.
  if (!there) {
    await owner.unsafe('create schema if not exists drizzle')
    await owner.unsafe(`create table if not exists drizzle.__drizzle_migrations (
      id serial primary key, hash text not null, created_at bigint)`)
  }
  const applied = await owner.unsafe<{ hash: string }[]>('select hash from drizzle.__drizzle_migrations')
  const hashes = new Set(applied.map(({ hash }) => hash))
  return readMigrationFiles({ migrationsFolder: folder }).filter(({ hash }) => !hashes.has(hash))
}

/** An index that is built concurrently, on a table that is written to meanwhile. No transaction may be around it. */
const builtConcurrently = /^\s*create\s+(unique\s+)?index\s+concurrently\s+("[^"]+"|\w+)/i

/**
 * A migration of statements that are small and can be repeated: no transaction is around them, so that none holds the
 * lock of a table that a service works on while it waits for the next.
 */
const eachOnItsOwn = /^\s*-- Each on its own:/

/** A change in batches: the statement is repeated until it changes no row. */
const untilNoneIsLeft = /^\s*-- Until none is left:/

/**
 * Makes a role that `createRoles` has made, and asks for the right to do so where it is there. As a part of a migration
 * it cannot be changed any more.
 */
const makesRole = /\bcreate role "mintmark_service"/

async function apply(owner: Owner, { sql, hash, folderMillis }: Migration): Promise<void> {
  const statements = sql.filter(statement => statement.trim() !== '' && !makesRole.test(statement))
  const record = () =>
    owner.unsafe('insert into drizzle.__drizzle_migrations (hash, created_at) values ($1, $2)', [
      hash,
      folderMillis,
    ])
  if (eachOnItsOwn.test(statements[0] ?? '')) {
    for (const statement of statements) await repeat(owner, statement)
    await record()
    return
  }
  if (!statements.some(statement => builtConcurrently.test(statement))) {
    await owner.transaction(async () => {
      for (const statement of statements) await owner.unsafe(statement)
      await record()
    })
    return
  }
  for (const statement of statements) {
    const index = builtConcurrently.exec(statement)?.[2]
    if (index === undefined)
      throw new Error('a migration that builds an index concurrently does nothing else')
    // One that was not built to its end is there all the same, and of no use.
    await owner.unsafe(`drop index concurrently if exists ${index}`)
    await owner.unsafe(statement)
  }
  await record()
}

async function repeat(owner: Owner, statement: string): Promise<void> {
  for (;;) {
    const { count } = await owner.unsafe(statement)
    if (!untilNoneIsLeft.test(statement) || count === 0) return
  }
}

/** What a login or a database may have been given, and a migration must not meet. */
const settings: Settings = {
  application_name: 'mintmark migrate',
  search_path: 'public',
  default_transaction_read_only: 'off',
  statement_timeout: '0',
}

/** For a look, or for the owner. */
export function single(address: Address, onclose = () => {}): Sql {
  const life = { connect_timeout: 5, idle_timeout: 0, max_lifetime: null }
  return open(address, { max: 1, ...life, onclose, onnotice: () => {}, connection: settings })
}
