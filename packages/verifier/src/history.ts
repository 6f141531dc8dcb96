/** Owns the reading of a key history (OpenID Federation 1.0, historical keys), and the rule that it only ever grows. */
import { isTime } from './claims.js'
import { readCompact } from './compact.js'
import { type PublicKey, publicKey } from './public-key.js'
import { isObject, type JsonObject, strictObject } from './strict-json.js'

/** One key that has stopped signing, in the document's own words. Times are NumericDates. */
export interface HistoryEntry {
  readonly kty: 'EC'
  readonly crv: 'P-256'
  readonly alg: 'ES256'
  readonly use: 'sig'
  readonly kid: string
  readonly x: string
  readonly y: string
  /** When it was published. */
  readonly iat: number
  /** It signed from `nbf` until before `exp`. */
  readonly nbf: number
  readonly exp: number
  /** From `revoked_at` on, others may have signed with it. */
  readonly revoked?: { readonly revoked_at: number; readonly reason: string }
}

/** With the key imported, once. */
export interface HistoricalKey {
  readonly entry: HistoryEntry
  readonly key: PublicKey
}

export interface History {
  readonly issuedAt: number
  readonly keys: ReadonlyMap<string, HistoricalKey>
}

export type HistoryFault = 'history' | 'history_signature' | 'old_document' | 'history_rewritten'

/** Characters: a key makes some 500, so this lasts for a thousand. */
export const longestHistory = 1_048_576
const mostEntries = 2_000
/** Seconds. */
const skew = 60

/** `keyOf` knows the keys that sign access tokens now: one of them has signed the history. */
export async function readHistory(
  jws: string,
  issuer: string,
  keyOf: (kid: string) => Promise<PublicKey | undefined>,
  now: number,
): Promise<History | HistoryFault> {
  const read = readCompact(jws, 'jwk-set+jwt', longestHistory)
  if ('code' in read) return 'history'
  const key = await keyOf(read.kid)
  if (!key || !(await key.verifies(read.signed, read.signature))) return 'history_signature'
  const payload = strictObject(read.payload)
  if (!payload || payload.iss !== issuer || !isTime(payload.iat) || payload.iat > now + skew) return 'history'
  // One that was kept as data may be older than its `aud`.
  if (payload.aud !== undefined && payload.aud !== `${issuer}/.well-known/historical-keys`) return 'history'
  const keys = await readEntries(payload.keys)
  return keys ? { issuedAt: payload.iat, keys } : 'history'
}

export async function readEntries(list: unknown): Promise<History['keys'] | undefined> {
  if (!Array.isArray(list) || list.length > mostEntries) return undefined
  const keys = new Map<string, HistoricalKey>()
  for (const item of list) {
    const read = isObject(item) ? await readEntry(item) : undefined
    if (!read || keys.has(read.key.kid)) return undefined
    keys.set(read.key.kid, read)
  }
  return keys
}

async function readEntry(item: JsonObject): Promise<HistoricalKey | undefined> {
  const key = await publicKey(item)
  const { iat, nbf, exp, revoked } = item
  if (!key || !isTime(iat) || !isTime(nbf) || !isTime(exp) || exp < nbf) return undefined
  const { kid, x, y } = key
  const entry = { kty: 'EC', crv: 'P-256', x, y, kid, alg: 'ES256', use: 'sig', iat, nbf, exp } as const
  if (revoked === undefined) return { entry, key }
  if (!isObject(revoked) || !isTime(revoked.revoked_at) || typeof revoked.reason !== 'string')
    return undefined
  const { revoked_at, reason } = revoked
  return { entry: { ...entry, revoked: { revoked_at, reason } }, key }
}

/**
 * What to keep after an answer: it must hold every entry that was known, unchanged. Only `revoked` may come in, and its
 * time may move, to an earlier one alone: anybody who controls the issuer today cannot make a leaked key good again.
 */
export function extended(known: History | undefined, next: History): History | HistoryFault {
  if (!known) return next
  if (next.issuedAt < known.issuedAt) return 'old_document'
  for (const { entry: old } of known.keys.values()) {
    const now = next.keys.get(old.kid)?.entry
    const same = now && now.iat === old.iat && now.nbf === old.nbf && now.exp === old.exp
    if (!same || !isAsStrict(old.revoked, now.revoked)) return 'history_rewritten'
  }
  return next
}

function isAsStrict(old: HistoryEntry['revoked'], now: HistoryEntry['revoked']): boolean {
  return !old || (now !== undefined && now.reason === old.reason && now.revoked_at <= old.revoked_at)
}
