/** What the sign-in methods have to say by mail, and to whom. How it is worded and sent is mail/'s affair. */
import type { Reclaimed } from '../accounts/address-verification.js'
import type { Inviter } from '../tenants/invitations.js'

export type Mail =
  | { readonly kind: 'sign-up'; readonly to: string; readonly link: string; readonly validMinutes: number }
  /** Someone tried to sign up with the address of an account that exists. */
  | { readonly kind: 'already-registered'; readonly to: string; readonly resetPage: string }
  | {
      readonly kind: 'password-reset'
      readonly to: string
      readonly link: string
      readonly validMinutes: number
    }
  /** An operator made the account; its person sets the password. */
  | {
      readonly kind: 'welcome'
      readonly to: string
      readonly link: string
      readonly validMinutes: number
      readonly resetPage: string
    }
  /** `providers`: the names of those that sign the person in as well. */
  | { readonly kind: 'password-changed'; readonly to: string; readonly providers?: readonly string[] }
  /** The address was verified for the first time: this was set up before, and is gone. */
  | ({ readonly kind: 'account-reclaimed' } & Reclaimed)
  | { readonly kind: 'identity-linked'; readonly to: string; readonly provider: string }
  | { readonly kind: 'identity-unlinked'; readonly to: string; readonly provider: string }
  /** A place in a tenant is offered. Its name and that of the inviter are what customers have written. */
  | {
      readonly kind: 'invitation'
      readonly to: string
      readonly link: string
      readonly tenant: string
      readonly inviter: Inviter | undefined
      readonly validDays: number
    }

/** Resolves once the mail is out of our hands. */
export interface Post {
  send(mail: Mail): Promise<void>
}

/** Work after the answer: it is waited for at shutdown, and its failure goes to the log under this name. */
export type InBackground = (name: string, work: () => Promise<void>) => void
