/** Removes rows that nobody can use any more, in batches that lock nothing but what they delete. */
import { type SQL, sql } from 'drizzle-orm'
import { resetDays } from '../../accounts/factor-resets.js'
import type { InBackground } from '../../core/background.js'
import { mostEntries } from '../../feed/store.js'
import type { Database } from './database.js'

/** Rows of one batch: a few milliseconds of work, and a lock on these rows and no others. */
export const batchRows = 500
/** Batches of one table in one round: what is left comes in the next one, so that none waits behind another. */
const mostBatches = 20

/** Milliseconds. A round removes up to 10 000 rows of a table: 160 a second. */
const everyMinute = 60_000

/** What is over by its own time is kept for a day more. */
const kept = sql`interval '1 day'`

/**
 * Each by the index that its condition can use. Nothing here is waited for by anybody: what refuses a session, a
 * link or a flow is its own time, not that its row is gone.
 */
const stale: readonly { readonly table: string; readonly is: SQL }[] = [
  // Not as soon as they have ended: where sessions move between the stores, what has ended here refuses its copy there.
  { table: 'sessions', is: sql`ends_at < now() - ${kept}` },
  { table: 'revoked_sessions', is: sql`until < now() - ${kept}` },
  { table: 'federated_sessions', is: sql`ends_at < now() - ${kept}` },
  { table: 'federation_flows', is: sql`expires_at < now() - ${kept}` },
  { table: 'provider_logouts', is: sql`created_at < now() - ${kept}` },
  { table: 'mail_links', is: sql`expires_at < now() - ${kept}` },
  { table: 'invitations', is: sql`expires_at < now() - ${kept}` },
  { table: 'pending_sign_ins', is: sql`expires_at < now() - ${kept}` },
  { table: 'passkey_challenges', is: sql`expires_at < now() - ${kept}` },
  { table: 'factor_resets', is: sql`due_at < now() - ${resetDays} * interval '1 day'` },
  { table: 'totp_factors', is: sql`confirmed_at is null and created_at < now() - ${kept}` },
  { table: 'feed_verifiers', is: sql`last_seen_at < now() - ${kept}` },
  { table: 'feed_waits', is: sql`until < now()` },
  { table: 'idempotent_answers', is: sql`created_at < now() - ${kept}` },
]

/** Two 32-bit halves of the advisory lock's name: one instance cleans at a time, whichever comes first. */
const lock = sql`pg_try_advisory_xact_lock(${0x6d696e74}::int, ${0x636c6e75}::int)`

/** Rows removed, by table. `elsewhere`: another instance is at it. */
export type Cleaned = ReadonlyMap<string, number> | 'elsewhere'

/** One round. Each batch is a transaction of its own, so that it ends within milliseconds, whatever is left. */
export async function cleanUp(database: Database): Promise<Cleaned> {
  const removed = new Map<string, number>()
  for (const { table, is } of stale) {
    for (let batch = 0; batch < mostBatches; batch++) {
      const count = await removeBatch(database, table, is)
      // Another one has taken over between two batches, and goes on from here.
      if (count === 'elsewhere') return removed.size > 0 ? removed : count
      if (count > 0) removed.set(table, (removed.get(table) ?? 0) + count)
      if (count < batchRows) break
    }
  }
  const forgotten = await forgetRevocations(database)
  if (forgotten > 0) removed.set('revocations', forgotten)
  return removed
}

/** Numbered first: while no verifier asks, nobody else does it. The functions say what is over (drizzle/0018). */
async function forgetRevocations(database: Database): Promise<number> {
  let forgotten = 0
  for (let batch = 0; batch < mostBatches; batch++) {
    const [row] = await database.transaction(tx =>
      tx.execute<{ sequenced: number; forgotten: number }>(
        sql`select sequence_revocations()::int as sequenced, forget_revocations()::int as forgotten`,
      ),
    )
    forgotten += row?.forgotten ?? 0
    if (!row || (row.sequenced < mostEntries && row.forgotten < mostEntries)) break
  }
  return forgotten
}

/** Whichever instance comes first does it; the others pass. Answers how it is stopped. */
export function cleanRegularly(
  database: Database,
  inBackground: InBackground,
  told: (table: string, rows: number) => void,
  everyMs = everyMinute,
): () => void {
  const clean = async () => {
    const removed = await cleanUp(database)
    if (removed !== 'elsewhere') for (const [table, rows] of removed) told(table, rows)
  }
  const timer = setInterval(() => inBackground('clean-up', clean), everyMs).unref()
  return () => clearInterval(timer)
}

function removeBatch(database: Database, table: string, is: SQL): Promise<number | 'elsewhere'> {
  return database.transaction(async tx => {
    const [row] = await tx.execute<{ mine: boolean }>(sql`select ${lock} as mine`)
    if (!row?.mine) return 'elsewhere'
    const name = sql.identifier(table)
    const removed = await tx.execute<{ count: number }>(sql`
      with gone as (
        delete from ${name} where ctid = any(array(
          select ctid from ${name} where ${is} limit ${batchRows} for update skip locked))
        returning 1)
      select count(*)::int as count from gone`)
    return removed[0]?.count ?? 0
  })
}
