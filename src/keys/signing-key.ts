/** One signing key: made, sealed into a row, opened again, and checked against its public half before it signs. */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto'
import { calculateJwkThumbprint, exportJWK, type JWK } from 'jose'
import type { Kid } from '../core/principal.js'
import type { KeyEncryptionKeys } from '../sealing/key-encryption-keys.js'
import type { PublicJwk, SealedKey } from './store.js'

/** A key that may sign now. `header` is the finished protected header, base64url. */
export interface SigningKey {
  readonly kid: Kid
  readonly private: KeyObject
  readonly header: string
}

/** The purpose that a sealed private key is bound to, with its issuer and kid. */
export function sealedAs(issuer: string, kid: string): string {
  return `mintmark signing key v1\n${issuer}\n${kid}`
}

export async function generateSealedKey(issuer: string, keks: KeyEncryptionKeys): Promise<SealedKey> {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const publicJwk = await describe(await exportJWK(pair.publicKey))
  const kid = publicJwk.kid as Kid
  const plain = pair.privateKey.export({ format: 'der', type: 'pkcs8' })
  const { kekId, sealed } = keks.seal(plain, sealedAs(issuer, kid))
  plain.fill(0)
  return { kid, publicJwk, sealed, kekId }
}

/** Throws when the row is not what it says: another issuer's, another kid's, or altered. */
export async function openSealedKey(
  issuer: string,
  row: SealedKey,
  keks: KeyEncryptionKeys,
): Promise<SigningKey> {
  const plain = keks.open(row.kekId, row.sealed, sealedAs(issuer, row.kid))
  const privateKey = createPrivateKey({ key: plain, format: 'der', type: 'pkcs8' })
  plain.fill(0)
  const publicJwk = await describe(await exportJWK(createPublicKey(privateKey)))
  if (publicJwk.kid !== row.kid || publicJwk.x !== row.publicJwk.x || publicJwk.y !== row.publicJwk.y) {
    throw new Error(`signing key ${row.kid}: the private key does not match the public key`)
  }
  selfTest(privateKey, row)
  return { kid: row.kid, private: privateKey, header: headerUnder(row.kid, 'at+jwt') }
}

/** The protected header of everything of this type under this key, base64url: these members, and no other. */
export function headerUnder(kid: Kid, typ: string): string {
  return Buffer.from(JSON.stringify({ alg: 'ES256', typ, kid })).toString('base64url')
}

/** Whatever these keys sign says whom it is for: many libraries tell one signed document from another by nothing else. */
export interface Addressed {
  readonly iss: string
  readonly aud: string
}

/** A compact JWS (RFC 7515) under a finished header. RFC 7518, section 3.4: R and S side by side, 64 bytes, not DER. */
export function signCompact(key: SigningKey, header: string, payload: Addressed): string {
  const signed = `${header}.${Buffer.from(JSON.stringify(payload)).toString('base64url')}`
  const signature = sign('sha256', Buffer.from(signed), { key: key.private, dsaEncoding: 'ieee-p1363' })
  return `${signed}.${signature.toString('base64url')}`
}

function selfTest(privateKey: KeyObject, row: SealedKey): void {
  const message = Buffer.from(row.kid)
  const published = createPublicKey({ key: row.publicJwk, format: 'jwk' })
  const signature = sign('sha256', message, { key: privateKey, dsaEncoding: 'ieee-p1363' })
  if (!verify('sha256', message, { key: published, dsaEncoding: 'ieee-p1363' }, signature)) {
    throw new Error(`signing key ${row.kid}: its signature does not verify`)
  }
}

async function describe(jwk: JWK): Promise<PublicJwk> {
  const { kty, crv, x, y } = jwk
  if (kty !== 'EC' || crv !== 'P-256' || x === undefined || y === undefined)
    throw new Error('not a P-256 key')
  const kid = await calculateJwkThumbprint({ kty, crv, x, y }, 'sha256')
  return { kty, crv, x, y, kid, alg: 'ES256', use: 'sig' }
}

/** These members, and no other, are said of a key. */
export function publicMembers({ kty, crv, x, y, kid, alg, use }: PublicJwk): PublicJwk {
  return { kty, crv, x, y, kid, alg, use }
}

/** A published key whose kid is not its thumbprint, or that is not P-256, must never be served. */
export async function assertPublishable(jwk: PublicJwk): Promise<void> {
  const described = await describe(jwk)
  if (described.alg !== jwk.alg || described.use !== jwk.use) {
    throw new Error(`published key ${jwk.kid}: it is not an ES256 signing key`)
  }
  if (described.kid !== jwk.kid)
    throw new Error(`published key ${jwk.kid}: its kid is not its RFC 7638 thumbprint`)
}
