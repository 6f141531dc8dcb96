/** A page of rows, in the order of a column that never changes: asked for with one row more, which tells whether more follow. */
import { and, asc, gt, type SQL } from 'drizzle-orm'
import type { AnyPgColumn, PgSelect } from 'drizzle-orm/pg-core'
import { type Page, type PageRequest, pageOf } from '../../core/page.js'

/** `query` selects `order` as `name`. */
export async function readPage<Query extends PgSelect, Name extends keyof Query['_']['result'][number]>(
  query: Query,
  order: AnyPgColumn,
  name: Name,
  { limit, after }: PageRequest,
  where?: SQL,
): Promise<Page<Query['_']['result'][number]>> {
  const later = after === undefined ? undefined : gt(order, after)
  const rows = await query
    .where(and(where, later))
    .orderBy(asc(order))
    .limit(limit + 1)
  return pageOf(rows as Query['_']['result'], limit, row => (row as Record<Name, string>)[name])
}
