/** Making a provider's identity somebody's: a new person's, a person's who asked for it, or that of the address. */
import { and, eq, sql } from 'drizzle-orm'
import type { By, Occasion } from '../../audit.js'
import type { Claimed } from '../../federation/claimed.js'
import type { LinkedNow } from '../../federation/store.js'
import type { FederatedIdentityId, UserId } from '../../principal.js'
import { auditDone } from './audit-log.js'
import { Abandon, type Queries } from './database.js'
import { replaceEpoch } from './epochs.js'
import { insertPerson } from './new-person.js'
import { mailLinks, passwords, users } from './schema.js'
import { federatedIdentities, providers } from './schema-federation.js'

/** Whoever turns the provider off waits for what is made of its word here, or is seen by it. */
export async function isEnabled(tx: Queries, provider: string): Promise<boolean> {
  const rows = await tx
    .select({ id: providers.id })
    .from(providers)
    .where(and(eq(providers.id, provider), eq(providers.state, 'enabled')))
    .for('share')
  return rows.length > 0
}

export async function register(tx: Queries, provider: string, claimed: Claimed, occasion: Occasion) {
  const { email, name } = claimed
  if (!email) throw new Error('a person cannot be registered without a verified address')
  if (!(await isEnabled(tx, provider))) return 'turned-off'
  const user = await insertPerson(tx, email, name, occasion)
  const id = user && (await insert(tx, provider, claimed, user, { actor: user, occasion }))
  if (!user || !id) throw new Abandon('taken' as const)
  return { id, user }
}

export async function link(
  tx: Queries,
  provider: string,
  claimed: Claimed,
  user: UserId,
  by: By,
): Promise<LinkedNow | 'taken' | 'turned-off'> {
  if (!(await isEnabled(tx, provider))) return 'turned-off'
  const [person] = await lock(tx, user)
  if (person?.state !== 'active') return 'taken'
  const id = await insert(tx, provider, claimed, user, by)
  if (id) return { id, notify: person.email }
  const own = await ownIdentity(tx, claimed, user)
  return own ? { id: own, notify: undefined } : 'taken'
}

/** Nobody proved the account: whoever made it may have been somebody else. */
export async function adopt(
  tx: Queries,
  provider: string,
  claimed: Claimed,
  user: UserId,
  by: By,
): Promise<(LinkedNow & { readonly reset: boolean }) | 'taken' | 'turned-off'> {
  if (!(await isEnabled(tx, provider))) return 'turned-off'
  const [person] = await lock(tx, user)
  if (person?.state !== 'active') return 'taken'
  const reset = !person.proved
  if (reset) {
    await tx.delete(passwords).where(eq(passwords.userId, user))
    await tx.delete(federatedIdentities).where(eq(federatedIdentities.userId, user))
    await tx.delete(mailLinks).where(eq(mailLinks.canonicalEmail, person.canonicalEmail))
    await replaceEpoch(tx, user)
    await tx.update(users).set({ addressProved: true }).where(eq(users.id, user))
    await auditDone(tx, 'account.reclaimed', by, { subject: user })
  }
  const id = await insert(tx, provider, claimed, user, by)
  if (!id) throw new Abandon('taken' as const)
  return { id, notify: person.email, reset }
}

function lock(tx: Queries, user: UserId) {
  return tx
    .select({
      email: users.email,
      canonicalEmail: users.canonicalEmail,
      state: users.state,
      proved: users.addressProved,
    })
    .from(users)
    .where(eq(users.id, user))
    .for('no key update')
}

async function insert(tx: Queries, provider: string, claimed: Claimed, user: UserId, by: By) {
  const { issuer, subject, label } = claimed
  const [row] = await tx
    .insert(federatedIdentities)
    .values({ userId: user, providerId: provider, issuer, subject, label })
    .onConflictDoNothing()
    .returning({ id: sql<FederatedIdentityId>`${federatedIdentities.id}` })
  if (!row) return undefined
  await auditDone(tx, 'identity.linked', by, { subject: user })
  return row.id
}

async function ownIdentity(tx: Queries, { issuer, subject }: Claimed, user: UserId) {
  const [row] = await tx
    .select({ id: sql<FederatedIdentityId>`${federatedIdentities.id}` })
    .from(federatedIdentities)
    .where(
      and(
        eq(federatedIdentities.issuer, issuer),
        eq(federatedIdentities.subject, subject),
        eq(federatedIdentities.userId, user),
      ),
    )
  return row?.id
}
