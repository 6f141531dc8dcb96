/** Whether the row of a caller (a user with what they hold, a service key) or of the offered providers is a sound one. */
import type { PlatformRole } from '../../core/authority.js'
import type { TenantId } from '../../core/principal.js'
import type { KeyRow } from '../../core/service-key.js'
import type { OfferedProvider } from '../../federation/store.js'
import type { TenantStanding } from '../../sessions/store.js'
import {
  type Answer,
  fits,
  isBoolean,
  isNull,
  isObject,
  isText,
  isTexts,
  itself,
  or,
  type Shape,
} from './row-shape.js'

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
