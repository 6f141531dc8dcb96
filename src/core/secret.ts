/** Secrets that prove a session, a link or a service key: made and compared here, and neither logged nor stored. */
import { hash, randomBytes, timingSafeEqual } from 'node:crypto'

const secretBytes = 32

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

export function newSecret(): Secret {
  return new Secret(randomBytes(secretBytes))
}

/** Constant time over equal lengths; `stored` is always a SHA-256. */
export function proves(presented: Buffer, stored: Buffer): boolean {
  return presented.length === stored.length && timingSafeEqual(presented, stored)
}
