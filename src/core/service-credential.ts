/** What a service presents, `mintmark_sk_<id>_<secret>`: made, parsed and written here. */
import { randomBytes } from 'node:crypto'
import { newSecret, Secret } from '../sessions/credential.js'
import type { ServiceKeyId } from './principal.js'

/** Recognisable, so that scanners of repositories find one that was committed. */
const prefix = 'mintmark_sk_'
// 22 and 43 characters of base64url whose unused trailing bits are zero, so that a key has one spelling.
const form = /^mintmark_sk_([A-Za-z0-9_-]{21}[AQgw])_([A-Za-z0-9_-]{42}[AEIMQUYcgkosw048])$/

export interface ServiceCredential {
  readonly id: ServiceKeyId
  readonly secret: Secret
}

export function newServiceCredential(): ServiceCredential {
  return { id: randomBytes(16).toString('base64url') as ServiceKeyId, secret: newSecret() }
}

/** Anything that is not exactly a service key is none. */
export function parseServiceCredential(value: string): ServiceCredential | undefined {
  const match = form.exec(value)
  if (!match) return undefined
  return { id: match[1] as ServiceKeyId, secret: new Secret(Buffer.from(match[2] as string, 'base64url')) }
}

/** For the answer that creates it, nothing else. */
export function revealServiceCredential({ id, secret }: ServiceCredential): string {
  return `${prefix}${id}_${secret.reveal()}`
}
