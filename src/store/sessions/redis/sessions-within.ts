/** Sessions in Redis, in the transactions of other stores: one is spared as a new row, some end by the list. */
import { sql } from 'drizzle-orm'
import { hasFactor } from '../../postgres/accounts/factor-rows.js'
import { lockSession, type SessionsWithin } from '../../postgres/sessions-within.js'
import { endSessionsIn, renewAs } from '../revoked.js'
import type { SessionRows } from './session-rows.js'
import { forRedis, type Made, made, mayBeBelieved, renewed, stored } from './stored-row.js'

export function sessionsInRedis(rows: SessionRows): SessionsWithin {
  return {
    async spare(tx, { id, user, provenSecretHash, next, former, epoch, proved }) {
      const row = await rows.read(id)
      if (!row) return 'gone'
      await lockSession(tx, id)
      // Two of these with one cookie: the first has renewed it, and the second is told so.
      const [before] = await tx.execute(sql`select from revoked_sessions
        where id = ${id} and reason = 'renewed' and secret_hash = ${provenSecretHash}`)
      if (before) return 'superseded'
      // The epoch that the row carries is compared with the one before, which is replaced by now.
      const [mine] = await tx.execute<Made & { proven: boolean }>(sql`
        select s.secret_hash = ${provenSecretHash} as proven,
          ${made(renewed(next, carried(epoch, proved)), sql`s.user_id`, sql`s.ends_at`)}
        from ${stored(row)} s join service g on g.epoch = s.service_epoch
        where s.user_id = ${user} and s.user_epoch = ${former} and ${mayBeBelieved}`)
      if (!mine) return 'gone'
      if (!mine.proven) return 'superseded'
      await renewAs(tx, { id, secretHash: provenSecretHash, endsAt: mine.ends_at }, next.id)
      // Last of all: who calls this has nothing left to do but COMMIT.
      await rows.write({ id: next.id, ...forRedis(mine) })
      return { id: next.id }
    },

    end: endSessionsIn,
  }
}

function carried(epoch: bigint, proved: boolean) {
  const kept = sql`jsonb_build_object('user_epoch', ${epoch}::bigint)`
  const authTime = sql`case when ${hasFactor(sql`s.user_id`)} then s.auth_time else now() end`
  return proved ? sql`${kept} || jsonb_build_object('auth_time', ${authTime})` : kept
}
