/** Reads an access token of ours back, strictly: one spelling, the header exactly as minted, every claim in its form. */
import { isUtf8 } from 'node:buffer'
import { type KeyObject, verify } from 'node:crypto'
import { headerUnder } from '../keyring/signing-key.js'
import type { ClientId, Kid, SessionId, TenantId, UserId } from '../principal.js'

export interface Claims {
  readonly iss: string
  readonly sub: UserId
  readonly aud: string
  readonly exp: number
  readonly iat: number
  readonly jti: string
  readonly client_id: ClientId
  readonly sid: SessionId
  readonly auth_time: number
  readonly acr: string
  readonly amr: readonly string[]
  readonly tenant?: TenantId
}

/** What a token says; nothing of it counts before its signature was verified. */
export interface ReadToken {
  readonly kid: Kid
  readonly claims: Claims
  readonly signed: string
  readonly signature: Buffer
}

export type Unreadable = 'too-long' | 'malformed' | 'header' | 'claims' | 'issuer'

/** Characters. A longer one fits into no request's head, and is not looked at. */
const longestToken = 16_384
/** R and S side by side. */
const signatureBytes = 64

export function readToken(token: string, issuer: string): ReadToken | { readonly unreadable: Unreadable } {
  if (token.length > longestToken) return { unreadable: 'too-long' }
  const [header, payload, signature, ...more] = token.split('.', 4).map(decoded)
  if (!header || !payload || !signature || more.length > 0 || signature.length !== signatureBytes)
    return { unreadable: 'malformed' }
  const kid = (json(header) as { kid?: unknown } | undefined)?.kid
  const signed = token.slice(0, token.lastIndexOf('.'))
  if (
    !isText(kid, /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/) ||
    !signed.startsWith(`${headerUnder(kid as Kid)}.`)
  )
    return { unreadable: 'header' }
  const claims = json(payload)
  if (!areClaims(claims)) return { unreadable: 'claims' }
  if (claims.iss !== issuer) return { unreadable: 'issuer' }
  return { kid: kid as Kid, claims, signed, signature }
}

export function isSignedBy({ signed, signature }: ReadToken, key: KeyObject): boolean {
  return verify('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' }, signature)
}

/** Base64url has one spelling here: without padding, and with its unused bits zero. */
function decoded(part: string): Buffer | undefined {
  const bytes = Buffer.from(part, 'base64url')
  return bytes.toString('base64url') === part ? bytes : undefined
}

/** As `mint` writes it, so that no member is there twice and no two readers understand it differently. */
function json(bytes: Buffer): unknown {
  if (!isUtf8(bytes)) return undefined
  try {
    const text = bytes.toString()
    const value: unknown = JSON.parse(text)
    return JSON.stringify(value) === text ? value : undefined
  } catch {
    return undefined
  }
}

const isText = (value: unknown, form: RegExp): value is string =>
  typeof value === 'string' && form.test(value)
const isTime = (value: unknown) => Number.isSafeInteger(value) && (value as number) > 0
const areTexts = (value: unknown) => Array.isArray(value) && value.every(one => typeof one === 'string')
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const handle = /^[A-Za-z0-9_-]{21}[AQgw]$/

const forms: Readonly<Record<string, (value: unknown) => boolean>> = {
  iss: value => typeof value === 'string',
  sub: value => isText(value, uuid),
  aud: value => isText(value, /^[\x21-\x7e]{1,200}$/),
  exp: isTime,
  iat: isTime,
  jti: value => isText(value, handle),
  client_id: value => isText(value, /^[a-z0-9][a-z0-9._-]{1,63}$/),
  sid: value => isText(value, handle),
  auth_time: isTime,
  acr: value => value === 'aal1' || value === 'aal2',
  amr: areTexts,
}
/** These stand together, or none of them. */
const tenantForms: typeof forms = {
  tenant: value => isText(value, uuid),
  roles: areTexts,
  permissions: areTexts,
}

function areClaims(value: unknown): value is Claims {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const claims = value as Record<string, unknown>
  const keeps = (some: typeof forms) => Object.entries(some).every(([name, holds]) => holds(claims[name]))
  // Never minted, so nothing here would obey them.
  if (claims.nbf !== undefined || Object.hasOwn(claims, '__proto__')) return false
  const inTenant = Object.keys(tenantForms).some(name => claims[name] !== undefined)
  return keeps(forms) && (!inTenant || keeps(tenantForms))
}
