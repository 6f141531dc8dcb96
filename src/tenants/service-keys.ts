/** Service keys, by which internal services call: what a key may be, what it holds, and what its store must keep. */
import type { Actor } from '../audit/events.js'
import { type Authority, includedInTenants, may } from '../core/authority.js'
import type { Page, PageRequest } from '../core/page.js'
import type { ServiceKeyId } from '../core/principal.js'
import {
  type FeedTerms,
  type KeyGrant,
  newServiceCredential,
  revealServiceCredential,
} from '../core/service-key.js'
import { audienceFaults } from './applications.js'

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
  /** Null without the scope `feed`. */
  readonly feed: FeedTerms | null
}

export interface NewServiceKey extends KeyGrant {
  readonly id: ServiceKeyId
  readonly secretHash: Buffer
  readonly name: string
  /** Undefined: until it is revoked. */
  readonly lifetimeSeconds: number | undefined
  readonly feed?: FeedTerms | undefined
}

/**
 * Rules (test/conformance/service-key-store.ts):
 * - `create` and `revoke` are one transaction each with their audit row. A creation that is repeated under its
 *   Idempotency-Key answers the key that was made, which is not the one of this call: its secret is lost.
 * - A key is made only of what its maker holds in that moment, and revoked only by who holds what it holds.
 * - A revoked key stays listed. Revoking twice is no error, and one event.
 * - `touch` moves last-used of a key that works, at most once a minute; it never waits for a lock.
 */
export interface ServiceKeyStore {
  create(
    key: NewServiceKey,
    actor: Actor,
  ): Promise<ServiceKey | 'unknown' | 'forbidden' | 'repeated-differently'>
  read(id: ServiceKeyId): Promise<ServiceKey | undefined>
  list(page: PageRequest): Promise<Page<ServiceKey>>
  revoke(id: ServiceKeyId, actor: Actor): Promise<'revoked' | 'unknown' | 'forbidden'>
  touch(id: ServiceKeyId): Promise<void>
}

/** Nobody gives what they do not hold, nor takes it. */
export function mayGiveKey(authority: Authority, { scopes, audiences }: KeyGrant): boolean {
  if (!scopes.every(scope => may(authority, scope))) return false
  const held = authority.audiences
  return held === 'any' || audiences.every(audience => held.includes(audience))
}

/** Every fault of a key that is about to be made; none when it is sound. */
export function faultsOfKey({
  scopes,
  audiences,
  tenant,
  feed,
}: KeyGrant & Pick<NewServiceKey, 'feed'>): string[] {
  const faults: string[] = []
  if (scopes.length === 0) faults.push('add at least one scope')
  if (scopes.includes('introspect') !== audiences.length > 0)
    faults.push(
      'the scope introspect needs audiences, and audiences need the scope introspect: give both, or neither',
    )
  if (feed && !scopes.includes('feed'))
    faults.push('a mode and a largest age of the feed need the scope feed: add it, or leave them out')
  faults.push(...audienceFaults(audiences))
  if (tenant === null) return faults
  const nothing = scopes.filter(scope => scope !== 'introspect' && !includedInTenants[scope])
  if (nothing.length > 0)
    faults.push(
      `a key of one tenant cannot have the scope ${nothing.join(', ')}: leave it out, or leave out the tenant`,
    )
  return faults
}

export type ServiceKeys = ReturnType<typeof createServiceKeys>

/** What operators do with service keys. */
export function createServiceKeys(store: ServiceKeyStore) {
  const { list, read, revoke } = store
  return {
    list,
    read,
    revoke,

    /** With the key itself, this once; null where its creation was repeated, since the secret is lost then. */
    async create(wanted: Omit<NewServiceKey, 'id' | 'secretHash'>, actor: Actor) {
      const faults = faultsOfKey(wanted)
      if (faults.length > 0) return { faults }
      const credential = newServiceCredential()
      const { id, secret } = credential
      const made = await store.create({ ...wanted, id, secretHash: secret.hash() }, actor)
      if (typeof made === 'string') return made
      return { made, key: made.id === id ? revealServiceCredential(credential) : null }
    },
  }
}

/** As JSON shows it. */
export function describeServiceKey(serviceKey: ServiceKey) {
  const { scopes, audiences, createdAt, expiresAt, revokedAt, lastUsedAt, feed, ...key } = serviceKey
  return {
    ...key,
    scopes: [...scopes],
    audiences: [...audiences],
    created_at: createdAt,
    expires_at: expiresAt,
    revoked_at: revokedAt,
    last_used_at: lastUsedAt,
    feed: feed && { mode: feed.mode, max_age_seconds: feed.maxAgeSeconds },
  }
}
