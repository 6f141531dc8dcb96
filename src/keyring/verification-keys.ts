/** The public halves as node:crypto takes them, each imported once: importing costs as much as verifying. */
import { createPublicKey, type KeyObject } from 'node:crypto'
import type { Kid } from '../principal.js'
import { assertPublishable } from './signing-key.js'
import type { PublicJwk } from './store.js'

/** More than are ever published together: over it, all are imported again. */
const mostKept = 100

export type VerificationKeys = ReturnType<typeof createVerificationKeys>

export function createVerificationKeys() {
  const imported = new Map<Kid, KeyObject>()

  /** A kid is the thumbprint of its key, so the same kid is the same key. Throws for a row that breaks this. */
  return async function keyOf(jwk: PublicJwk): Promise<KeyObject> {
    const kid = jwk.kid as Kid
    const known = imported.get(kid)
    if (known) return known
    await assertPublishable(jwk)
    const key = createPublicKey({ key: jwk, format: 'jwk' })
    if (imported.size >= mostKept) imported.clear()
    imported.set(kid, key)
    return key
  }
}
