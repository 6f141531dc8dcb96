/** Sessions in Redis, everything else in Postgres, as the conformance suites see it; on one Redis or on a Cluster. */
import type postgres from 'postgres'
import type { Test } from 'tap'
import type { SessionId } from '../../src/core/principal.js'
import { type KeyEncryptionKeys, loadKeyEncryptionKeys } from '../../src/sealing/key-encryption-keys.js'
import { postgresAccountStore } from '../../src/store/postgres/accounts/account-store.js'
import type { Database } from '../../src/store/postgres/database.js'
import type { HotReads } from '../../src/store/postgres/hot-reads.js'
import { connectRedis, type RedisClient } from '../../src/store/redis/connection.js'
import { RedisReads } from '../../src/store/sessions/redis/reads.js'
import { redisRevocations } from '../../src/store/sessions/redis/revocations.js'
import { rowKey, SessionRows } from '../../src/store/sessions/redis/session-rows.js'
import { redisSessionStore } from '../../src/store/sessions/redis/session-store.js'
import { sessionsInRedis } from '../../src/store/sessions/redis/sessions-within.js'
import { redisServer } from '../support/redis.js'
import { redisCluster } from '../support/redis-cluster.js'
import { folderWithKey } from '../support/ring.js'
import { eventually } from '../support/service.js'
import { postgresParts } from './postgres-world.js'
import type { Arrange, World } from './world.js'

/** The same lock as in src/store/postgres/sessions-within.ts. */
const lockOf = 735_194_601

export interface RedisWorld extends World {
  readonly redis: RedisClient
  readonly rows: SessionRows
  readonly sql: postgres.Sql
  readonly database: Database
  readonly hot: HotReads
  readonly keks: KeyEncryptionKeys
  /** Where those keys are files. */
  readonly keysFolder: string
}

export async function redisWorld(t: Test): Promise<RedisWorld> {
  const server = await redisServer(t)
  server.start()
  return worldOn(t, server.url)
}

export async function redisClusterWorld(t: Test): Promise<RedisWorld> {
  return worldOn(t, (await redisCluster(t)).url)
}

/** Patient: a busy machine is no Redis that hangs. */
const patience = { read: 5000, write: 5000 }

export async function worldOn(t: Test, url: string, bound = patience): Promise<RedisWorld> {
  const { world, database, hot, sql } = await postgresParts(t)
  const redis = connectRedis(url, 50)
  t.teardown(() => redis.disconnect())
  redis.connect().catch(() => {})
  await eventually(async () => (await redis.get('ready').catch(() => undefined)) === null || undefined, 20)
  const keysFolder = await folderWithKey(t)
  const { keys: keks } = await loadKeyEncryptionKeys(keysFolder)
  const rows = new SessionRows(redis, keks, bound)
  const within = sessionsInRedis(rows)
  return {
    ...world,
    redis,
    rows,
    sql,
    database,
    hot,
    keks,
    keysFolder,
    within,
    touchesWhatIsHeld: true,
    countsNone: true,
    sessions: redisSessionStore(database, new RedisReads(hot, rows), rows),
    revocations: redisRevocations(database, rows),
    accounts: postgresAccountStore(database, within),
    arrange: { ...world.arrange, ...arrange(redis, rows, sql, world.arrange) },
  }
}

function arrange(
  redis: RedisClient,
  rows: SessionRows,
  sql: postgres.Sql,
  others: Arrange,
): Partial<Arrange> {
  /** The row with `change` in it, as if it had been written so. */
  async function rewrite(session: SessionId, change: postgres.Fragment): Promise<void> {
    const stored = await rows.read(session)
    if (!stored) throw new Error(`there is no session ${session}`)
    const [row] = await sql`
      select ((to_jsonb(s) - 'last_seen_at') || ${change})::text as row, s.user_id as user,
        to_char((coalesce((${change} ->> 'last_seen_at')::timestamptz, s.last_seen_at)) at time zone 'UTC',
          'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as seen
      from jsonb_populate_record(null::sessions, ${stored.row}::text::jsonb || ${stored.changes}::text::jsonb) s`
    await redis.del(rowKey(session))
    // Redis keeps it for longer than it lives: it is Postgres that says when it has ended.
    await rows.write({
      id: session,
      user: row?.user,
      row: row?.row,
      seen: row?.seen,
      now: 0,
      endsAt: 3_600_000,
    })
  }
  const second = sql`interval '1 second'`
  return {
    age: (session, { idle = 0, absolute = 0 }) =>
      rewrite(
        session,
        sql`jsonb_build_object('last_seen_at', s.last_seen_at - ${idle} * ${second},
          'ends_at', s.ends_at - ${absolute} * ${second})`,
      ),
    ageProof: (session, seconds) =>
      rewrite(
        session,
        sql`jsonb_build_object('auth_time', s.auth_time - ${seconds} * ${second},
          'secret_changed_at', s.secret_changed_at - ${seconds} * ${second})`,
      ),
    async enterTenant(session, tenant) {
      const stored = await rows.read(session)
      if (!stored || !(await rows.place(session, stored, tenant))) throw new Error(`no session ${session}`)
    },
    async rowOf(session) {
      const fields = await redis.hgetall(rowKey(session))
      const [revoked] = await sql`select r::text as text from revoked_sessions r where id = ${session}`
      if (Object.keys(fields).length === 0 && !revoked) return undefined
      return JSON.stringify([fields, revoked?.text])
    },
    async endOf(session) {
      const [row] = await sql`select reason from revoked_sessions where id = ${session}`
      return row?.reason
    },
    async sessionCount() {
      const masters = 'nodes' in redis ? redis.nodes('master') : [redis]
      const keys = await Promise.all(masters.map(node => node.keys('mintmark:session:*')))
      return keys.flat().length
    },
    async whileHeld(what, work) {
      if (!('session' in what)) return others.whileHeld(what, work)
      await sql.begin(async tx => {
        await tx`select pg_advisory_xact_lock(${lockOf}, hashtext(${what.session}))`
        await work()
      })
    },
  }
}
