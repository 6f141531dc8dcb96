/** The contract of redeeming an invitation: it makes a member, once, and may make an account. */
import type { Actor, RequestContext } from '../audit/events.js'
import type { TenantId, UserId } from '../core/principal.js'
import type { Registered } from './address-verification.js'

/**
 * Rules (test/conformance/invitation-store.ts), each change in one transaction with its audit row:
 * - An invitation is taken by one DELETE, in the transaction that makes the member, and only while anybody who invited could
 *   still invite with these roles: who was lowered, stopped or removed leaves dead invitations behind.
 * - It is bound to its address: another user cannot take it, whatever link they hold.
 * - Taken by who is signed in it verifies no address: nobody knows who else has a way in to their account, and to end
 *   all of them would end the session that takes it.
 */
export interface RedemptionStore {
  /** To whom it was sent, and the name of the tenant that it is into. Looking changes nothing. */
  pending(tokenHash: Buffer): Promise<{ readonly email: string; readonly tenant: string } | undefined>
  /** By a user who has an account of that address. */
  accept(tokenHash: Buffer, user: UserId, actor: Actor): Promise<{ readonly tenant: TenantId } | undefined>
  /**
   * By somebody who makes an account with it: anybody who holds the mailbox chooses the password. As with a sign-up link,
   * an account that is there already is theirs if nobody has verified its address.
   */
  register(
    tokenHash: Buffer,
    phc: string,
    name: string | undefined,
    context: RequestContext,
  ): Promise<(Registered & { readonly tenant: TenantId }) | undefined>
}
