/** Public keys of passkeys: which are offered, and which COSE keys are well-formed ones of them (RFC 9052, RFC 9053, RFC 8230). */
import { createPublicKey, type JsonWebKey } from 'node:crypto'
import { decodeCredentialPublicKey } from '@simplewebauthn/server/helpers'
import { notAccepted, type PasskeyRefusal } from './passkey-refusal.js'

/** COSE algorithm identifiers, in the order in which they are offered: ES256, EdDSA (Ed25519), RS256. */
export const passkeyAlgorithms = [-7, -8, -257] as const
export type PasskeyAlgorithm = (typeof passkeyAlgorithms)[number]

type CoseKey = ReadonlyMap<unknown, unknown>
/** Labels of COSE key parameters; those below zero mean something else for each key type. */
const label = { kty: 1, alg: 3, crv: -1, x: -2, y: -3, n: -1, e: -2 }
const keyType = { okp: 1, ec2: 2, rsa: 3 }
const curve = { p256: 1, ed25519: 6 }

const fewestModulusBits = 2048
const mostModulusBits = 4096
const publicExponent = Buffer.from([1, 0, 1])

/**
 * Points of Ed25519 whose order divides 8, as little-endian y without the sign bit, with their second spellings (y + p).
 * Under such a key signatures hold that nobody made, and node:crypto takes it.
 */
const smallOrder = new Set([
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
])

/**
 * The algorithm of a credential's COSE key, or why it is refused. The key holds what its type requires and nothing
 * else (WebAuthn Level 3, section 6.5.1). A point off P-256 is refused here; node:crypto does not say whether one of
 * Ed25519 lies on its curve, and under one that does not no signature holds.
 */
export function readPasskeyKey(cose: Uint8Array): { readonly algorithm: PasskeyAlgorithm } | PasskeyRefusal {
  let key: CoseKey
  try {
    key = decodeCredentialPublicKey(new Uint8Array(cose)) as unknown as CoseKey
  } catch {
    return notAccepted('key', 'it is not CBOR')
  }
  if (!(key instanceof Map)) return notAccepted('key', 'it is not a map')
  const algorithm = passkeyAlgorithms.find(offered => offered === key.get(label.alg))
  if (algorithm === undefined) return notAccepted('key', 'its algorithm was not offered')
  const jwk = readers[algorithm](key)
  if (typeof jwk === 'string') return notAccepted('key', jwk)
  return imports(jwk) ? { algorithm } : notAccepted('key', 'it is no point of its curve, or of another size')
}

const readers: Readonly<Record<PasskeyAlgorithm, (key: CoseKey) => JsonWebKey | string>> = {
  [-7](key) {
    const x = bytes(key, label.x, 32)
    const y = bytes(key, label.y, 32)
    if (key.get(label.kty) !== keyType.ec2 || key.get(label.crv) !== curve.p256) return 'ES256 wants P-256'
    if (!x || !y || key.size !== 5) return 'its parameters are not those of an uncompressed point'
    return { kty: 'EC', crv: 'P-256', x: x.toString('base64url'), y: y.toString('base64url') }
  },
  [-8](key) {
    const x = bytes(key, label.x, 32)
    if (key.get(label.kty) !== keyType.okp || key.get(label.crv) !== curve.ed25519)
      return 'EdDSA wants Ed25519'
    if (!x || key.size !== 4) return 'its parameters are not those of an Ed25519 key'
    if (smallOrder.has(withoutSign(x).toString('hex'))) return 'its point is of small order'
    return { kty: 'OKP', crv: 'Ed25519', x: x.toString('base64url') }
  },
  [-257](key) {
    const n = bytes(key, label.n)
    const e = bytes(key, label.e)
    if (key.get(label.kty) !== keyType.rsa) return 'RS256 wants RSA'
    if (!n || !e || key.size !== 4) return 'its parameters are not those of an RSA key'
    if (!e.equals(publicExponent)) return 'its exponent is not 65537'
    return { kty: 'RSA', n: n.toString('base64url'), e: e.toString('base64url') }
  },
}

/** Whether node:crypto takes it: a point on its curve, or a modulus of a size that is borne. */
function imports(jwk: JsonWebKey): boolean {
  try {
    const { asymmetricKeyDetails } = createPublicKey({ key: jwk, format: 'jwk' })
    const bits = asymmetricKeyDetails?.modulusLength
    return jwk.kty !== 'RSA' || (bits !== undefined && bits >= fewestModulusBits && bits <= mostModulusBits)
  } catch {
    return false
  }
}

function bytes(key: CoseKey, name: number, length?: number): Buffer | undefined {
  const value = key.get(name)
  if (!(value instanceof Uint8Array) || (length !== undefined && value.length !== length)) return undefined
  return Buffer.from(value)
}

function withoutSign(x: Buffer): Buffer {
  const y = Buffer.from(x)
  y.writeUInt8(y.readUInt8(31) & 0x7f, 31)
  return y
}
