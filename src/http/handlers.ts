/** What a JSON route and the hosted form beside it do alike: the domain asked, refusals recorded, the cookie set. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Finish, SignedIn as Opening } from '../accounts/finish.js'
import type { Invitations } from '../accounts/invitations.js'
import type { PasswordChanger } from '../accounts/password-change.js'
import type { PasswordReset } from '../accounts/password-reset.js'
import type { PasswordSignIn } from '../accounts/password-sign-in.js'
import type { SignUp, SignUpRefusal } from '../accounts/sign-up.js'
import type { StepUp } from '../accounts/step-up.js'
import type { Throttle } from '../accounts/throttle.js'
import type { AuditAction, RecordRefusal } from '../audit/events.js'
import { Problem } from '../core/errors.js'
import type { SessionId, TenantId, UserId } from '../core/principal.js'
import { newCredential } from '../sessions/credential.js'
import type { Revocations } from '../sessions/revocations.js'
import type { Sessions } from '../sessions/sessions.js'
import { addressOf, browserOf, occasionOf } from './middleware/browser.js'
import {
  clearSessionCookie,
  readResetCookie,
  readSessionCookie,
  setResetCookie,
  setSessionCookie,
} from './middleware/cookie.js'
import type { Metrics } from './middleware/metrics.js'
import { opened } from './middleware/opened.js'
import { bySession, signedIn } from './middleware/signed-in.js'

export interface ActParts {
  readonly sessions: Sessions
  readonly revocations: Revocations
  readonly passwordSignIn: PasswordSignIn
  readonly finish: Finish
  readonly signUp: SignUp
  readonly passwordReset: PasswordReset
  readonly changePassword: PasswordChanger
  readonly stepUp: StepUp
  readonly invitations: Invitations
  readonly throttle: Pick<Throttle, 'signOut'>
  readonly refused: RecordRefusal
  readonly metrics: Metrics
}

/** With a token from a mailed link somebody chooses a password and is signed in. */
interface ByLink {
  readonly token: string
  readonly password: string
  readonly name?: string | undefined
}

export type Acts = ReturnType<typeof createActs>

/** Each answers what was done, or throws the `Problem` that says why not. */
export function createActs(parts: ActParts) {
  const { sessions, revocations, passwordSignIn, finish, refused, metrics } = parts

  async function refuseSignIn(request: FastifyRequest, reason: string, actor: UserId | undefined) {
    metrics.signIn(reason)
    request.log.info({ refused: reason, user: actor }, 'sign-in refused')
    await refused({ action: 'session.opened', reason, actor, occasion: occasionOf(request) })
    return new Problem('invalid_credentials')
  }

  /** Of somebody who is signed in. */
  async function record(request: FastifyRequest, action: AuditAction, reason: string): Promise<void> {
    const { user: actor, session } = signedIn(request).live.principal
    await refused({ action, reason, actor, session, occasion: occasionOf(request) })
  }

  return {
    async signIn(request: FastifyRequest, reply: FastifyReply, who: { email: string; password: string }) {
      const answer = await passwordSignIn.prove(
        who.email,
        who.password,
        addressOf(request),
        readResetCookie(request),
      )
      if ('refused' in answer) throw await refuseSignIn(request, answer.refused, answer.user)
      const opening = await finish(answer.identity, browserOf(request))
      if (!opening) throw await refuseSignIn(request, 'credential-changed', answer.identity.user)
      metrics.signIn('opened')
      return opened(request, reply, opening)
    },

    /** With a session or without: signing out twice is no error. */
    async signOut(request: FastifyRequest, reply: FastifyReply): Promise<void> {
      const credential = readSessionCookie(request)
      const ending = credential ? await sessions.end(credential, occasionOf(request)) : 'ended'
      if (ending !== 'ended') {
        // Anybody may have made that cookie up, and each costs a row.
        await parts.throttle.signOut(addressOf(request), () => ending.refuse())
      }
      clearSessionCookie(reply)
    },

    /** `returnTo` is an address that was checked: the link leads on to it. */
    async askForSignUp(request: FastifyRequest, email: string, returnTo?: string): Promise<void> {
      if (!(await parts.signUp.begin(email, addressOf(request), returnTo))) throw new Problem('invalid_email')
    },

    async verifySignUp(request: FastifyRequest, reply: FastifyReply, { token, password, name }: ByLink) {
      const answer = await parts.signUp.verify(token, password, name, browserOf(request))
      return opened(request, reply, welcomed(answer))
    },

    async signUpByInvitation(request: FastifyRequest, reply: FastifyReply, by: ByLink) {
      const answer = await parts.invitations.signUp(by.token, by.password, by.name, browserOf(request))
      return opened(request, reply, welcomed(answer))
    },

    async acceptInvitation(request: FastifyRequest, token: string) {
      const { user } = signedIn(request).live.principal
      const taken = await parts.invitations.accept(token, user, bySession(request))
      if (!taken) throw new Problem('link_invalid')
      return taken
    },

    async askForReset(request: FastifyRequest, email: string): Promise<void> {
      if (!(await parts.passwordReset.begin(email, addressOf(request)))) throw new Problem('invalid_email')
    },

    async resetPassword(
      request: FastifyRequest,
      reply: FastifyReply,
      { token, password }: ByLink,
    ): Promise<void> {
      const answer = await parts.passwordReset.complete(token, password, occasionOf(request))
      if (answer === 'link_invalid') throw new Problem('link_invalid')
      if ('weak' in answer) throw new Problem('weak_password', { detail: answer.weak })
      setResetCookie(reply, answer.pass)
    },

    async changePassword(
      request: FastifyRequest,
      reply: FastifyReply,
      { current_password, new_password }: { current_password: string; new_password: string },
    ): Promise<void> {
      const { live, credential } = signedIn(request)
      const { principal, profile } = live
      const answer = await parts.changePassword(
        principal,
        profile,
        credential,
        current_password,
        new_password,
        occasionOf(request),
      )
      if ('refused' in answer) {
        if (answer.refused === 'wrong_password') await record(request, 'password.changed', 'wrong-password')
        if (typeof answer.refused === 'string') throw new Problem(answer.refused)
        throw new Problem('weak_password', { detail: answer.refused.weak })
      }
      setSessionCookie(reply, answer.changed, live.now, principal.endsAt)
    },

    async stepUp(request: FastifyRequest, reply: FastifyReply, proof: { password: string }) {
      const { live, credential } = signedIn(request)
      const answer = await parts.stepUp(live.principal, credential, proof, occasionOf(request))
      if ('refused' in answer) {
        if (answer.refused === 'session_superseded') throw new Problem('session_superseded')
        request.log.info({ refused: answer.refused }, 'step-up refused')
        await record(request, 'session.proved', answer.refused)
        throw new Problem('wrong_password')
      }
      const { credential: renewed, now, endsAt } = answer.proved
      setSessionCookie(reply, renewed, now, endsAt)
      return answer.proved
    },

    async switchTenant(request: FastifyRequest, tenant: string | null): Promise<void> {
      const { live, credential } = signedIn(request)
      const to = tenant as TenantId | null
      const answer = await sessions.switchTenant(credential, live.principal.user, to, occasionOf(request))
      if (answer === 'superseded') throw new Problem('session_superseded')
      if (answer !== 'forbidden') return
      await record(request, 'session.tenant', 'tenant_forbidden')
      throw new Problem('tenant_forbidden')
    },

    /** Ending the session that asks signs out. */
    async endDevice(request: FastifyRequest, reply: FastifyReply, id: string): Promise<void> {
      const { user, session } = signedIn(request).live.principal
      const answer = await revocations.endOne(id as SessionId, user, bySession(request))
      if (answer === 'unknown') throw new Problem('not_found')
      if (id === session) clearSessionCookie(reply)
    },

    async endOtherDevices(request: FastifyRequest, reply: FastifyReply) {
      const { live, credential } = signedIn(request)
      const { user, endsAt } = live.principal
      const next = newCredential()
      const answer = await revocations.endOthers(
        {
          user,
          id: credential.id,
          provenSecretHash: credential.secret.hash(),
          next: { id: next.id, secretHash: next.secret.hash() },
        },
        bySession(request),
      )
      if (answer === 'gone') throw new Problem('unauthenticated')
      if (answer === 'superseded') throw new Problem('session_superseded')
      const { ended, renewed } = answer
      if (renewed !== undefined)
        setSessionCookie(reply, { id: renewed, secret: next.secret }, live.now, endsAt)
      return ended === undefined ? {} : { ended }
    },

    async endAllDevices(request: FastifyRequest, reply: FastifyReply) {
      const answer = await revocations.endAllOf(signedIn(request).live.principal.user, bySession(request))
      if (answer === 'unknown') throw new Problem('unauthenticated')
      clearSessionCookie(reply)
      return answer
    },
  }
}

function welcomed(answer: Opening | { readonly refused: SignUpRefusal }): Opening {
  if (!('refused' in answer)) return answer
  if (answer.refused === 'link_invalid') throw new Problem('link_invalid')
  throw new Problem('weak_password', { detail: answer.refused.weak })
}
