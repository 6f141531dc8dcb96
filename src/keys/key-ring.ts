/** The key ring in memory: what is published, and the private halves that sign. The rows say which may sign. */

import { createHash } from 'node:crypto'
import { Outage } from '../core/errors.js'
import type { Kid } from '../core/principal.js'
import type { KeyEncryptionKeys } from '../sealing/key-encryption-keys.js'
import { digestOf } from './held-lists.js'
import { signHistory } from './history.js'
import { isShut, noOperator } from './operations.js'
import { canSignNoMore, maintenance, publishedKeys, signerOf } from './schedule.js'
import {
  assertPublishable,
  generateSealedKey,
  openSealedKey,
  publicMembers,
  type SigningKey,
} from './signing-key.js'
import type { KeyRingStore, PublicJwk, Ring } from './store.js'

export interface PublishedSet {
  /** A JWK Set (RFC 7517, section 5), serialised. */
  readonly body: string
  readonly etag: string
  /** Tells two sets of keys apart: SHA-256, base64url, of their sorted kids, which are thumbprints. */
  readonly digest: string
  /** The position of the feed when the list was read, as `<generation>.<position>`. */
  readonly feedPosition: string
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
  const make = () => generateSealedKey(issuer, keks)
  let readAt = uptimeMs()
  let ring = await maintained(await store.read())
  let published = await publish(ring)
  const opened = new Map<Kid, SigningKey>()

  /** One instance does what is due; the others find that it was done. */
  async function maintained(seen: Ring): Promise<Ring> {
    if (maintenance(seen) === 'nothing') return seen
    const after = await store.change(soundly, make, noOperator)
    return after === 'nothing' ? store.read() : after
  }

  /** A key that does not open here is not handed over to: where it opens, another instance does. */
  async function soundly(ring: Ring) {
    const plan = maintenance(ring)
    if (plan === 'nothing' || !(await isShut(ring, plan, keks, issuer))) return plan
    const alter = plan.alter.filter(({ sealed }) => sealed === 'erased')
    return alter.length === 0 ? 'nothing' : { publish: [], alter }
  }

  async function refresh(): Promise<void> {
    const startedAt = uptimeMs()
    const fresh = await store.read()
    const set = await publish(fresh)
    if (startedAt < readAt) return // a later read has overtaken this one
    ring = fresh
    published = set
    readAt = startedAt
    for (const kid of opened.keys()) {
      const key = ring.keys.find(key => key.kid === kid)
      if (!key || canSignNoMore(key, ring)) opened.delete(kid)
    }
    if (fresh.keys.some(({ kekId }) => kekId !== null && !keks.has(kekId))) await keks.reload()
    // Before the first mint needs it; and where its key-encryption key is new here, that is found out now.
    const signer = signerOf(ring.keys, ring.now)
    if (signer && !opened.has(signer.kid)) await open(signer.kid)
  }

  async function open(kid: Kid): Promise<SigningKey> {
    const inRing = () => ring.keys.find(key => key.kid === kid)
    if (!inRing()) await refresh()
    const row = inRing()
    if (!row) throw new Outage('nothing', `the signing key ${kid} is not in the ring`)
    if (!row.sealed || row.kekId === null) throw new Outage('nothing', `the signing key ${kid} was erased`)
    if (!keks.has(row.kekId)) await keks.reload()
    const key = await openSealedKey(issuer, { ...row, sealed: row.sealed, kekId: row.kekId }, keks)
    opened.set(kid, key)
    return key
  }

  async function signerNow(): Promise<SigningKey | undefined> {
    const signer = signerOf(ring.keys, ring.now)
    return signer && (opened.get(signer.kid) ?? (await open(signer.kid)))
  }

  function assertFresh(): void {
    if (uptimeMs() - readAt > ring.policy.listAge * 1000)
      throw new Outage('nothing', 'the published key set is too old to serve')
  }

  await signerNow()

  return {
    /** The key that the statement which read the session named. Loads it if this instance has not signed with it yet. */
    async signer(kid: Kid | undefined): Promise<SigningKey> {
      if (kid === undefined) throw new Outage('nothing', 'the key ring has no signing key')
      const ready = opened.get(kid)
      if (ready) return ready
      return open(kid).catch(error => {
        throw error instanceof Outage ? error : new Outage('nothing', (error as Error).message)
      })
    },

    /** The public half of a key that is published; `Outage` as `published`. */
    publicKey(kid: string): PublicJwk | undefined {
      assertFresh()
      return publishedKeys(ring).find(key => key.kid === kid)?.publicJwk
    },

    /** Throws `Outage` when the list is too old to be trusted. */
    published(): PublishedSet {
      assertFresh()
      return published
    },

    /** Every key that has signed, and every compromised one, as a signed JWT; `Outage` as `published`. */
    async history(): Promise<string> {
      assertFresh()
      const signer = await signerNow()
      if (!signer) throw new Outage('nothing', 'the key ring has no signing key')
      return signHistory(issuer, ring, signer)
    },

    /** How long the signer had been signing when the ring was last read; undefined in an empty one. */
    signerAgeSeconds(): number | undefined {
      const from = signerOf(ring.keys, ring.now)?.signsFrom
      return from === undefined || from === null ? undefined : ring.now - from
    },

    /** Key-encryption keys that keys of the ring are sealed under and that are not here: what it names will not sign. */
    missingKeks(): readonly string[] {
      const ids = ring.keys.flatMap(({ kekId }) => (kekId === null || keks.has(kekId) ? [] : [kekId]))
      return [...new Set(ids)]
    },

    /** Milliseconds after which to look again: often within the time for which a list may be served. */
    lookEveryMs: () => Math.min(5000, ring.policy.listAge * 125),

    refresh,

    /** Does what the schedule asks for now, if no other instance has. */
    async maintain(): Promise<void> {
      if ((await maintained(ring)) !== ring) await refresh()
    },
  }
}

async function publish(ring: Ring): Promise<PublishedSet> {
  const keys = publishedKeys(ring)
  for (const key of keys) await assertPublishable(key.publicJwk)
  const body = serializeJwks(keys)
  return {
    body,
    etag: `"${sha256(body)}"`,
    digest: digestOf(keys.map(({ kid }) => kid)),
    feedPosition: ring.feedPosition,
  }
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('base64url')

export function serializeJwks(keys: Ring['keys']): string {
  return JSON.stringify({ keys: keys.map(({ publicJwk }) => publicMembers(publicJwk)) })
}
