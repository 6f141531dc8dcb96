/** The column types that the tables share. */
import { sql } from 'drizzle-orm'
import { bigint, customType, timestamp } from 'drizzle-orm/pg-core'

export const bytea = customType<{ data: Buffer }>({ dataType: () => 'bytea' })
export const instant = (name: string) => timestamp(name, { withTimezone: true, mode: 'date' })
/** A random 64-bit value, compared for equality only: replacing it ends whatever carries the old one. */
export const epoch = () => bigint('epoch', { mode: 'bigint' }).notNull().default(randomEpoch)
const randomEpoch = sql`('x' || left(replace(gen_random_uuid()::text, '-', ''), 12) || right(replace(gen_random_uuid()::text, '-', ''), 4))::bit(64)::bigint`

/** As an epoch: tokens carry it, and whatever takes something away from them replaces it (drizzle/0018_revocation_feed.sql). */
export const version = () => bigint('version', { mode: 'bigint' }).notNull().default(sql`random_handle()`)

/** Why a session ended. `renewed`: it goes on under another id. `too-many`: its user has opened others since. */
export type SessionEnd =
  | 'signed-out'
  | 'replaced'
  | 'too-many'
  | 'renewed'
  | 'by-person'
  | 'by-operator'
  | 'by-provider'
  | 'unlinked'
