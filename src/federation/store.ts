/** The contracts of the stores of providers: one for operators, one for the people who sign in through them. */

import type { Reclaimed } from '../accounts/address-verification.js'
import type { By, Occasion } from '../audit/events.js'
import type { CanonicalEmail } from '../core/email-address.js'
import type { FederatedIdentityId, UserId } from '../core/principal.js'
import type { Claimed } from './claimed.js'
import type { Purpose } from './flow.js'
import type { Provider, ProviderChange, ProviderDeclaration, ProviderWithSecret } from './provider.js'

export interface SealedSecret {
  readonly kekId: string
  readonly sealed: Buffer
}

/**
 * Rules (test/process/provider-commands.test.ts, test/federation): each change is one transaction with its audit row.
 * - When `change` to disabled or `remove` has returned, nobody is signed in through the provider any more. Sessions
 *   that it opened before live on: they are ours. `endSessions` ends them.
 * - The issuer stays while anybody is linked: an identity is an issuer's, and a provider's own are of its issuer.
 * - `remove` takes the links with it: an identity does not come back with a provider of the same name.
 */
export interface ProviderStore {
  create(
    declaration: ProviderDeclaration,
    secret: SealedSecret,
    by: By,
  ): Promise<Provider | 'id-taken' | 'issuer-taken'>
  list(): Promise<readonly Provider[]>
  read(id: string): Promise<ProviderWithSecret | undefined>
  change(
    id: string,
    to: ProviderChange,
    secret: SealedSecret | undefined,
    by: By,
  ): Promise<Provider | 'unknown' | 'issuer-taken' | 'linked'>
  remove(id: string, by: By): Promise<'removed' | 'unknown'>
  /** All that were opened or proved through it and live; a part of them where it fails, and it can be repeated. Answers how many. */
  endSessions(id: string, by: By): Promise<number>
  /** Seals every secret again that is not sealed under the newest key. Answers which. */
  reseal(
    again: (provider: string, secret: SealedSecret) => SealedSecret | undefined,
    by: By,
  ): Promise<readonly string[]>
}

export interface Flow {
  readonly purpose: Purpose
  /** Who began to link, or to prove themselves again. */
  readonly user: UserId | undefined
  readonly returnTo: string | undefined
}

export interface NewFlow extends Flow {
  readonly provider: string
  readonly stateHash: Buffer
  readonly browserHash: Buffer
  readonly lifetimeSeconds: number
}

/** `now` and `beganAt` are the database's clock, in seconds. */
export interface ConsumedFlow {
  readonly flow: Flow
  readonly provider: ProviderWithSecret
  readonly beganAt: number
  readonly now: number
}

export interface LinkedIdentity {
  readonly id: FederatedIdentityId
  readonly provider: string
  readonly providerName: string
  readonly providerEnabled: boolean
  readonly label: string
  /** NumericDate. */
  readonly createdAt: number
}

/** What a sign-in page offers. */
export interface OfferedProvider {
  readonly id: string
  readonly name: string
  readonly countsAsProof: boolean
}

/** A logout token that was verified (OpenID Connect Back-Channel Logout 1.0). At least one of the two is there. */
export interface ProviderLogout {
  readonly provider: string
  readonly issuer: string
  readonly jti: string
  readonly subject: string | undefined
  readonly sid: string | undefined
  readonly issuedAt: number
}

/**
 * Rules (test/federation):
 * - A flow is consumed by one DELETE, by its state and its browser together; where its provider is disabled nothing
 *   comes of it.
 * - Nothing is made of the word of a provider that is turned off or deleted, however far a sign-in was: `turned-off`.
 * - An (issuer, subject) belongs to one person. Of two who link it at once one gets it.
 * - The word of a provider verifies an address only where it is authoritative for the domain in that transaction. The
 *   first verification ends what the account had before (src/accounts/store.ts), but for the identity that speaks.
 * - `adopt` links an account without any proof by its person, on the word of an authoritative provider alone.
 * - `link` is for a person who is still signed in when their account is locked: what ends their session ends the link.
 * - The last way in cannot be unlinked; of two unlinked at once one stays. Sessions that were opened by an unlinked
 *   identity end with it, but for `keeping`.
 * - `logOut` ends exactly the sessions that the token names, and refuses those that a proof from before it would
 *   open; the same token again changes nothing.
 */
export interface FederationStore {
  offered(): Promise<readonly OfferedProvider[]>
  /** Enabled ones only. */
  provider(id: string): Promise<{ readonly provider: ProviderWithSecret; readonly now: number } | undefined>
  begin(flow: NewFlow): Promise<'begun' | 'unknown-provider'>
  consume(provider: string, stateHash: Buffer, browserHash: Buffer): Promise<ConsumedFlow | undefined>

  find(issuer: string, subject: string): Promise<KnownIdentity | undefined>
  /** An invitation to this address that was not taken yet. */
  isInvited(email: CanonicalEmail): Promise<boolean>
  /** A new person with this identity and its address. */
  register(
    provider: string,
    claimed: Claimed,
    occasion: Occasion,
  ): Promise<{ readonly id: FederatedIdentityId; readonly user: UserId } | 'taken' | 'turned-off'>
  /** `taken`: it is somebody else's. Linking what is linked to the same person is no error. */
  link(
    provider: string,
    claimed: Claimed,
    user: UserId,
    stillSignedIn: () => Promise<boolean>,
    by: By,
  ): Promise<LinkedNow | 'taken' | 'turned-off' | 'signed-out'>
  adopt(
    provider: string,
    claimed: Claimed,
    user: UserId,
    by: By,
  ): Promise<LinkedNow | 'taken' | 'turned-off' | 'not-authoritative'>

  identitiesOf(user: UserId): Promise<readonly LinkedIdentity[]>
  unlink(
    user: UserId,
    identity: FederatedIdentityId,
    keeping: string,
    by: By,
  ): Promise<{ readonly unlinked: LinkedIdentity } | 'unknown' | 'last-way-in'>

  /** Gives and takes the mapped roles, as the provider says now. Answers whether anything changed. */
  applyGrants(provider: Provider, claimed: Claimed, user: UserId, by: By): Promise<boolean>
  logOut(logout: ProviderLogout, by: By): Promise<number>
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
