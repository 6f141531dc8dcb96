/** The keys of the hostile provider, and the ways in which it signs what nobody should accept. */
import { createHash, randomUUID } from 'node:crypto'
import { CompactSign, type CryptoKey, exportJWK, generateKeyPair, type JWK } from 'jose'

export type ProviderAlg = 'ES256' | 'RS256'

export interface ProviderKey {
  readonly kid: string
  readonly alg: ProviderAlg
  readonly private: CryptoKey
  /** What the JWKS says about it. */
  readonly jwk: JWK
}

export async function providerKey(
  alg: ProviderAlg = 'ES256',
  kid: string = randomUUID(),
): Promise<ProviderKey> {
  const pair = await generateKeyPair(alg, { extractable: true })
  const jwk = { ...(await exportJWK(pair.publicKey)), kid, alg, use: 'sig' }
  return { kid, alg, private: pair.privateKey, jwk }
}

/** What is about to be signed: the header, and the payload as text, since some lies are no object that we could build. */
export interface Unsigned {
  readonly header: Readonly<Record<string, unknown>>
  readonly payload: string
  readonly key: ProviderKey
  readonly clientSecret: string
}
export type Sign = (token: Unsigned) => string | Promise<string>

const encode = (text: string) => Buffer.from(text).toString('base64url')

async function withKey(
  { header, payload }: Unsigned,
  key: CryptoKey | Uint8Array,
  alg: string,
): Promise<string> {
  return new CompactSign(Buffer.from(payload)).setProtectedHeader({ ...header, alg }).sign(key)
}

export const honest: Sign = token => withKey(token, token.key.private, String(token.header.alg))

/** `alg: none`, in whatever spelling. */
export const unsigned =
  (alg = 'none'): Sign =>
  ({ header, payload }) =>
    `${encode(JSON.stringify({ ...header, alg }))}.${encode(payload)}.`

/** The client secret as the key of a MAC: the client knows it too, and so does whoever reads its configuration. */
export const withSecret: Sign = token => withKey(token, Buffer.from(token.clientSecret), 'HS256')

/** The public key of the provider as the key of a MAC: the confusion of algorithms. */
export const withPublicKey: Sign = token =>
  withKey(token, Buffer.from(JSON.stringify(token.key.jwk)), 'HS256')

/** The right RSA key with a hash that nobody agreed on; the provider's `alg` must be RS256. */
export const withRs512: Sign = async token => {
  const { subtle } = globalThis.crypto
  const pkcs8 = await subtle.exportKey('pkcs8', token.key.private)
  const rs512 = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-512' }
  return withKey(token, await subtle.importKey('pkcs8', pkcs8, rs512, false, ['sign']), 'RS512')
}

/** A key that is in no JWKS, under the name of one that is. */
export const withAnotherKey: Sign = async token => {
  const other = await providerKey(token.key.alg)
  return withKey(token, other.private, token.key.alg)
}

/** One bit in the middle of the signature. */
export const withBrokenSignature: Sign = async token => {
  const [header, payload, signature] = (await honest(token)).split('.')
  const bytes = Buffer.from(signature ?? '', 'base64url')
  bytes[10] = (bytes[10] ?? 0) ^ 1
  return `${header}.${payload}.${bytes.toString('base64url')}`
}

/** The signature of other claims. */
export const withAlteredPayload =
  (alter: (claims: Record<string, unknown>) => unknown): Sign =>
  async token => {
    const [header, , signature] = (await honest(token)).split('.')
    return `${header}.${encode(JSON.stringify(alter(JSON.parse(token.payload))))}.${signature}`
  }

/** OpenID Connect Core 3.1.3.6, for hashes of 256 bit. */
export function leftHalf(value: string): string {
  return createHash('sha256').update(value).digest().subarray(0, 16).toString('base64url')
}
