/** What a user has too many of when they sign in again, with sessions in Redis. */
import { type SQL, sql } from 'drizzle-orm'
import type { SessionId } from '../../../core/principal.js'
import type { NewSession } from '../../../sessions/store.js'
import { writeAudit } from '../../postgres/audit/audit-log.js'
import type { Queries } from '../../postgres/database.js'
import { lockSession } from '../../postgres/sessions-within.js'
import { ofTheLiving } from '../live.js'
import { revoke } from '../revoked.js'
import type { SessionRows } from './session-rows.js'
import { allStored, mayBeBelieved, timestamp } from './stored-row.js'

/** Under the user's lock, before the new row is written. Answers those that end when the transaction commits. */
export async function endCrowded(
  tx: Queries,
  rows: SessionRows,
  { identity: { user }, most, context }: Pick<NewSession, 'identity' | 'most' | 'context'>,
): Promise<readonly SessionId[]> {
  const ids = await rows.idsOf(user)
  if (ids.length < most) return []
  const found = await Promise.all(ids.map(id => rows.read(id)))
  const crowded = await tx.execute<{ id: SessionId; until: string }>(sql`
    select s.id, ${timestamp(sql`s.ends_at`)} as until
    from ${allStored(found.filter(row => row !== undefined))} ${ofTheLiving}
    where s.user_id = ${user} and ${mayBeBelieved}
    order by s.last_seen_at desc, s.id offset ${most - 1}`)
  const ended: SessionId[] = []
  for (const { id, until } of crowded) {
    await lockSession(tx, id)
    const end: SQL = sql`${until}::timestamptz`
    if (!(await revoke(tx, { id, reason: 'too-many', until: end }))) continue
    const about = { actor: user, subject: user, session: id, context }
    await writeAudit(tx, { action: 'session.ended', outcome: 'done', reason: 'too-many', ...about })
    ended.push(id)
  }
  return ended
}
