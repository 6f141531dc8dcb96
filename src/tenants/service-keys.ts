/** Service keys, by which internal services call: what a key may be, what it holds, and what its store must keep. */
import type { By } from '../audit/events.js'
import {
  type Authority,
  includedInTenants,
  may,
  type PlatformPermission,
  type TenantPermission,
} from '../core/authority.js'
import type { Page, PageRequest } from '../core/page.js'
import type { ServiceKeyId, TenantId } from '../core/principal.js'
import type { ServiceCredential } from '../core/service-credential.js'
import { proves } from '../sessions/credential.js'

export interface KeyGrant {
  readonly scopes: readonly PlatformPermission[]
  /** Whose tokens it may introspect. */
  readonly audiences: readonly string[]
  /** Null: for all tenants. Else it holds in this one what its scopes include there, and nothing beside. */
  readonly tenant: TenantId | null
}

export interface ServiceKey extends KeyGrant {
  readonly id: ServiceKeyId
  readonly name: string
  readonly state: 'active' | 'expired' | 'revoked'
  /** NumericDates. */
  readonly createdAt: number
  readonly expiresAt: number | null
  readonly revokedAt: number | null
  /** To the minute. */
  readonly lastUsedAt: number | null
}

export interface NewServiceKey extends KeyGrant {
  readonly id: ServiceKeyId
  readonly secretHash: Buffer
  readonly name: string
  /** Undefined: until it is revoked. */
  readonly lifetimeSeconds: number | undefined
}

/** One row as the primary had it, with every comparison of times already made by the database's clock. */
export interface KeyRow extends KeyGrant {
  readonly secretHash: Buffer
  readonly revoked: boolean
  readonly expired: boolean
  /** A key of a suspended tenant holds nothing, as its members do. */
  readonly tenantActive: boolean
  /** Last-used is old enough to be worth a write after the answer. */
  readonly useDue: boolean
}

/**
 * Rules (test/conformance/service-key-store.ts):
 * - `create` and `revoke` are one transaction each with their audit row. A creation that is repeated under its
 *   Idempotency-Key answers the key that was made, which is not the one of this call: its secret is lost.
 * - A key is made only of what its maker holds in that moment.
 * - A revoked key stays listed. Revoking twice is no error, and one event.
 * - `find` is one fresh statement on the primary: a revocation that has returned is in it.
 * - `touch` moves last-used of a key that works, at most once a minute; it never waits for a lock.
 */
export interface ServiceKeyStore {
  create(key: NewServiceKey, by: By): Promise<ServiceKey | 'unknown' | 'forbidden' | 'repeated-differently'>
  read(id: ServiceKeyId): Promise<ServiceKey | undefined>
  list(page: PageRequest): Promise<Page<ServiceKey>>
  revoke(id: ServiceKeyId, by: By): Promise<'revoked' | 'unknown'>
  find(id: ServiceKeyId): Promise<KeyRow | undefined>
  touch(id: ServiceKeyId): Promise<void>
}

/** A key that works now. */
export interface LiveKey extends KeyGrant {
  readonly id: ServiceKeyId
  readonly tenantActive: boolean
  readonly useDue: boolean
}

export type KeyRefusal = 'unknown' | 'forged' | 'revoked' | 'expired'

/** The secret is proved before anything about the key is said. */
export function judgeKey(
  { id, secret }: ServiceCredential,
  row: KeyRow | undefined,
): { readonly key: LiveKey } | { readonly refused: KeyRefusal } {
  if (!row) return { refused: 'unknown' }
  if (!proves(secret.hash(), row.secretHash)) return { refused: 'forged' }
  return judgeProvedKey(id, row)
}

/** Of a key whose secret was proved before. */
export function judgeProvedKey(
  id: ServiceKeyId,
  row: KeyRow,
): { readonly key: LiveKey } | { readonly refused: 'revoked' | 'expired' } {
  if (row.revoked) return { refused: 'revoked' }
  if (row.expired) return { refused: 'expired' }
  const { scopes, audiences, tenant, tenantActive, useDue } = row
  return { key: { id, scopes, audiences, tenant, tenantActive, useDue } }
}

export function authorityOfKey({ id, scopes, audiences, tenant, tenantActive }: LiveKey): Authority {
  const caller = { serviceKey: id, audiences }
  if (tenant === null) return { caller, platform: new Set(scopes), tenants: new Map() }
  const held = new Set<TenantPermission>(scopes.flatMap(scope => includedInTenants[scope] ?? []))
  return { caller, platform: new Set(), tenants: new Map(tenantActive ? [[tenant, held]] : []) }
}

/** Nobody gives what they do not hold. */
export function mayGiveKey(authority: Authority, { scopes, audiences }: KeyGrant): boolean {
  const { caller } = authority
  if (!scopes.every(scope => may(authority, scope))) return false
  if (caller === 'operator' || 'person' in caller) return true
  return audiences.every(audience => caller.audiences.includes(audience))
}

/** Every fault of a key that is about to be made; none when it is sound. */
export function faultsOfKey({ scopes, audiences, tenant }: KeyGrant): string[] {
  const faults: string[] = []
  if (scopes.length === 0) faults.push('name at least one scope')
  if (scopes.includes('introspect') !== audiences.length > 0)
    faults.push(
      'the scope introspect and the audiences whose tokens it may ask about go together: give both, or neither',
    )
  for (const audience of audiences)
    if (!/^[\x21-\x7e]{1,200}$/.test(audience))
      faults.push(
        `the audience ${JSON.stringify(audience)} has white space or is too long: write 1 to 200 visible ASCII characters`,
      )
  if (tenant === null) return faults
  const nothing = scopes.filter(scope => scope !== 'introspect' && !includedInTenants[scope])
  if (nothing.length > 0)
    faults.push(
      `in a single tenant there is nothing behind ${nothing.join(', ')}: leave that out, or the tenant`,
    )
  return faults
}
