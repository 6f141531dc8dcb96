/** Owns a public key of the issuer: what is taken for one, and its judgement of a signature. */
import { type CryptoKey, calculateJwkThumbprint, importJWK } from 'jose'
import { kidForm } from './compact.js'
import { isObject } from './strict-json.js'

export interface PublicKey {
  readonly kid: string
  readonly x: string
  readonly y: string
  /** ECDSA on P-256 with SHA-256; the signature is R and S side by side (RFC 7518, section 3.4). */
  readonly verifies: (signed: Uint8Array, signature: Uint8Array) => boolean | Promise<boolean>
}

const platform = (globalThis as { navigator?: { userAgent?: string } }).navigator?.userAgent

/**
 * WebCrypto answers from a thread pool, which costs a third of all verifications a second (README, "Speed"), so
 * node:crypto does the work where it is. Workers have a copy of it that is not complete.
 */
const native =
  typeof process === 'undefined' || platform === 'Cloudflare-Workers'
    ? undefined
    : process.getBuiltinModule?.('node:crypto')

/** Undefined for any other key than one that signs with ES256 under its own thumbprint. */
export async function publicKey(jwk: unknown): Promise<PublicKey | undefined> {
  if (!isObject(jwk)) return undefined
  const { kty, crv, x, y, kid, alg, use, d, key_ops } = jwk
  const fits = kty === 'EC' && crv === 'P-256' && alg === 'ES256' && use === 'sig'
  if (!fits || d !== undefined || key_ops !== undefined) return undefined
  if (![x, y, kid].every(value => typeof value === 'string' && kidForm.test(value))) return undefined
  const bare = { kty, crv, x: x as string, y: y as string }
  if ((await calculateJwkThumbprint(bare)) !== kid) return undefined
  try {
    const key = (await importJWK(bare, 'ES256')) as CryptoKey
    return { kid, x: bare.x, y: bare.y, verifies: native ? natively(native, key) : byWebCrypto(key) }
  } catch {
    // Not a point of the curve.
    return undefined
  }
}

function natively({ KeyObject, verify }: typeof import('node:crypto'), key: CryptoKey) {
  const how = { key: KeyObject.from(key), dsaEncoding: 'ieee-p1363' } as const
  return (signed: Uint8Array, signature: Uint8Array) => verify('sha256', signed, how, signature)
}

function byWebCrypto(key: CryptoKey) {
  const how = { name: 'ECDSA', hash: 'SHA-256' }
  // Nothing here shares its memory, which the types of the Web ask to be told.
  type Bytes = Uint8Array<ArrayBuffer>
  return (signed: Uint8Array, signature: Uint8Array) =>
    crypto.subtle.verify(how, key, signature as Bytes, signed as Bytes)
}
