/** Owns what a route may ask of a principal beyond a valid token. */
import type { Principal } from './principal.js'
import { type Lack, type Refused, refused } from './refusal.js'

/** Pure: `now` in seconds. Undefined when the principal has what it takes. */
export type Requirement = (principal: Principal, now: number) => Refused<Lack> | undefined

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
