/** The list of what Redis must not be believed about: sessions that ended, and secrets whose session it lacked. */
import { type SQL, sql } from 'drizzle-orm'
import type { Actor, RequestContext } from '../../audit/events.js'
import type { SessionId } from '../../core/principal.js'
import { auditDone, writeAudit } from '../postgres/audit/audit-log.js'
import type { Database, Queries } from '../postgres/database.js'
import { renameFederated } from '../postgres/federation/federated-sessions.js'
import type { SessionEnd } from '../postgres/schema/columns.js'
import { lockSession } from '../postgres/sessions-within.js'

/** Whatever the limits were when it was opened, no session is valid for longer (src/boot/config.ts). */
export const longestLife = sql`now() + interval '365 days'`

export interface Revocation {
  readonly id: SessionId
  readonly secretHash?: Buffer
  readonly reason: SessionEnd
  readonly renewedAs?: SessionId
  /** When it would have ended by itself. */
  readonly until: SQL
}

/** False: it had ended before, and that stays. Of parallel ones one is answered true. */
export async function revoke(tx: Queries, revocation: Revocation): Promise<boolean> {
  const { id, secretHash, reason, renewedAs, until } = revocation
  const listed = await tx.execute(sql`
    insert into revoked_sessions (id, secret_hash, reason, renewed_as, until)
    values (${id}, ${secretHash ?? null}, ${reason}, ${renewedAs ?? null}, ${until})
    on conflict (id) do nothing returning id`)
  if (listed.length === 0) return false
  // The other store may hold it too while sessions move between the two, or since they did.
  await tx.execute(sql`update sessions set ended_at = now(), ended_reason = ${reason}
    where id = ${id} and ended_at is null`)
  return true
}

/** Under its lock, after it was seen to be live: from now on it goes on under its next id. `endsAt` in seconds. */
export async function renewAs(
  tx: Queries,
  {
    id,
    secretHash,
    endsAt,
  }: { readonly id: SessionId; readonly secretHash: Buffer; readonly endsAt: number },
  next: SessionId,
): Promise<void> {
  // A moment more than the row has: a number of seconds is not as exact.
  const until = sql`to_timestamp(${endsAt}) + interval '1 second'`
  const listed = await revoke(tx, { id, secretHash, reason: 'renewed', renewedAs: next, until })
  if (!listed) throw new Error('a session was renewed that had ended under its own lock')
  await renameFederated(tx, id, next)
}

/** Ends a session under whatever id it goes on by now. Answers that id; undefined: it had ended before. */
export async function revokeLine(
  tx: Queries,
  { until, ...first }: Omit<Revocation, 'renewedAs'>,
): Promise<SessionId | undefined> {
  for (let at = first.id; ; ) {
    await lockSession(tx, at)
    if (await revoke(tx, { ...(at === first.id && first), id: at, reason: first.reason, until })) return at
    const [before] = await tx.execute<{ renewed_as: SessionId | null }>(
      sql`select renewed_as from revoked_sessions where id = ${at}`,
    )
    if (!before?.renewed_as) return undefined
    at = before.renewed_as
  }
}

/** For other stores' transactions: these end with their cause, wherever Redis is. */
export async function endSessionsIn(
  tx: Queries,
  ids: readonly SessionId[],
  reason: SessionEnd,
  actor: Actor,
): Promise<number> {
  let ended = 0
  for (const id of ids) {
    const at = await revokeLine(tx, { id, reason, until: longestLife })
    if (at === undefined) continue
    await auditDone(tx, 'session.ended', actor, { session: at })
    ended++
  }
  return ended
}

/** Of an id that Redis lacks. True: it was listed under this very secret, and has ended now under any later id. */
export async function endListed(
  tx: Queries,
  id: SessionId,
  secretHash: Buffer,
  reason: SessionEnd,
): Promise<boolean> {
  const [listed] = await tx.execute(
    sql`select from revoked_sessions where id = ${id} and secret_hash = ${secretHash}`,
  )
  if (!listed) return false
  await revokeLine(tx, { id, reason, until: longestLife })
  return true
}

/** A sign-out of a session that is not here: it ends if it was listed, and its secret opens nothing if it comes back. */
export async function refuseUnknown(
  tx: Queries,
  id: SessionId,
  secretHash: Buffer,
  reason: SessionEnd,
  context: RequestContext,
): Promise<void> {
  await lockSession(tx, id)
  if (await endListed(tx, id, secretHash, reason)) return
  await refuseSecret(tx, id, secretHash, reason)
  await writeAudit(tx, { action: 'session.ended', outcome: 'done', context })
}

/** Said before the first row is written there. */
export async function rememberRedis(database: Database): Promise<void> {
  await database.transaction(tx =>
    tx.execute(sql`update service set sessions_in_redis = true where not sessions_in_redis`),
  )
}

/** Of a service that keeps sessions in the table: whether an id that came to it may be one in Redis. */
export function mayLieInRedis(id: SQL | SessionId | null): SQL {
  return sql`(exists (select from service where sessions_in_redis)
    and not exists (select from sessions t where t.id = ${id}))`
}

/** Nobody knows whose secret it is: only the secret is refused, not the id that it came with. */
export async function refuseSecret(
  tx: Queries,
  id: SessionId,
  secretHash: Buffer,
  reason: SessionEnd,
): Promise<void> {
  await tx.execute(sql`
    insert into revoked_sessions (secret_hash, reason, until)
    select ${secretHash}::bytea, ${reason}, ${longestLife}
    where not exists (select from revoked_sessions where secret_hash = ${secretHash})`)
  // The other store may have it, and there the secret proves the id.
  await tx.execute(sql`update sessions set ended_at = now(), ended_reason = ${reason}
    where id = ${id} and (secret_hash = ${secretHash} or previous_secret_hash = ${secretHash}) and ended_at is null`)
}
