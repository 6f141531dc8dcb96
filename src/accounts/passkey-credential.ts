/** Credentials of WebAuthn as the service keeps them, whom they belong to, and what they count as. */
import type { KeyMethod } from '../core/authentication.js'
import type { UserId } from '../core/principal.js'
import type { PasskeyAlgorithm } from './cose-key.js'
import { notAccepted, type PasskeyRefusal } from './passkey-refusal.js'
import { readAssertionResponse } from './passkey-response.js'

export interface CredentialDescriptor {
  readonly id: Buffer
  readonly transports: readonly string[]
}

export interface NewCredential extends CredentialDescriptor {
  /** COSE key. */
  readonly publicKey: Buffer
  readonly algorithm: PasskeyAlgorithm
  readonly counter: number
  /** BE: it may be synced. It never changes. */
  readonly backupEligible: boolean
  /** BS: it is synced now. */
  readonly backedUp: boolean
  /** By the word of the browser; undefined: unknown. */
  readonly discoverable: boolean | undefined
  /** The model of the authenticator, by its own word: a UUID in lower case, often all zeros. */
  readonly aaguid: string
}

/** What must be known of a credential that is used. */
export interface KnownCredential {
  readonly id: Buffer
  readonly owner: UserId
  readonly publicKey: Buffer
  readonly counter: number
  readonly backupEligible: boolean
}

/** `amr` of a credential (RFC 8176): bound to one device, or perhaps synced. */
export function keyMethod({ backupEligible }: { readonly backupEligible: boolean }): KeyMethod {
  return backupEligible ? 'swk' : 'hwk'
}

/** A counter that does not rise, though one is kept, may be that of a copy (WebAuthn Level 3, section 6.1.1). */
export function counterHasRegressed(stored: number, said: number): boolean {
  return (said > 0 || stored > 0) && said <= stored
}

/** `user.id`: the 16 bytes of the user's UUID, so that it says nothing about the person. */
export function userHandleOf(user: UserId): Buffer {
  return Buffer.from(user.replaceAll('-', ''), 'hex')
}

/** Which credential an answer names, to look it up; nothing is verified yet. `owner`: by the authenticator's word. */
export function presentedCredential(
  body: unknown,
): { readonly id: Buffer; readonly challenge: Buffer; readonly owner: UserId | undefined } | PasskeyRefusal {
  const answer = readAssertionResponse(body)
  if ('refused' in answer) return answer
  const { credentialId: id, challenge, userHandle } = answer
  if (userHandle && userHandle.length !== 16) return notAccepted('user-handle', 'it is not 16 bytes')
  const owner = userHandle?.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
  return { id, challenge, owner: owner as UserId | undefined }
}
