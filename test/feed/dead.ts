/** What a piece of work adds to the feed, and the handles that it must be, computed without the service's own code. */
import { createHash } from 'node:crypto'
import type postgres from 'postgres'

export type Sql = postgres.Sql | postgres.TransactionSql

const first8 = (bytes: Buffer) => bytes.subarray(0, 8).toString('base64url')

/** Of a session's id or a key's. */
export const ofId = (id: string) => first8(Buffer.from(id, 'base64url'))

export const ofSecret = (hash: Buffer) =>
  first8(createHash('sha256').update(Buffer.from('mintmark-feed')).update(hash).digest())

/** Of an epoch or a version, as text: no JavaScript number holds it. */
export function ofNumber(text: string): string {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64BE(BigInt(text))
  return bytes.toString('base64url')
}

/** The value of now of one epoch or version. */
export async function currentValue(sql: Sql, column: string, table: string, where: string): Promise<string> {
  const [row] = await sql.unsafe<{ value: string }[]>(
    `select ${column}::text as value from ${table} where ${where}`,
  )
  if (!row) throw new Error(`${table} has no row in which ${where}`)
  return ofNumber(row.value)
}

/** `kind handle` of every entry that the work adds, in the order in which they were added. */
export async function deadIn(sql: Sql, work: () => Promise<unknown>): Promise<string[]> {
  const [last] = await sql<{ id: string }[]>`select coalesce(max(id), 0)::text as id from revocations`
  await work()
  const rows = await sql<{ kind: string; handle: Buffer }[]>`
    select kind, int8send(handle) as handle from revocations where id > ${last?.id ?? '0'} order by id`
  return rows.map(({ kind, handle }) => `${kind} ${handle.toString('base64url')}`)
}
