/** Values as they are written and read here: the drivers fetch no types, and the domain has seconds instead of dates. */
import { type SQL, sql } from 'drizzle-orm'

/** A `text[]` parameter, its literal written out. */
export function textArray(values: readonly string[]): SQL {
  const elements = values.map(value => `"${value.replace(/["\\]/g, '\\$&')}"`)
  return sql`${`{${elements.join(',')}}`}::text[]`
}

/** A `text[]` column, read. */
export const listOf = <T extends string = string>(column: unknown) => sql<T[]>`to_json(${column})`

/** Of a column that may be null there may be none. */
type Seconds<Of> = Of extends { readonly _: { readonly notNull: false } } ? number | null : number

/** An instant as NumericDate: whole, or exact. */
export const secondsOf = <Of>(instant: Of) => sql<Seconds<Of>>`floor(extract(epoch from ${instant}))::float8`
export const exactSecondsOf = <Of>(instant: Of) => sql<Seconds<Of>>`extract(epoch from ${instant})::float8`

/** The instant that many seconds after the transaction's begin. */
export const inSeconds = (seconds: number): SQL => sql`now() + ${seconds} * interval '1 second'`
