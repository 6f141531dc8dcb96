/** Whether what a person proved themselves with still is what it was: judged by the statement that lets them in. */
import { type SQL, sql } from 'drizzle-orm'
import type { Identity } from '../../principal.js'

/** Of the person in a row `u`. A change in between, committed before that statement began, wins. */
export function isCurrent({ version }: Identity['credential']): SQL {
  return sql`exists (select from passwords p where p.user_id = u.id and p.version = ${version})`
}
