/** The service started and closed as one: its database, its keys, what it follows, its listeners. */

import fastify, { type FastifyBaseLogger, type FastifyInstance } from 'fastify'
import { StartRefused } from '../core/errors.js'
import { type Health, healthRoutes } from '../http/api/health.js'
import { metricsRoute } from '../http/api/metrics.js'
import { createMetrics } from '../http/middleware/metrics.js'
import { loadTheme } from '../http/pages/theme.js'
import { type KeyRing, openKeyRing } from '../keys/key-ring.js'
import type { KeyRingStore } from '../keys/store.js'
import type { KeyEncryptionKeys } from '../sealing/key-encryption-keys.js'
import { cleanRegularly } from '../store/postgres/clean-up.js'
import { Trust } from '../store/postgres/cluster-identity.js'
import type { Address } from '../store/postgres/connection.js'
import { Database } from '../store/postgres/database.js'
import { HotReads } from '../store/postgres/hot-reads.js'
import { postgresKeyRingStore } from '../store/postgres/keys/key-ring-store.js'
import { examinePostgres } from '../store/postgres/migration/fitness.js'
import { postgresApplicationStore } from '../store/postgres/tenants/application-store.js'
import { type Announcements, listen as listenToRedis } from '../store/redis/announcements.js'
import { connectRedis, onNonsense } from '../store/redis/connection.js'
import { rememberRedis } from '../store/sessions/revoked.js'
import { type OriginRegistry, openOriginRegistry } from '../tenants/origins.js'
import { createBackground } from './background.js'
import { closeAll, closeWithin } from './closing.js'
import { openFeed } from './feed.js'
import { listenOn } from './listen.js'
import { recordRpId } from './passkey-domain.js'
import { openRows, refuseUnfitRedis, sessionStores } from './session-stores.js'
import type { TrustedGeneration } from './trusted-generation.js'
import { assemble, type GivenParts } from './wire.js'

export interface ServiceParts extends GivenParts {
  readonly address: Address
  readonly generation: TrustedGeneration
  /** How many lines the log has dropped so far. */
  readonly linesDropped?: () => number
  /** Milliseconds within which an instance follows what changed elsewhere, without any announcement. */
  readonly lookEveryMs?: number
  readonly cleanEveryMs?: number
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

/** Kept free for ending sessions, which must work while everything else waits for a connection. */
const reservedConnections = 2

/** Throws `StartRefused` when this database, or this key-encryption key, is not one to serve from. */
export async function startService(parts: ServiceParts): Promise<Service> {
  const { config, address, log } = parts
  const keep = keeper(parts)
  const found = await refuseUnfit(parts)
  const trust = new Trust(found, higher => void keep(higher))
  for (const warning of await refuseUnfitRedis(config)) log.warn(warning)
  let kick = () => {}
  const committed = () => kick()
  const database = new Database(address, { trust, committed })
  const hot = new HotReads(address, trust)
  const forFeed = new HotReads(address, trust, 1)
  const reserved = new Database(address, { connections: reservedConnections, trust, committed })
  const forRefusals = new Database(address, { connections: 1, trust })
  const closers: (() => unknown)[] = [database, hot, forFeed, reserved, forRefusals].map(
    one => () => one.close(),
  )
  const close = async () => {
    for (const err of await closeAll(closers.splice(0))) log.error({ err }, 'a component did not close')
  }
  try {
    const metrics = createMetrics(parts.linesDropped)
    const background = createBackground(log, metrics, parts.unnoticedWithinMs)
    closers.push(() => background.drain(5000))
    const ring = await openRing(postgresKeyRingStore(database), parts.keks, config.issuer)
    await recordRpId(database, config.passkeyRpId)
    const { feed, verifiers, receipts } = openFeed(parts, forFeed, database, ring)
    kick = feed.kick
    closers.push(() => verifiers.close())
    const registry = await openOriginRegistry(postgresApplicationStore(database))
    closers.push(cleanRegularly(database, background.run, metrics.cleaned, parts.cleanEveryMs))
    const announcements = await followChanges(parts, ring, registry, closers)
    const redis = config.redisUrl === undefined ? undefined : connectRedis(config.redisUrl)
    const nonsense = (problem: string) => log.error({ redis: problem }, 'Redis sent an invalid reply')
    if (redis)
      onNonsense(redis, nonsense)
        .connect()
        .catch(() => {})
    closers.push(() => redis?.disconnect())

    if (config.sessionStore === 'redis') await rememberRedis(database)
    const sessionRows =
      config.sessionStore === 'redis' ? await openRows(config, parts.keks, { nonsense }) : undefined
    closers.push(() => sessionRows?.close())
    const stores = sessionStores({ database, hot, reserved, rows: sessionRows?.rows })

    const health: Health & { closing: boolean } = {
      closing: false,
      redis: () => announcements?.state,
      askPrimary: () => askPrimary(hot, log),
    }
    const theme = await loadTheme(config.themeFolder)
    const connections = { database, hot, reserved, forRefusals, redis }
    const app = await assemble({
      ...parts,
      ...connections,
      metrics,
      theme,
      inBackground: background.run,
      unnoticed: background.unnoticed,
      stores,
      ring,
      registry,
      feed,
      verifiers,
      receipts,
      health: 'url' in address ? undefined : health,
    })
    const probes = fastify({ logger: false, forceCloseConnections: true })
    await probes.register(healthRoutes(health))
    await probes.register(metricsRoute(metrics.registry))
    closers.push(
      () => probes.close(),
      () => closeWithin(app, mostClosingMs),
      () => feed.close(),
      () => receipts.close(),
      () => {
        health.closing = true
      },
    )
    const addresses = {
      probes: await listenOn(probes, config.healthListen, 'MINTMARK_HEALTH_LISTEN'),
      main: await listenOn(app, config.listen, 'MINTMARK_LISTEN'),
    }
    // Not before: a start with another's database by mistake, which ends above, must not outrank the one in use.
    await keep(found)
    return { app, addresses, close }
  } catch (error) {
    await close()
    throw error
  }
}

/** What changes elsewhere is followed at once where it is announced, and within seconds where it is not. */
async function followChanges(
  { config, log, lookEveryMs }: ServiceParts,
  ring: KeyRing,
  registry: OriginRegistry,
  closers: (() => unknown)[],
): Promise<Announcements | undefined> {
  const look = {
    keys: () =>
      followRing(ring, log).catch(error => log.warn({ err: error }, 'the key ring could not be refreshed')),
    applications: () =>
      registry.refresh().catch(error => log.warn({ err: error }, 'the registered origins could not be read')),
  }
  const every = lookEveryMs ?? ring.lookEveryMs()
  const timer = setInterval(() => void Promise.all([look.keys(), look.applications()]), every).unref()
  closers.push(() => clearInterval(timer))
  if (config.redisUrl === undefined) return undefined
  const announcements = listenToRedis(
    config.redisUrl,
    topic => void look[topic](),
    problem => log.warn({ redis: problem }, 'Redis is not fully available'),
  )
  closers.push(() => announcements.close())
  return announcements
}

/** What others did to the ring, and what is due now. */
async function followRing(ring: KeyRing, log: FastifyBaseLogger): Promise<void> {
  await ring.refresh()
  await ring.maintain()
  const missing = ring.missingKeks()
  if (missing.length > 0)
    log.error(
      { missing },
      'key-encryption keys are missing: put them back, or the keys sealed under them cannot sign on this instance',
    )
}

/** Keeps a generation that was trusted; where it cannot be kept, the log says what to do. */
function keeper({ generation, log }: Pick<ServiceParts, 'generation' | 'log'>) {
  return async (trusted: number) => {
    const failed = await generation.keep(trusted)
    if (failed !== undefined) log.warn(failed)
  }
}

/** Answers the generation of the database. */
async function refuseUnfit({ address, generation, log }: ServiceParts): Promise<number> {
  const { faults, warnings, generation: found } = await examinePostgres(address, generation)
  if (faults.length > 0) throw new StartRefused(faults)
  for (const warning of warnings) log.warn(warning)
  return found
}

/** A probe that is answered with 503 says why in the log: the prober does not read bodies. */
async function askPrimary(hot: HotReads, log: FastifyBaseLogger) {
  try {
    const answer = await hot.probe()
    if (!answer.takesWrites)
      log.error("not ready: the service's role cannot write to Postgres: run `mintmark migrate`")
    return answer
  } catch (error) {
    log.error({ outage: (error as Error).message }, 'not ready: Postgres cannot be reached')
    throw error
  }
}

/** Never makes a key because one cannot be opened: that is for the operator to fix. */
async function openRing(store: KeyRingStore, keks: KeyEncryptionKeys, issuer: string) {
  const { keys } = await store.read()
  const missing = keys.flatMap(({ kekId }) => (kekId === null || keks.has(kekId) ? [] : [`${kekId}.kek`]))
  if (missing.length > 0) {
    const files = [...new Set(missing)].join(', ')
    throw new StartRefused([
      `the key-encryption key of the signing keys is missing: put ${files} back into MINTMARK_KEYS_FOLDER`,
    ])
  }
  return openKeyRing(store, keks, issuer).catch(error => {
    if (error instanceof Error && error.name === 'Outage') throw error
    throw new StartRefused([
      `${(error as Error).message}, or its keys were made for another issuer than ${issuer}: set ISSUER back if it has changed (or, if it is not set, the port in MINTMARK_LISTEN), or put the right file into MINTMARK_KEYS_FOLDER`,
    ])
  })
}
