/** The WebAuthn ceremonies (Level 3, section 7) by @simplewebauthn/server: what a browser is asked, and what its answer proves. */
import * as simplewebauthn from '@simplewebauthn/server'
import type { UserId } from '../core/principal.js'
import { readAttestationObject, readAuthenticatorData } from './authenticator-data.js'
import { passkeyAlgorithms } from './cose-key.js'
import {
  type CredentialDescriptor,
  counterHasRegressed,
  type KnownCredential,
  type NewCredential,
  userHandleOf,
} from './passkey-credential.js'
import { notAccepted, type PasskeyRefusal } from './passkey-refusal.js'
import { readAssertionResponse, readRegistrationResponse } from './passkey-response.js'

/** Milliseconds that a browser waits for a person. A challenge must live as long. */
export const ceremonyTimeoutMs = 300_000

/** The service as authenticators know it. */
export interface RelyingParty {
  /** RP ID: the issuer's host or a parent domain of it, without a port. */
  readonly id: string
  readonly name: string
  /** Exactly as browsers write it: scheme, host, and the port if it is not the default. */
  readonly origin: string
}

/**
 * What a credential is for. `first-step`: it signs a person in by itself, so it names its owner and verifies them.
 * `step-up`: it proves a known person by itself, so it verifies them. `second-factor`: it follows something that was
 * proved already, so that possession is enough; whether it verified its user is read all the same.
 */
export type CeremonyPurpose = 'first-step' | 'step-up' | 'second-factor'

export type Registration =
  | { readonly credential: NewCredential; readonly userVerified: boolean }
  | PasskeyRefusal

export interface Assertion {
  readonly counter: number
  /**
   * The counter did not rise, though one is kept: the credential may have been copied. A risk to record, no refusal;
   * store the greater of the two.
   */
  readonly counterRegressed: boolean
  readonly backedUp: boolean
  readonly userVerified: boolean
}

type Library = Pick<
  typeof simplewebauthn,
  | 'generateRegistrationOptions'
  | 'generateAuthenticationOptions'
  | 'verifyRegistrationResponse'
  | 'verifyAuthenticationResponse'
>

/** Pure but for the library: challenges are made, kept and consumed by the caller. Nothing here throws over an answer. */
export function createWebAuthn(relyingParty: RelyingParty, library: Library = simplewebauthn) {
  const expected = (challenge: Buffer, purpose: CeremonyPurpose) => ({
    expectedChallenge: challenge.toString('base64url'),
    expectedOrigin: relyingParty.origin,
    expectedRPID: relyingParty.id,
    requireUserVerification: purpose !== 'second-factor',
  })

  return {
    /** `exclude`: the person's own credentials, so that an authenticator is not enrolled twice. */
    registrationOptions(given: {
      readonly user: UserId
      readonly name: string
      readonly displayName: string
      readonly challenge: Buffer
      readonly purpose: CeremonyPurpose
      readonly exclude: readonly CredentialDescriptor[]
    }) {
      const first = given.purpose === 'first-step'
      return library.generateRegistrationOptions({
        rpID: relyingParty.id,
        rpName: relyingParty.name,
        userID: new Uint8Array(userHandleOf(given.user)),
        userName: given.name,
        userDisplayName: given.displayName,
        challenge: new Uint8Array(given.challenge),
        timeout: ceremonyTimeoutMs,
        attestationType: 'none',
        supportedAlgorithmIDs: [...passkeyAlgorithms],
        excludeCredentials: given.exclude.map(descriptor),
        authenticatorSelection: {
          residentKey: first ? 'required' : 'discouraged',
          userVerification: first ? 'required' : 'discouraged',
        },
      })
    },

    /** Without `allow` the browser offers what it has: the same for everybody. */
    authenticationOptions(given: {
      readonly challenge: Buffer
      readonly purpose: CeremonyPurpose
      readonly allow?: readonly CredentialDescriptor[]
    }) {
      return library.generateAuthenticationOptions({
        rpID: relyingParty.id,
        challenge: new Uint8Array(given.challenge),
        timeout: ceremonyTimeoutMs,
        userVerification: given.purpose === 'second-factor' ? 'discouraged' : 'required',
        ...(given.allow && { allowCredentials: given.allow.map(descriptor) }),
      })
    },

    /** WebAuthn Level 3, section 7.1. That the credential id belongs to nobody yet is the store's to say. */
    async verifyRegistration(
      body: unknown,
      given: { readonly challenge: Buffer; readonly purpose: CeremonyPurpose },
    ): Promise<Registration> {
      const answer = readRegistrationResponse(body)
      if ('refused' in answer) return answer
      const { credentialId, clientDataJSON, attestationObject, transports, discoverable } = answer
      const data = readAttestationObject(attestationObject)
      if ('refused' in data) return data
      if (!data.credentialId.equals(credentialId)) return notAccepted('credential-id', 'it is another')
      const response = { clientDataJSON, attestationObject: attestationObject.toString('base64url') }
      const verified = await outcome(() =>
        library.verifyRegistrationResponse({
          ...expected(given.challenge, given.purpose),
          response: publicKeyCredential(credentialId, response),
          supportedAlgorithmIDs: [...passkeyAlgorithms],
        }),
      )
      if ('refused' in verified) return verified
      const info = verified.registrationInfo
      if (!info) return notAccepted('not-verified', 'there is nothing of the credential')
      const credential: NewCredential = {
        id: credentialId,
        publicKey: data.publicKey,
        algorithm: data.algorithm,
        counter: data.counter,
        transports,
        backupEligible: data.backupEligible,
        backedUp: info.credentialBackedUp,
        discoverable,
        aaguid: info.aaguid,
      }
      return { credential, userVerified: info.userVerified }
    },

    /**
     * WebAuthn Level 3, section 7.2. At a first step the answer must name the credential's owner; later, where the
     * person is known, it may. The caller has compared the owner with that person.
     */
    async verifyAssertion(
      body: unknown,
      given: {
        readonly challenge: Buffer
        readonly purpose: CeremonyPurpose
        readonly credential: KnownCredential
      },
    ): Promise<Assertion | PasskeyRefusal> {
      const answer = readAssertionResponse(body)
      if ('refused' in answer) return answer
      const { credentialId, clientDataJSON, authenticatorData, signature, userHandle } = answer
      const { id, owner, publicKey, counter: stored, backupEligible } = given.credential
      if (!credentialId.equals(id)) return notAccepted('credential-id', 'it is another')
      const named = userHandle ? userHandle.equals(userHandleOf(owner)) : given.purpose !== 'first-step'
      if (!named) return notAccepted('user-handle', 'it is not the owner of the credential')
      const data = readAuthenticatorData(authenticatorData)
      if ('refused' in data) return data
      if (data.attested) return notAccepted('flags', 'there is an attested credential')
      if (data.backupEligible !== backupEligible) return notAccepted('backup-eligibility', 'it has changed')
      const response = {
        clientDataJSON,
        authenticatorData: authenticatorData.toString('base64url'),
        signature: signature.toString('base64url'),
      }
      const verified = await outcome(() =>
        library.verifyAuthenticationResponse({
          ...expected(given.challenge, given.purpose),
          response: publicKeyCredential(credentialId, response),
          // The library would refuse a counter that does not rise; here it is reported.
          credential: { id: id.toString('base64url'), publicKey: new Uint8Array(publicKey), counter: 0 },
        }),
      )
      if ('refused' in verified) return verified
      const { newCounter: counter, userVerified, credentialBackedUp: backedUp } = verified.authenticationInfo
      return { counter, counterRegressed: counterHasRegressed(stored, counter), backedUp, userVerified }
    },
  }
}

export type WebAuthn = ReturnType<typeof createWebAuthn>

/** What the library answers counts only if it says `verified: true`: it throws, says false, or says nothing otherwise. */
async function outcome<Answer extends { readonly verified: boolean }>(
  verify: () => Promise<Answer>,
): Promise<Answer | PasskeyRefusal> {
  try {
    const answer: Answer | undefined = await verify()
    return answer?.verified === true ? answer : notAccepted('not-verified', 'the signature does not hold')
  } catch (error) {
    return notAccepted('not-verified', error instanceof Error ? error.message : 'unknown')
  }
}

function publicKeyCredential<Response>(credentialId: Buffer, response: Response) {
  const id = credentialId.toString('base64url')
  return { id, rawId: id, type: 'public-key' as const, response, clientExtensionResults: {} }
}

function descriptor({ id, transports }: CredentialDescriptor) {
  return { id: id.toString('base64url'), transports: [...transports] }
}
