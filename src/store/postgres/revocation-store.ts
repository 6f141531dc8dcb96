/** Ending sessions in Postgres: one by its row, more than one by an epoch; each in one transaction with its audit row. */
import { and, eq, type SQL, sql } from 'drizzle-orm'
import type { SessionId } from '../../principal.js'
import type { Revocations } from '../../session/revocations.js'
import { auditDone } from './audit-log.js'
import { Abandon, type Database, type Queries } from './database.js'
import { replaceEpoch, replaceServiceEpoch } from './epochs.js'
import { sessions, users } from './schema.js'
import { isLive } from './session-store.js'

interface ListedRow extends Record<string, unknown> {
  readonly id: SessionId
  readonly userAgent: string
  readonly address: string
  readonly createdAt: number
  readonly lastSeenAt: number
  readonly endsAt: number
}

/** `database` has connections of its own: whatever else waits, these do not wait for it. */
export function postgresRevocations(database: Database): Revocations {
  return {
    list(user) {
      return database.read(async tx => {
        const rows = await tx.execute<ListedRow>(sql`
          select s.id, s.user_agent as "userAgent", s.address,
            ${seconds(sql`s.created_at`)} as "createdAt", ${seconds(sql`s.last_seen_at`)} as "lastSeenAt",
            ${seconds(sql`s.ends_at`)} as "endsAt"
          ${liveSessions} and s.user_id = ${user}
          order by s.last_seen_at desc, s.id`)
        return [...rows]
      })
    },

    endOne(id, owner, by) {
      return database.transaction(async tx => {
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
          .set({ endedAt: sql`now()`, endedReason: by.actor === undefined ? 'by-operator' : 'by-person' })
          .where(eq(sessions.id, id))
        await auditDone(tx, 'session.ended', by, { subject: session.user, session: id })
        return 'ended'
      })
    },

    endOthers(own, by) {
      return database.transaction(async tx => {
        await lockPerson(tx, own.user)
        // A statement of its own: what the one that waited for the lock read beside it may be older than the wait.
        const [mine] = await tx.execute<{ proven: boolean }>(sql`
          select s.secret_hash = ${own.provenSecretHash} as proven
          ${liveSessions} and s.id = ${own.id} and s.user_id = ${own.user} for no key update of s`)
        if (!mine) throw new Abandon('gone' as const)
        if (!mine.proven) throw new Abandon('superseded' as const)
        const ended = (await countLive(tx, sql`s.user_id = ${own.user}`)) - 1
        const epoch = await replaceEpoch(tx, own.user)
        await tx.execute(sql`update sessions set user_epoch = ${epoch} where id = ${own.id}`)
        await auditDone(tx, 'sessions.ended', by, { subject: own.user, session: own.id })
        return { ended }
      })
    },

    endAllOf(user, by) {
      return database.transaction(async tx => {
        if (!(await lockPerson(tx, user))) return 'unknown'
        const ended = await countLive(tx, sql`s.user_id = ${user}`)
        await replaceEpoch(tx, user)
        await auditDone(tx, 'sessions.ended', by, { subject: user })
        return { ended }
      })
    },

    endAll(by) {
      return database.transaction(async tx => {
        await tx.execute(sql`select from service for no key update`)
        const ended = await countLive(tx, sql`true`)
        await replaceServiceEpoch(tx)
        await auditDone(tx, 'service.sessions-ended', by)
        return { ended }
      })
    },
  }
}

const seconds = (instant: SQL) => sql`floor(extract(epoch from ${instant}))::float8`

const liveSessions = sql`from sessions s join users u on u.id = s.user_id join service g on g.epoch = s.service_epoch
  where ${isLive} and u.epoch = s.user_epoch and u.state = 'active'`

async function countLive(tx: Queries, whose: SQL): Promise<number> {
  const [row] = await tx.execute<{ count: number }>(
    sql`select count(*)::int as count ${liveSessions} and ${whose}`,
  )
  return row?.count ?? 0
}

/** Whoever changes a person's sessions as a whole takes this first; false: there is no such person. */
async function lockPerson(tx: Queries, user: string): Promise<boolean> {
  const locked = await tx.select({ id: users.id }).from(users).where(eq(users.id, user)).for('no key update')
  return locked.length > 0
}
