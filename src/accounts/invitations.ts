/** Inviting by mail, and taking an invitation: with an account that is signed in, or by making one. */
import type { By } from '../audit/events.js'
import type { EmailAddress } from '../core/email-address.js'
import type { InBackground, Post } from '../core/mail.js'
import type { TenantId, UserId } from '../core/principal.js'
import { newSecret } from '../sessions/credential.js'
import type { Sessions } from '../sessions/sessions.js'
import type { InvitationStore } from '../tenants/invitations.js'
import type { Browser, Finish, SignedIn } from './finish.js'
import { usableLink } from './links.js'
import type { PasswordHasher } from './password-hash.js'
import type { PasswordPolicy } from './password-policy.js'
import { tellReclaimed } from './reclaimed.js'
import type { RedemptionStore } from './redemptions.js'
import type { SignUpRefusal } from './sign-up.js'
import type { Throttle } from './throttle.js'

export const invitationDays = 7

export interface InvitationParts {
  readonly issuer: string
  readonly invitations: Pick<InvitationStore, 'create' | 'claimMail'>
  readonly redemptions: RedemptionStore
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
  const { issuer, invitations, redemptions, hasher, policy, throttle, post, inBackground, sessions, finish } =
    parts
  return {
    async invite(tenant: TenantId, email: EmailAddress, roleIds: readonly string[], by: By) {
      const token = newSecret()
      const lifetimeSeconds = invitationDays * 86_400
      const wanted = { tenant, email, roleIds, tokenHash: token.hash(), lifetimeSeconds }
      const answer = await throttle.invitation(tenant, by.actor, async undone => {
        const created = await invitations.create(wanted, by)
        if (typeof created === 'string' || created.mailed) await undone()
        return created
      })
      if (typeof answer === 'string') return answer
      const { invitation, tenantName, inviter, mailed } = answer
      if (mailed) return invitation
      if (by.once && !(await invitations.claimMail(invitation.id, wanted.tokenHash, by.once)))
        return invitation
      const link = `${issuer}/invitations/accept#token=${token.reveal()}`
      const mail = { kind: 'invitation', to: email.asTyped, link, validDays: invitationDays } as const
      inBackground('invitation mail', () =>
        // Whoever may invite must not be able to flood a mailbox with it.
        throttle.mail('invitation', email.canonical, () =>
          post.send({ ...mail, tenant: tenantName, inviter }),
        ),
      )
      return invitation
    },

    /** By the person who is signed in, if the invitation was sent to their address. */
    async accept(token: string, user: UserId, by: By): Promise<{ readonly tenant: TenantId } | undefined> {
      const from = by.occasion.address ?? ''
      const taken = await usableLink(throttle, from, token, hash => redemptions.accept(hash, user, by))
      return taken && { tenant: taken.tenant }
    },

    /** By somebody without an account, or with one whose address nobody has verified: the link verifies it. */
    async signUp(
      token: string,
      rawPassword: string,
      name: string | undefined,
      browser: Browser,
    ): Promise<SignedIn | { readonly refused: SignUpRefusal }> {
      const { address } = browser.device
      const link = await usableLink(throttle, address, token, hash => redemptions.pending(hash))
      if (!link) return { refused: 'link_invalid' }
      const { hash, email } = link
      const verdict = await policy.check(rawPassword, { email, ...(name !== undefined && { name }) })
      if (!verdict.ok) return { refused: { weak: verdict.detail } }
      const phc = await hasher.hash(verdict.password, email)
      await sessions.ready()
      const registered = await redemptions.register(hash, phc, name, browser.occasion)
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
