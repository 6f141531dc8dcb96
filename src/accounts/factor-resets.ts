/** The contract of resets: an operator removes a user's second factors, after a time in which the user can stop it. */
import type { Actor } from '../audit/events.js'
import type { UserId } from '../core/principal.js'

/** Days after it is due within which a reset is carried out, or never. */
export const resetDays = 7

/**
 * Rules (test/conformance/factor-resets.ts), each change in one transaction with its audit row:
 * - A reset that is asked for again keeps its time. With a delay of 0 it is carried out at once.
 * - Nobody resets somebody who holds, in that moment, more than they do.
 * - One that is due is carried out when its user signs in the next time: factors, recovery codes and what stands beside
 *   them are removed, and every session ends. Of parallel sign-ins one does it.
 * - It lapses when its user proves a factor or adds one, since they need no help then, and some days after it was due.
 * - Nobody asks for one of their own by a request.
 * - `stop` ends one that was not carried out.
 */
export interface FactorResets {
  request(
    user: UserId,
    delaySeconds: number,
    actor: Actor,
  ): Promise<Requested | 'unknown' | 'forbidden' | 'no-factor'>
  /** Answers the address of the account where something was done. */
  carryOut(user: UserId, actor: Actor): Promise<{ readonly email: string } | undefined>
  stop(user: UserId, actor: Actor): Promise<{ readonly email: string } | undefined>
}

export interface Requested {
  readonly email: string
  /** NumericDate; null: it was done at once. */
  readonly dueAt: number | null
}
