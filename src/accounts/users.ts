/** People as operators create, stop and remove them. (People who sign up themselves come in through login/sign-up.) */

import type { By } from '../audit/events.js'
import type { PlatformRole } from '../core/authority.js'
import type { CanonicalEmail, EmailAddress } from '../core/email-address.js'
import type { Page, PageRequest } from '../core/page.js'
import type { UserId } from '../core/principal.js'

export interface User {
  readonly id: UserId
  readonly email: string
  readonly name: string | null
  readonly state: 'active' | 'disabled'
  readonly platformRoles: readonly PlatformRole[]
  /** NumericDate. */
  readonly createdAt: number
}

export interface UserChange {
  readonly name?: string | null | undefined
  readonly state?: User['state'] | undefined
  readonly platformRoles?: readonly PlatformRole[] | undefined
}

export interface NewUser {
  readonly email: EmailAddress
  readonly name: string | undefined
  /** A hashed password; without one the person sets it by a mailed link. */
  readonly phc: string | undefined
}

/**
 * Rules (test/conformance/user-store.ts): each is one transaction with its audit rows.
 * - `change` and `remove` are for callers who hold, in that moment, what the person holds and will hold: nobody gives
 *   what they do not hold, nor stops or lowers those above them. `disable` and `enable` are changes of the state alone.
 * - `disable` ends all sessions of the person, by the epoch, in the transaction that disables. It is no error twice.
 * - `enable` brings none of them back.
 * - `remove` deletes the person with password, memberships, sessions and unused links. What the audit log says stays.
 */
export interface UserStore {
  create(user: NewUser, by: By): Promise<User | 'address-taken' | 'repeated-differently'>
  read(user: UserId): Promise<User | undefined>
  /** Of all people, or of the one with this address. */
  list(page: PageRequest, email?: CanonicalEmail): Promise<Page<User>>
  change(user: UserId, to: UserChange, by: By): Promise<User | 'unknown' | 'forbidden'>
  find(who: UserId | { readonly email: CanonicalEmail }): Promise<UserId | undefined>
  disable(user: UserId, by: By): Promise<'disabled' | 'unknown' | 'forbidden'>
  enable(user: UserId, by: By): Promise<'enabled' | 'unknown' | 'forbidden'>
  remove(user: UserId, by: By): Promise<'removed' | 'unknown' | 'forbidden'>
}
