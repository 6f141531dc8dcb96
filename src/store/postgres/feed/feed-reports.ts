/** What operators read of the feed in Postgres. */
import { sql } from 'drizzle-orm'
import type { FeedEntry, FeedFacts, FeedReports } from '../../../feed/reports.js'
import { mostEntries } from '../../../feed/store.js'
import type { FeedPosition } from '../../../feed/verifiers.js'
import { windowSeconds } from '../../../feed/window.js'
import type { Database } from '../database.js'

export function postgresFeedReports(database: Database): FeedReports {
  const one = async <Row extends Record<string, unknown>>(statement: ReturnType<typeof sql>) => {
    const [row] = await database.read(tx => tx.execute<Row>(statement))
    if (!row) throw new Error('the rows of the service are missing')
    return row
  }

  async function sequence(): Promise<void> {
    for (let numbered = mostEntries; numbered === mostEntries; ) {
      const [row] = await database.transaction(tx =>
        tx.execute<{ numbered: number }>(sql`select sequence_revocations()::int as numbered`),
      )
      numbered = row?.numbered ?? 0
    }
  }

  return {
    facts: () =>
      one<FeedFacts & Record<string, unknown>>(sql`
        select s.generation::float8 as generation, f.head::float8 as position,
          (select count(*)::int from revocations where sequenced_at > now() - ${windowSeconds} * interval '1 second')
            as entries,
          (select count(*)::int from revocations where position is null) as unsequenced
        from service s, revocation_feed f where s.only and f.only`),

    async position() {
      await sequence()
      return one<FeedPosition & Record<string, unknown>>(sql`
        select s.generation::float8 as generation, f.head::float8 as position
        from service s, revocation_feed f where s.only and f.only`)
    },

    async after(position, most) {
      await sequence()
      const rows = await database.read(tx =>
        tx.execute<FeedEntry & Record<string, unknown>>(sql`
          select position::float8 as position, kind, extract(epoch from sequenced_at)::float8 as at
          from revocations where position > ${position}::bigint order by position limit ${most}`),
      )
      return [...rows]
    },
  }
}
