/** Sessions in the table, in the transactions of other stores: one is spared from a new epoch, some end with their cause. */
import { sql } from 'drizzle-orm'
import type { SessionId } from '../../../core/principal.js'
import { hasFactor } from '../../postgres/accounts/factor-rows.js'
import type { SessionsWithin } from '../../postgres/sessions-within.js'
import { textArray } from '../../postgres/values.js'
import { isLive } from '../live.js'
import { endSessionsIn, mayLieInRedis } from '../revoked.js'

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
      secret_changed_at = now(), last_seen_at = now(),
      auth_time = case when ${hasFactor(sql`s.user_id`)} then s.auth_time else now() end,`
    await tx.execute(sql`
      update sessions s set ${proved ? renewal : sql``} user_epoch = ${epoch} where s.id = ${id}`)
    return { id }
  },

  async end(tx, ids, reason, actor) {
    const { user, serviceKey, context } = actor
    const ended = await tx.execute(sql`
      with ended as (
        update sessions s set ended_at = now(), ended_reason = ${reason}
        where s.id = any(${textArray(ids)}) and ${isLive}
        returning s.id, s.user_id
      )
      insert into audit_events (action, outcome, actor, service_key, subject, session, address, request_id)
      select 'session.ended', 'done', ${user ?? null}::uuid, ${serviceKey ?? null}, user_id::text, id,
        ${context.address ?? null}, ${context.requestId ?? null}
      from ended returning 1`)
    const elsewhere = await tx.execute<{ id: SessionId }>(sql`
      select given.id from unnest(${textArray(ids)}) given (id) where ${mayLieInRedis(sql`given.id`)} order by given.id`)
    const others = elsewhere.map(({ id }) => id)
    return ended.length + (await endSessionsIn(tx, others, reason, actor))
  },
}
