/** Owns the reading of a compact JWS (RFC 7515, section 7.1) up to its key: size, spelling, header. */
import { base64url } from 'jose'
import { type Refused, refused } from './refusal.js'
import { strictObject } from './strict-json.js'

/** What a JWS says; nothing of it counts before its signature was verified. */
export interface CompactJws {
  readonly kid: string
  readonly payload: Uint8Array
  /** The two first parts, as they were signed. */
  readonly signed: Uint8Array
  readonly signature: Uint8Array
}

export type CompactFault = 'too_long' | 'malformed' | 'header' | 'algorithm' | 'type'

/** Characters. A longer one fits into no request's head, and is not looked at. */
const longestToken = 16_384
/** R and S side by side, 64 bytes, in base64url. */
const signatureLength = 86
/** An RFC 7638 thumbprint under SHA-256, in its one spelling. */
export const kidForm = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/

const alphabet = /^[A-Za-z0-9_-]+$/
const encoder = new TextEncoder()

/** `typ` is compared as it is written: RFC 7515 would allow other spellings, this issuer has one. */
export function readCompact(
  token: unknown,
  typ: string,
  longest = longestToken,
): CompactJws | Refused<CompactFault> {
  if (typeof token !== 'string') return refused('malformed')
  if (token.length > longest) return refused('too_long')
  const first = token.indexOf('.')
  const last = token.lastIndexOf('.')
  const header = decoded(token.slice(0, Math.max(first, 0)))
  const payload = decoded(token.slice(first + 1, Math.max(last, 0)))
  const signature = decoded(token.slice(last + 1))
  if (!header || !payload || !signature || token.length - last - 1 !== signatureLength)
    return refused('malformed')
  const read = readHeader(header, typ)
  if (typeof read !== 'string') return read
  return { kid: read, payload, signed: encoder.encode(token.slice(0, last)), signature }
}

/** The kid. Only three members are known here, so `crit`, `jwk`, `jku`, `x5c` and their like are refused unread. */
function readHeader(bytes: Uint8Array, typ: string): string | Refused<'header' | 'algorithm' | 'type'> {
  const header = strictObject(bytes)
  if (!header) return refused('header')
  if (header.alg !== 'ES256') return refused('algorithm')
  if (header.typ !== typ) return refused('type')
  if (typeof header.kid !== 'string' || !kidForm.test(header.kid) || Object.keys(header).length !== 3)
    return refused('header')
  return header.kid
}

/** Base64url has one spelling here: not empty, without padding, its unused bits zero. */
function decoded(part: string): Uint8Array | undefined {
  if (!alphabet.test(part)) return undefined
  const spare = part.length % 4
  const lastOnes = spare === 2 ? 'AQgw' : spare === 3 ? 'AEIMQUYcgkosw048' : undefined
  if (spare === 1 || (lastOnes && !lastOnes.includes(part.at(-1) ?? ''))) return undefined
  return typeof Buffer === 'undefined' ? base64url.decode(part) : Buffer.from(part, 'base64url')
}
