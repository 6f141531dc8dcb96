/** The key ring in memory: what is published, and the private halves that have signed. The rows say which may sign. */
import { createHash } from 'node:crypto'
import { Outage } from '../errors.js'
import type { Kid } from '../principal.js'
import type { KeyEncryptionKeys } from './key-encryption-keys.js'
import { assertPublishable, generateSealedKey, openSealedKey, type SigningKey } from './signing-key.js'
import type { KeyRingStore, Ring } from './store.js'

/** P of the design: the age in milliseconds up to which a list of keys may be served while Postgres is away. */
const servedForMs = 3600_000

export interface PublishedSet {
  /** A JWK Set (RFC 7517, section 5), serialised. */
  readonly body: string
  readonly etag: string
}

export type KeyRing = Awaited<ReturnType<typeof openKeyRing>>

/**
 * Reads the ring, founding it when it is empty (an active key and a standby), and proves that the signer's private
 * half can be opened. Only the signer is opened: a standby stays sealed until it becomes the signer.
 * `uptimeMs` is a monotonic clock; it judges how old the list in memory is, nothing else.
 */
export async function openKeyRing(
  store: KeyRingStore,
  keks: KeyEncryptionKeys,
  issuer: string,
  uptimeMs: () => number = () => performance.now(),
) {
  let ring = await readOrFound(store, keks, issuer)
  let published = await publish(ring)
  let readAt = uptimeMs()
  const opened = new Map<Kid, SigningKey>()

  async function refresh(): Promise<void> {
    const startedAt = uptimeMs()
    const fresh = await store.read()
    const set = await publish(fresh)
    if (startedAt < readAt) return // a later read has overtaken this one
    ring = fresh
    published = set
    readAt = startedAt
    for (const kid of opened.keys()) if (!fresh.keys.some(key => key.kid === kid)) opened.delete(kid)
  }

  async function open(kid: Kid): Promise<SigningKey> {
    let row = ring.keys.find(key => key.kid === kid)
    if (!row) {
      await refresh()
      row = ring.keys.find(key => key.kid === kid)
    }
    if (!row) throw new Outage('nothing', `the signing key ${kid} is not in the ring`)
    const key = await openSealedKey(issuer, row, keks)
    opened.set(kid, key)
    return key
  }

  if (ring.signer !== undefined) await open(ring.signer)

  return {
    /** The key that the statement which read the session named. Loads it if this instance has not signed with it yet. */
    async signer(kid: Kid | undefined): Promise<SigningKey> {
      if (kid === undefined) throw new Outage('nothing', 'the key ring has no signing key')
      return opened.get(kid) ?? (await open(kid))
    },

    /** Throws `Outage` when the list is too old to be trusted. */
    published(): PublishedSet {
      if (uptimeMs() - readAt > servedForMs)
        throw new Outage('nothing', 'the published keys are too old to serve')
      return published
    },

    /** How long the signer had been signing when the ring was last read; undefined in an empty one. */
    signerAgeSeconds: () => ring.signerAgeSeconds,

    refresh,
  }
}

async function readOrFound(store: KeyRingStore, keks: KeyEncryptionKeys, issuer: string): Promise<Ring> {
  const ring = await store.read()
  if (ring.keys.length > 0) return ring
  const [signer, standby] = await Promise.all([
    generateSealedKey(issuer, keks),
    generateSealedKey(issuer, keks),
  ])
  await store.found({ signer, standby })
  return store.read()
}

async function publish(ring: Ring): Promise<PublishedSet> {
  for (const key of ring.keys) await assertPublishable(key.publicJwk)
  const keys = ring.keys.map(({ publicJwk: { kty, crv, x, y, kid, alg, use } }) => ({
    kty,
    crv,
    x,
    y,
    kid,
    alg,
    use,
  }))
  const body = JSON.stringify({ keys })
  return { body, etag: `"${createHash('sha256').update(body).digest('base64url')}"` }
}
