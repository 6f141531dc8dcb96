/** The service put together: stores, domain and app, started and closed as one. The only file besides cli.ts that does. */
import { availableParallelism } from 'node:os'
import fastify, { type FastifyBaseLogger, type FastifyInstance } from 'fastify'
import { buildApp } from './app.js'
import { type Background, createBackground } from './background.js'
import type { Config } from './config.js'
import { openOriginRegistry } from './directory/origins.js'
import { StartRefused } from './errors.js'
import { type Health, healthRoutes } from './http/routes/health.js'
import type { KeyEncryptionKeys } from './keyring/key-encryption-keys.js'
import { openKeyRing } from './keyring/key-ring.js'
import type { KeyRingStore } from './keyring/store.js'
import { createFinish } from './login/finish.js'
import type { Post } from './login/mail.js'
import { createPasswordChange } from './login/password-change.js'
import { createPasswordHasher } from './login/password-hash.js'
import { createPasswordPolicy } from './login/password-policy.js'
import { createPasswordReset } from './login/password-reset.js'
import { createPasswordSignIn } from './login/password-sign-in.js'
import { createSignUp } from './login/sign-up.js'
import { createSessions } from './session/sessions.js'
import { postgresAccountStore } from './store/postgres/account-store.js'
import { postgresApplicationStore } from './store/postgres/application-store.js'
import type { Address } from './store/postgres/connection.js'
import { Database } from './store/postgres/database.js'
import { HotReads } from './store/postgres/hot-reads.js'
import { postgresKeyRingStore } from './store/postgres/key-ring-store.js'
import { inspect } from './store/postgres/migrate.js'
import { postgresSessionStore } from './store/postgres/session-store.js'
import { listen as listenToRedis } from './store/redis/announcements.js'

export interface ServiceParts {
  readonly config: Config
  readonly address: Address
  readonly keks: KeyEncryptionKeys
  readonly post: Post
  readonly log: FastifyBaseLogger
  /** Milliseconds within which an instance follows what changed elsewhere, without any announcement. */
  readonly lookEveryMs?: number
}

export interface Service {
  readonly app: FastifyInstance
  /** Where it listens: the main listener, and that of the probes. */
  readonly addresses: { readonly main: string; readonly probes: string }
  /** In-flight requests finish, new ones are refused, then every connection closes. */
  close(): Promise<void>
}

/** Milliseconds after which a shutdown no longer waits for requests under way. */
const mostClosingMs = 10_000
const mostQueuedHashes = 64

/** Throws `StartRefused` when this database, or this key-encryption key, is not one to serve from. */
export async function startService(parts: ServiceParts): Promise<Service> {
  const { config, address, log } = parts
  await refuseUnfit(address)
  const database = new Database(address)
  const hot = new HotReads(address)
  const closers: (() => unknown)[] = [() => database.close(), () => hot.close()]
  const close = async () => {
    for (const closer of closers.splice(0).reverse()) await closer()
  }
  try {
    const background = createBackground(log)
    closers.push(() => background.drain(5000))
    const { app, probes, health } = await assemble(parts, database, hot, background, closers)
    closers.push(
      () => probes.close(),
      () => closeWithin(app, mostClosingMs),
      () => {
        health.closing = true
      },
    )
    const addresses = {
      probes: await listenOn(probes, config.healthListen, 'MINTMARK_HEALTH_LISTEN'),
      main: await listenOn(app, config.listen, 'MINTMARK_LISTEN'),
    }
    return { app, addresses, close }
  } catch (error) {
    await close()
    throw error
  }
}

async function assemble(
  { config, address, keks, post, log, lookEveryMs = 5000 }: ServiceParts,
  database: Database,
  hot: HotReads,
  background: Background,
  closers: (() => unknown)[],
) {
  const { issuer, product, sessionLimits } = config
  const ring = await openRing(postgresKeyRingStore(database), keks, issuer)
  const registry = await openOriginRegistry(postgresApplicationStore(database))
  const look = {
    keys: () => ring.refresh().catch(error => log.warn({ err: error }, 'the key ring could not be read')),
    applications: () =>
      registry.refresh().catch(error => log.warn({ err: error }, 'the origins could not be read')),
  }
  const timer = setInterval(() => void Promise.all([look.keys(), look.applications()]), lookEveryMs).unref()
  closers.push(() => clearInterval(timer))
  const redis =
    config.redisUrl === undefined
      ? undefined
      : listenToRedis(
          config.redisUrl,
          topic => void look[topic](),
          problem => log.warn({ redis: problem }, 'degraded'),
        )
  if (redis) closers.push(() => redis.close())

  const store = postgresAccountStore(database)
  const sessions = createSessions(postgresSessionStore(database, hot), sessionLimits)
  const hasher = createPasswordHasher({ concurrency: hashesAtOnce(), queueLimit: mostQueuedHashes })
  const policy = createPasswordPolicy({ minLength: config.passwordMinLength })
  const finish = createFinish(sessions)
  const passwordSignIn = createPasswordSignIn(store, hasher)
  const shared = { issuer, store, hasher, policy, post, inBackground: background.run }

  const health: Health & { closing: boolean } = {
    closing: false,
    redis: () => redis?.state,
    askTruth: () => hot.probe(),
  }
  const app = await buildApp({
    issuer,
    product,
    passwordMinLength: config.passwordMinLength,
    log,
    trustedProxies: config.trustedProxies,
    registry,
    ring,
    sessions,
    finish,
    passwordSignIn,
    signUp: createSignUp({ ...shared, finish }),
    passwordReset: createPasswordReset(shared),
    changePassword: createPasswordChange({ ...shared, signIn: passwordSignIn }),
    health: 'url' in address ? undefined : health,
  })
  const probes = fastify({ logger: false, forceCloseConnections: true })
  await probes.register(healthRoutes(health))
  return { app, probes, health }
}

async function refuseUnfit(address: Address): Promise<void> {
  const state = await inspect(address).catch(error => {
    throw new StartRefused([
      `Postgres cannot be asked (${(error as Error).message}): check DATABASE_URL, and that the server runs and lets this user in`,
    ])
  })
  const faults: string[] = []
  if (state.inRecovery)
    faults.push('this Postgres is in recovery (a standby): point DATABASE_URL at the primary')
  if (state.version < 150_000) faults.push('this Postgres is older than 15: upgrade it')
  if (state.missing > 0)
    faults.push(`the database lacks ${state.missing} migration(s): run \`mintmark migrate\``)
  if (faults.length > 0) throw new StartRefused(faults)
}

/** Never makes a key because one cannot be opened: that is for the operator to mend. */
async function openRing(store: KeyRingStore, keks: KeyEncryptionKeys, issuer: string) {
  const { keys } = await store.read()
  const missing = new Set(keys.map(key => key.kekId).filter(id => !keks.has(id)))
  if (missing.size > 0) {
    const files = [...missing].map(id => `${id}.kek`).join(', ')
    throw new StartRefused([
      `the signing keys are sealed under a key-encryption key that is not here: put ${files} back into MINTMARK_KEYS_FOLDER`,
    ])
  }
  return openKeyRing(store, keks, issuer).catch(error => {
    if (error instanceof Error && error.name === 'Outage') throw error
    throw new StartRefused([
      `${(error as Error).message}: put the right file into MINTMARK_KEYS_FOLDER, and check that ISSUER is the one the keys were made for`,
    ])
  })
}

/** One core is left to everything else, and one thread of libuv's four to files and name look-ups. */
function hashesAtOnce(): number {
  return Math.min(3, Math.max(1, availableParallelism() - 1))
}

/** Waits for what is under way, and not longer. */
async function closeWithin(app: FastifyInstance, limitMs: number): Promise<void> {
  const limit = setTimeout(() => app.server.closeAllConnections(), limitMs)
  await app.close()
  clearTimeout(limit)
}

async function listenOn(
  app: FastifyInstance,
  { host, port }: Config['listen'],
  setting: string,
): Promise<string> {
  try {
    return await app.listen({ host, port })
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code !== 'EADDRINUSE' && code !== 'EADDRNOTAVAIL' && code !== 'EACCES') throw error
    throw new StartRefused([
      `cannot listen on ${host}:${port} (${message}): free it, or set ${setting} to another address`,
    ])
  }
}
