/** The verifiers that follow the revocation feed, and who waits for their receipts. */
import { sql } from 'drizzle-orm'
import { bigint, check, index, integer, pgTable, primaryKey, text } from 'drizzle-orm/pg-core'
import { instant } from './columns.js'
import { serviceKeys } from './tables.js'

/** A process that follows the feed by a service key. Instances write what they have seen of it every 30 s, or sooner. */
export const feedVerifiers = pgTable(
  'feed_verifiers',
  {
    keyId: text('key_id')
      .notNull()
      .references(() => serviceKeys.id, { onDelete: 'cascade' }),
    /** Its own random id. */
    v: text('v').notNull(),
    /** As its key has them. */
    name: text('name').notNull(),
    mode: text('mode').notNull().$type<'required' | 'preferred'>(),
    maxAgeSeconds: integer('max_age_seconds').notNull(),
    /** Of the list of keys that it holds. */
    jwks: text('jwks'),
    /** Up to where it has applied the feed; null before it has said so. */
    generation: bigint('generation', { mode: 'number' }),
    position: bigint('position', { mode: 'number' }),
    firstSeenAt: instant('first_seen_at').notNull(),
    lastSeenAt: instant('last_seen_at').notNull(),
    /** It hung up and has not come back. */
    leftAt: instant('left_at'),
  },
  table => [
    primaryKey({ columns: [table.keyId, table.v] }),
    check('feed_verifiers_mode', sql`${table.mode} in ('required', 'preferred')`),
    check('feed_verifiers_position', sql`(${table.generation} is null) = (${table.position} is null)`),
    index('feed_verifiers_last_seen').on(table.lastSeenAt),
  ],
)

/** Somebody waits for a receipt: until then instances write once a second what their verifiers have applied. */
export const feedWaits = pgTable(
  'feed_waits',
  {
    id: bigint('id', { mode: 'bigint' }).primaryKey().generatedAlwaysAsIdentity(),
    until: instant('until').notNull(),
  },
  table => [index('feed_waits_until').on(table.until)],
)
