/** The revocation feed: what triggers add to it, and its head. The service reads both and writes neither. */
import { sql } from 'drizzle-orm'
import { bigint, boolean, check, index, pgTable, text, uniqueIndex, uuid } from 'drizzle-orm/pg-core'
import { instant } from './columns.js'

/**
 * A dead handle for each thing that was taken away. A trigger inserts it in the transaction that takes the thing away;
 * `sequence_revocations()` gives it a position once that transaction is committed.
 */
export const revocations = pgTable(
  'revocations',
  {
    id: bigint('id', { mode: 'bigint' }).primaryKey().generatedAlwaysAsIdentity(),
    handle: bigint('handle', { mode: 'bigint' }).notNull(),
    kind: text('kind')
      .notNull()
      .$type<'session' | 'secret' | 'user' | 'membership' | 'tenant' | 'application' | 'service' | 'key'>(),
    /** What it was: never sent to a verifier. */
    userId: uuid('user_id'),
    session: text('session'),
    tenantId: uuid('tenant_id'),
    clientId: text('client_id'),
    kid: text('kid'),
    /** From 1, without a gap, in no order but that of numbering. */
    position: bigint('position', { mode: 'number' }),
    sequencedAt: instant('sequenced_at'),
  },
  table => [
    check('revocations_sequenced', sql`(${table.position} is null) = (${table.sequencedAt} is null)`),
    uniqueIndex('revocations_position').on(table.position).where(sql`${table.position} is not null`),
    index('revocations_unsequenced').on(table.id).where(sql`${table.position} is null`),
    index('revocations_sequenced_at').on(table.sequencedAt),
  ],
)

/** One row: the last position that was given. */
export const revocationFeed = pgTable(
  'revocation_feed',
  {
    only: boolean('only').primaryKey().default(true),
    head: bigint('head', { mode: 'number' }).notNull().default(0),
  },
  table => [check('revocation_feed_one_row', sql`${table.only}`)],
)
