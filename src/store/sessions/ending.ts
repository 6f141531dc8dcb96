/** Ending more than one session, by an epoch, and listing those that are live: the same wherever their rows are. */
import { eq, type SQL, sql } from 'drizzle-orm'
import { type Page, type PageRequest, pageOf } from '../../core/page.js'
import type { SessionId } from '../../core/principal.js'
import type { ListedSession, Revocations } from '../../sessions/revocations.js'
import { auditDone } from '../postgres/audit/audit-log.js'
import { changeTaking } from '../postgres/authority/authorized-change.js'
import { Abandon, type Database, type Queries } from '../postgres/database.js'
import { replaceEpoch, replaceServiceEpoch } from '../postgres/epochs.js'
import { users } from '../postgres/schema/tables.js'
import type { SessionsWithin } from '../postgres/sessions-within.js'
import { secondsOf } from '../postgres/values.js'

/** How many of these sessions are live; undefined where that cannot be known. */
type Count = (tx: Queries, whose: SQL) => Promise<number | undefined>

/** What ends more than one session, wherever their rows are. */
export function revocationsByEpoch(
  database: Database,
  within: SessionsWithin,
  count: Count,
): Pick<Revocations, 'endOthers' | 'endAllOf' | 'endAll'> {
  return {
    endOthers(own, actor) {
      return database.transaction(async tx => {
        const former = await lockSessionsOf(tx, own.user)
        if (former === undefined) throw new Abandon('gone' as const)
        const live = await count(tx, sql`s.user_id = ${own.user}`)
        const epoch = await replaceEpoch(tx, own.user)
        await auditDone(tx, 'sessions.ended', actor, { subject: own.user, session: own.id })
        const carried = await within.spare(tx, { ...own, former, epoch, proved: false })
        if (typeof carried === 'string') throw new Abandon(carried)
        return { ...counted(live, 1), ...(carried.id !== own.id && { renewed: carried.id }) }
      })
    },

    endAllOf(user, actor) {
      return changeTaking(database, actor, { person: user }, async tx => {
        if ((await lockSessionsOf(tx, user)) === undefined) return 'unknown'
        const ended = await count(tx, sql`s.user_id = ${user}`)
        await replaceEpoch(tx, user)
        await auditDone(tx, 'sessions.ended', actor, { subject: user })
        return counted(ended)
      })
    },

    endAll(actor) {
      return changeTaking(database, actor, { everybody: true }, async tx => {
        await tx.execute(sql`select from service for no key update`)
        const ended = await count(tx, sql`true`)
        await replaceServiceEpoch(tx)
        await auditDone(tx, 'service.sessions-ended', actor)
        return counted(ended)
      })
    },
  }
}

const counted = (live: number | undefined, spared = 0) => (live === undefined ? {} : { ended: live - spared })

const microseconds = sql`(extract(epoch from s.last_seen_at) * 1000000)::bigint`

/** Of a row `s`: `ListedRow`. */
export const listedColumns = sql`s.id, s.user_agent as "userAgent", s.address,
  ${secondsOf(sql`s.created_at`)} as "createdAt", ${secondsOf(sql`s.last_seen_at`)} as "lastSeenAt",
  ${secondsOf(sql`s.ends_at`)} as "endsAt", ${microseconds} || ' ' || s.id as place`

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

/**
 * Anybody who changes a user's sessions as a whole takes this first. Answers their epoch, by a statement of its own: the
 * one that waited for the lock may have read the one before. Undefined: there is no such user.
 */
async function lockSessionsOf(tx: Queries, user: string): Promise<bigint | undefined> {
  await tx.select({ id: users.id }).from(users).where(eq(users.id, user)).for('no key update')
  const [person] = await tx.select({ epoch: users.epoch }).from(users).where(eq(users.id, user))
  return person?.epoch
}

export interface ListedRow extends ListedSession, Record<string, unknown> {
  readonly id: SessionId
  /** Where the next page begins after this one. */
  readonly place: string
}
