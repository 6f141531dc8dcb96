/** Mailed links: asking for one, and what anybody who holds the mailbox does with it. One pipeline for sign-up, reset and invitation. */
import type { Actor, RequestContext } from '../audit/events.js'
import { byPassword } from '../core/authentication.js'
import { type EmailAddress, parseEmailAddress } from '../core/email-address.js'
import { Outage } from '../core/errors.js'
import { network } from '../core/network-address.js'
import type { TenantId, UserId } from '../core/principal.js'
import { newSecret, type Secret } from '../core/secret.js'
import type { Credential } from '../sessions/credential.js'
import type { Registered } from './address-verification.js'
import type { Browser, NotFinished, Pending, SignedIn } from './create-session.js'
import { linkMinutes, newLink, usableLink } from './links.js'
import type { Parts } from './parts.js'
import { tellReclaimed } from './provisioning.js'
import type { Account, AccountStore, LinkPurpose, PendingLink } from './store.js'

type ByLinkParts = Parts<'issuer' | 'store' | 'invitations' | 'hasher' | 'policy' | 'throttle'> &
  Parts<'mailer' | 'inBackground' | 'sessions' | 'createSession'>

/** The token of a link, and what its holder chooses. */
export interface Choice {
  readonly token: string
  readonly password: string
  readonly name?: string | undefined
}

export type LinkRefusal = { readonly refused: 'link_invalid' | { readonly weak: string } }

/** The page that a link leads to. */
export type LinkKind = LinkPurpose | 'invitation'

export type ByLink = ReturnType<typeof createByLink>

export function createByLink(parts: ByLinkParts) {
  const {
    issuer,
    store,
    invitations,
    hasher,
    policy,
    throttle,
    mailer,
    inBackground,
    sessions,
    createSession,
  } = parts

  /** One look-up, known address or not. What follows the answer differs in the mail alone. False: not an address. */
  async function ask(
    email: string,
    from: string,
    answer: (address: EmailAddress, known: Account | undefined) => void,
  ): Promise<boolean> {
    const parsed = parseEmailAddress(email)
    if (!parsed.ok) return false
    const { address } = parsed
    answer(address, await throttle.mailAsked(from, () => store.findByEmail(address.canonical)))
    return true
  }

  /** The link is consumed only once the password is known to be good. */
  async function redeem<Done extends Pick<Registered, 'reclaimed'>>(
    { token, password, name }: Choice,
    from: string,
    pending: (hash: Buffer) => Promise<(Pick<PendingLink, 'email'> & Partial<PendingLink>) | undefined>,
    complete: (hash: Buffer, phc: string) => Promise<Done | undefined>,
  ): Promise<Done | LinkRefusal> {
    const link = await usableLink(throttle, from, token, pending)
    if (!link) return { refused: 'link_invalid' }
    const { hash, email } = link
    const verdict = await policy.check(password, { email, name: name ?? link.name ?? undefined })
    if (!verdict.ok) return { refused: { weak: verdict.detail } }
    const done = await complete(hash, await hasher.hash(verdict.password, email))
    if (!done) return { refused: 'link_invalid' }
    tellReclaimed(parts, done.reclaimed)
    return done
  }

  /** What makes an account signs in to it. The link is worth one account: where none can be opened now it is not used up. */
  async function register(
    choice: Choice,
    browser: Browser,
    {
      pending,
      complete,
    }: {
      pending: (hash: Buffer) => Promise<(Pick<PendingLink, 'email'> & Partial<PendingLink>) | undefined>
      complete: AccountStore['register']
    },
  ): Promise<SignedIn | Pending | LinkRefusal | NotFinished> {
    const registered = await redeem(choice, browser.device.address, pending, async (hash, phc) => {
      await sessions.ready()
      return complete(hash, phc, choice.name, browser.context)
    })
    if ('refused' in registered) return registered
    const { user, passwordVersion: version } = registered
    const credential = { kind: 'password', version } as const
    return createSession({ user, ...byPassword, credential }, browser)
  }

  /** Who has joined works there from then on. They are a member whether that succeeds or not, and can switch. */
  async function workIn(tenant: TenantId, user: UserId, proven: Credential, context: RequestContext) {
    await sessions.switchTenant(proven, user, tenant, context).catch(error => {
      if (!(error instanceof Outage)) throw error
    })
  }

  return {
    /** To whom an unused link was mailed, for its page: who holds the link has that mailbox. Looking changes nothing. */
    async addressed(
      kind: LinkKind,
      token: string,
      from: string,
    ): Promise<{ readonly email: string; readonly tenant?: string } | undefined> {
      const find = (hash: Buffer): Promise<{ email: string; tenant?: string } | undefined> =>
        kind === 'invitation' ? invitations.pending(hash) : store.pendingLink(kind, hash)
      const link = await usableLink(throttle, from, token, find)
      return link && { email: link.email, ...(link.tenant !== undefined && { tenant: link.tenant }) }
    },

    /** To an address that has an account goes a notice instead. `returnTo` is where the link leads on to. */
    askForSignUp: (email: string, from: string, returnTo?: string) =>
      ask(email, from, (address, account) =>
        inBackground('sign-up mail', () =>
          throttle.mail('sign-up', address.canonical, async () => {
            const discarded = account !== undefined
            const link = await newLink(store, issuer, 'sign-up', address, { returnTo, discarded })
            const resetPage = `${issuer}/password/forgot`
            if (account) return mailer.send({ kind: 'already-registered', to: account.email, resetPage })
            await mailer.send({ kind: 'sign-up', to: address.asTyped, link, validMinutes: linkMinutes })
          }),
        ),
      ),

    signUp: (choice: Choice, browser: Browser) =>
      register(choice, browser, {
        pending: hash => store.pendingLink('sign-up', hash),
        complete: store.register,
      }),

    /** Unknown and disabled users get no mail. */
    askForReset: (email: string, from: string) =>
      ask(email, from, (address, account) =>
        inBackground('password reset mail', () =>
          throttle.mail('password-reset', address.canonical, async () => {
            const active = account?.active === true
            const link = await newLink(store, issuer, 'password-reset', address, { discarded: !active })
            // To the address on record: what was typed may be another mailbox with the same canonical form.
            if (active)
              await mailer.send({
                kind: 'password-reset',
                to: account.email,
                link,
                validMinutes: linkMinutes,
              })
          }),
        ),
      ),

    /**
     * Sets a new password and ends every session; the user then signs in with it. Answers the pass of the browser that
     * did it: with it one sign-in is not counted against others' guesses.
     */
    async resetPassword(
      choice: Choice,
      context: RequestContext,
    ): Promise<{ readonly pass: Secret } | LinkRefusal> {
      const from = context.address ?? ''
      const pass = newSecret()
      const fresh = { passHash: pass.hash(), network: network(from), lifetimeSeconds: linkMinutes * 60 }
      const reset = await redeem(
        choice,
        from,
        hash => store.pendingLink('password-reset', hash),
        (hash, phc) => store.resetPassword(hash, phc, context, fresh),
      )
      if ('refused' in reset) return reset
      const { email: to, providers } = reset
      inBackground('password changed mail', () => mailer.send({ kind: 'password-changed', to, providers }))
      return { pass }
    },

    /** By the user who is signed in, if the invitation was sent to their address. */
    async acceptInvitation(
      token: string,
      user: UserId,
      actor: Actor,
      proven: Credential,
    ): Promise<{ readonly tenant: TenantId } | undefined> {
      const from = actor.context.address ?? ''
      const taken = await usableLink(throttle, from, token, hash => invitations.accept(hash, user, actor))
      if (!taken) return undefined
      await workIn(taken.tenant, user, proven, actor.context)
      return { tenant: taken.tenant }
    },

    /** By somebody without an account, or with one whose address nobody has verified: the link verifies it. */
    async signUpByInvitation(choice: Choice, browser: Browser) {
      let tenant: TenantId | undefined
      const signedIn = await register(choice, browser, {
        pending: invitations.pending,
        async complete(...redeemed) {
          const registered = await invitations.register(...redeemed)
          tenant = registered?.tenant
          return registered
        },
      })
      if (tenant === undefined || !('credential' in signedIn)) return signedIn
      await workIn(tenant, signedIn.user, signedIn.credential, browser.context)
      return signedIn
    },
  }
}
