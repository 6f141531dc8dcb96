/** Registering a passkey: a challenge for who has just authenticated, and the credential that answers it. */
import { asActor, type Owner } from './factor-management.js'
import type { Factor, Weak } from './factors.js'
import type { Parts } from './parts.js'
import type { PasskeyRefusal } from './passkey-refusal.js'
import { readRegistrationResponse } from './passkey-response.js'
import { challengeHashOf, type NotAdded, newChallenge } from './passkeys.js'
import { newRecoveryCodes } from './recovery-codes.js'

/** What a passkey that was not named is called. */
const defaultName = 'Passkey'

export type Registered =
  /** The codes can be read in this one moment. There are none where the account had some already. */
  | { readonly factor: Factor; readonly recoveryCodes: readonly string[] }
  /** `refusal`: for the log. */
  | { readonly refused: Exclude<NotAdded, Weak> | 'rejected'; readonly refusal?: PasskeyRefusal }
  | Weak

export type PasskeyRegistration = ReturnType<typeof createPasskeyRegistration>

export function createPasskeyRegistration(
  parts: Parts<'passkeys' | 'webAuthn' | 'throttle' | 'mailer' | 'inBackground'>,
) {
  const { passkeys, webAuthn, throttle, mailer, inBackground } = parts

  return {
    /** `firstStep`: it is to sign its user in by itself. `from` is the network address that asks. */
    async options(owner: Owner, given: { readonly firstStep: boolean; readonly from: string }) {
      const { user } = owner.principal
      const { challenge, challengeHash } = newChallenge()
      const purpose = given.firstStep ? 'register-first-step' : 'register'
      const exclude = await throttle.passkeyAsked(given.from, () =>
        passkeys.beginRegistration(asActor(owner), challengeHash, purpose),
      )
      if (typeof exclude === 'string') return exclude
      return webAuthn.registrationOptions({
        ...{ user, name: owner.email, displayName: owner.name ?? owner.email, challenge, exclude },
        purpose: given.firstStep ? 'first-step' : 'second-factor',
      })
    },

    async complete(owner: Owner, response: unknown, name = defaultName): Promise<Registered> {
      const { user, session } = owner.principal
      const answer = readRegistrationResponse(response)
      if ('refused' in answer) return { refused: 'rejected', refusal: answer }
      const { challenge } = answer
      const challengeHash = challengeHashOf(challenge)
      const purpose = await passkeys.registering(challengeHash, user, session)
      if (!purpose) return { refused: 'no-challenge' }
      const asked = purpose === 'register-first-step'
      const ceremony = asked ? 'first-step' : 'second-factor'
      const verified = await webAuthn.verifyRegistration(response, { challenge, purpose: ceremony })
      if ('refused' in verified) return { refused: 'rejected', refusal: verified }
      const { credential } = verified
      // A browser that says that it cannot be found without an address knows.
      const firstStep = asked && credential.discoverable !== false
      const { shown, hashes } = newRecoveryCodes()
      const answered = { challengeHash, purpose }
      const added = await passkeys.add(asActor(owner), { credential, name, firstStep }, answered, hashes)
      if (added === 'weak') return added
      if (typeof added === 'string') return { refused: added }
      inBackground('factors mail', () => mailer.send({ kind: 'factor-added', name, to: owner.email }))
      return { factor: added.added, recoveryCodes: added.codesStored ? shown : [] }
    },
  }
}
