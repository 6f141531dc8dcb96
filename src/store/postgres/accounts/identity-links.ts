/** Making a provider's identity somebody's: a new person's, a person's who asked for it, or that of the address. */
import { and, eq, sql } from 'drizzle-orm'
import type { LinkedNow } from '../../../accounts/identities.js'
import type { By, Occasion } from '../../../audit/events.js'
import type { FederatedIdentityId, UserId } from '../../../core/principal.js'
import type { Claimed } from '../../../federation/claimed.js'
import { auditDone } from '../audit/audit-log.js'
import { Abandon, type Queries } from '../database.js'
import { wordOf } from '../federation/word.js'
import { federatedIdentities } from '../schema/federation.js'
import { users } from '../schema/tables.js'
import { addressOf, type LockedUser, lockLinks, lockUser, verifyAddress } from './address-verification.js'
import { insertPerson } from './new-person.js'

export async function register(tx: Queries, provider: string, claimed: Claimed, occasion: Occasion) {
  const { email, name } = claimed
  if (!email) throw new Error('a person cannot be registered without a verified address')
  const word = await wordOf(tx, provider, claimed)
  if (!word) return 'turned-off'
  const user = await insertPerson(tx, email, name, word.authoritative ? 'provider' : null, occasion)
  const id = user && (await insert(tx, provider, claimed, user, { actor: user, occasion }))
  if (!user || !id) throw new Abandon('taken' as const)
  return { id, user }
}

export async function link(
  tx: Queries,
  provider: string,
  claimed: Claimed,
  user: UserId,
  stillSignedIn: () => Promise<boolean>,
  by: By,
): Promise<LinkedNow | 'taken' | 'turned-off' | 'signed-out'> {
  const word = await wordOf(tx, provider, claimed)
  if (!word) return 'turned-off'
  const person = await lock(tx, user)
  if (person?.state !== 'active') return 'taken'
  // Asked under the lock: whatever ends all sessions has done so by now, or waits, and ends this link with them.
  if (!(await stillSignedIn())) return 'signed-out'
  return attach(tx, provider, claimed, person, word, by)
}

/** Nobody proved the account: whoever made it may have been somebody else. */
export async function adopt(
  tx: Queries,
  provider: string,
  claimed: Claimed,
  user: UserId,
  by: By,
): Promise<LinkedNow | 'taken' | 'turned-off' | 'not-authoritative'> {
  const word = await wordOf(tx, provider, claimed)
  if (!word) return 'turned-off'
  const person = await lock(tx, user)
  if (person?.state !== 'active') return 'taken'
  if (!word.authoritative || person.canonicalEmail !== claimed.email?.canonical) return 'not-authoritative'
  return attach(tx, provider, claimed, person, word, by)
}

async function lock(tx: Queries, user: UserId): Promise<LockedUser | undefined> {
  await lockLinks(tx, addressOf(user))
  return lockUser(tx, eq(users.id, user))
}

async function attach(
  tx: Queries,
  provider: string,
  claimed: Claimed,
  person: LockedUser,
  { authoritative }: { readonly authoritative: boolean },
  by: By,
): Promise<LinkedNow> {
  const verifies = authoritative && person.canonicalEmail === claimed.email?.canonical
  const reclaimed = verifies
    ? await verifyAddress(tx, person, 'provider', by, { identity: claimed })
    : undefined
  const id = await insert(tx, provider, claimed, person.id, by)
  if (id) return { id, notify: person.email, reclaimed }
  const own = await ownIdentity(tx, claimed, person.id)
  if (!own) throw new Abandon('taken' as const)
  return { id: own, notify: undefined, reclaimed }
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
