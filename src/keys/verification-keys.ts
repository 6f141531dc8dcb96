/** The public halves as the verifier takes them, each imported once: importing costs as much as verifying. */
import { type PublicKey, publicKey } from '@mintmark/verifier/readers'
import type { Kid } from '../core/principal.js'
import type { PublicJwk } from './store.js'

/** More than are ever published together: over it, all are imported again. */
const mostKept = 100

export type VerificationKeys = ReturnType<typeof createVerificationKeys>

export function createVerificationKeys() {
  const imported = new Map<Kid, PublicKey>()

  /** A kid is the thumbprint of its key, so the same kid is the same key. Throws for a row that breaks this. */
  return async function keyOf(jwk: PublicJwk): Promise<PublicKey> {
    const kid = jwk.kid as Kid
    const known = imported.get(kid)
    if (known) return known
    const key = await publicKey(jwk)
    if (!key)
      throw new Error(`published key ${kid}: verifiers would not accept it as the ES256 key of this kid`)
    if (imported.size >= mostKept) imported.clear()
    imported.set(kid, key)
    return key
  }
}
