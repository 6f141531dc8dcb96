/** The contract of the key ring's store: rows whose state follows from times, never from a flag. */
import type { JWK } from 'jose'
import type { Kid } from '../principal.js'

/** A public P-256 key as JWKS publishes it (RFC 7517): kty, crv, x, y, kid, alg, use. */
export type PublicJwk = Required<Pick<JWK, 'kty' | 'crv' | 'x' | 'y' | 'kid' | 'alg' | 'use'>>

export interface SealedKey {
  readonly kid: Kid
  readonly publicJwk: PublicJwk
  /** AES-256-GCM under a key-encryption key; bound to `kid`, issuer and purpose. */
  readonly sealed: Buffer
  readonly kekId: string
}

/** A key as it is published now. `signsFrom` in seconds, null for a standby that no rotation has scheduled yet. */
export interface PublishedKey extends SealedKey {
  readonly signsFrom: number | null
}

export interface Ring {
  /** Every key that verifies now, oldest first; the signer is the one with the latest `signsFrom` that has come. */
  readonly keys: readonly PublishedKey[]
  /** The key that signs now; undefined in an empty ring only. */
  readonly signer: Kid | undefined
  /** How long it has been signing, by the database's clock. */
  readonly signerAgeSeconds: number | undefined
}

/**
 * - `read` is what the primary holds now; it throws `Outage` when the primary cannot be asked.
 * - `found` puts the first two keys into an empty ring, and only into an empty one: of many instances that try at
 *   once one succeeds, the others are told `'already-founded'` and keep none of theirs.
 */
export interface KeyRingStore {
  read(): Promise<Ring>
  found(first: { signer: SealedKey; standby: SealedKey }): Promise<'founded' | 'already-founded'>
}
