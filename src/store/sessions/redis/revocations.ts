/** Ending sessions whose rows are in Redis: one by the list in Postgres, more than one by an epoch as everywhere. */
import { sql } from 'drizzle-orm'
import type { SessionId, UserId } from '../../../core/principal.js'
import type { Revocations } from '../../../sessions/revocations.js'
import { auditDone } from '../../postgres/audit/audit-log.js'
import { changeTaking } from '../../postgres/authority/authorized-change.js'
import { Abandon, type Database } from '../../postgres/database.js'
import { lockSession } from '../../postgres/sessions-within.js'
import { textArray } from '../../postgres/values.js'
import { type ListedRow, listedColumns, listedFrom, listedPage, revocationsByEpoch } from '../ending.js'
import { ofTheLiving } from '../live.js'
import { longestLife, revokeLine } from '../revoked.js'
import type { SessionRows } from './session-rows.js'
import { sessionsInRedis } from './sessions-within.js'
import { allStored, mayBeBelieved, ownerOf } from './stored-row.js'

const form = /^[A-Za-z0-9_-]{21}[AQgw]$/

/** `reserved` has connections of its own: whatever else waits, what ends sessions does not wait for it. */
export function redisRevocations(
  database: Database,
  rows: SessionRows,
  reserved: Database = database,
): Revocations {
  return {
    async list(user, page) {
      const ids = await rows.idsOf(user)
      const found = await Promise.all(ids.map(id => rows.read(id)))
      const given = found.filter(row => row !== undefined)
      const { live, over } = await database.read(async tx => ({
        live: await tx.execute<ListedRow>(sql`
          select ${listedColumns} from ${allStored(given)} ${ofTheLiving}
          where s.user_id = ${user} and ${mayBeBelieved} and ${listedFrom(page)}`),
        over: await tx.execute<{ id: SessionId }>(sql`
          select id from revoked_sessions where id = any(${textArray(ids)})`),
      }))
      // These never live again. What else is not live in this moment may be about to be: its COMMIT is under way.
      await Promise.all(over.map(({ id }) => rows.unlist(user, id)))
      return listedPage(live, page)
    },

    async endOne(id, owner, actor) {
      if (!form.test(id)) return 'unknown'
      const row = await rows.read(id).catch(error => {
        // An operator names an id and need not prove anything: it works without Redis.
        if (owner === 'anyone') return undefined
        throw error
      })
      if (!row && owner !== 'anyone') return 'unknown'
      const ended = await changeTaking<{ at?: SessionId | undefined; user?: UserId } | 'unknown'>(
        reserved,
        actor,
        { session: id },
        async tx => {
          await lockSession(tx, id)
          const whose = row && (await ownerOf(tx, row))
          if (owner !== 'anyone' && whose?.user !== owner) throw new Abandon('unknown' as const)
          const reason = actor.user === undefined ? 'by-operator' : 'by-person'
          const until = whose?.until ?? longestLife
          const at = await revokeLine(tx, { id, reason, until })
          if (at !== undefined)
            await auditDone(tx, 'session.ended', actor, {
              ...(whose && { subject: whose.user }),
              session: at,
            })
          return { at, ...(whose && { user: whose.user }) }
        },
      )
      if (ended === 'unknown') return ended
      if (ended.at !== undefined) await rows.retire(ended.at, ended.user)
      return 'ended'
    },

    // How many there were is in Redis, which these do not need.
    ...revocationsByEpoch(reserved, sessionsInRedis(rows), async () => undefined),
  }
}
