/** What the transactions of other stores do with sessions: spare one from a new epoch, end some with their cause. */
import { sql } from 'drizzle-orm'
import type { By } from '../../../audit/events.js'
import type { SessionId, UserId } from '../../../core/principal.js'
import type { Successor } from '../../../sessions/store.js'
import type { Queries } from '../../postgres/database.js'
import type { SessionEnd } from '../../postgres/schema/columns.js'
import { textArray } from '../../postgres/text-array.js'
import { endSessionsIn, mayLieInRedis } from '../redis/revoked.js'
import { isLive } from './session-store.js'

export interface Spared {
  readonly id: SessionId
  readonly user: UserId
  readonly provenSecretHash: Buffer
  readonly next: Successor
  /** The person's epoch as read under their lock, and the one that has replaced it. */
  readonly former: bigint
  readonly epoch: bigint
  /** The person proved themselves again just now: there is a new secret for it. */
  readonly proved: boolean
}

/**
 * Called under the person's lock. Only a session that is live in this moment, and whose secret is still the one that
 * was proved, is carried over; the answer is what it is called from then on.
 */
export type Spare = (
  tx: Queries,
  spared: Spared,
) => Promise<{ readonly id: SessionId } | 'gone' | 'superseded'>

/** Where session rows are, as other stores see it. */
export interface SessionsWithin {
  readonly spare: Spare
  /** Ends these, under whatever ids they go on, when the transaction commits. Answers how many that were. */
  end(tx: Queries, ids: readonly SessionId[], reason: SessionEnd, by: By): Promise<number>
}

export const sessionsInTable: SessionsWithin = {
  async spare(tx, { id, user, provenSecretHash, next, former, epoch, proved }) {
    // A statement of its own reads it: what the one that waited for a lock read beside it may be older than the wait.
    const [mine] = await tx.execute<{ proven: boolean }>(sql`
      select s.secret_hash = ${provenSecretHash} as proven
      from sessions s join service g on g.epoch = s.service_epoch
      where s.id = ${id} and s.user_id = ${user} and s.user_epoch = ${former} and ${isLive}
      for no key update of s`)
    if (!mine) return 'gone'
    if (!mine.proven) return 'superseded'
    const renewal = sql`secret_hash = ${next.secretHash}, previous_secret_hash = s.secret_hash,
      secret_changed_at = now(), auth_time = now(), last_seen_at = now(),`
    await tx.execute(sql`
      update sessions s set ${proved ? renewal : sql``} user_epoch = ${epoch} where s.id = ${id}`)
    return { id }
  },

  async end(tx, ids, reason, by) {
    const { actor, serviceKey, occasion } = by
    const ended = await tx.execute(sql`
      with ended as (
        update sessions s set ended_at = now(), ended_reason = ${reason}
        where s.id = any(${textArray(ids)}) and ${isLive}
        returning s.id, s.user_id
      )
      insert into audit_events (action, outcome, actor, service_key, subject, session, address, request_id)
      select 'session.ended', 'done', ${actor ?? null}::uuid, ${serviceKey ?? null}, user_id::text, id,
        ${occasion.address ?? null}, ${occasion.requestId ?? null}
      from ended returning 1`)
    const elsewhere = await tx.execute<{ id: SessionId }>(sql`
      select given.id from unnest(${textArray(ids)}) given (id) where ${mayLieInRedis(sql`given.id`)} order by given.id`)
    const others = elsewhere.map(({ id }) => id)
    return ended.length + (await endSessionsIn(tx, others, reason, by))
  },
}
