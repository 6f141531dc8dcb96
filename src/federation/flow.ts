/** A sign-in under way: what the browser keeps, and what follows from it. The store knows hashes only. */
import { createHash, createHmac, randomBytes } from 'node:crypto'

export type Purpose = 'sign-in' | 'link' | 'step-up'

/** What binds an answer to the request it answers. */
export interface Binding {
  readonly state: string
  readonly nonce: string
  readonly codeVerifier: string
}

/** Seconds within which a person has to come back from the provider. */
export const flowSeconds = 600

const form = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/

/**
 * 256 random bits that only this browser holds, in a cookie. Each flow has a `state` of its own; `nonce` and PKCE's
 * verifier (RFC 7636, 256 bits) are derived from both, so that neither has to be stored, and neither can be computed
 * by who sees the state go by. One secret serves several tabs.
 */
export class BrowserSecret {
  readonly #bytes: Buffer

  private constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  static make(): BrowserSecret {
    return new BrowserSecret(randomBytes(32))
  }

  static parse(text: string | undefined): BrowserSecret | undefined {
    return text !== undefined && form.test(text)
      ? new BrowserSecret(Buffer.from(text, 'base64url'))
      : undefined
  }

  /** For the cookie, and nothing else. */
  reveal(): string {
    return this.#bytes.toString('base64url')
  }

  hash(): Buffer {
    return createHash('sha256').update(this.#bytes).digest()
  }

  binding(state: string): Binding {
    return { state, nonce: this.#derive('nonce', state), codeVerifier: this.#derive('pkce', state) }
  }

  #derive(purpose: string, state: string): string {
    return createHmac('sha256', this.#bytes).update(`mintmark ${purpose} ${state}`).digest('base64url')
  }
}

export const newState = () => randomBytes(32).toString('base64url')

/** Undefined when it cannot be one of ours. */
export function stateHash(state: unknown): Buffer | undefined {
  if (typeof state !== 'string' || !form.test(state)) return undefined
  return createHash('sha256').update(state).digest()
}
