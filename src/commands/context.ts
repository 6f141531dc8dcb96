/** What every command needs: the configuration, the database, who is meant, and how a failure is said. */
import { existsSync } from 'node:fs'
import { type Config, parseConfig } from '../config.js'
import { parseEmailAddress } from '../directory/email-address.js'
import { Outage, StartRefused } from '../errors.js'
import type { UserId } from '../principal.js'
import type { Address } from '../store/postgres/connection.js'
import { Database } from '../store/postgres/database.js'
import { findEmbeddedPostgres } from '../store/postgres/embedded/launch.js'
import { postgresUserStore } from '../store/postgres/user-store.js'

/** Said on standard error, with exit code 1. */
export class CommandFailed extends Error {}

export const print = (line: string) => void process.stdout.write(`${line}\n`)

export function configuration(): Config {
  if (existsSync('.env')) process.loadEnvFile('.env')
  return parseConfig(process.env)
}

export async function addressOf({ database }: Config): Promise<Address> {
  if ('url' in database) return database
  const found = await findEmbeddedPostgres(database.embeddedIn)
  if (!found)
    throw new CommandFailed(
      `no service runs on ${database.embeddedIn}: start it (npm start), or set DATABASE_URL`,
    )
  return found
}

export async function withDatabase<T>(
  config: Config,
  work: (database: Database) => Promise<T>,
  options: { readonly anyLineage?: boolean } = {},
): Promise<T> {
  const database = new Database(await addressOf(config), { connections: 1, ...options })
  try {
    return await work(database)
  } finally {
    await database.close()
  }
}

/** A person by id or by e-mail address. */
export async function personOf(database: Database, who: string): Promise<UserId> {
  const isId = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(who)
  const parsed = isId ? undefined : parseEmailAddress(who)
  if (parsed && !parsed.ok) throw new CommandFailed(`${who} is neither a user id nor an e-mail address`)
  const user = await postgresUserStore(database).find(
    parsed ? { email: parsed.address.canonical } : (who as UserId),
  )
  if (!user) throw new CommandFailed(`there is no user ${who}`)
  return user
}

/** What a command that failed says. An unknown outcome says that it is safe to repeat. */
export function saying(error: unknown): string {
  if (error instanceof CommandFailed || error instanceof StartRefused) return error.message
  if (error instanceof Outage) {
    return error.outcome === 'unknown'
      ? `Not confirmed (${error.message}): it may or may not have been done. Run it again.`
      : `Nothing was done: ${error.message}`
  }
  return `${(error as Error).name}: ${(error as Error).message}`
}
