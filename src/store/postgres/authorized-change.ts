/** Changes that a request asks for: what its caller holds is read in the transaction of the change, and stays until its end. */
import { sql } from 'drizzle-orm'
import type { By } from '../../audit.js'
import { type Authority, type Authorized, operatorAuthority } from '../../directory/authority.js'
import { authorityOfKey, judgeProvedKey } from '../../directory/service-keys.js'
import type { ServiceKeyId, TenantId, UserId } from '../../principal.js'
import { authorityIn } from './authority-store.js'
import type { Database, Queries } from './database.js'
import { findKey } from './service-key-row.js'
import { shareSession } from './sessions-in-redis/revoked.js'

type Work<T> = (tx: Queries, held: Authority) => PromiseLike<T>
type PersonCalling = Extract<Authorized['caller'], { person: unknown }>

/** Everything that `by` may do is done by way of this, whoever that is: an operator's command may everything. */
export function changeBy<T>(database: Database, by: By, work: Work<T>): Promise<T> {
  return database.transaction(async tx => work(tx, await authorityNow(tx, by)))
}

/** The same, where `work` takes the row of this person for itself. */
export function changePersonBy<T>(database: Database, user: UserId, by: By, work: Work<T>): Promise<T> {
  return database.transaction(async tx => work(tx, await authorityNow(tx, by, user)))
}

/**
 * The locks first, what they protect afterwards: whoever takes something from this caller has done so before, and is
 * seen, or waits until the change is made. The tenant comes first, as in every change within one.
 */
async function authorityNow(tx: Queries, { authorized }: By, changed?: UserId): Promise<Authority> {
  if (!authorized) return operatorAuthority
  const { caller, tenant } = authorized
  if (tenant !== undefined) await tx.execute(sql`select from tenants where id = ${tenant} for no key update`)
  const held =
    'person' in caller
      ? await heldByPerson(tx, caller, tenant, caller.person === changed)
      : await heldByKey(tx, caller.serviceKey)
  return authorized.judge(held)
}

async function heldByPerson(
  tx: Queries,
  { person, session, confirm }: PersonCalling,
  tenant: TenantId | undefined,
  changesThemselves: boolean,
): Promise<Authority> {
  // What is shared first and taken afterwards: two such changes at once would wait for each other.
  const lock = changesThemselves ? sql`no key update` : sql`share`
  await tx.execute(sql`select from users where id = ${person} for ${lock}`)
  if (tenant !== undefined)
    await tx.execute(sql`
      select from memberships where user_id = ${person} and tenant_id = ${tenant} for share`)
  await shareSession(tx, session)
  await tx.execute(sql`select from sessions where id = ${session} for share`)
  await tx.execute(sql`select from service for share`)
  // A statement of its own, on another connection: what was committed before it began is in it.
  await confirm()
  return authorityIn(tx, person)
}

/** Shared: a service may change much at once. */
async function heldByKey(tx: Queries, id: ServiceKeyId): Promise<Authority | undefined> {
  await tx.execute(sql`select from service_keys where id = ${id} for share`)
  const row = await findKey(tx, id)
  const judged = row && judgeProvedKey(id, row)
  return judged && 'key' in judged ? authorityOfKey(judged.key) : undefined
}
