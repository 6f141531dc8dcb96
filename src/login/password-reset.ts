/** A forgotten password: a mailed link sets a new one and ends every session; the person then signs in with it. */
import type { Occasion } from '../audit.js'
import { type EmailAddress, parseEmailAddress } from '../directory/email-address.js'
import { linkHash, linkMinutes, newLink } from './links.js'
import type { InBackground, Post } from './mail.js'
import type { PasswordHasher } from './password-hash.js'
import type { PasswordPolicy } from './password-policy.js'
import { tellReclaimed } from './reclaimed.js'
import type { AccountStore } from './store.js'
import type { Throttle } from './throttle.js'

export interface PasswordResetParts {
  readonly issuer: string
  readonly store: AccountStore
  readonly hasher: PasswordHasher
  readonly policy: PasswordPolicy
  readonly throttle: Throttle
  readonly post: Post
  readonly inBackground: InBackground
}

export type PasswordReset = ReturnType<typeof createPasswordReset>

export function createPasswordReset(parts: PasswordResetParts) {
  const { issuer, store, hasher, policy, throttle, post, inBackground } = parts
  return {
    /** One look-up, known address or not; unknown and disabled people get no mail. False: not an address. */
    async begin(email: string, from: string): Promise<boolean> {
      const parsed = parseEmailAddress(email)
      if (!parsed.ok) return false
      await throttle.mailAsked(from)
      const { canonical } = parsed.address
      const account = await store.findByEmail(canonical)
      inBackground('password reset mail', async () => {
        if (account?.active && (await throttle.mayMail('password-reset', canonical)))
          await sendLink(account.email, parsed.address)
      })
      return true
    },

    async complete(
      token: string,
      rawPassword: string,
      occasion: Occasion,
    ): Promise<'reset' | 'link_invalid' | { readonly weak: string }> {
      const attempt = await throttle.link(occasion.address ?? '')
      const hash = linkHash(token)
      const pending = hash && (await store.pendingLink('password-reset', hash))
      if (!hash || !pending) return 'link_invalid'
      await attempt.succeeded()
      const { email, name } = pending
      const verdict = await policy.check(rawPassword, { email, ...(name !== null && { name }) })
      if (!verdict.ok) return { weak: verdict.detail }
      const reset = await store.resetPassword(hash, await hasher.hash(verdict.password), occasion)
      if (!reset) return 'link_invalid'
      // Whoever was locked out by the guesses of others is let in by the new password.
      await throttle.passwordReset(email)
      const { email: to, providers, reclaimed } = reset
      inBackground('password changed mail', () => post.send({ kind: 'password-changed', to, providers }))
      tellReclaimed(parts, reclaimed)
      return 'reset'
    },
  }

  /** The link goes to the address on record: what was typed may be another mailbox with the same canonical form. */
  async function sendLink(to: string, address: EmailAddress): Promise<void> {
    const link = await newLink(store, issuer, 'password-reset', address)
    await post.send({ kind: 'password-reset', to, link, validMinutes: linkMinutes })
  }
}
