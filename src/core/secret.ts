/** Secrets that prove a session, a link or a service key: made and compared here, and neither logged nor stored. */
import { createHmac, hash, randomBytes, timingSafeEqual } from 'node:crypto'

const secretBytes = 32
// 43 characters of base64url whose unused trailing bits are zero, so that a secret has one spelling.
const form = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/

/** 256 random bits that prove a session, a link or a service key. Only what follows from them leaves this class, but for `reveal`. */
export class Secret {
  readonly #bytes: Buffer

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  /** What a store may know. */
  hash(): Buffer {
    return hash('sha256', this.#bytes, 'buffer')
  }

  /** A secret for another purpose (HMAC-SHA-256): neither it nor this one can be computed from the other's use. */
  derive(purpose: string): string {
    return createHmac('sha256', this.#bytes).update(purpose).digest('base64url')
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

/** Undefined when it cannot be one of ours. */
export function parseSecret(text: string): Secret | undefined {
  return form.test(text) ? new Secret(Buffer.from(text, 'base64url')) : undefined
}

/** Constant time over equal lengths; `stored` is always a SHA-256. */
export function proves(presented: Buffer, stored: Buffer): boolean {
  return presented.length === stored.length && timingSafeEqual(presented, stored)
}
