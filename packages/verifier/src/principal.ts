/** Owns the words for whom a token speaks: now (`Principal`), or at a moment in the past (`PastPrincipal`). */

import type { Rev } from './handles.js'

/** Times are NumericDates: whole seconds since 1970-01-01T00:00:00Z. */
export interface TokenClaims {
  /** The user. */
  readonly sub: string
  /** The session that the token was minted from: a handle that opens nothing. */
  readonly sid: string
  /** The application that asked for the token. */
  readonly clientId: string
  readonly issuer: string
  readonly audience: string
  /** The tenant that the user acts in; without one there are no roles and no permissions. */
  readonly tenant?: string
  readonly roles: readonly string[]
  readonly permissions: readonly string[]
  /** How strong the user's last proof was: `aal1` or `aal2` (NIST SP 800-63B). */
  readonly acr: string
  /** How they proved it (RFC 8176). */
  readonly amr: readonly string[]
  /** When they proved it. Absent: the issuer vouches for no time, so that no `maxAge` is met. */
  readonly authTime?: number
  readonly issuedAt: number
  readonly expiresAt: number
  /** For logs. */
  readonly jti: string
  /** What the token rests on, for the feed of revocations. Absent from tokens of an earlier release. */
  readonly rev?: Rev
}

/** Who is calling: the token is valid now. */
export interface Principal extends TokenClaims {
  readonly valid: 'now'
}

/** Who called: the token was valid then. It says nothing about now, nor whether the session had been ended. */
export interface PastPrincipal extends TokenClaims {
  readonly valid: 'then'
  readonly at: number
  /** When the key history that this rests on was issued. A key marked later as compromised is not in it. */
  readonly historyIssuedAt: number
}
