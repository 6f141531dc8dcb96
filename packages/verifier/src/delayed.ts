/** Owns the judgement of a token as of the moment something happened, against the keys of that time. */

import { leeway } from './claims.js'
import type { HistoryEntry } from './history.js'
import { lastGoodMilliseconds } from './keys.js'
import type { TokenClaims } from './principal.js'
import { type PastFault, type Refused, refused } from './refusal.js'

/** All in NumericDates. */
export interface Moment {
  readonly at: number
  /** When the caller's own trusted log says that it had the token in its hands. */
  readonly receivedAt: number | undefined
  readonly now: number
}

/** What is known of the key: its entry in the history, or that it was still published at `knownAt`. */
export type KeyState = { readonly entry: HistoryEntry } | { readonly knownAt: number }

/** No leeway: all of these times but `receivedAt` are the issuer's. */
export function judgePast(
  { issuedAt, expiresAt }: TokenClaims,
  standing: KeyState,
  { at, receivedAt, now }: Moment,
): Refused<PastFault | 'keys_unavailable'> | undefined {
  // Asked in this way round, so that NaN is refused.
  if (!(issuedAt <= at && at < expiresAt && at <= now + leeway)) return refused('outside_lifetime')
  if (receivedAt !== undefined && !(issuedAt <= receivedAt + leeway)) return refused('outside_lifetime')
  // What is known is too old to tell whether this key had stopped signing by then: no older than `verify` would take.
  if ('knownAt' in standing)
    return issuedAt <= standing.knownAt + lastGoodMilliseconds / 1000
      ? undefined
      : refused('keys_unavailable')
  const { nbf, exp, revoked } = standing.entry
  // Anybody who holds a leaked key writes any time into a token. Only the caller's own log is beyond them.
  if (revoked && !(receivedAt !== undefined && receivedAt < revoked.revoked_at))
    return refused('key_compromised')
  if (!(nbf <= issuedAt && issuedAt < exp)) return refused('key_not_signing')
  return undefined
}
