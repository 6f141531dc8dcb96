/** Making a provider's identity somebody's: a new user's, a user's who asked for it, or that of the address. */
import { and, eq, sql } from 'drizzle-orm'
import type { LinkedNow } from '../../../accounts/identities.js'
import type { Actor, RequestContext } from '../../../audit/events.js'
import type { FederatedIdentityId, Principal, UserId } from '../../../core/principal.js'
import type { ProviderProfile } from '../../../federation/profile.js'
import { auditDone } from '../audit/audit-log.js'
import { Abandon, type Queries } from '../database.js'
import { wordOf } from '../federation/word.js'
import { federatedIdentities } from '../schema/federation.js'
import { users } from '../schema/tables.js'
import { addressOf, lockLinks, lockUser, verifyAddress } from './address-verification.js'
import { isWeak } from './factor-rows.js'
import { insertUser } from './new-person.js'

export async function register(
  tx: Queries,
  provider: string,
  profile: ProviderProfile,
  context: RequestContext,
) {
  const { email, name } = profile
  if (!email) throw new Error('a user cannot be created without a verified address')
  const word = await wordOf(tx, provider, profile)
  if (!word) return 'turned-off'
  const user = await insertUser(tx, email, name, word.authoritative ? 'provider' : null, { context })
  const id = user && (await insert(tx, provider, profile, user, { user: user, context }))
  if (!user || !id) throw new Abandon('taken' as const)
  return { id, user }
}

export function link(
  tx: Queries,
  provider: string,
  profile: ProviderProfile,
  { user, acr }: Pick<Principal, 'user' | 'acr'>,
  stillSignedIn: () => Promise<boolean>,
  actor: Actor,
) {
  // Asked under the lock: whatever ends all sessions has done so by now, or waits, and ends this link with them.
  const may = async () => {
    if (!(await stillSignedIn())) return 'signed-out' as const
    return (await isWeak(tx, { user, acr })) ? ('weak' as const) : undefined
  }
  return attach(tx, provider, profile, user, may, actor)
}

/** Nobody proved the account: anybody who made it may have been somebody else. */
export function autoLink(
  tx: Queries,
  provider: string,
  profile: ProviderProfile,
  user: UserId,
  actor: Actor,
) {
  const may = async (verifies: boolean) => (verifies ? undefined : ('not-authoritative' as const))
  return attach(tx, provider, profile, user, may, actor)
}

/** `may` says why not, if so. `verifies`: the provider is authoritative for the account's own address. */
async function attach<Refusal>(
  tx: Queries,
  provider: string,
  profile: ProviderProfile,
  user: UserId,
  may: (verifies: boolean) => Promise<Refusal | undefined>,
  actor: Actor,
): Promise<LinkedNow | 'taken' | 'turned-off' | Refusal> {
  const word = await wordOf(tx, provider, profile)
  if (!word) return 'turned-off'
  await lockLinks(tx, addressOf(user))
  const person = await lockUser(tx, eq(users.id, user))
  if (person?.state !== 'active') return 'taken'
  const verifies = word.authoritative && person.canonicalEmail === profile.email?.canonical
  const refusal = await may(verifies)
  if (refusal !== undefined) return refusal
  const reclaimed = verifies
    ? await verifyAddress(tx, person, 'provider', actor, { identity: profile })
    : undefined
  const id = await insert(tx, provider, profile, user, actor)
  if (id) return { id, notify: person.email, reclaimed }
  const own = await ownIdentity(tx, profile, user)
  if (!own) throw new Abandon('taken' as const)
  return { id: own, notify: undefined, reclaimed }
}

async function insert(tx: Queries, provider: string, profile: ProviderProfile, user: UserId, actor: Actor) {
  const { issuer, subject, label } = profile
  const [row] = await tx
    .insert(federatedIdentities)
    .values({ userId: user, providerId: provider, issuer, subject, label })
    .onConflictDoNothing()
    .returning({ id: sql<FederatedIdentityId>`${federatedIdentities.id}` })
  if (!row) return undefined
  await auditDone(tx, 'identity.linked', actor, { subject: user })
  return row.id
}

async function ownIdentity(tx: Queries, { issuer, subject }: ProviderProfile, user: UserId) {
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
