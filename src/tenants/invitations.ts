/** Invitations: a place in a tenant, offered by mail to one address. Who takes one: src/accounts/redemptions.ts. */

import type { By, Once } from '../audit/events.js'
import type { EmailAddress } from '../core/email-address.js'
import type { Page, PageRequest } from '../core/page.js'
import type { TenantId, UserId } from '../core/principal.js'

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

/** Who invites, as the mail says it: a person by the address of their account, a service key by its name. */
export type Inviter = { readonly account: string } | { readonly serviceKey: string }

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
  readonly roleIds: readonly string[]
  readonly tokenHash: Buffer
  readonly lifetimeSeconds: number
}

/**
 * Rules (test/conformance/invitation-store.ts), each change in one transaction with its audit row:
 * - It offers only roles that its caller may grant in that moment (`by.authorized`).
 * - A new invitation of an address to a tenant replaces the one before.
 * - One that is repeated under its Idempotency-Key is the one that was made. Until its mail was claimed it gets the new
 *   token, since nobody may know the one before; a claim succeeds once, and only under the token that it has then.
 * - Whoever invites is named with it: a person by the canonical address of their account, a service key by its name.
 */
export interface InvitationStore {
  create(
    invitation: NewInvitation,
    by: By,
  ): Promise<CreatedInvitation | 'unknown' | 'unknown-role' | 'forbidden' | 'repeated-differently'>
  /** Whether the caller, who made it under this key, is the one who sends its mail. */
  claimMail(id: string, tokenHash: Buffer, once: Once): Promise<boolean>
  list(tenant: TenantId, page: PageRequest): Promise<Page<Invitation>>
  withdraw(tenant: TenantId, id: string, by: By): Promise<'withdrawn' | 'unknown'>
}
