/** Invitations: a place in a tenant, offered by mail to one address. Who takes one: src/accounts/redemptions.ts. */

import type { Throttle } from '../accounts/throttle.js'
import type { Actor, Idempotency } from '../audit/events.js'
import type { InBackground } from '../core/background.js'
import type { EmailAddress } from '../core/email-address.js'
import type { Inviter, Mailer } from '../core/mail.js'
import type { Page, PageRequest } from '../core/page.js'
import type { TenantId, UserId } from '../core/principal.js'
import { newSecret } from '../core/secret.js'

export interface Invitation {
  readonly id: string
  readonly tenant: TenantId
  readonly email: string
  readonly roleIds: readonly string[]
  /** Null: a service key, or an operator's command. */
  readonly inviter: UserId | null
  /** NumericDates. */
  readonly createdAt: number
  readonly expiresAt: number
}

export interface CreatedInvitation {
  readonly invitation: Invitation
  readonly tenantName: string
  /** Undefined: neither is there any more, or an operator's command invites. */
  readonly inviter: Inviter | undefined
  /** Whether its mail was sent before: this is the repetition of a call under its Idempotency-Key. */
  readonly mailed: boolean
}

export interface NewInvitation {
  readonly tenant: TenantId
  readonly email: EmailAddress
  /** By id or by name. */
  readonly roleIds: readonly string[]
  readonly tokenHash: Buffer
  readonly lifetimeSeconds: number
}

/**
 * Rules (test/conformance/invitation-store.ts), each change in one transaction with its audit row:
 * - It offers only roles that its caller may grant in that moment (`by.authorized`); so does what it replaces, and
 *   what is withdrawn.
 * - A new invitation of an address to a tenant replaces the one before.
 * - One that is repeated under its Idempotency-Key is the one that was made. Until its mail was claimed it gets the new
 *   token, since nobody may know the one before; a claim succeeds once, and only under the token that it has then.
 * - Anybody who invites is named with it: a user by the canonical address of their account, a service key by its name.
 */
export interface InvitationStore {
  create(
    invitation: NewInvitation,
    actor: Actor,
  ): Promise<CreatedInvitation | 'unknown' | 'unknown-role' | 'forbidden' | 'repeated-differently'>
  /** Whether the caller, who made it under this key, is the one who sends its mail. */
  claimMail(id: string, tokenHash: Buffer, idempotency: Idempotency): Promise<boolean>
  list(tenant: TenantId, page: PageRequest): Promise<Page<Invitation>>
  withdraw(tenant: TenantId, id: string, actor: Actor): Promise<'withdrawn' | 'unknown' | 'forbidden'>
}

const invitationDays = 7

export interface InvitationParts {
  readonly store: InvitationStore
  readonly issuer: string
  readonly throttle: Pick<Throttle, 'invitation' | 'mail'>
  readonly mailer: Mailer
  readonly inBackground: InBackground
}

export type Invitations = ReturnType<typeof createInvitations>

export function createInvitations({ store, issuer, throttle, mailer, inBackground }: InvitationParts) {
  const { list, withdraw } = store
  return {
    list,
    withdraw,

    async invite(tenant: TenantId, email: EmailAddress, roleIds: readonly string[], actor: Actor) {
      const token = newSecret()
      const lifetimeSeconds = invitationDays * 86_400
      const wanted = { tenant, email, roleIds, tokenHash: token.hash(), lifetimeSeconds }
      const answer = await throttle.invitation(tenant, actor.user, async undone => {
        const created = await store.create(wanted, actor)
        if (typeof created === 'string' || created.mailed) await undone()
        return created
      })
      if (typeof answer === 'string') return answer
      const { invitation, tenantName, inviter, mailed } = answer
      if (mailed) return invitation
      if (actor.idempotency && !(await store.claimMail(invitation.id, wanted.tokenHash, actor.idempotency)))
        return invitation
      const link = `${issuer}/invitations/accept#token=${token.reveal()}`
      const mail = { kind: 'invitation', to: email.asTyped, link, validDays: invitationDays } as const
      inBackground('invitation mail', () =>
        // Anybody who may invite must not be able to flood a mailbox with it.
        throttle.mail('invitation', email.canonical, () =>
          mailer.send({ ...mail, tenant: tenantName, inviter }),
        ),
      )
      return invitation
    },
  }
}

/** As JSON shows it. */
export function describeInvitation(invitation: Invitation) {
  const { id, tenant, email, roleIds, inviter, createdAt, expiresAt } = invitation
  return { id, tenant, email, roles: [...roleIds], inviter, created_at: createdAt, expires_at: expiresAt }
}
