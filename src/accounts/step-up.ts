/** Step-up: who is signed in proves themselves again, and their session gets a new secret and a new `auth_time`. */
import { type RequestContext, refusalOf } from '../audit/events.js'
import type { Identity, Principal } from '../core/principal.js'
import type { Credential } from '../sessions/credential.js'
import type { Parts } from './parts.js'
import type { PasswordSignIn, SignInRefusal } from './password-sign-in.js'

/** One member a method; a request carries exactly one of them. */
export interface Proof {
  readonly password: string
}

export type StepUpAnswer =
  | { readonly proved: Proved }
  | { readonly refused: 'session_superseded' | SignInRefusal }

interface Proved {
  readonly credential: Credential
  readonly identity: Identity
  /** The database's clock at the authentication, which is the new `auth_time`. */
  readonly now: number
  /** The session's absolute end, which stays. */
  readonly endsAt: number
}

export type StepUp = ReturnType<typeof createStepUp>

/** A method answers who it proved; the rest is the same for all of them. */
export function createStepUp(
  passwords: PasswordSignIn,
  { sessions, refused }: Parts<'sessions' | 'refused'>,
) {
  return async function stepUp(
    principal: Principal,
    proven: Credential,
    proof: Proof,
    context: RequestContext,
  ): Promise<StepUpAnswer> {
    const answer = await passwords.proveAgain(principal.user, proof.password)
    if ('refused' in answer) {
      await refused(refusalOf(principal, 'session.stepped-up', answer.refused, context))
      return { refused: answer.refused }
    }
    const renewed = await sessions.renew(proven, answer.identity, context)
    if (renewed === 'superseded') return { refused: 'session_superseded' }
    return { proved: { ...renewed, identity: answer.identity } }
  }
}
