/** Epochs: random 64-bit values that sessions carry. Replacing one ends every session that carries the old one. */
import { randomBytes } from 'node:crypto'
import { eq } from 'drizzle-orm'
import type { Queries } from './database.js'
import { service, users } from './schema/tables.js'

/** For an update that changes more than this. */
export function newEpoch(): bigint {
  return randomBytes(8).readBigInt64BE()
}

/** All sessions of this user end when the transaction commits. */
export async function replaceEpoch(tx: Queries, user: string): Promise<bigint> {
  const epoch = newEpoch()
  await tx.update(users).set({ epoch }).where(eq(users.id, user))
  return epoch
}

/** All sessions of everybody end when the transaction commits. */
export async function replaceServiceEpoch(tx: Queries): Promise<void> {
  await tx.update(service).set({ epoch: newEpoch() })
}
