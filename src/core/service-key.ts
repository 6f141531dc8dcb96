/** A service that calls with a key, `mintmark_sk_<id>_<secret>`: made, parsed and judged here. */
import { randomBytes } from 'node:crypto'
import {
  type Authority,
  includedInTenants,
  type PlatformPermission,
  type TenantPermission,
} from './authority.js'
import type { ServiceKeyId, TenantId } from './principal.js'
import { newSecret, proves, Secret } from './secret.js'

/** Recognisable, so that scanners of repositories find one that was committed. */
const prefix = 'mintmark_sk_'
// 22 and 43 characters of base64url whose unused trailing bits are zero, so that a key has one spelling.
const form = /^mintmark_sk_([A-Za-z0-9_-]{21}[AQgw])_([A-Za-z0-9_-]{42}[AEIMQUYcgkosw048])$/

export interface ServiceCredential {
  readonly id: ServiceKeyId
  readonly secret: Secret
}

export function newServiceCredential(): ServiceCredential {
  return { id: randomBytes(16).toString('base64url') as ServiceKeyId, secret: newSecret() }
}

/** Anything that is not exactly a service key is not one. */
export function parseServiceCredential(value: string): ServiceCredential | undefined {
  const match = form.exec(value)
  if (!match) return undefined
  return { id: match[1] as ServiceKeyId, secret: new Secret(Buffer.from(match[2] as string, 'base64url')) }
}

/** For the answer that creates it, nothing else. */
export function revealServiceCredential({ id, secret }: ServiceCredential): string {
  return `${prefix}${id}_${secret.reveal()}`
}

export interface KeyGrant {
  readonly scopes: readonly PlatformPermission[]
  /** Whose tokens it may introspect. */
  readonly audiences: readonly string[]
  /** Null: for all tenants. Else it holds in this one what its scopes include there, and nothing beside. */
  readonly tenant: TenantId | null
}

/** With the scope `feed`: what the verifiers of a key do when the feed is older than this many seconds. */
export interface FeedTerms {
  readonly mode: 'required' | 'preferred'
  readonly maxAgeSeconds: number
}

export const defaultFeedTerms: FeedTerms = { mode: 'preferred', maxAgeSeconds: 15 }

/** What was not chosen is as by default. */
export function feedTerms({
  mode = defaultFeedTerms.mode,
  maxAgeSeconds = defaultFeedTerms.maxAgeSeconds,
}: { [Term in keyof FeedTerms]?: FeedTerms[Term] | undefined }): FeedTerms {
  return { mode, maxAgeSeconds }
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

/** One fresh statement on the primary: a revocation that has returned is in it. */
export interface KeyReads {
  find(id: ServiceKeyId): Promise<KeyRow | undefined>
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

export function authorityOfKey({ scopes, audiences, tenant, tenantActive }: LiveKey): Authority {
  if (tenant === null) return { audiences, platform: new Set(scopes), tenants: new Map() }
  const held = new Set<TenantPermission>(scopes.flatMap(scope => includedInTenants[scope] ?? []))
  return { audiences, platform: new Set(), tenants: new Map(tenantActive ? [[tenant, held]] : []) }
}
