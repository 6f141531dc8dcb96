/** Step-up: who is signed in proves themselves again, and their session gets a new secret and a new `auth_time`. */
import { type Occasion, type RecordRefusal, refusalOf } from '../audit/events.js'
import type { Identity, Principal } from '../core/principal.js'
import type { Credential } from '../sessions/credential.js'
import type { Sessions } from '../sessions/sessions.js'
import type { PasswordSignIn, SignInRefusal } from './password-sign-in.js'

/** One member a method; a request carries exactly one of them. */
export interface Proof {
  readonly password: string
}

export type StepUpAnswer =
  | { readonly proved: { readonly credential: Credential; readonly identity: Identity } & Proved }
  | { readonly refused: 'session_superseded' | SignInRefusal }

/** The database's clock at the proof, which is the new `auth_time`, and the session's absolute end, which stays. */
interface Proved {
  readonly now: number
  readonly endsAt: number
}

export type StepUp = ReturnType<typeof createStepUp>

export interface StepUpParts {
  readonly signIn: PasswordSignIn
  readonly sessions: Pick<Sessions, 'renew'>
  readonly refused: RecordRefusal
}

/** A method answers who it proved; the rest is the same for all of them. */
export function createStepUp({ signIn, sessions, refused }: StepUpParts) {
  return async function stepUp(
    principal: Principal,
    proven: Credential,
    proof: Proof,
    occasion: Occasion,
  ): Promise<StepUpAnswer> {
    const answer = await signIn.proveAgain(principal.user, proof.password)
    if ('refused' in answer) {
      await refused(refusalOf(principal, 'session.proved', answer.refused, occasion))
      return { refused: answer.refused }
    }
    const renewed = await sessions.renew(proven, answer.identity, occasion)
    if (renewed === 'superseded') return { refused: 'session_superseded' }
    return { proved: { ...renewed, identity: answer.identity } }
  }
}
