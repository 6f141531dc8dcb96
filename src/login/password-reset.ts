/** A forgotten password: a mailed link sets a new one and ends every session; the person then signs in with it. */
import { type EmailAddress, parseEmailAddress } from '../directory/email-address.js'
import { linkHash, linkMinutes, newLink } from './links.js'
import type { InBackground, Post } from './mail.js'
import type { PasswordHasher } from './password-hash.js'
import type { PasswordPolicy } from './password-policy.js'
import type { AccountStore } from './store.js'

export interface PasswordResetParts {
  readonly issuer: string
  readonly store: AccountStore
  readonly hasher: PasswordHasher
  readonly policy: PasswordPolicy
  readonly post: Post
  readonly inBackground: InBackground
}

export type PasswordReset = ReturnType<typeof createPasswordReset>

export function createPasswordReset({
  issuer,
  store,
  hasher,
  policy,
  post,
  inBackground,
}: PasswordResetParts) {
  return {
    /** One look-up, known address or not; unknown and disabled people get no mail. False: not an address. */
    async begin(email: string): Promise<boolean> {
      const parsed = parseEmailAddress(email)
      if (!parsed.ok) return false
      const account = await store.findByEmail(parsed.address.canonical)
      inBackground('password reset mail', async () => {
        if (account?.active) await sendLink(account.email, parsed.address)
      })
      return true
    },

    /** For an account that an operator made: its person sets the first password. */
    async welcome(address: EmailAddress): Promise<void> {
      const link = await newLink(store, issuer, 'password-reset', address)
      const resetPage = `${issuer}/password/reset`
      await post.send({ kind: 'welcome', to: address.asTyped, link, validMinutes: linkMinutes, resetPage })
    },

    async complete(
      token: string,
      rawPassword: string,
    ): Promise<'reset' | 'link_invalid' | { readonly weak: string }> {
      const hash = linkHash(token)
      const pending = hash && (await store.pendingLink('password-reset', hash))
      if (!hash || !pending) return 'link_invalid'
      const { email, name } = pending
      const verdict = await policy.check(rawPassword, { email, ...(name !== null && { name }) })
      if (!verdict.ok) return { weak: verdict.detail }
      const user = await store.resetPassword(hash, await hasher.hash(verdict.password))
      if (!user) return 'link_invalid'
      const account = await store.findById(user)
      if (account) {
        inBackground('password changed mail', () =>
          post.send({ kind: 'password-changed', to: account.email }),
        )
      }
      return 'reset'
    },
  }

  /** The link goes to the address on record: what was typed may be another mailbox with the same canonical form. */
  async function sendLink(to: string, address: EmailAddress): Promise<void> {
    const link = await newLink(store, issuer, 'password-reset', address)
    await post.send({ kind: 'password-reset', to, link, validMinutes: linkMinutes })
  }
}
