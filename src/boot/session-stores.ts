/** Where sessions lie, by the configuration: what depends on it is put together here, for the service and the commands. */

import { StartRefused } from '../core/errors.js'
import type { KeyEncryptionKeys } from '../sealing/key-encryption-keys.js'
import type { Revocations } from '../sessions/revocations.js'
import type { SessionStore } from '../sessions/store.js'
import type { Database } from '../store/postgres/database.js'
import type { HotReads } from '../store/postgres/hot-reads.js'
import type { SessionsWithin } from '../store/postgres/sessions-within.js'
import { connectRedis, onNonsense } from '../store/redis/connection.js'
import { inTime } from '../store/redis/in-time.js'
import { examineRedis } from '../store/sessions/redis/fitness.js'
import { RedisReads, redisIntrospections } from '../store/sessions/redis/reads.js'
import { redisRevocations } from '../store/sessions/redis/revocations.js'
import { SessionRows } from '../store/sessions/redis/session-rows.js'
import { redisSessionStore } from '../store/sessions/redis/session-store.js'
import { sessionsInRedis } from '../store/sessions/redis/sessions-within.js'
import { endSessionsIn } from '../store/sessions/revoked.js'
import { postgresIntrospections } from '../store/sessions/table/introspections.js'
import { postgresRevocations } from '../store/sessions/table/revocations.js'
import { postgresSessionStore } from '../store/sessions/table/session-store.js'
import { sessionsInTable } from '../store/sessions/table/sessions-within.js'
import type { IntrospectionStore } from '../tokens/introspection.js'
import type { Config } from './config.js'

export interface SessionStores {
  readonly sessions: SessionStore
  readonly revocations: Revocations
  readonly introspections: IntrospectionStore
  /** For what other stores do with sessions in their transactions. */
  readonly within: SessionsWithin
}

export interface Connections {
  readonly database: Database
  readonly hot: HotReads
  /** Connections that only ending sessions may use. */
  readonly reserved: Database
  /** Undefined: the table in Postgres has the sessions. */
  readonly rows: SessionRows | undefined
}

export function sessionStores({ database, hot, reserved, rows }: Connections): SessionStores {
  const revocations = revocationsIn(database, rows, reserved)
  if (!rows) {
    return {
      sessions: postgresSessionStore(database, hot, reserved),
      revocations,
      introspections: postgresIntrospections(hot),
      within: sessionsInTable,
    }
  }
  return {
    sessions: redisSessionStore(database, new RedisReads(hot, rows), rows, reserved),
    revocations,
    introspections: redisIntrospections(hot, rows),
    within: sessionsInRedis(rows),
  }
}

export function revocationsIn(database: Database, rows?: SessionRows, reserved = database): Revocations {
  return rows ? redisRevocations(database, rows, reserved) : postgresRevocations(database, reserved)
}

/** Ending some with their cause needs no connection to where they are. */
export function endingSessions({ sessionStore }: Pick<Config, 'sessionStore'>): Pick<SessionsWithin, 'end'> {
  return sessionStore === 'redis' ? { end: endSessionsIn } : sessionsInTable
}

/** Milliseconds that a command waits for Redis: nobody stands in line behind it. */
const patienceOfCommands = { read: 1000, write: 1000 }

/** On a connection of its own: what the counters give up on must not take sessions along. */
export async function openRows(
  { redisUrl }: Pick<Config, 'redisUrl'>,
  keks: KeyEncryptionKeys,
  { forCommand = false, nonsense = (_problem: string) => {} } = {},
): Promise<{ readonly rows: SessionRows; close(): void }> {
  if (redisUrl === undefined) throw new Error('sessions cannot be stored in Redis without REDIS_URL')
  const redis = connectRedis(redisUrl, forCommand ? null : undefined)
  onNonsense(redis, nonsense)
  const rows = new SessionRows(redis, keks, forCommand ? patienceOfCommands : undefined)
  // One that is away is tried for again in the background: nobody waits for it here.
  await inTime(redis.connect(), 2000).catch(() => {})
  return { rows, close: () => redis.disconnect() }
}

/** For a command. */
export async function withRows<T>(
  config: Pick<Config, 'redisUrl'>,
  keks: KeyEncryptionKeys,
  work: (rows: SessionRows) => Promise<T>,
): Promise<T> {
  const opened = await openRows(config, keks, { forCommand: true })
  try {
    return await work(opened.rows)
  } finally {
    opened.close()
  }
}

/** Throws `StartRefused` when this Redis is not one to keep sessions in; answers what is to be warned of. */
export async function refuseUnfitRedis(config: Config): Promise<readonly string[]> {
  if (config.sessionStore !== 'redis' || config.redisUrl === undefined) return []
  const { faults, risks, unknown } = await examineRedis(config.redisUrl)
  const accept = 'or set MINTMARK_SESSION_REDIS_UNSAFE=accepted to accept the risk'
  const refused = config.acceptsUnsafeRedis ? faults : [...faults, ...risks.map(risk => `${risk}, ${accept}`)]
  if (refused.length > 0) throw new StartRefused(refused)
  return [...risks, ...unknown]
}
