/** The session's credential, `<id>.<secret>`: made and parsed here. */
import { randomBytes } from 'node:crypto'
import type { SessionId } from '../core/principal.js'
import { newSecret, Secret } from '../core/secret.js'

const idBytes = 16
// 22 and 43 characters of base64url whose unused trailing bits are zero, so that a credential has one spelling.
const form = /^([A-Za-z0-9_-]{21}[AQgw])\.([A-Za-z0-9_-]{42}[AEIMQUYcgkosw048])$/

export interface Credential {
  readonly id: SessionId
  readonly secret: Secret
}

export function newCredential(): Credential {
  return { id: randomBytes(idBytes).toString('base64url') as SessionId, secret: newSecret() }
}

/** Anything that is not exactly a credential is not one. */
export function parseCredential(value: string): Credential | undefined {
  const match = form.exec(value)
  if (!match) return undefined
  return { id: match[1] as SessionId, secret: new Secret(Buffer.from(match[2] as string, 'base64url')) }
}
