/** COSE keys for the tests (RFC 9053, section 7; RFC 8230, section 4): of the three algorithms that are offered, and of others. */
import { generateKeyPairSync, type JsonWebKey, type KeyObject } from 'node:crypto'
import type { Cbor } from './cbor.js'

export type Algorithm = -7 | -8 | -257
export type CoseMap = Map<number | string, Cbor>

const part = (value: string | undefined) => Buffer.from(value ?? '', 'base64url')

export function newKey(algorithm: Algorithm): { privateKey: KeyObject; coseKey: CoseMap } {
  if (algorithm === -7) {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    return { privateKey, coseKey: ec2(publicKey.export({ format: 'jwk' }), -7, 1) }
  }
  if (algorithm === -8) {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519')
    const x = part(publicKey.export({ format: 'jwk' }).x)
    return {
      privateKey,
      coseKey: new Map<number, Cbor>([
        [1, 1],
        [3, -8],
        [-1, 6],
        [-2, x],
      ]),
    }
  }
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  return { privateKey, coseKey: rsa(publicKey.export({ format: 'jwk' })) }
}

export function ec2({ x, y }: JsonWebKey, algorithm: number, curve: number): CoseMap {
  return new Map<number, Cbor>([
    [1, 2],
    [3, algorithm],
    [-1, curve],
    [-2, part(x)],
    [-3, part(y)],
  ])
}

export function rsa({ n, e }: JsonWebKey): CoseMap {
  return new Map<number, Cbor>([
    [1, 3],
    [3, -257],
    [-1, part(n)],
    [-2, part(e)],
  ])
}
