/** Ending sessions in Postgres: one by its row, more than one by an epoch; each in one transaction with its audit row. */
import { and, eq, type SQL, sql } from 'drizzle-orm'
import { type Page, type PageRequest, pageOf } from '../../../core/page.js'
import type { SessionId } from '../../../core/principal.js'
import type { ListedSession, Revocations } from '../../../sessions/revocations.js'
import { auditDone } from '../../postgres/audit/audit-log.js'
import { Abandon, type Database, type Queries } from '../../postgres/database.js'
import { sessions, users } from '../../postgres/schema/tables.js'
import { changeTaking } from '../../postgres/tenants/authorized-change.js'
import { replaceEpoch, replaceServiceEpoch } from './epochs.js'
import { isLive } from './session-store.js'
import { type SessionsWithin, sessionsInTable } from './sessions-within.js'

export interface ListedRow extends ListedSession, Record<string, unknown> {
  readonly id: SessionId
  /** Where the next page begins after this one. */
  readonly place: string
}

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

    endOne(id, owner, by) {
      return changeTaking(reserved, by, { session: id }, async tx => {
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

    ...revocationsByEpoch(reserved, sessionsInTable, countLive),
  }
}

/** How many of these sessions are live; undefined where that cannot be known. */
type Count = (tx: Queries, whose: SQL) => Promise<number | undefined>

/** What ends more than one session, wherever their rows are. */
export function revocationsByEpoch(
  database: Database,
  within: SessionsWithin,
  count: Count,
): Pick<Revocations, 'endOthers' | 'endAllOf' | 'endAll'> {
  return {
    endOthers(own, by) {
      return database.transaction(async tx => {
        const former = await lockPerson(tx, own.user)
        if (former === undefined) throw new Abandon('gone' as const)
        const live = await count(tx, sql`s.user_id = ${own.user}`)
        const epoch = await replaceEpoch(tx, own.user)
        await auditDone(tx, 'sessions.ended', by, { subject: own.user, session: own.id })
        const carried = await within.spare(tx, { ...own, former, epoch, proved: false })
        if (typeof carried === 'string') throw new Abandon(carried)
        return { ...counted(live, 1), ...(carried.id !== own.id && { renewed: carried.id }) }
      })
    },

    endAllOf(user, by) {
      return changeTaking(database, by, { person: user }, async tx => {
        if ((await lockPerson(tx, user)) === undefined) return 'unknown'
        const ended = await count(tx, sql`s.user_id = ${user}`)
        await replaceEpoch(tx, user)
        await auditDone(tx, 'sessions.ended', by, { subject: user })
        return counted(ended)
      })
    },

    endAll(by) {
      return changeTaking(database, by, { everybody: true }, async tx => {
        await tx.execute(sql`select from service for no key update`)
        const ended = await count(tx, sql`true`)
        await replaceServiceEpoch(tx)
        await auditDone(tx, 'service.sessions-ended', by)
        return counted(ended)
      })
    },
  }
}

const counted = (live: number | undefined, spared = 0) => (live === undefined ? {} : { ended: live - spared })

const seconds = (instant: SQL) => sql`floor(extract(epoch from ${instant}))::float8`

const microseconds = sql`(extract(epoch from s.last_seen_at) * 1000000)::bigint`

/** Of a row `s`: `ListedRow`. */
export const listedColumns = sql`s.id, s.user_agent as "userAgent", s.address,
  ${seconds(sql`s.created_at`)} as "createdAt", ${seconds(sql`s.last_seen_at`)} as "lastSeenAt",
  ${seconds(sql`s.ends_at`)} as "endsAt", ${microseconds} || ' ' || s.id as place`

/** The rows `s` of a page, and one more: a condition, and the order behind it. */
export function listedFrom({ limit, after }: PageRequest): SQL {
  const [lastSeen = '', id = ''] = after?.split(' ') ?? []
  const later = sql`(${microseconds} < ${lastSeen}::bigint or ${microseconds} = ${lastSeen}::bigint and s.id > ${id})`
  return sql`${after === undefined ? sql`true` : later} order by s.last_seen_at desc, s.id limit ${limit + 1}`
}

export function listedPage(rows: readonly ListedRow[], { limit }: PageRequest): Page<ListedSession> {
  const { items, next } = pageOf(rows, limit, ({ place }) => place)
  return { items: items.map(({ place, ...listed }) => listed), next }
}

const liveSessions = sql`from sessions s join users u on u.id = s.user_id join service g on g.epoch = s.service_epoch
  where ${isLive} and u.epoch = s.user_epoch and u.state = 'active'`

async function countLive(tx: Queries, whose: SQL): Promise<number> {
  const [row] = await tx.execute<{ count: number }>(
    sql`select count(*)::int as count ${liveSessions} and ${whose}`,
  )
  return row?.count ?? 0
}

/**
 * Whoever changes a person's sessions as a whole takes this first. Answers their epoch, by a statement of its own: the
 * one that waited for the lock may have read the one before. Undefined: there is no such person.
 */
async function lockPerson(tx: Queries, user: string): Promise<bigint | undefined> {
  await tx.select({ id: users.id }).from(users).where(eq(users.id, user)).for('no key update')
  const [person] = await tx.select({ epoch: users.epoch }).from(users).where(eq(users.id, user))
  return person?.epoch
}
