/** The contract of ending sessions: one, all others, all of a user, all there are; and the list to choose from. */

import type { Actor } from '../audit/events.js'
import type { Page, PageRequest } from '../core/page.js'
import type { SessionId, UserId } from '../core/principal.js'
import { deviceName } from './device-name.js'
import type { Successor } from './store.js'

/** A live session as its user sees it in the list. Times are NumericDates. */
export interface ListedSession {
  readonly id: SessionId
  readonly userAgent: string
  readonly address: string
  readonly createdAt: number
  /** As of the last touch: a session in use may have been seen since (src/sessions/sessions.ts, touchAfterSeconds). */
  readonly lastSeenAt: number
  readonly endsAt: number
}

/** The session that a user acts from, with the hash that this request proved. */
export interface OwnSession {
  readonly user: UserId
  readonly id: SessionId
  readonly provenSecretHash: Buffer
  /** For a back end that carries a session over only as a new one. */
  readonly next: Successor
}

/** How many were live, where that is known. */
export interface Ended {
  readonly ended?: number
}

/**
 * Rules that every back end keeps (test/conformance/revocations.ts runs them):
 * - Each is one transaction with its audit row. When it returns, no check and no mint that begins afterwards succeeds
 *   with a session that it ended; an `Outage` with outcome 'unknown' says that nobody knows, and it can be repeated.
 * - More than one session ends by replacing an epoch, never by collecting ids: a session that was being opened
 *   meanwhile ends with the others.
 * - `endOthers` takes the user's lock first, then reads whether the caller's own session still lives under that
 *   proof, then replaces the epoch and carries only that session over. Of two devices that end each other one wins.
 *   `renewed`: it goes on under this id and the new secret, and the cookie must follow.
 * - What ends sessions works while every other connection is taken; a list is one of the others. Where rows lie
 *   elsewhere, what an operator ends and what ends by an epoch needs none of them; a list, one's own session and the
 *   one that is spared do.
 */
export interface Revocations {
  /** Live ones, the latest used first. One that is used meanwhile moves to the front. */
  list(user: UserId, page: PageRequest): Promise<Page<ListedSession>>
  /** `owner` is whose it must be. Ending what has ended is no error; of another's it is not even said that it exists. */
  endOne(id: SessionId, owner: UserId | 'anyone', actor: Actor): Promise<'ended' | 'unknown'>
  /** `gone`: the caller's own session has ended meanwhile. `rotated`: it lives, under a newer secret. */
  endOthers(
    own: OwnSession,
    actor: Actor,
  ): Promise<(Ended & { readonly renewed?: SessionId }) | 'gone' | 'superseded'>
  endAllOf(user: UserId, actor: Actor): Promise<Ended | 'unknown'>
  /** Everybody's. */
  endAll(actor: Actor): Promise<Ended>
}

/** As JSON shows it. */
export function describeSession({ id, userAgent, address, createdAt, lastSeenAt, endsAt }: ListedSession) {
  return {
    id,
    device: deviceName(userAgent) ?? null,
    user_agent: userAgent,
    address,
    created_at: createdAt,
    last_seen_at: lastSeenAt,
    ends_at: endsAt,
  }
}
