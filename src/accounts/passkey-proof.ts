/** A passkey as a proof: a challenge made for one purpose, and what the answer to it proves. */
import type { Actor } from '../audit/events.js'
import type { KeyMethod } from '../core/authentication.js'
import type { PasskeyUse, UserId } from '../core/principal.js'
import type { Parts } from './parts.js'
import { keyMethod, presentedCredential } from './passkey-credential.js'
import { notAccepted, type PasskeyRefusal } from './passkey-refusal.js'
import { type ChallengeFor, challengeHashOf, newChallenge } from './passkeys.js'
import type { CeremonyPurpose } from './webauthn.js'

/** What a passkey can prove, and what WebAuthn asks of it for that. */
type ProofFor = Extract<ChallengeFor, { purpose: 'sign-in' | 'second-factor' | 'step-up' }>

const ceremonies: Readonly<Record<ProofFor['purpose'], CeremonyPurpose>> = {
  'sign-in': 'first-step',
  'second-factor': 'second-factor',
  'step-up': 'step-up',
}

export interface PasskeyProof {
  readonly user: UserId
  readonly proof: PasskeyUse
  readonly key: KeyMethod
  readonly userVerified: boolean
}

export type PasskeyProofs = ReturnType<typeof createPasskeyProofs>

export function createPasskeyProofs({ passkeys, webAuthn }: Parts<'passkeys' | 'webAuthn'>) {
  return {
    /** At a sign-in nobody's passkeys are named: the options are the same for everybody. */
    async options(made: ProofFor, by?: Actor) {
      const { challenge, challengeHash } = newChallenge()
      const allow = 'user' in made ? await passkeys.of(made.user) : undefined
      await passkeys.begin(challengeHash, made, by)
      const purpose = ceremonies[made.purpose]
      return webAuthn.authenticationOptions({ challenge, purpose, ...(allow && { allow }) })
    },

    /** The challenge is used up before the answer is looked at: of parallel copies of one answer one is judged. */
    async prove(made: ProofFor, response: unknown, by?: Actor): Promise<PasskeyProof | PasskeyRefusal> {
      const presented = presentedCredential(response)
      if ('refused' in presented) return presented
      const { challenge } = presented
      if (!(await passkeys.take(challengeHashOf(challenge), made, by)))
        return notAccepted('no-challenge', `no such challenge for this ${made.purpose}`)
      const passkey = await passkeys.find(presented.id)
      if (!passkey) return notAccepted('unknown-passkey', 'nobody has registered it, or it was removed')
      const { owner, factor } = passkey
      if ('user' in made && owner !== made.user) return notAccepted('user-handle', 'it is somebody else’s')
      if (made.purpose === 'sign-in' && !passkey.firstStep)
        return notAccepted('not-first-step', 'it was registered as a second factor')
      const purpose = ceremonies[made.purpose]
      const answer = await webAuthn.verifyAssertion(response, { challenge, purpose, credential: passkey })
      if ('refused' in answer) return answer
      const { counter, backedUp, userVerified } = answer
      return {
        user: owner,
        proof: { kind: 'passkey', factor, counter, backedUp },
        key: keyMethod(passkey),
        userVerified,
      }
    },
  }
}
