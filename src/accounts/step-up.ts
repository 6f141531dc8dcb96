/** Step-up: who is signed in proves themselves again, and their session gets a new secret and a new `auth_time`. */
import { type Actor, refusalOf } from '../audit/events.js'
import { andByCode, byPasskey } from '../core/authentication.js'
import type { Identity, Principal } from '../core/principal.js'
import type { Credential } from '../sessions/credential.js'
import { type Code, type CodeRefusal, type ProveCode, usingProof } from './code-proof.js'
import type { Parts } from './parts.js'
import type { PasskeyProofs } from './passkey-proof.js'
import type { PasskeyRefusal } from './passkey-refusal.js'
import type { PasswordSignIn, SignInRefusal } from './password-sign-in.js'
import type { RecoveryCodeNotice } from './recovery-code-notice.js'

/** One member a method; a request carries exactly one of them. */
export type Proof = { readonly password: string } | Code | { readonly passkey: unknown }

/** `second-factor-required`: the account has a factor, and a password alone does not do. */
export type StepUpRefusal =
  | 'session_superseded'
  | 'second-factor-required'
  | 'passkey-failed'
  | SignInRefusal
  | CodeRefusal

export type StepUpAnswer = { readonly proved: Proved } | NotStepped

/** `refusal`: of a passkey, for the log. */
interface NotStepped {
  readonly refused: StepUpRefusal
  readonly refusal?: PasskeyRefusal
}

type Answer = { readonly identity: Identity } | NotStepped

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
  proveCode: ProveCode,
  passkeyProofs: PasskeyProofs,
  notice: RecoveryCodeNotice,
  { sessions, factors, refused, throttle }: Parts<'sessions' | 'factors' | 'refused' | 'throttle'>,
) {
  async function byAPasskey({ user, session }: Principal, response: unknown, by: Actor): Promise<Answer> {
    const proved = await passkeyProofs.prove({ purpose: 'step-up', user, session }, response, by)
    if ('refused' in proved) return { refused: 'passkey-failed', refusal: proved }
    const { proof, key } = proved
    const credential = { kind: 'passkey', id: proof.factor } as const
    return { identity: { user, ...byPasskey(key), credential, second: { proof } } }
  }

  async function prove(principal: Principal, proof: Proof, by: Actor): Promise<Answer> {
    if ('passkey' in proof) return byAPasskey(principal, proof.passkey, by)
    // A code proves the user on top of what the session rests on already.
    if ('password' in proof) return passwords.proveAgain(principal.user, proof.password)
    const { user, amr } = principal
    const answer = await proveCode(user, proof)
    if ('refused' in answer) return answer
    const { proof: second } = answer
    return {
      identity: { user, ...andByCode({ amr }), credential: { kind: 'factor' }, second: { proof: second } },
    }
  }

  async function stepUp(
    principal: Principal,
    proven: Credential,
    proof: Proof,
    actor: Actor,
  ): Promise<StepUpAnswer> {
    const { context } = actor
    const answer = await prove(principal, proof, actor)
    const denied = async (not: NotStepped): Promise<StepUpAnswer> => {
      await refused(refusalOf(principal, 'session.stepped-up', not.refused, context))
      return not
    }
    if ('refused' in answer) return denied(answer)
    const { identity } = answer
    const renew = () => sessions.renew(proven, identity, context)
    const { second } = identity
    const renewed = await (second ? usingProof(factors, principal.user, second.proof, renew) : renew())
    if (renewed === 'superseded') return { refused: 'session_superseded' }
    if (renewed === 'second-factor-required') return denied({ refused: renewed })
    if (second) notice(principal.user, second.proof)
    return { proved: { ...renewed, identity } }
  }

  return {
    stepUp,

    /** The passkey verifies its user: it stands for all that the session rested on before. */
    passkeyOptions: ({ user, session }: Principal, from: string, by: Actor) =>
      throttle.passkeyAsked(from, () => passkeyProofs.options({ purpose: 'step-up', user, session }, by)),
  }
}
