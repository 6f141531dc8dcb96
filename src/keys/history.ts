/** The history of keys, for who verifies later: each with the time in which it signed, and since when it is not believed. */
import { headerUnder, publicMembers, type SigningKey, signCompact } from './signing-key.js'
import type { Key, PublicJwk, Ring } from './store.js'

/** OpenID Federation 1.0, "Federation Historical Keys Response": a public key with NumericDates in whole seconds. */
export interface HistoricalKey extends PublicJwk {
  /** When it was published. */
  readonly iat: number
  /** `iat` claims of its tokens lie at or after `nbf` and before `exp`. A key that never signed has both equal. */
  readonly nbf: number
  readonly exp: number
  /** `revoked_at`: from then on its signatures must not be believed, whatever `iat` they carry. */
  readonly revoked?: { readonly revoked_at: number; readonly reason: 'compromised' }
}

/** Every key that has ended to sign or was compromised. What signs now is in the JWK Set; here its end must be known. */
export function historicalKeys({ keys, now }: Ring): HistoricalKey[] {
  return keys.filter(key => key.compromised || (key.signsUntil !== null && key.signsUntil <= now)).map(entry)
}

function entry({ publicJwk, publishedAt, signsFrom, signsUntil, compromised }: Key): HistoricalKey {
  const from = signsFrom ?? publishedAt
  const revoked = compromised && {
    revoked_at: Math.floor(compromised.since ?? publishedAt),
    reason: 'compromised' as const,
  }
  return {
    ...publicMembers(publicJwk),
    iat: Math.floor(publishedAt),
    nbf: Math.floor(from),
    exp: signsFrom === null ? Math.floor(from) : Math.ceil(signsUntil ?? from),
    ...(revoked && { revoked }),
  }
}

/**
 * A JWS (RFC 7515) of type `jwk-set+jwt`, under the key that signs tokens: anybody who has the JWK Set can verify it. It is
 * public and does not expire, and many libraries compare no `typ`: its own `aud` is what keeps it from being taken for
 * an access token (RFC 8725, section 3.9).
 */
export function signHistory(issuer: string, ring: Ring, signer: SigningKey): string {
  const aud = `${issuer}/.well-known/historical-keys`
  const payload = { iss: issuer, aud, iat: Math.floor(ring.now), keys: historicalKeys(ring) }
  return signCompact(signer, headerUnder(signer.kid, 'jwk-set+jwt'), payload)
}
