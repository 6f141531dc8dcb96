/** Creating something once under an Idempotency-Key: the answer is kept in the transaction that creates. */
import { sql } from 'drizzle-orm'
import type { Idempotency } from '../../../audit/events.js'
import type { Queries } from '../database.js'

/** Seconds for which a key is remembered. */
const rememberedSeconds = 86_400

/** What was answered under this key, locked until the transaction ends. */
export async function lockAnswer<T>(tx: Queries, { caller, key }: Idempotency): Promise<T | undefined> {
  const mine = sql`from idempotent_answers where caller = ${caller} and key = ${key}`
  await tx.execute(sql`select ${mine} for update`)
  const [row] = await tx.execute<{ answer: T }>(sql`select answer ${mine}`)
  return row?.answer
}

/**
 * Of parallel creations under one key one creates; the others wait for it and get its answer, without anything in it
 * that is shown only once. The same key for another request is `repeated-differently`.
 */
export async function createOnce<T>(
  tx: Queries,
  idempotency: Idempotency | undefined,
  create: () => Promise<T>,
): Promise<T | 'repeated-differently'> {
  if (!idempotency) return create()
  const { caller, key, requestHash } = idempotency
  await tx.execute(sql`delete from idempotent_answers where caller = ${caller}
    and created_at < now() - ${rememberedSeconds} * interval '1 second'`)
  const [mine] = await tx.execute(sql`insert into idempotent_answers (caller, key, request_hash, answer)
    values (${caller}, ${key}, ${requestHash}, 'null') on conflict do nothing returning key`)
  if (!mine) {
    const [before] = await tx.execute<{ same: boolean; answer: T }>(sql`
      select request_hash = ${requestHash} as same, answer from idempotent_answers
      where caller = ${caller} and key = ${key}`)
    return before?.same ? before.answer : 'repeated-differently'
  }
  const created = await create()
  await tx.execute(sql`update idempotent_answers set answer = ${JSON.stringify(created)}::jsonb
    where caller = ${caller} and key = ${key}`)
  return created
}
