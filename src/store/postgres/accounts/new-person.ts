/** Making a user: by themselves, with a mailed link, an invitation or a provider; or by an operator. */
import { eq } from 'drizzle-orm'
import type { AddressVerification, Registered } from '../../../accounts/address-verification.js'
import type { Actor, RequestContext } from '../../../audit/events.js'
import type { UserId } from '../../../core/principal.js'
import { auditDone } from '../audit/audit-log.js'
import type { Queries } from '../database.js'
import { passwords, users } from '../schema/tables.js'
import { endLinksOf, lockUser, setPassword, verified, verifyAddress } from './address-verification.js'

interface Address {
  readonly asTyped: string
  readonly canonical: string
}

/** `how` is null where nobody has verified the address. Undefined: it is an account's by now. */
export async function insertUser(
  tx: Queries,
  { asTyped, canonical }: Address,
  name: string | undefined,
  how: AddressVerification | null,
  actor: Actor | Pick<Actor, 'context'>,
): Promise<UserId | undefined> {
  const [person] = await tx
    .insert(users)
    .values({ email: asTyped, canonicalEmail: canonical, name: name ?? null, ...verified(how) })
    .onConflictDoNothing({ target: users.canonicalEmail })
    .returning({ id: users.id })
  if (!person) return undefined
  const user = person.id as UserId
  if (how !== null) await endLinksOf(tx, canonical)
  // Who comes in by themselves is the one who acts.
  await auditDone(tx, 'account.created', { user, ...actor }, { subject: user })
  return user
}

/**
 * By anybody who opened a link that was mailed to the address. An account that is there already becomes theirs where nobody
 * has verified its address; where somebody has, they have a way in, and the answer is undefined.
 */
export async function registerByMail(
  tx: Queries,
  address: Address,
  { phc, name }: { readonly phc: string; readonly name: string | undefined },
  how: AddressVerification,
  context: RequestContext,
): Promise<Registered | undefined> {
  const created = await insertUser(tx, address, name, how, { context })
  if (created) {
    await tx.insert(passwords).values({ userId: created, phc })
    return { user: created, passwordVersion: 1, reclaimed: undefined }
  }
  const found = await lockUser(tx, eq(users.canonicalEmail, address.canonical))
  if (found?.state !== 'active' || found.verifiedBy !== null) return undefined
  const { id: user } = found
  const actor = { user, context }
  // From now on mail goes where this link went: the address may have been typed in another way before.
  const holder = { ...found, email: address.asTyped }
  const reclaimed = await verifyAddress(tx, holder, how, actor, { password: true })
  const passwordVersion = await setPassword(tx, user, phc)
  await tx
    .update(users)
    .set({ email: address.asTyped, ...(name !== undefined && { name }) })
    .where(eq(users.id, user))
  await auditDone(tx, 'password.reset', actor, { subject: user })
  return { user, passwordVersion, reclaimed }
}
