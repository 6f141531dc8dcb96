/** People as operators create them. (People who sign up themselves come in through login/sign-up.) */
import type { UserId } from '../principal.js'
import type { EmailAddress } from './email-address.js'

export interface NewUser {
  readonly email: EmailAddress
  readonly name: string | undefined
  /** A hashed password; without one the person sets it by a mailed link. */
  readonly phc: string | undefined
}

export interface UserStore {
  create(user: NewUser): Promise<{ created: UserId } | 'address-taken'>
}
