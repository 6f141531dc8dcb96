/** Signing up: a link to the address first, then whoever holds the mailbox sets the password and is signed in. */
import { type EmailAddress, parseEmailAddress } from '../core/email-address.js'
import type { InBackground, Post } from '../core/mail.js'
import type { Sessions } from '../sessions/sessions.js'
import type { Browser, Finish, SignedIn } from './finish.js'
import { linkMinutes, newLink, usableLink } from './links.js'
import type { PasswordHasher } from './password-hash.js'
import type { PasswordPolicy } from './password-policy.js'
import { tellReclaimed } from './reclaimed.js'
import type { AccountStore } from './store.js'
import type { Throttle } from './throttle.js'

export type SignUpRefusal = 'link_invalid' | { readonly weak: string }

export interface SignUpParts {
  readonly issuer: string
  readonly store: AccountStore
  readonly hasher: PasswordHasher
  readonly policy: PasswordPolicy
  readonly post: Post
  readonly inBackground: InBackground
  readonly sessions: Pick<Sessions, 'ready'>
  readonly finish: Finish
  readonly throttle: Throttle
}

export type SignUp = ReturnType<typeof createSignUp>

export function createSignUp(parts: SignUpParts) {
  const { issuer, store, hasher, policy, post, inBackground, sessions, finish, throttle } = parts
  return {
    /** One look-up, known address or not; what differs happens after the answer. False: not an address. */
    async begin(email: string, from: string, returnTo?: string): Promise<boolean> {
      const parsed = parseEmailAddress(email)
      if (!parsed.ok) return false
      const { canonical } = parsed.address
      const account = await throttle.mailAsked(from, () => store.findByEmail(canonical))
      inBackground('sign-up mail', () =>
        throttle.mail('sign-up', canonical, () =>
          account ? sendNotice(account.email) : sendLink(parsed.address, returnTo),
        ),
      )
      return true
    },

    /** The link is consumed only once the password is known to be good; it is worth one account. */
    async verify(
      token: string,
      rawPassword: string,
      name: string | undefined,
      browser: Browser,
    ): Promise<SignedIn | { readonly refused: SignUpRefusal }> {
      const { address } = browser.device
      const link = await usableLink(throttle, address, token, hash => store.pendingLink('sign-up', hash))
      if (!link) return { refused: 'link_invalid' }
      const { hash, email } = link
      const verdict = await policy.check(rawPassword, { email, ...(name !== undefined && { name }) })
      if (!verdict.ok) return { refused: { weak: verdict.detail } }
      const phc = await hasher.hash(verdict.password, email)
      await sessions.ready()
      const registered = await store.register(hash, phc, name, browser.occasion)
      if (!registered) return { refused: 'link_invalid' }
      const { user, passwordVersion: version, reclaimed } = registered
      tellReclaimed(parts, reclaimed)
      const credential = { kind: 'password', version } as const
      const signedIn = await finish({ user, amr: ['pwd'], acr: 'aal1', credential }, browser)
      return signedIn ?? { refused: 'link_invalid' }
    },
  }

  function sendNotice(to: string): Promise<void> {
    return post.send({ kind: 'already-registered', to, resetPage: `${issuer}/password/forgot` })
  }

  async function sendLink(address: EmailAddress, returnTo?: string): Promise<void> {
    const link = await newLink(store, issuer, 'sign-up', address, returnTo)
    await post.send({ kind: 'sign-up', to: address.asTyped, link, validMinutes: linkMinutes })
  }
}
