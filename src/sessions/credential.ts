/** The session's credential, `<id>.<secret>`: made, parsed and proved here; a secret can be neither logged nor stored. */
import { hash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { SessionId } from '../core/principal.js'

const idBytes = 16
const secretBytes = 32
// 22 and 43 characters of base64url whose unused trailing bits are zero, so that a credential has one spelling.
const form = /^([A-Za-z0-9_-]{21}[AQgw])\.([A-Za-z0-9_-]{42}[AEIMQUYcgkosw048])$/

/** 256 random bits that prove a session, a link or a service key. Only their SHA-256 leaves this class, but for `reveal`. */
export class Secret {
  readonly #bytes: Buffer

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  /** What a store may know. */
  hash(): Buffer {
    return hash('sha256', this.#bytes, 'buffer')
  }

  /** For the `Set-Cookie` line, a mailed link and a new service key, nothing else. */
  reveal(): string {
    return this.#bytes.toString('base64url')
  }

  toString(): string {
    return '[secret]'
  }

  toJSON(): string {
    return '[secret]'
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return '[secret]'
  }
}

export interface Credential {
  readonly id: SessionId
  readonly secret: Secret
}

export function newSecret(): Secret {
  return new Secret(randomBytes(secretBytes))
}

export function newCredential(): Credential {
  return { id: randomBytes(idBytes).toString('base64url') as SessionId, secret: newSecret() }
}

/** Anything that is not exactly a credential is none. */
export function parseCredential(value: string): Credential | undefined {
  const match = form.exec(value)
  if (!match) return undefined
  return { id: match[1] as SessionId, secret: new Secret(Buffer.from(match[2] as string, 'base64url')) }
}

/** Constant time over equal lengths; `stored` is always a SHA-256. */
export function proves(presented: Buffer, stored: Buffer): boolean {
  return presented.length === stored.length && timingSafeEqual(presented, stored)
}
