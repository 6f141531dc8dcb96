/** What an ID token must hold beyond what the client library asks of it, judged by the database's clock. */
import { createHash } from 'node:crypto'
import type { Claims } from './profile.js'
import { directoryPlace, type Provider } from './provider.js'

/** Seconds by which clocks may differ. */
export const leewaySeconds = 30
/** Seconds that an ID token may be old when the browser brings its code: it was made for this flow. */
const mostAgeSeconds = 600

/** Signatures that are read at all; of them those that the provider's document lists. Never `none`, never a shared secret. */
export const algorithms = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
]

/** The reason for the log, or nothing. OpenID Connect Core 1.0, sections 3.1.3.7 and 3.1.3.8. */
export function idTokenFault(
  provider: Provider,
  claims: Claims,
  { alg, typ }: { readonly alg?: unknown; readonly typ?: unknown },
  accessToken: string,
  now: number,
): string | undefined {
  const { iss, aud, azp, iat, exp, at_hash: atHash, auth_time: authTime } = claims
  // A logout token or an access token of the same provider is not one.
  if (typ !== undefined && (typeof typ !== 'string' || typ.toUpperCase() !== 'JWT')) return 'typ is not JWT'
  if (iss !== expectedIssuer(provider, claims)) return 'iss is not the issuer, or not an allowed directory'
  const audiences = Array.isArray(aud) ? aud : [aud]
  if (!audiences.includes(provider.clientId)) return 'aud is another client'
  if (audiences.length > 1 && azp === undefined) return 'aud has other audiences, and there is no azp'
  if (azp !== undefined && azp !== provider.clientId) return 'azp is another client'
  if (typeof iat !== 'number' || now - iat > mostAgeSeconds) return 'iat is too long ago'
  if (iat > now + leewaySeconds) return 'iat is in the future'
  if (typeof exp !== 'number' || exp <= now - leewaySeconds) return 'exp is in the past'
  if (typeof authTime === 'number' && authTime > now + leewaySeconds) return 'auth_time is in the future'
  if (atHash !== undefined && atHash !== halfHash(accessToken, alg))
    return 'at_hash does not match the access token'
  return undefined
}

/** Of an issuer for several directories: the one of the directory that the token names, if it may sign in. */
export function expectedIssuer(provider: Provider, { tid }: Claims): string | undefined {
  if (!provider.issuer.includes(directoryPlace)) return provider.issuer
  return typeof tid === 'string' && provider.directories.includes(tid)
    ? provider.issuer.replace(directoryPlace, tid)
    : undefined
}

/** The left half of the hash that the signature's algorithm uses. */
function halfHash(accessToken: string, alg: unknown): string | undefined {
  const bits = typeof alg === 'string' ? /^(?:RS|ES|PS)(256|384|512)$/.exec(alg)?.[1] : undefined
  if (bits === undefined)
    return alg === 'EdDSA' || alg === 'Ed25519' ? half('sha512', accessToken) : undefined
  return half(`sha${bits}`, accessToken)
}

function half(algorithm: string, accessToken: string): string {
  const hash = createHash(algorithm).update(accessToken, 'ascii').digest()
  return hash.subarray(0, hash.length / 2).toString('base64url')
}
