/** Inviting by mail, and taking an invitation: with an account that is signed in, or by making one. */
import type { By } from '../audit.js'
import type { EmailAddress } from '../directory/email-address.js'
import type { InvitationStore } from '../directory/invitations.js'
import type { MayGrant } from '../directory/tenants.js'
import type { TenantId, UserId } from '../principal.js'
import { newSecret } from '../session/credential.js'
import type { Sessions } from '../session/sessions.js'
import type { Browser, Finish, SignedIn } from './finish.js'
import { linkHash } from './links.js'
import type { InBackground, Post } from './mail.js'
import type { PasswordHasher } from './password-hash.js'
import type { PasswordPolicy } from './password-policy.js'
import { tellReclaimed } from './reclaimed.js'
import type { SignUpRefusal } from './sign-up.js'
import type { Throttle } from './throttle.js'

export const invitationDays = 7

export interface InvitationParts {
  readonly issuer: string
  readonly invitations: InvitationStore
  readonly hasher: PasswordHasher
  readonly policy: PasswordPolicy
  readonly throttle: Throttle
  readonly post: Post
  readonly inBackground: InBackground
  readonly sessions: Pick<Sessions, 'ready'>
  readonly finish: Finish
}

export type Invitations = ReturnType<typeof createInvitations>

export function createInvitations(parts: InvitationParts) {
  const { issuer, invitations, hasher, policy, throttle, post, inBackground, sessions, finish } = parts
  return {
    async invite(
      tenant: TenantId,
      email: EmailAddress,
      roleIds: readonly string[],
      allowed: MayGrant,
      by: By,
    ) {
      const token = newSecret()
      const lifetimeSeconds = invitationDays * 86_400
      const wanted = { tenant, email, roleIds, tokenHash: token.hash(), lifetimeSeconds }
      const answer = await invitations.create(wanted, allowed, by)
      if (typeof answer === 'string') return answer
      const { invitation, tenantName } = answer
      inBackground('invitation mail', async () => {
        // Whoever may invite must not be able to flood a mailbox with it.
        if (!(await throttle.mayMail('invitation', email.canonical))) return
        const link = `${issuer}/invitations/accept#token=${token.reveal()}`
        await post.send({
          kind: 'invitation',
          to: email.asTyped,
          link,
          tenant: tenantName,
          validDays: invitationDays,
        })
      })
      return invitation
    },

    /** By the person who is signed in, if the invitation was sent to their address. */
    async accept(token: string, user: UserId, by: By): Promise<{ readonly tenant: TenantId } | undefined> {
      const attempt = await throttle.link(by.occasion.address ?? '')
      const hash = linkHash(token)
      const taken = hash && (await invitations.accept(hash, user, by))
      if (taken) await attempt.succeeded()
      return taken
    },

    /** By somebody without an account, or with one whose address nobody has verified: the link verifies it. */
    async signUp(
      token: string,
      rawPassword: string,
      name: string | undefined,
      browser: Browser,
    ): Promise<SignedIn | { readonly refused: SignUpRefusal }> {
      const attempt = await throttle.link(browser.device.address)
      const hash = linkHash(token)
      const pending = hash && (await invitations.pending(hash))
      if (!hash || !pending) return { refused: 'link_invalid' }
      const { email } = pending
      const verdict = await policy.check(rawPassword, { email, ...(name !== undefined && { name }) })
      await attempt.succeeded()
      if (!verdict.ok) return { refused: { weak: verdict.detail } }
      const phc = await hasher.hash(verdict.password)
      await sessions.ready()
      const registered = await invitations.register(hash, phc, name, browser.occasion)
      if (!registered) return { refused: 'link_invalid' }
      const { user, passwordVersion: version, reclaimed } = registered
      tellReclaimed(parts, reclaimed)
      const credential = { kind: 'password', version } as const
      return (
        (await finish({ user, amr: ['pwd'], acr: 'aal1', credential }, browser)) ?? {
          refused: 'link_invalid',
        }
      )
    },
  }
}
