/** A session row that is stored in Redis, as SQL: made, changed and judged by Postgres, which alone knows its columns. */
import { type SQL, sql } from 'drizzle-orm'
import type { Identity, UserId } from '../../../core/principal.js'
import type { Successor } from '../../../sessions/store.js'
import type { Queries } from '../../postgres/database.js'
import { textArray } from '../../postgres/values.js'
import { provedAt } from '../current-credential.js'
import { isLive, ofTheLiving } from '../live.js'
import type { StoredRow } from './session-rows.js'

/** A row of type `sessions`. */
export function stored({ row, changes }: Pick<StoredRow, 'row' | 'changes'>): SQL {
  return sql`jsonb_populate_record(null::sessions, ${row}::text::jsonb || ${changes}::text::jsonb)`
}

/** Whose it is, and when it ends by itself. */
export interface Owner {
  readonly user: UserId
  readonly until: SQL
}

/** Undefined where the row is not one of which `is` holds. */
export async function ownerOf(tx: Queries, row: StoredRow, is = sql`true`): Promise<Owner | undefined> {
  const [owner] = await tx.execute<{ user: UserId; until: string }>(sql`
    select s.user_id::text as user, ${timestamp(sql`s.ends_at`)} as until from ${stored(row)} s where ${is}`)
  return owner && { user: owner.user, until: sql`${owner.until}::timestamptz` }
}

/** A row that was renewed in the table, and copied from there, knows the secret before. */
export function isSecret(hash: Buffer, { orBefore = false } = {}): SQL {
  return sql`(s.secret_hash = ${hash} ${orBefore ? sql`or s.previous_secret_hash = ${hash}` : sql``})`
}

/** Rows `s` of type `sessions`, as many as were read. */
export function allStored(given: readonly StoredRow[]): SQL {
  const [rows, changes] = [given.map(({ row }) => row), given.map(({ changes }) => changes)]
  return sql`unnest(${textArray(rows)}, ${textArray(changes)}) as given (row, changes)
    cross join lateral jsonb_populate_record(null::sessions, given.row::jsonb || given.changes::jsonb) s`
}

export const isUnrevoked = sql`
  not exists (select from revoked_sessions r where r.id = s.id or r.secret_hash = s.secret_hash)`

/**
 * What must hold of a row `s` from Redis, beside its user, their epoch and that of the service. The table may hold
 * it too while sessions move between the stores: what was ended or renewed there is over here.
 */
export const mayBeBelieved = sql`${isLive} and ${isUnrevoked}
  and not exists (select from sessions o
    where o.id = s.id and (o.ended_at is not null or o.secret_hash <> s.secret_hash))`

/** The row `s` with its user and the service, if it may be used now. Asked under its lock (`lockSession`). */
export function live(row: StoredRow): SQL {
  return sql`${stored(row)} s ${ofTheLiving} where ${mayBeBelieved}`
}

/** Columns of a statement that makes a row for Redis: `Made`. */
export function made(row: SQL, user: SQL, endsAt: SQL): SQL {
  return sql`(${row})::text as row, ${user}::text as user, ${timestamp(sql`now()`)} as seen,
    extract(epoch from now())::float8 as now, extract(epoch from ${endsAt})::float8 as ends_at`
}

export interface Made extends Record<string, unknown> {
  readonly row: string
  readonly user: string
  readonly seen: string
  readonly now: number
  readonly ends_at: number
}

/** In the form of `timestampOf` (src/store/sessions/redis/session-rows.ts). */
export function timestamp(instant: SQL): SQL {
  return sql`to_char(${instant} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`
}

/** A row `s` under its next id and secret; what is left out of the JSON was null, or is kept beside it. */
export function renewed(next: Successor, more: SQL): SQL {
  return sql`jsonb_strip_nulls(to_jsonb(s) || jsonb_build_object('id', ${next.id}::text,
    'secret_hash', ${next.secretHash}::bytea, 'previous_secret_hash', null, 'secret_changed_at', now(), 'last_seen_at', null) || ${more})`
}

/** A new proof of who it is. */
export function proof(identity: Identity): SQL {
  const { amr, acr } = identity
  return sql`jsonb_build_object('auth_time', ${provedAt(identity)}, 'amr', ${textArray(amr)}, 'acr', ${acr}::text)`
}

/** For `SessionRows.write`. */
export function forRedis({ row, user, seen, now, ends_at }: Made) {
  return { row, user, seen, now: now * 1000, endsAt: ends_at * 1000 }
}
