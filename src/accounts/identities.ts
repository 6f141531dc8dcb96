/** The contract of the store of identities: which accounts at providers sign a user in, and who gets one. */
import type { Actor, RequestContext } from '../audit/events.js'
import type { CanonicalEmail } from '../core/email-address.js'
import type { Reclaimed } from '../core/mail.js'
import type { FederatedIdentityId, Principal, UserId } from '../core/principal.js'
import type { ProviderProfile } from '../federation/profile.js'
import type { Provider } from '../federation/provider.js'
import type { Weak } from './factors.js'

export interface LinkedIdentity {
  readonly id: FederatedIdentityId
  readonly provider: string
  readonly providerName: string
  readonly providerEnabled: boolean
  readonly label: string
  /** NumericDate. */
  readonly createdAt: number
}

export interface KnownIdentity {
  readonly id: FederatedIdentityId
  readonly user: UserId
  readonly active: boolean
  /** The account's own address, as long as nobody has verified it. */
  readonly unverifiedEmail: CanonicalEmail | undefined
}

export interface LinkedNow {
  readonly id: FederatedIdentityId
  /** The account's address, for the notice; undefined where it was linked before. */
  readonly notify: string | undefined
  /** The address was verified by this for the first time: all sessions have ended. */
  readonly reclaimed: Reclaimed | undefined
}

/**
 * Rules (test/federation):
 * - Nothing is made of the word of a provider that is turned off or deleted, however far a sign-in was: `turned-off`.
 * - An (issuer, subject) belongs to one user. Of two who link it at once one gets it.
 * - The word of a provider verifies an address only where it is authoritative for the domain in that transaction. The
 *   first verification ends what the account had before (src/accounts/store.ts), but for the identity that speaks.
 * - `autoLink` links an account without any authentication of its user, on the word of an authoritative provider alone.
 * - `link` is for a user who is still signed in when their account is locked: what ends their session ends the link.
 * - Who has a second factor links and unlinks by a session that rests on one: a provider's word may stand for it.
 * - The last way in cannot be unlinked; of two unlinked at once one stays. Sessions that were opened by an unlinked
 *   identity end with it, but for the one that asks.
 */
export interface IdentityStore {
  find(issuer: string, subject: string): Promise<KnownIdentity | undefined>
  /** An invitation to this address that was not taken yet. */
  isInvited(email: CanonicalEmail): Promise<boolean>
  /** A new user with this identity and its address. */
  register(
    provider: string,
    profile: ProviderProfile,
    context: RequestContext,
  ): Promise<{ readonly id: FederatedIdentityId; readonly user: UserId } | 'taken' | 'turned-off'>
  /** `taken`: it is somebody else's. Linking what is linked to the same user is no error. */
  link(
    provider: string,
    profile: ProviderProfile,
    who: Pick<Principal, 'user' | 'acr'>,
    stillSignedIn: () => Promise<boolean>,
    actor: Actor,
  ): Promise<LinkedNow | 'taken' | 'turned-off' | 'signed-out' | Weak>
  autoLink(
    provider: string,
    profile: ProviderProfile,
    user: UserId,
    actor: Actor,
  ): Promise<LinkedNow | 'taken' | 'turned-off' | 'not-authoritative'>

  identitiesOf(user: UserId): Promise<readonly LinkedIdentity[]>
  unlink(
    who: Pick<Principal, 'user' | 'session' | 'acr'>,
    identity: FederatedIdentityId,
    actor: Actor,
  ): Promise<{ readonly unlinked: LinkedIdentity } | 'unknown' | 'last-way-in' | Weak>

  /** Gives and takes the mapped roles, as the provider says now. Answers whether anything changed. */
  applyGrants(provider: Provider, profile: ProviderProfile, user: UserId, actor: Actor): Promise<boolean>
}
