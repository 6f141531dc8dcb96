/** A sign-in under way: what the browser keeps, and what follows from it. The store knows hashes only. */
import { hash, randomBytes } from 'node:crypto'
import { parseSecret, Secret } from '../core/secret.js'

export type Purpose = 'sign-in' | 'link' | 'step-up'

/** What binds an answer to the request it answers. */
export interface Binding {
  readonly state: string
  readonly nonce: string
  readonly codeVerifier: string
}

/** Seconds within which a user has to come back from the provider. */
export const flowSeconds = 600

/**
 * 256 random bits that only this browser holds, in a cookie. Each flow has a `state` of its own; `nonce` and PKCE's
 * verifier (RFC 7636, 256 bits) are derived from both, so that neither has to be stored, and neither can be computed
 * by who sees the state go by. One secret serves several tabs.
 */
export class BrowserSecret extends Secret {
  static make(): BrowserSecret {
    return new BrowserSecret(randomBytes(32))
  }

  static parse(text: string | undefined): BrowserSecret | undefined {
    return text !== undefined && parseSecret(text)
      ? new BrowserSecret(Buffer.from(text, 'base64url'))
      : undefined
  }

  binding(state: string): Binding {
    return {
      state,
      nonce: this.derive(`mintmark nonce ${state}`),
      codeVerifier: this.derive(`mintmark pkce ${state}`),
    }
  }
}

export const newState = () => randomBytes(32).toString('base64url')

/** Undefined when it cannot be one of ours. */
export function stateHash(state: unknown): Buffer | undefined {
  return typeof state === 'string' && parseSecret(state) ? hash('sha256', state, 'buffer') : undefined
}
