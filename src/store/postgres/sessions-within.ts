/** What the transactions of other stores do with sessions, wherever those are: lock one, spare one, end some. */
import type { Actor } from '../../audit/events.js'
import type { SessionId, UserId } from '../../core/principal.js'
import type { Successor } from '../../sessions/store.js'
import { lockAlone, lockShared } from './advisory-locks.js'
import type { Queries } from './database.js'
import type { SessionEnd } from './schema/columns.js'

/**
 * Anybody who ends or renews a session takes this first: what their next statements read is then as the one before left it.
 * In the order of a session's ids, and after the lock of its user.
 */
export const lockSession = (tx: Queries, id: SessionId) => lockAlone(tx, 'sessions', id)

/** Anybody who rests on a session takes this: its end waits for them, and they do not wait for each other. */
export const shareSession = (tx: Queries, id: SessionId) => lockShared(tx, 'sessions', id)

export interface Spared {
  readonly id: SessionId
  readonly user: UserId
  readonly provenSecretHash: Buffer
  readonly next: Successor
  /** The user's epoch as read under their lock, and the one that has replaced it. */
  readonly former: bigint
  readonly epoch: bigint
  /**
   * The user proved their password again just now: there is a new secret for it, and a new `auth_time`, unless they have a
   * second factor, which a password alone does not prove.
   */
  readonly proved: boolean
}

/**
 * Called under the user's lock. Only a session that is live in this moment, and whose secret is still the one that
 * was proved, is carried over; the answer is what it is called from then on.
 */
export type Spare = (
  tx: Queries,
  spared: Spared,
) => Promise<{ readonly id: SessionId } | 'gone' | 'superseded'>

/** Where session rows are, as other stores see it. */
export interface SessionsWithin {
  readonly spare: Spare
  /** Ends these, under whatever ids they go on, when the transaction commits. Answers how many that were. */
  end(tx: Queries, ids: readonly SessionId[], reason: SessionEnd, actor: Actor): Promise<number>
}
