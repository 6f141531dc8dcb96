/** Owns the closed set of reasons for which this package says no. */

/** What is wrong with a token, in the order in which it is looked at. */
export type TokenFault =
  | 'too_long'
  | 'malformed'
  | 'header'
  | 'algorithm'
  | 'type'
  | 'unknown_key'
  | 'signature'
  | 'payload'
  | 'claims'
  | 'issuer'
  | 'audience'
  | 'lifetime'
  | 'not_yet_valid'
  | 'expired'

/** Why a token says nothing about a moment in the past, beside its faults. */
export type PastFault = 'outside_lifetime' | 'key_not_signing' | 'key_compromised'

/** By the feed of revocations: it ended the token, or it is too old to tell (only where it is required). */
export type RevocationFault = 'stale_token' | 'revocation_unknown'

/** The answer cannot be known now: try again later, and drop nothing. */
export type Outage = 'keys_unavailable' | 'introspection_unavailable' | 'service_key_refused'

/** What a principal lacks (RFC 6750, section 3.1; RFC 9470, section 3). */
export type Lack = 'insufficient_scope' | 'insufficient_user_authentication' | 'revocation_unknown'

/** What is wrong with the request around a token. */
export type RequestFault = 'no_token' | 'several_tokens'

export type RefusalCode = TokenFault | RevocationFault | PastFault | Outage | 'inactive' | Lack | RequestFault

export interface Refused<Code extends RefusalCode = RefusalCode> {
  readonly ok: false
  readonly code: Code
  /** With an outage, or an old feed: when to ask again. */
  readonly retryAfterSeconds?: number
  /** With a lack: what would be enough. */
  readonly permission?: string
  readonly acr?: string
  readonly maxAge?: number
}

export function refused<Code extends RefusalCode>(
  code: Code,
  more: Omit<Refused, 'ok' | 'code'> = {},
): Refused<Code> {
  return { ok: false, code, ...more }
}
