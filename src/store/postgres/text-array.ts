/** A `text[]` parameter: the drivers here fetch no types, so the array's literal is written out. */
import { type SQL, sql } from 'drizzle-orm'

export function textArray(values: readonly string[]): SQL {
  const elements = values.map(value => `"${value.replace(/["\\]/g, '\\$&')}"`)
  return sql`${`{${elements.join(',')}}`}::text[]`
}
