/** Verifying an address: the one place that says it of an account, and ends what the account had before. */
import { eq, type SQL, sql } from 'drizzle-orm'
import type { AddressVerification } from '../../../accounts/address-verification.js'
import type { NewFreshReset } from '../../../accounts/store.js'
import type { Actor } from '../../../audit/events.js'
import type { Reclaimed } from '../../../core/mail.js'
import type { TenantId, UserId } from '../../../core/principal.js'
import { auditDone } from '../audit/audit-log.js'
import type { Queries } from '../database.js'
import { replaceEpoch } from '../epochs.js'
import { pendingSignIns } from '../schema/factors.js'
import { federationFlows } from '../schema/federation.js'
import { invitations, mailLinks, passwords, users } from '../schema/tables.js'
import { inSeconds } from '../values.js'
import { removeFactors } from './factor-store.js'

/**
 * Locks a user first and reads them after: a row read by the statement that waited may be the one before. Who also
 * deletes mailed links locks those before (`lockLinks`), so that no two wait for each other.
 */
export async function lockUser(tx: Queries, condition: SQL) {
  await tx.select({ id: users.id }).from(users).where(condition).for('no key update')
  const [user] = await tx
    .select({
      id: sql<UserId>`${users.id}`,
      email: users.email,
      canonicalEmail: users.canonicalEmail,
      state: users.state,
      epoch: users.epoch,
      verifiedBy: users.addressVerifiedBy,
      passwordVersion: passwords.version,
    })
    .from(users)
    .leftJoin(passwords, eq(passwords.userId, users.id))
    .where(condition)
  return user
}

export type LockedUser = NonNullable<Awaited<ReturnType<typeof lockUser>>>

/** All links of an address, in one order: two that use or end them at once would wait for each other otherwise. */
export async function lockLinks(tx: Queries, canonicalEmail: SQL): Promise<void> {
  await tx.execute(sql`
    select from mail_links where canonical_email = ${canonicalEmail} order by token_hash for update`)
}

export const addressOf = (user: UserId): SQL => sql`(select canonical_email from users where id = ${user})`

/** What the verification itself brings stays: the password that is being set, or the identity that speaks. */
interface Brings {
  readonly password?: true
  readonly identity?: { readonly issuer: string; readonly subject: string }
}

/**
 * The first verification ends what was there before, since anybody who set it up may have been somebody else: the password,
 * identities, second factors, sessions, open links, pending sign-ins, and the invitations that the account has sent. A later one ends
 * nothing and answers undefined.
 */
export async function verifyAddress(
  tx: Queries,
  user: LockedUser,
  how: AddressVerification,
  actor: Actor,
  brings: Brings,
): Promise<Reclaimed | undefined> {
  if (user.verifiedBy !== null) return undefined
  const { id } = user
  await endOpenOf(tx, user)
  const password = user.passwordVersion !== null
  if (!brings.password) await tx.delete(passwords).where(eq(passwords.userId, id))
  const providers = await unlinkAllBut(tx, id, brings.identity, actor)
  const factors = await removeFactors(tx, id)
  const sent = await withdrawAllOf(tx, id, actor)
  await tx.update(users).set(verified(how)).where(eq(users.id, id))
  if (password || factors || providers.length > 0 || sent > 0)
    await auditDone(tx, 'account.reclaimed', actor, { subject: id })
  return { to: user.email, password, factors, providers }
}

/** Columns of `users`. */
export function verified(how: AddressVerification | null) {
  // The release before reads `address_proved`; the one after this need not write it any more.
  return { addressProved: how !== null, addressVerifiedBy: how }
}

/** Sessions, mailed links, and sign-ins that are under way for a user. */
export async function endOpenOf(tx: Queries, { id, canonicalEmail }: LockedUser): Promise<void> {
  await replaceEpoch(tx, id)
  await endLinksOf(tx, canonicalEmail)
  await tx.delete(federationFlows).where(eq(federationFlows.userId, id))
  await tx.delete(pendingSignIns).where(eq(pendingSignIns.userId, id))
}

export async function endLinksOf(tx: Queries, canonicalEmail: string): Promise<void> {
  await tx.delete(mailLinks).where(eq(mailLinks.canonicalEmail, canonicalEmail))
}

/** What a reset remembers of itself, so that it carries one sign-in; null where it was not one. */
export const freshColumns = (fresh?: NewFreshReset) => ({
  resetPassHash: fresh?.passHash ?? null,
  resetNetwork: fresh?.network ?? null,
  resetFreshUntil: fresh ? inSeconds(fresh.lifetimeSeconds) : null,
})

/** Answers the version. */
export async function setPassword(
  tx: Queries,
  user: UserId,
  phc: string,
  reset?: NewFreshReset,
): Promise<number> {
  const fresh = freshColumns(reset)
  const [row] = await tx
    .insert(passwords)
    // There may have been another that was removed: a sign-in under way with that one must not find its version again.
    .values({ userId: user, phc, version: sql`1 + floor(random() * 1000000000)::int`, ...fresh })
    .onConflictDoUpdate({
      target: passwords.userId,
      set: { phc, version: sql`${passwords.version} + 1`, failures: 0, changedAt: sql`now()`, ...fresh },
    })
    .returning({ version: passwords.version })
  if (!row) throw new Error('an insert returned nothing')
  return row.version
}

async function unlinkAllBut(
  tx: Queries,
  user: UserId,
  kept: Brings['identity'],
  actor: Actor,
): Promise<readonly string[]> {
  const removed = await tx.execute<{ name: string }>(sql`
    delete from federated_identities f using providers p
    where p.id = f.provider_id and f.user_id = ${user}
      and (f.issuer, f.subject) is distinct from (${kept?.issuer ?? null}::text, ${kept?.subject ?? null}::text)
    returning p.name`)
  for (const _ of removed) await auditDone(tx, 'identity.unlinked', actor, { subject: user })
  return [...new Set(removed.map(({ name }) => name))].sort()
}

/** What it offered to others may have been for anybody who set it up. */
async function withdrawAllOf(tx: Queries, inviter: UserId, actor: Actor): Promise<number> {
  const withdrawn = await tx
    .delete(invitations)
    .where(eq(invitations.inviter, inviter))
    .returning({ id: invitations.id, tenant: sql<TenantId>`${invitations.tenantId}` })
  for (const { id, tenant } of withdrawn)
    await auditDone(tx, 'invitation.withdrawn', actor, { subject: id, tenant })
  return withdrawn.length
}
