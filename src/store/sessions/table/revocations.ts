/** Ending sessions in Postgres: one by its row, more than one by an epoch; each in one transaction with its audit row. */
import { and, eq, type SQL, sql } from 'drizzle-orm'
import type { Revocations } from '../../../sessions/revocations.js'
import { auditDone } from '../../postgres/audit/audit-log.js'
import { changeTaking } from '../../postgres/authority/authorized-change.js'
import type { Database, Queries } from '../../postgres/database.js'
import { sessions } from '../../postgres/schema/tables.js'
import { type ListedRow, listedColumns, listedFrom, listedPage, revocationsByEpoch } from '../ending.js'
import { isLive, ofTheLiving } from '../live.js'
import { sessionsInTable } from './sessions-within.js'

/** `reserved` has connections of its own: whatever else waits, what ends sessions does not wait for it. */
export function postgresRevocations(database: Database, reserved: Database = database): Revocations {
  return {
    async list(user, page) {
      const rows = await database.read(tx =>
        tx.execute<ListedRow>(sql`
          select ${listedColumns} ${liveSessions} and s.user_id = ${user} and ${listedFrom(page)}`),
      )
      return listedPage(rows, page)
    },

    endOne(id, owner, actor) {
      return changeTaking(reserved, actor, { session: id }, async tx => {
        const whose = owner === 'anyone' ? undefined : eq(sessions.userId, owner)
        const [session] = await tx
          .select({ user: sessions.userId, endedAt: sessions.endedAt })
          .from(sessions)
          .where(and(eq(sessions.id, id), whose))
          .for('no key update')
        if (!session) return 'unknown'
        if (session.endedAt !== null) return 'ended'
        await tx
          .update(sessions)
          .set({ endedAt: sql`now()`, endedReason: actor.user === undefined ? 'by-operator' : 'by-person' })
          .where(eq(sessions.id, id))
        await auditDone(tx, 'session.ended', actor, { subject: session.user, session: id })
        return 'ended'
      })
    },

    ...revocationsByEpoch(reserved, sessionsInTable, countLive),
  }
}

const liveSessions = sql`from sessions s ${ofTheLiving} where ${isLive}`

async function countLive(tx: Queries, whose: SQL): Promise<number> {
  const [row] = await tx.execute<{ count: number }>(
    sql`select count(*)::int as count ${liveSessions} and ${whose}`,
  )
  return row?.count ?? 0
}
