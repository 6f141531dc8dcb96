/** Owns what a route may ask of a principal beyond a valid token. */
import type { Principal } from './principal.js'
import { type Lack, type Refused, refused } from './refusal.js'

/**
 * Pure: `now` in seconds, and how old the feed of revocations is, without end when it is not complete. Undefined when
 * the principal has what it takes.
 */
export type Requirement = (
  principal: Principal,
  now: number,
  feedAgeSeconds?: number,
) => Refused<Lack> | undefined

/** Each one names itself in full: `orders` is not part of `orders:read`. */
export const requirePermission =
  (permission: string): Requirement =>
  ({ permissions }) =>
    permissions.includes(permission) ? undefined : refused('insufficient_scope', { permission })

export const requireRole =
  (role: string): Requirement =>
  ({ roles }) =>
    roles.includes(role) ? undefined : refused('insufficient_scope')

/** A token acts in one tenant, or in none. */
export const requireTenant =
  (tenant: string): Requirement =>
  principal =>
    principal.tenant === tenant ? undefined : refused('insufficient_scope')

/** For a route that must not accept a token when the feed of revocations is older than this, whatever the mode is. */
export function requireFresh(seconds: number): Requirement {
  if (!Number.isSafeInteger(seconds) || seconds < 5)
    throw new TypeError('requireFresh takes whole seconds, at least 5')
  return (_principal, _now, feedAgeSeconds = Number.POSITIVE_INFINITY) =>
    feedAgeSeconds <= seconds ? undefined : refused('revocation_unknown', { retryAfterSeconds: 1 })
}

export type AssuranceLevel = 'aal1' | 'aal2'
const levels: readonly string[] = ['aal1', 'aal2', 'aal3']

/** `maxAge`: seconds since the user last proved who they are; a token that has no such time meets none. At least one of the two. */
export function requireStepUp(demand: {
  readonly acr?: AssuranceLevel
  readonly maxAge?: number
}): Requirement {
  const { acr, maxAge } = demand
  const isAge = maxAge === undefined || (Number.isSafeInteger(maxAge) && maxAge > 0)
  if (!isAge || (acr === undefined ? maxAge === undefined : !levels.includes(acr)))
    throw new TypeError('requireStepUp takes an acr, a maxAge in whole seconds, or both')
  return (principal, now) => {
    const { authTime } = principal
    const strong = acr === undefined || levels.indexOf(principal.acr) >= levels.indexOf(acr)
    const recent = maxAge === undefined || (authTime !== undefined && now - authTime <= maxAge)
    return strong && recent ? undefined : refused('insufficient_user_authentication', demand)
  }
}
