/** Who has shown that a mailbox is theirs: in which ways that is done, and what the first time ends. */
import type { Reclaimed } from '../core/mail.js'
import type { UserId } from '../core/principal.js'

/** With a link that we mailed there, or by the word of a provider that is declared authoritative for the domain. */
export type AddressVerification = 'sign-up' | 'password-reset' | 'invitation' | 'provider'

/** Anybody who opened a mailed link has the account now, with the password that they chose. */
export interface Registered {
  readonly user: UserId
  readonly passwordVersion: number
  /** Undefined where the account is new. */
  readonly reclaimed: Reclaimed | undefined
}
