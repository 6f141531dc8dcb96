/** A forgotten password: a mailed link sets a new one and ends every session; the person then signs in with it. */
import type { Occasion } from '../audit/events.js'
import { type EmailAddress, parseEmailAddress } from '../core/email-address.js'
import type { InBackground, Post } from '../core/mail.js'
import { network } from '../core/network-address.js'
import { newSecret, type Secret } from '../sessions/credential.js'
import { linkMinutes, newLink, usableLink } from './links.js'
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
      const { canonical } = parsed.address
      const account = await throttle.mailAsked(from, () => store.findByEmail(canonical))
      inBackground('password reset mail', async () => {
        if (!account?.active) return
        await throttle.mail('password-reset', canonical, () => sendLink(account.email, parsed.address))
      })
      return true
    },

    /** Answers the pass of the browser that did it: with it one sign-in is not counted against others' guesses. */
    async complete(
      token: string,
      rawPassword: string,
      occasion: Occasion,
    ): Promise<{ readonly pass: Secret } | 'link_invalid' | { readonly weak: string }> {
      const from = occasion.address ?? ''
      const link = await usableLink(throttle, from, token, hash => store.pendingLink('password-reset', hash))
      if (!link) return 'link_invalid'
      const { hash, email, name } = link
      const verdict = await policy.check(rawPassword, { email, ...(name !== null && { name }) })
      if (!verdict.ok) return { weak: verdict.detail }
      const pass = newSecret()
      const fresh = { passHash: pass.hash(), network: network(from), lifetimeSeconds: linkMinutes * 60 }
      const reset = await store.resetPassword(
        hash,
        await hasher.hash(verdict.password, email),
        occasion,
        fresh,
      )
      if (!reset) return 'link_invalid'
      const { email: to, providers, reclaimed } = reset
      inBackground('password changed mail', () => post.send({ kind: 'password-changed', to, providers }))
      tellReclaimed(parts, reclaimed)
      return { pass }
    },
  }

  /** The link goes to the address on record: what was typed may be another mailbox with the same canonical form. */
  async function sendLink(to: string, address: EmailAddress): Promise<void> {
    const link = await newLink(store, issuer, 'password-reset', address)
    await post.send({ kind: 'password-reset', to, link, validMinutes: linkMinutes })
  }
}
