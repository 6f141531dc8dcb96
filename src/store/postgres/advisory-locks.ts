/** The advisory locks of transactions: their numbers in one list, so that no two are the same, and how they are taken. */
import { type SQL, sql } from 'drizzle-orm'
import type { Queries } from './database.js'

/** An instance of another release takes the same lock by the same number. */
export const advisoryLocks = {
  sessions: 735_194_601,
  copying: 735_194_602,
  openings: 735_194_603,
  administrators: 735_194_604,
  service: 735_194_605,
} as const

type Lock = keyof typeof advisoryLocks

/** Held until the transaction ends, and granted in the order in which it was asked for. `id`: one of many of this name. */
export function lockAlone(tx: Queries, lock: Lock, id?: string): Promise<void> {
  return take(tx, sql`pg_advisory_xact_lock`, lock, id)
}

/** The same, together with others who share it. One who asks for it alone is not overtaken by those who ask later. */
export function lockShared(tx: Queries, lock: Lock, id?: string): Promise<void> {
  return take(tx, sql`pg_advisory_xact_lock_shared`, lock, id)
}

async function take(tx: Queries, by: SQL, lock: Lock, id: string | undefined): Promise<void> {
  const number = advisoryLocks[lock]
  await tx.execute(
    id === undefined ? sql`select ${by}(${number})` : sql`select ${by}(${number}, hashtext(${id}))`,
  )
}
