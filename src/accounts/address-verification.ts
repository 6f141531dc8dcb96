/** Who has shown that a mailbox is theirs: in which ways that is done, and what the first time ends. */
import type { UserId } from '../core/principal.js'

/** With a link that we mailed there, or by the word of a provider that is declared authoritative for the domain. */
export type AddressVerification = 'sign-up' | 'password-reset' | 'invitation' | 'provider'

/**
 * What an account had when its address was verified for the first time. Anybody may have set it up, so it was removed,
 * with every session, open link and pending sign-in.
 */
export interface Reclaimed {
  /** The address of the account. */
  readonly to: string
  readonly password: boolean
  /** The names of the providers that signed somebody in to it. */
  readonly providers: readonly string[]
}

/** Whoever opened a mailed link has the account now, with the password that they chose. */
export interface Registered {
  readonly user: UserId
  readonly passwordVersion: number
  /** Undefined where the account is new. */
  readonly reclaimed: Reclaimed | undefined
}
