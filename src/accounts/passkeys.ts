/** The contract of passkeys: challenges, each once and for one purpose, and the credentials that answer them. */
import { hash, randomBytes } from 'node:crypto'
import type { Actor } from '../audit/events.js'
import type { FactorId, SessionId, UserId } from '../core/principal.js'
import type { Factor, FactorActor, Weak } from './factors.js'
import type { CredentialDescriptor, KnownCredential, NewCredential } from './passkey-credential.js'

/** Minutes within which a challenge is answered. */
export const challengeMinutes = 5
export const mostPasskeys = 20

/**
 * What a challenge is for, and for whom. A challenge of one purpose is good for no other: `register-first-step` asks
 * for a passkey that signs in by itself, `register` for one that follows a first step.
 */
export type ChallengeFor =
  | { readonly purpose: 'sign-in'; readonly browser: Buffer }
  | { readonly purpose: 'second-factor'; readonly user: UserId; readonly pending: Buffer }
  | { readonly purpose: 'step-up'; readonly user: UserId; readonly session: SessionId }
  | { readonly purpose: RegisterPurpose; readonly user: UserId; readonly session: SessionId }

export type ChallengePurpose = ChallengeFor['purpose']
export type RegisterPurpose = 'register' | 'register-first-step'

/** 256 random bits. The browser that is asked sees them: they are no secret, but nobody can know them before. */
export function newChallenge(): { readonly challenge: Buffer; readonly challengeHash: Buffer } {
  const challenge = randomBytes(32)
  return { challenge, challengeHash: challengeHashOf(challenge) }
}

export const challengeHashOf = (challenge: Buffer) => hash('sha256', challenge, 'buffer')

export interface Passkey extends KnownCredential {
  readonly factor: FactorId
  readonly firstStep: boolean
}

export interface NewPasskey {
  readonly credential: NewCredential
  readonly name: string
  readonly firstStep: boolean
}

/** `taken`: the credential is another user's, or was, or is registered already. */
export type NotAdded = 'taken' | 'no-challenge' | 'too-many' | Weak

/**
 * Rules (test/http/passkeys.test.ts, test/http/passkey-attacks.test.ts):
 * - Only SHA-256 hashes of challenges and of the secrets in cookies come in here.
 * - `take` is one DELETE: of parallel ones one succeeds, and only for the purpose, user, session and browser that the
 *   challenge was made for. `add` does the same in its transaction.
 * - A credential id belongs to one user for ever. Removing the passkey, or the user, does not free it for another.
 * - `add` is judged by `FactorActor` in its transaction, under the lock of the user, who has at most `mostPasskeys`.
 */
export interface PasskeyStore {
  of(user: UserId): Promise<readonly CredentialDescriptor[]>
  find(credentialId: Buffer): Promise<Passkey | undefined>
  /** `by`: of a session, which is confirmed in the same transaction. */
  begin(challengeHash: Buffer, made: ChallengeFor, by?: Actor): Promise<void>
  take(challengeHash: Buffer, made: ChallengeFor, by?: Actor): Promise<boolean>

  /** Answers what the user has already. */
  beginRegistration(
    by: FactorActor,
    challengeHash: Buffer,
    purpose: RegisterPurpose,
  ): Promise<readonly CredentialDescriptor[] | 'too-many' | Weak>
  /** What this session's challenge asked for. Looking changes nothing. */
  registering(challengeHash: Buffer, user: UserId, session: SessionId): Promise<RegisterPurpose | undefined>
  /** `codes` are the hashes of new recovery codes, stored where the account had no factor. */
  add(
    by: FactorActor,
    passkey: NewPasskey,
    answered: { readonly challengeHash: Buffer; readonly purpose: RegisterPurpose },
    codes: readonly Buffer[],
  ): Promise<{ readonly added: Factor; readonly codesStored: boolean } | NotAdded>
}
