/** What users are told by mail, and who is told. How it is worded and sent is mail/'s affair. */

export type Mail = { readonly to: string } & (
  | { readonly kind: 'sign-up' | 'password-reset'; readonly link: string; readonly validMinutes: number }
  /** Someone tried to sign up with the address of an account that exists. */
  | { readonly kind: 'already-registered'; readonly resetPage: string }
  /** An operator made the account; its person sets the password. */
  | {
      readonly kind: 'welcome'
      readonly link: string
      readonly validDays: number
      readonly resetPage: string
    }
  /** `providers`: the names of those that sign the person in as well. */
  | { readonly kind: 'password-changed'; readonly providers?: readonly string[] }
  /** The address was verified for the first time: this was set up before, and is gone. */
  | ({ readonly kind: 'account-reclaimed' } & Reclaimed)
  | { readonly kind: 'identity-linked' | 'identity-unlinked'; readonly provider: string }
  /** `name`: what its user calls it. */
  | { readonly kind: 'factor-added'; readonly name: string }
  /** `last`: a password, or whatever was proved first, is enough from now on. */
  | { readonly kind: 'factor-removed'; readonly name: string; readonly last: boolean }
  | { readonly kind: 'recovery-codes-replaced' }
  | { readonly kind: 'recovery-code-used'; readonly left: number }
  /** An operator removes the factors at `dueAt` (a NumericDate), unless the user stops it at `page`. */
  | { readonly kind: 'factors-reset-requested'; readonly dueAt: number; readonly page: string }
  | { readonly kind: 'factors-reset' | 'factors-reset-stopped' }
  /** A place in a tenant is offered. Its name and that of the inviter are what customers have written. */
  | {
      readonly kind: 'invitation'
      readonly link: string
      readonly tenant: string
      readonly inviter: Inviter | undefined
      readonly validDays: number
    }
)

/**
 * What an account had when its address was verified for the first time. Anybody may have set it up, so it was removed,
 * with every session, open link and pending sign-in.
 */
export interface Reclaimed {
  /** The address of the account. */
  readonly to: string
  readonly password: boolean
  readonly factors: boolean
  /** The names of the providers that signed somebody in to it. */
  readonly providers: readonly string[]
}

/** Who invites, as the mail says it: a user by the address of their account, a service key by its name. */
export type Inviter = { readonly account: string } | { readonly serviceKey: string }

/** Resolves once the mail is out of our hands. */
export interface Mailer {
  send(mail: Mail): Promise<void>
}
