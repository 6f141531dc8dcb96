/** Sessions copied from one store to the other, in batches, while services run on the store that they come from. */
import { sql } from 'drizzle-orm'
import type { SessionId } from '../../../core/principal.js'
import { advisoryLocks } from '../../postgres/advisory-locks.js'
import type { Database } from '../../postgres/database.js'
import { isLive, ofTheLiving } from '../live.js'
import type { SessionRows } from '../redis/session-rows.js'
import { allStored, forRedis, isUnrevoked, type Made, made, timestamp } from '../redis/stored-row.js'

const batchSize = 200

/**
 * From the table into Redis. What is ended or renewed in the table afterwards is over in Redis as well: a check there
 * looks into the table. Copying again takes over what has changed. Answers how many there are by now.
 */
export async function copyToRedis(database: Database, rows: SessionRows): Promise<number> {
  let copied = 0
  for (let after = ''; ; ) {
    const batch = await database.transaction(async tx => {
      // Of two that copy at once each batch is one's alone.
      await tx.execute(sql`select pg_advisory_xact_lock(${advisoryLocks.copying}, 0)`)
      const live = await tx.execute<Made & { id: SessionId; last_seen: string }>(sql`
        select s.id, ${timestamp(sql`s.last_seen_at`)} as last_seen,
          ${made(sql`jsonb_strip_nulls(to_jsonb(s) - 'last_seen_at')`, sql`s.user_id`, sql`s.ends_at`)}
        from sessions s ${ofTheLiving}
        where s.id > ${after} and ${isLive} and ${isUnrevoked}
        order by s.id limit ${batchSize}`)
      await Promise.all(live.map(row => rows.copy({ id: row.id, ...forRedis(row), seen: row.last_seen })))
      return [...live]
    })
    copied += batch.length
    const last = batch.at(-1)
    if (!last || batch.length < batchSize) return copied
    after = last.id
  }
}

/**
 * From Redis into the table. What is ended or renewed with sessions in Redis ends its row in the table as well. A batch
 * waits for revocations that are not committed yet, and they wait for it: none falls between looking and copying.
 */
export async function copyToTable(database: Database, rows: SessionRows): Promise<number> {
  let copied = 0
  for await (const ids of rows.scan()) {
    const found = await Promise.all(ids.map(id => rows.read(id)))
    const given = found.filter(row => row !== undefined)
    if (given.length === 0) continue
    copied += await database.transaction(async tx => {
      await tx.execute(sql`lock table revoked_sessions in share mode`)
      const taken = await tx.execute(sql`
        insert into sessions
        select s.* from ${allStored(given)} ${ofTheLiving}
        where ${isLive} and ${isUnrevoked}
        order by s.id
        on conflict (id) do update
          set last_seen_at = greatest(sessions.last_seen_at, excluded.last_seen_at), tenant_id = excluded.tenant_id
          where sessions.ended_at is null and sessions.secret_hash = excluded.secret_hash
        returning id`)
      return taken.length
    })
  }
  return copied
}
