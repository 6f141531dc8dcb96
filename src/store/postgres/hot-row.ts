/**
 * Whether the row of a check, a mint or an introspection is one that its statement can have made. A value that was
 * lost, or is of another type, must not be taken for a no: "there is no session" is what most of them would say.
 */

import type { PlatformRole } from '../../core/authority.js'
import type { AssuranceLevel, AuthenticationMethod, Kid, TenantId, UserId } from '../../core/principal.js'
import type { KeyRow } from '../../core/service-key.js'
import type { OfferedProvider } from '../../federation/store.js'
import type { PublicJwk } from '../../keys/store.js'
import type { TenantStanding } from '../../sessions/store.js'
import type { ClusterIdentityRow } from './cluster-identity.js'

/** What every answer says of itself. */
export interface Answer extends Omit<ClusterIdentityRow, 'system_trusted'> {
  asked: string
}

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
  jwk_found: boolean
  public_jwk: PublicJwk | null
  signs_from: number | null
  signs_until: number | null
}

type Is = (value: unknown) => boolean

const isNull: Is = value => value === null
const isText: Is = value => typeof value === 'string'
const isNumber: Is = value => typeof value === 'number' && Number.isFinite(value)
const isBoolean: Is = value => typeof value === 'boolean'
const isHash: Is = value => Buffer.isBuffer(value) && value.length === 32
const isTexts: Is = value => Array.isArray(value) && value.every(isText)
const isObject: Is = value => typeof value === 'object' && value !== null && !Array.isArray(value)
const or =
  (...some: Is[]): Is =>
  value =>
    some.some(is => is(value))

type Shape<Row> = Partial<Record<keyof Row, Is>>

const fits = <Row extends object>(row: Row, shape: Shape<Row>) =>
  Object.entries(shape).every(([column, is]) => (is as Is)(row[column as keyof Row]))

/** What was joined is there as a whole, or not at all. */
const joined = <Row extends object>(row: Row, there: boolean, shape: Shape<Row>) =>
  there ? fits(row, shape) : Object.keys(shape).every(column => isNull(row[column as keyof Row]))

const itself: Shape<Answer> = {
  server: isNumber,
  in_recovery: isBoolean,
  timeline_trusted: or(isBoolean, isNull),
  generation: isNumber,
  timeline: isText,
  position: isNumber,
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

/** Of one membership, or of a user without any. */
export interface HeldRow extends Record<string, unknown> {
  readonly platform: PlatformRole[]
  readonly tenant: TenantId | null
  readonly role_ids: string[] | null
  readonly roles: TenantStanding['roles'] | null
}

export interface PersonRow extends Answer {
  held: HeldRow[]
}

export function isSoundPerson(row: PersonRow): boolean {
  const shape: Shape<HeldRow> = {
    platform: isTexts,
    tenant: or(isText, isNull),
    role_ids: or(isTexts, isNull),
    roles: or(isObject, isNull),
  }
  return (
    fits(row, itself) && Array.isArray(row.held) && row.held.every(one => isObject(one) && fits(one, shape))
  )
}

/** The row of a service key, with its hash in hexadecimal digits. */
export type StoredKey = Omit<KeyRow, 'secretHash'> & { readonly hash: string }

export interface KeyAnswer extends Answer {
  key: StoredKey | null
}

export function isSoundKey(row: KeyAnswer): boolean {
  const shape: Shape<StoredKey> = {
    hash: value => typeof value === 'string' && /^[0-9a-f]{64}$/.test(value),
    scopes: isTexts,
    audiences: isTexts,
    tenant: or(isText, isNull),
    tenantActive: isBoolean,
    revoked: isBoolean,
    expired: isBoolean,
    useDue: isBoolean,
  }
  return fits(row, itself) && (row.key === null || (isObject(row.key) && fits(row.key, shape)))
}

export interface OfferedRow extends Answer {
  offered: OfferedProvider[]
}

export const isSoundOffer = (row: OfferedRow) =>
  fits(row, itself) && Array.isArray(row.offered) && row.offered.every(isObject)

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
    joined(row, row.application_found, application)
  )
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
