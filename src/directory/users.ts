/** People as operators create, stop and remove them. (People who sign up themselves come in through login/sign-up.) */
import type { UserId } from '../principal.js'
import type { By } from '../session/revocations.js'
import type { CanonicalEmail, EmailAddress } from './email-address.js'

export interface NewUser {
  readonly email: EmailAddress
  readonly name: string | undefined
  /** A hashed password; without one the person sets it by a mailed link. */
  readonly phc: string | undefined
}

/**
 * Rules (test/conformance/user-store.ts): each is one transaction with its audit row.
 * - `disable` ends all sessions of the person, by the epoch, in the transaction that disables. It is no error twice.
 * - `enable` brings none of them back.
 * - `remove` deletes the person with password, memberships, sessions and unused links. What the audit log says stays.
 */
export interface UserStore {
  create(user: NewUser): Promise<{ created: UserId } | 'address-taken'>
  find(who: UserId | { readonly email: CanonicalEmail }): Promise<UserId | undefined>
  disable(user: UserId, by: By): Promise<'disabled' | 'unknown'>
  enable(user: UserId, by: By): Promise<'enabled' | 'unknown'>
  remove(user: UserId, by: By): Promise<'removed' | 'unknown'>
}
