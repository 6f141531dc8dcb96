/** Mints an access token: a principal, a signing key and a time in; a JWS (RFC 7515) with RFC 9068's claims out. */
import { randomBytes } from 'node:crypto'
import { handleOfId } from '../core/handle.js'
import type { ClientId, Principal } from '../core/principal.js'
import { type SigningKey, signCompact } from '../keys/signing-key.js'
import type { TokenBasis } from '../sessions/store.js'

export interface MintOrder {
  readonly issuer: string
  readonly principal: Principal
  readonly audience: string
  readonly clientId: ClientId
  readonly basis: TokenBasis
  /** Seconds that the application's tokens live. */
  readonly lifetimeSeconds: number
}

export interface MintedToken {
  readonly token: string
  /** Seconds from `now` to `exp`. */
  readonly expiresIn: number
}

/**
 * `now` is the database's clock in seconds, from the statement that read the session. `exp` is `now` plus the
 * lifetime and never past the session's absolute end. `auth_time` (RFC 9068, section 2.2.1) is left out where there was
 * no authentication that counts, and never after `iat`: a fail-over can set the clock back.
 *
 * Signed synchronously with node:crypto: an asynchronous signature would wait behind password hashes in libuv's
 * pool, and jose's is one. The tests read every shape of token back with jose.
 */
export function mint(order: MintOrder, key: SigningKey, now: number): MintedToken {
  const { principal, basis } = order
  const { tenant } = principal
  const iat = Math.floor(now)
  const exp = Math.min(iat + order.lifetimeSeconds, principal.endsAt)
  const claims = {
    iss: order.issuer,
    sub: principal.user,
    aud: order.audience,
    exp,
    iat,
    jti: newTokenId(),
    client_id: order.clientId,
    sid: principal.session,
    ...(principal.authTime !== undefined && { auth_time: Math.min(principal.authTime, iat) }),
    acr: principal.acr,
    amr: principal.amr,
    ...(typeof tenant === 'object' && {
      tenant: tenant.id,
      roles: tenant.roles,
      permissions: tenant.permissions,
    }),
    rev: [basis.generation, handleOfId(principal.session), ...basis.handles],
  }
  return { token: signCompact(key, key.header, claims), expiresIn: exp - iat }
}

const idBytes = 16
let random = Buffer.alloc(0)

/** 128 random bits, base64url. They are drawn for 256 tokens at once, each used once: a draw costs more than its bytes. */
function newTokenId(): string {
  if (random.length < idBytes) random = randomBytes(256 * idBytes)
  const id = random.toString('base64url', 0, idBytes)
  random = random.subarray(idBytes)
  return id
}
