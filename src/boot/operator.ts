/** What operators' commands run on: the domain over the configured database, opened for one command and told of at its end. */
import { createThrottle } from '../accounts/throttle.js'
import { CommandFailed } from '../core/errors.js'
import type { Mail } from '../core/mail.js'
import { createReceipts, heldListsIn, type Receipts } from '../feed/receipts.js'
import type { FeedReports } from '../feed/reports.js'
import type { VerifierStore } from '../feed/verifiers.js'
import { createKeyOperations, type KeyOperations } from '../keys/operations.js'
import { openSealedKey } from '../keys/signing-key.js'
import { type OpenMailer, openMailer } from '../mail/mailer.js'
import { type KeyEncryptionKeys, loadKeyEncryptionKeys } from '../sealing/key-encryption-keys.js'
import type { Revocations } from '../sessions/revocations.js'
import { postgresAccountStore } from '../store/postgres/accounts/account-store.js'
import { Trust } from '../store/postgres/cluster-identity.js'
import type { Address } from '../store/postgres/connection.js'
import { Database } from '../store/postgres/database.js'
import { postgresFeedReports } from '../store/postgres/feed/feed-reports.js'
import { postgresVerifierStore } from '../store/postgres/feed/verifier-store.js'
import { postgresKeyRingStore } from '../store/postgres/keys/key-ring-store.js'
import type { Topic } from '../store/redis/announcements.js'
import { createLimiter } from '../store/redis/limiter.js'
import { sessionsInTable } from '../store/sessions/table/sessions-within.js'
import type { Config } from './config.js'
import { createDomain, type Domain } from './domain.js'
import { devPostgres } from './embedded.js'
import { openRows, revocationsIn } from './session-stores.js'
import { openTrustedGeneration } from './trusted-generation.js'

export interface Operator extends Domain {
  readonly config: Config
  readonly database: Database
  /** Resolves when mail can be sent now. What cannot be mailed is not begun. */
  mailWorks(): Promise<void>
  /** Resolves when every mail of this command has been sent; throws why one was not. */
  mailed(): Promise<void>
  readonly feed: {
    readonly receipts: Receipts
    readonly reports: FeedReports
    readonly forget: VerifierStore['forget']
  }
  /** For who changes keys, at least one key-encryption key must be there. */
  keys(use: 'reads' | 'changes'): Promise<KeyOperations>
  /** Ending sessions needs no key: without one no row is known to be ours, and its id is listed nevertheless. */
  sessions(use: 'reads rows' | 'ends'): Promise<Revocations>
}

/** `say` is told what the operator should know beside the answer. */
export async function operate<T>(
  config: Config,
  work: (operator: Operator) => Promise<T>,
  say: (line: string) => void,
): Promise<T> {
  const closers: (() => void)[] = []
  const topics = new Set<Topic>()
  try {
    return await withDatabase(config, database =>
      work(createOperator(config, database, closers, topics, say)),
    )
  } finally {
    for (const close of closers) close()
    await announceAll(config, topics, say)
  }
}

function createOperator(
  config: Config,
  database: Database,
  closers: (() => void)[],
  topics: Set<Topic>,
  say: (line: string) => void,
): Operator {
  let mailer: Promise<OpenMailer> | undefined
  const mails: Promise<void>[] = []
  const opened = () => {
    mailer ??= openMailer(config, (_message, file) => say(`Mail: ${file}`), { once: true })
    return mailer
  }
  closers.push(() => void mailer?.then(mailer => mailer.close()))
  const verifiers = postgresVerifierStore(database)
  const receipts = createReceipts(verifiers)
  const domain = createDomain({
    config,
    database,
    store: postgresAccountStore(database, sessionsInTable),
    keks: () => keyEncryptionKeys(config),
    sealing: () => keysOfService(config, database),
    // Counted from nothing in each process: an operator is not limited.
    throttle: createThrottle(createLimiter(undefined)),
    mailer: { send: async (mail: Mail) => (await opened()).send(mail) },
    inBackground: (_name, work) => void mails.push(work()),
    changed: topic => topics.add(topic),
  })
  return {
    ...domain,
    config,
    database,
    feed: {
      receipts,
      reports: postgresFeedReports(database),
      forget: verifiers.forget,
    },
    mailWorks: async () => (await opened()).check(),
    mailed: async () => void (await Promise.all(mails)),
    keys: async use =>
      createKeyOperations({
        store: postgresKeyRingStore(database),
        keks: await (use === 'changes' ? presentKeys : keyEncryptionKeys)(config),
        issuer: config.issuer,
        resealOthers: domain.resealOthers,
        changed: () => topics.add('keys'),
        heldLists: heldListsIn(receipts),
      }),
    async sessions(use) {
      if (config.sessionStore === 'postgres') return revocationsIn(database)
      const ends = use === 'ends'
      const keks = ends ? (await loadKeyEncryptionKeys(config.keysFolder)).keys : await presentKeys(config)
      const { rows, close } = await openRows(config, keks, { forCommand: true })
      closers.push(close)
      return revocationsIn(database, rows)
    },
  }
}

/** Other instances look at once. It is told after the change: Redis being away costs seconds, nothing else. */
export async function announceAll(
  { redisUrl }: Config,
  topics: Iterable<Topic>,
  say: (line: string) => void,
): Promise<void> {
  for (const topic of topics) {
    if (redisUrl === undefined) return
    const { announce } = await import('../store/redis/announcements.js')
    await announce(redisUrl, topic).catch(error =>
      say(
        `Redis cannot be reached (${(error as Error).message}): instances apply the change within seconds.`,
      ),
    )
  }
}

export async function withDatabase<T>(
  config: Config,
  work: (database: Database) => Promise<T>,
  options: { readonly anyCluster?: boolean } = {},
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

export async function addressOf({ database }: Config): Promise<Address> {
  if ('url' in database) return database
  const found = await (await devPostgres()).findEmbeddedPostgres(database.embeddedIn)
  if (!found)
    throw new CommandFailed(
      `no service is running on ${database.embeddedIn}: start it (npm start), or set DATABASE_URL`,
    )
  return found
}

/** Without any that could not be read: then the command fails, with every fault. */
async function keyEncryptionKeys({ keysFolder }: Config): Promise<KeyEncryptionKeys> {
  const { keys, faults } = await loadKeyEncryptionKeys(keysFolder)
  if (faults.length > 0) throw new CommandFailed(faults.join('\n'))
  return keys
}

/** At least one of them. */
export async function presentKeys(config: Config): Promise<KeyEncryptionKeys> {
  const keys = await keyEncryptionKeys(config)
  if (keys.size > 0) return keys
  throw new CommandFailed(
    `there is no key-encryption key in ${config.keysFolder}: run the command where the service runs`,
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
        `${(error as Error).message}: run the command with the same MINTMARK_KEYS_FOLDER and ISSUER as the service`,
      )
    })
  }
  return keys
}
