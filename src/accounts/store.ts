/** The contract of the account store: users, their passwords and the mailed links, each change in one transaction. */
import type { RequestContext } from '../audit/events.js'
import type { CanonicalEmail, EmailAddress } from '../core/email-address.js'
import type { Reclaimed } from '../core/mail.js'
import type { SessionId, UserId } from '../core/principal.js'
import type { Successor } from '../sessions/store.js'
import type { Registered } from './address-verification.js'

export interface Account {
  readonly user: UserId
  readonly email: string
  readonly active: boolean
  /** Absent until the user has set one. `version` rises only when the password really changes. */
  readonly password:
    | {
        readonly phc: string
        readonly version: number
        /** Wrong ones in a row. */
        readonly failures: number
        /** Absent once somebody has signed in with it, and when it is no longer fresh. */
        readonly freshReset?: FreshReset
      }
    | undefined
}

/** A reset by mail carries one sign-in of its user, whatever others have guessed meanwhile. */
export interface FreshReset {
  /** Of the pass that the browser was given. */
  readonly passHash: Buffer
  /** From which it was reset. */
  readonly network: string
}

export type NewFreshReset = FreshReset & { readonly lifetimeSeconds: number }

/** What a mailed link is for. A link of one kind opens nothing of the other. */
export type LinkPurpose = 'sign-up' | 'password-reset'

/** What a link that has not been used yet stands for. Looking changes nothing. */
export interface PendingLink {
  readonly email: string
  readonly name: string | null
}

/**
 * Rules (test/conformance/account-store.ts):
 * - Only SHA-256 hashes of link tokens come in here. A link is consumed by one DELETE, in the transaction of what it
 *   completes; of any number of parallel uses one succeeds.
 * - Completing a link ends every other link of the same address.
 * - A link that is completed verifies the address. The first verification ends what the account had before: password,
 *   identities at providers, sessions, open links, sign-ins under way, and the invitations that it has sent. A reset of
 *   an account whose address was verified before ends sessions, open links and sign-ins under way, and nothing else.
 * - A changed or reset password raises the version and replaces the user's epoch in the same transaction: every
 *   session opened under the old one is over when the call returns.
 * - An account made, a password reset or changed is in the audit log, by the same transaction.
 * - A re-hash of the same password does neither.
 * - A reset is fresh until it is too old, its user has signed in, or there is another password.
 */
export interface AccountStore {
  findByEmail(email: CanonicalEmail): Promise<Account | undefined>
  findById(user: UserId): Promise<Account | undefined>

  /** The statements are the same for a link that is discarded. */
  saveLink(link: NewLink): Promise<void>
  /** The address and name behind an unused link, so that a password can be judged before the link is consumed. */
  pendingLink(purpose: LinkPurpose, tokenHash: Buffer): Promise<PendingLink | undefined>
  /**
   * Consumes a sign-up link and creates its user, or gives them the account that is there if nobody has verified its
   * address. `undefined`: the link, or the address, is no longer free.
   */
  register(
    tokenHash: Buffer,
    phc: string,
    name: string | undefined,
    context: RequestContext,
  ): Promise<Registered | undefined>
  /** Consumes a reset link and sets the password of its (still active) user. Without `fresh` it carries no sign-in. */
  resetPassword(
    tokenHash: Buffer,
    phc: string,
    context: RequestContext,
    fresh?: NewFreshReset,
  ): Promise<PasswordReset | undefined>

  /** Changes the password and carries only the caller's session over, under a new secret; answers its id from then on. */
  changePassword(
    change: PasswordChange,
  ): Promise<{ readonly changed: SessionId } | 'superseded' | 'credential-changed'>
  /** One more wrong password in a row; a right one forgets them and the fresh reset, and so does a new password. */
  recordFailure(user: UserId): Promise<void>
  forgetFailures(user: UserId): Promise<void>
  rehash(user: UserId, version: number, oldPhc: string, newPhc: string): Promise<void>
}

export interface NewLink {
  readonly purpose: LinkPurpose
  readonly tokenHash: Buffer
  readonly email: EmailAddress
  readonly lifetimeSeconds: number
  /** Nothing is stored: for an address that gets no link. */
  readonly discarded?: boolean
}

export interface PasswordReset {
  readonly user: UserId
  /** The account's address. */
  readonly email: string
  /** Undefined where the address was verified before. */
  readonly reclaimed: Reclaimed | undefined
  /** The names of the providers that sign this user in as well. */
  readonly providers: readonly string[]
}

export interface PasswordChange {
  readonly user: UserId
  readonly session: SessionId
  /** The compare of the compare-and-swap: the hash that this request proved. */
  readonly provenSecretHash: Buffer
  readonly next: Successor
  readonly expectedVersion: number
  readonly phc: string
  readonly context: RequestContext
}
