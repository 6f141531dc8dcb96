/** Owns the reading of a key set (RFC 7517): the keys of it that sign access tokens, all or none. */
import { type PublicKey, publicKey } from './public-key.js'
import type { JsonObject } from './strict-json.js'

export type KeySet = ReadonlyMap<string, PublicKey>

/** What was known of the keys at `madeAt`, in milliseconds since 1970. */
export interface KnownKeys {
  readonly keys: KeySet
  readonly madeAt: number
  /** Of every key that was published, those of other kinds, too. */
  readonly kids: readonly string[]
}

/** A service publishes two or three, and some more after a leak. */
const mostKeys = 50

/**
 * Keys of other kinds are passed over, so that the issuer can add one some day. A set without any of ours is refused,
 * and so is one that names a key twice.
 */
export async function readKeySet(document: JsonObject | undefined): Promise<KeySet | undefined> {
  const list = document?.keys
  if (!Array.isArray(list) || list.length > mostKeys) return undefined
  const keys = new Map<string, PublicKey>()
  for (const jwk of list) {
    const key = await publicKey(jwk)
    if (!key) continue
    if (keys.has(key.kid)) return undefined
    keys.set(key.kid, key)
  }
  return keys.size > 0 ? keys : undefined
}

export function kidsOf(document: JsonObject): string[] {
  const list = Array.isArray(document.keys) ? (document.keys as JsonObject[]) : []
  return list.map(({ kid }) => kid).filter(kid => typeof kid === 'string')
}
