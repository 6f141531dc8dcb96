/** What every command needs: the configuration, the database, who is meant, and how a failure is said. */
import { existsSync } from 'node:fs'
import { type By, noRequest } from '../audit/events.js'
import { type Config, parseConfig } from '../boot/config.js'
import { devPostgres, isEmbeddedRefusal } from '../boot/embedded.js'
import { openTrustedGeneration } from '../boot/trusted-generation.js'
import { parseEmailAddress } from '../core/email-address.js'
import { Outage, StartRefused } from '../core/errors.js'
import type { UserId } from '../core/principal.js'
import { openSealedKey } from '../keys/signing-key.js'
import { type KeyEncryptionKeys, loadKeyEncryptionKeys } from '../sealing/key-encryption-keys.js'
import { postgresUserStore } from '../store/postgres/accounts/user-store.js'
import type { Address } from '../store/postgres/connection.js'
import { Database } from '../store/postgres/database.js'
import { postgresKeyRingStore } from '../store/postgres/keys/key-ring-store.js'
import { Trust } from '../store/postgres/lineage.js'
import type { Topic } from '../store/redis/announcements.js'
import { type Form, note } from './output.js'

/** Said on standard error, with exit code 1. */
export class CommandFailed extends Error {}

/** Whoever runs a command: the audit log has no person and no request for it. */
export const operator: By = { actor: undefined, occasion: noRequest }

export function configuration(): Config {
  if (existsSync('.env')) process.loadEnvFile('.env')
  return parseConfig(process.env)
}

/** Without any that could not be read: then the command fails, with every fault. */
export async function keyEncryptionKeys({ keysFolder }: Config): Promise<KeyEncryptionKeys> {
  const { keys, faults } = await loadKeyEncryptionKeys(keysFolder)
  if (faults.length > 0) throw new CommandFailed(faults.join('\n'))
  return keys
}

/** At least one of them. */
export async function presentKeys(config: Config): Promise<KeyEncryptionKeys> {
  const keys = await keyEncryptionKeys(config)
  if (keys.size > 0) return keys
  throw new CommandFailed(
    `there is no key-encryption key in ${config.keysFolder}: run it where the service runs`,
  )
}

/** To seal with, for the service to open: they, and this ISSUER, must open what it has sealed itself. */
export async function keysOfService(config: Config, database: Database): Promise<KeyEncryptionKeys> {
  const keys = await presentKeys(config)
  const { keys: ring } = await postgresKeyRingStore(database).read()
  for (const { sealed, kekId, ...key } of ring) {
    if (!sealed || kekId === null) continue
    await openSealedKey(config.issuer, { ...key, sealed, kekId }, keys).catch(error => {
      throw new CommandFailed(
        `${(error as Error).message}: run it with the MINTMARK_KEYS_FOLDER and the ISSUER of the service`,
      )
    })
  }
  return keys
}

export async function addressOf({ database }: Config): Promise<Address> {
  if ('url' in database) return database
  const found = await (await devPostgres()).findEmbeddedPostgres(database.embeddedIn)
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
  // What was done on a former primary would be done for nobody.
  const trust = new Trust((await openTrustedGeneration(config.keysFolder)).kept)
  const database = new Database(await addressOf(config), { connections: 1, trust, ...options })
  try {
    return await work(database)
  } catch (error) {
    // "There is no such user": what the same command has done before, or another, is confirmed before it is said.
    if (error instanceof CommandFailed) await database.settled()
    throw error
  } finally {
    await database.close()
  }
}

/** Other instances look at once. It is told after the change: Redis being away costs seconds, nothing else. */
export async function tell({ redisUrl }: Config, topic: Topic, form: Form = {}): Promise<void> {
  if (redisUrl === undefined) return
  const { announce } = await import('../store/redis/announcements.js')
  await announce(redisUrl, topic).catch(() =>
    note(form, 'Redis is away: instances will see it within seconds.'),
  )
}

export const isUuid = (text: string) => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text)

/** A person by id or by e-mail address. */
export async function personOf(database: Database, who: string): Promise<UserId> {
  const parsed = isUuid(who) ? undefined : parseEmailAddress(who)
  if (parsed && !parsed.ok)
    throw new CommandFailed(
      `${who} is neither a user id nor an e-mail address: \`mintmark users list\` has both`,
    )
  const user = await postgresUserStore(database).find(
    parsed ? { email: parsed.address.canonical } : (who as UserId),
  )
  return known(who, user)
}

/** What a store answers about a person who was there a moment ago. Nothing is forbidden to an operator. */
export function known<T>(who: string, answer: T): Exclude<T, 'unknown' | 'forbidden' | undefined> {
  if (answer === 'forbidden') throw new Error('forbidden')
  if (answer === 'unknown' || answer === undefined)
    throw new CommandFailed(`there is no user ${who}: \`mintmark users list\` has them`)
  return answer as Exclude<T, 'unknown' | 'forbidden' | undefined>
}

/** What a command that failed says. An unknown outcome says that it is safe to repeat. */
export function saying(error: unknown): string {
  if (error instanceof CommandFailed || error instanceof StartRefused || isEmbeddedRefusal(error))
    return error.message
  if (error instanceof Outage) {
    return error.outcome === 'unknown'
      ? `Not confirmed (${error.message}): it may or may not have been done. Run it again.`
      : `Nothing was done: ${error.message}. Check that what DATABASE_URL and REDIS_URL name runs and lets this user in, and run it again.`
  }
  return `${(error as Error).name}: ${(error as Error).message}`
}
