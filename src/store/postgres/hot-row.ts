/**
 * Whether the row of a check, a mint or an introspection is one that its statement can have made. A value that was
 * lost, or is of another type, must not be taken for a no: "there is no session" is what most of them would say.
 */

import type { AssuranceLevel, AuthenticationMethod, Kid, TenantId, UserId } from '../../core/principal.js'
import type { KeyRow } from '../../core/service-key.js'
import type { PublicJwk } from '../../keys/store.js'
import type { TenantStanding } from '../../sessions/store.js'
import {
  type Answer,
  fits,
  isBoolean,
  isHash,
  isNull,
  isNumber,
  isObject,
  isText,
  isTexts,
  itself,
  joined,
  or,
  type Shape,
} from './row-shape.js'

export interface CheckRow extends Answer {
  now: number
  found: boolean
  secret_hash: Buffer
  previous_secret_hash: Buffer | null
  secret_age: number
  ended: boolean
  epochs_current: boolean
  past_absolute: boolean
  past_idle: boolean
  user_active: boolean
  created_at: number
  ends_at: number
  idle_ends_at: number
  last_seen_age: number
  idle_seconds: number
  auth_time: number
  amr: AuthenticationMethod[]
  acr: AssuranceLevel
  user_id: UserId
  email: string
  name: string | null
  tenant_wanted: boolean
  tenant_id: TenantId | null
  tenant_name: string
  role_ids: string[]
  roles: TenantStanding['roles']
}

export interface MintRow extends CheckRow {
  application_found: boolean
  audiences: string[] | null
  token_lifetime_seconds: number
  kid: Kid | null
  handles: Buffer | null
}

export interface IntrospectRow extends CheckRow {
  key_found: boolean
  key_hash: Buffer
  key_revoked: boolean
  key_expired: boolean
  key_scopes: KeyRow['scopes']
  key_audiences: string[]
  key_tenant: TenantId | null
  key_tenant_active: boolean
  key_use_due: boolean
  application_found: boolean
  audiences: string[] | null
  handles: Buffer | null
  jwk_found: boolean
  public_jwk: PublicJwk | null
  signs_from: number | null
  signs_until: number | null
}

const always: Shape<CheckRow> = {
  ...itself,
  now: isNumber,
  found: isBoolean,
  ended: isBoolean,
  tenant_wanted: isBoolean,
}

const session: Shape<CheckRow> = {
  secret_hash: isHash,
  previous_secret_hash: or(isHash, isNull),
  secret_age: isNumber,
  past_absolute: isBoolean,
  past_idle: isBoolean,
  created_at: isNumber,
  ends_at: isNumber,
  idle_ends_at: isNumber,
  last_seen_age: isNumber,
  idle_seconds: isNumber,
  auth_time: isNumber,
  amr: isTexts,
  acr: isText,
}

/** A row that lies elsewhere may be of a user who was deleted. */
const person: Shape<CheckRow> = {
  user_id: isText,
  epochs_current: isBoolean,
  user_active: isBoolean,
  email: isText,
  name: or(isText, isNull),
}

const tenant: Shape<CheckRow> = { tenant_id: isText, tenant_name: isText, role_ids: isTexts, roles: isObject }

export function isSoundCheck(row: CheckRow): boolean {
  const { found, user_id, tenant_id, tenant_name, roles, tenant_wanted } = row
  if (!fits(row, always) || !joined(row, found, session)) return false
  if (!joined(row, found && user_id !== null, person)) return false
  // The membership may be there where the tenant is not: it is suspended.
  if (tenant_id === null) return tenant_name === null && roles === null
  return found && tenant_wanted && fits(row, tenant)
}

export function isSoundMint(row: MintRow): boolean {
  const application: Shape<MintRow> = { audiences: isTexts }
  return (
    isSoundCheck(row) &&
    fits(row, { application_found: isBoolean, token_lifetime_seconds: isNumber, kid: or(isText, isNull) }) &&
    joined(row, row.application_found, application) &&
    hasHandles(row)
  )
}

/** Of the service, the user and the application, and of the membership and its tenant where there is one. */
function hasHandles(row: MintRow | IntrospectRow): boolean {
  const { handles, application_found, found, user_id, tenant_id } = row
  if (!application_found || !found || user_id === null) return handles === null
  return Buffer.isBuffer(handles) && handles.length === (tenant_id === null ? 24 : 40)
}

export function isSoundIntrospection(row: IntrospectRow): boolean {
  const key: Shape<IntrospectRow> = {
    key_hash: isHash,
    key_scopes: isTexts,
    key_audiences: isTexts,
    key_tenant: or(isText, isNull),
  }
  const flags: Shape<IntrospectRow> = {
    key_found: isBoolean,
    key_revoked: isBoolean,
    key_expired: isBoolean,
    key_tenant_active: isBoolean,
    key_use_due: isBoolean,
    application_found: isBoolean,
    jwk_found: isBoolean,
  }
  return (
    isSoundCheck(row) &&
    fits(row, flags) &&
    joined(row, row.key_found, key) &&
    joined(row, row.application_found, { audiences: isTexts }) &&
    hasHandles(row) &&
    joined(row, row.jwk_found, { public_jwk: isObject }) &&
    fits(row, { signs_from: or(isNumber, isNull), signs_until: or(isNumber, isNull) })
  )
}

/** What Postgres says of a session whose row is stored in Redis. */
export interface Revoked {
  readonly revoked_reason: string | null
  readonly revoked_age: number
  readonly secret_refused: boolean
  readonly over_in_table: boolean
}

export function isSoundRevoked(row: Revoked): boolean {
  const flags: Shape<Revoked> = { secret_refused: isBoolean, over_in_table: isBoolean }
  const revoked: Shape<Revoked> = { revoked_reason: isText, revoked_age: isNumber }
  return fits(row, flags) && joined(row, row.revoked_reason !== null, revoked)
}
