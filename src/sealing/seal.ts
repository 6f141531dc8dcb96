/** Seals what must be read back: AES-256-GCM under a key derived for the purpose, bound to what the row is. */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'

const nonceBytes = 12
const tagBytes = 16

/**
 * `kek` is 32 random bytes; `boundTo` is the row's identity, authenticated with it: a ciphertext moved to another
 * row does not open. Layout: nonce (12) | ciphertext | tag (16). NIST SP 800-38D; RFC 5869 for the derivation.
 */
export function seal(kek: Buffer, plain: Buffer, boundTo: string): Buffer {
  const nonce = randomBytes(nonceBytes)
  const cipher = createCipheriv('aes-256-gcm', derive(kek), nonce).setAAD(Buffer.from(boundTo))
  return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()])
}

/** Throws when the key, the binding or a single bit is not the one it was sealed with. */
export function open(kek: Buffer, sealed: Buffer, boundTo: string): Buffer {
  if (sealed.length < nonceBytes + tagBytes) throw new Error('a sealed value is truncated')
  const nonce = sealed.subarray(0, nonceBytes)
  const tag = sealed.subarray(sealed.length - tagBytes)
  const body = sealed.subarray(nonceBytes, sealed.length - tagBytes)
  const decipher = createDecipheriv('aes-256-gcm', derive(kek), nonce, { authTagLength: tagBytes })
  decipher.setAAD(Buffer.from(boundTo)).setAuthTag(tag)
  return Buffer.concat([decipher.update(body), decipher.final()])
}

function derive(kek: Buffer): Buffer {
  return keyFor(kek, 'mintmark sealing v1')
}

/** A key of its own for each purpose: what was made for one is worth nothing for another. */
export function keyFor(kek: Buffer, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', kek, '', purpose, 32))
}
