/** Changes that a request asks for: what its caller holds is read in the transaction of the change, and stays until its end. */
import { type SQL, sql } from 'drizzle-orm'
import type { Actor } from '../../../audit/events.js'
import { type Authority, type Authorized, operatorAuthority } from '../../../core/authority.js'
import type { ServiceKeyId, SessionId, UserId } from '../../../core/principal.js'
import { authorityOfKey, judgeProvedKey } from '../../../core/service-key.js'
import { lockAlone, lockShared } from '../advisory-locks.js'
import { createOnce } from '../audit/idempotency.js'
import type { Database, Queries } from '../database.js'
import { lockSession, shareSession } from '../sessions-within.js'
import { authorityIn } from './authority-store.js'
import { findKey } from './service-key-row.js'

type PersonCalling = Extract<Authorized['caller'], { person: unknown }>
type Work<T> = (tx: Queries, held: Authority) => PromiseLike<T>

/** What a change takes or may end, of whatever a caller rests on. */
export interface Taken {
  readonly person?: UserId
  readonly session?: SessionId
  readonly serviceKey?: ServiceKeyId
  readonly everybody?: true
}

/** Everything that `by` may do is done by way of this, anybody who that is: an operator's command may everything. */
export function changeBy<T>(database: Database, actor: Actor, work: Work<T>): Promise<T> {
  return changeTaking(database, actor, {}, work)
}

/** Before work that no transaction can take back. The change itself is judged once more. */
export async function judgeBy(database: Database, { authorized }: Actor): Promise<void> {
  if (!authorized) return
  const { caller } = authorized
  await database.read(async tx => {
    const held = 'person' in caller ? heldByUser(tx, caller) : heldByKey(tx, caller.serviceKey)
    await authorized.judge(await held)
  })
}

/** Something created so, once under the caller's Idempotency-Key. */
export function createBy<T>(
  database: Database,
  actor: Actor,
  create: (tx: Queries, held: Authority) => Promise<T>,
): Promise<T | 'repeated-differently'> {
  return changeBy(database, actor, (tx, held) => createOnce(tx, actor.idempotency, () => create(tx, held)))
}

/**
 * The same, where `work` takes a row that callers rest on. It is named before: two who shared such a row first, and
 * took it afterwards, would wait for each other.
 */
export function changeTaking<T>(database: Database, actor: Actor, taken: Taken, work: Work<T>): Promise<T> {
  return database.transaction(async tx => work(tx, await authorityNow(tx, actor, taken)))
}

/**
 * The locks first, what they protect afterwards: anybody who takes something from this caller has done so before, and is
 * seen, or waits until the change is made. Always in this order, and within each kind in the order of the ids, so that
 * no two who take something from each other wait for each other. The tenant comes first, as in every change within one.
 */
async function authorityNow(tx: Queries, { authorized }: Actor, taken: Taken): Promise<Authority> {
  if (!authorized) return operatorAuthority
  const { caller, tenant } = authorized
  const calling = 'person' in caller ? caller : undefined
  const key = 'serviceKey' in caller ? caller.serviceKey : undefined
  if (tenant !== undefined) await tx.execute(sql`select from tenants where id = ${tenant} for no key update`)
  await lockRows(tx, sql`users`, calling?.person, taken.person)
  if (calling && tenant !== undefined)
    await tx.execute(sql`
      select from memberships where user_id = ${calling.person} and tenant_id = ${tenant} for share`)
  await lockSessions(tx, calling?.session, taken.session)
  await lockRows(tx, sql`service_keys`, key, taken.serviceKey)
  if (taken.everybody || calling) await lockService(tx, taken.everybody)
  return authorized.judge(calling ? await heldByUser(tx, calling) : await heldByKey(tx, key as ServiceKeyId))
}

/**
 * The row of the service, which every session rests on. Advisory locks are granted in their order, and shared row locks
 * are not: without one before it, who ends everybody's sessions waits for as long as others change things.
 */
async function lockService(tx: Queries, everybody = false): Promise<void> {
  await (everybody ? lockAlone : lockShared)(tx, 'service')
  await tx.execute(sql`select from service for ${everybody ? sql`no key update` : sql`share`}`)
}

/** What is only rested on is shared: a service may change much at once. */
async function lockRows(tx: Queries, table: SQL, own?: string, taken?: string): Promise<void> {
  const ids = [own, taken].filter(id => id !== undefined)
  if (ids.length === 0) return
  const strength = taken === undefined ? sql`share` : sql`no key update`
  const among = sql.join(
    ids.map(id => sql`${id}`),
    sql`, `,
  )
  await tx.execute(sql`select from ${table} where id in (${among}) order by id for ${strength}`)
}

async function lockSessions(tx: Queries, own?: SessionId, taken?: SessionId): Promise<void> {
  for (const id of [...new Set([own, taken])].sort()) {
    if (id === undefined) continue
    await (id === taken ? lockSession(tx, id) : shareSession(tx, id))
  }
  await lockRows(tx, sql`sessions`, own, taken)
}

async function heldByUser(tx: Queries, { person, confirm }: PersonCalling): Promise<Authority> {
  // A statement of its own, on another connection: what was committed before it began is in it.
  await confirm()
  return authorityIn(tx, person)
}

async function heldByKey(tx: Queries, id: ServiceKeyId): Promise<Authority | undefined> {
  const row = await findKey(tx, id)
  const judged = row && judgeProvedKey(id, row)
  return judged && 'key' in judged ? authorityOfKey(judged.key) : undefined
}
