/** What a JSON route and the hosted form beside it do alike: the use case asked, the cookie set, or the problem thrown. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { ByLink, Choice, LinkKind, LinkRefusal } from '../../accounts/by-link.js'
import type { NotFinished } from '../../accounts/create-session.js'
import type { PasswordChanger } from '../../accounts/password-change.js'
import type { SignIn } from '../../accounts/sign-in.js'
import type { Proof, StepUp, StepUpRefusal } from '../../accounts/step-up.js'
import type { Throttle } from '../../accounts/throttle.js'
import type { SessionId, TenantId } from '../../core/principal.js'
import type { OwnSessions } from '../../sessions/own.js'
import type { Sessions } from '../../sessions/sessions.js'
import { addressOf, browserOf, contextOf } from '../middleware/browser.js'
import {
  clearSessionCookie,
  readResetCookie,
  readSessionCookie,
  setResetCookie,
  setSessionCookie,
} from '../middleware/cookie.js'
import type { Metrics } from '../middleware/metrics.js'
import { admitted } from '../middleware/opened.js'
import { type ErrorCode, Problem } from '../middleware/problem.js'
import { bySession, principalOf, signedIn } from '../middleware/signed-in.js'

export interface AccountHandlerParts {
  readonly sessions: Pick<Sessions, 'end'>
  readonly ownSessions: OwnSessions
  readonly signIn: SignIn
  readonly byLink: ByLink
  readonly changePassword: PasswordChanger
  readonly stepUp: StepUp
  readonly throttle: Pick<Throttle, 'signOut'>
  readonly metrics: Metrics
}

export type AccountHandlers = ReturnType<typeof createAccountHandlers>

/** Each answers what was done, or throws the `Problem` that says why not. */
export function createAccountHandlers(parts: AccountHandlerParts) {
  const { sessions, ownSessions, byLink, metrics } = parts

  return {
    async signIn(request: FastifyRequest, reply: FastifyReply, who: { email: string; password: string }) {
      const answer = await parts.signIn(who, browserOf(request), readResetCookie(request))
      metrics.signIn(outcomeOf(answer))
      if (!('refused' in answer)) return admitted(request, reply, answer)
      request.log.info(answer, 'sign-in failed')
      throw new Problem('invalid_credentials')
    },

    /** With a session or without: signing out twice is no error. */
    async signOut(request: FastifyRequest, reply: FastifyReply): Promise<void> {
      const credential = readSessionCookie(request)
      const ending = credential ? await sessions.end(credential, contextOf(request)) : 'ended'
      if (ending !== 'ended') {
        // Anybody may have made that cookie up, and each costs a row.
        await parts.throttle.signOut(addressOf(request), () => ending.refuse())
      }
      clearSessionCookie(reply)
    },

    /** `returnTo` is an address that was checked: the link leads on to it. */
    async askForSignUp(request: FastifyRequest, email: string, returnTo?: string): Promise<void> {
      if (!(await byLink.askForSignUp(email, addressOf(request), returnTo)))
        throw new Problem('invalid_email')
    },

    async verifySignUp(request: FastifyRequest, reply: FastifyReply, choice: Choice) {
      return admitted(request, reply, accepted(await byLink.signUp(choice, browserOf(request))))
    },

    async signUpByInvitation(request: FastifyRequest, reply: FastifyReply, choice: Choice) {
      return admitted(request, reply, accepted(await byLink.signUpByInvitation(choice, browserOf(request))))
    },

    async acceptInvitation(request: FastifyRequest, token: string) {
      const { live, credential } = signedIn(request)
      const { user } = live.principal
      const taken = await byLink.acceptInvitation(token, user, bySession(request), credential)
      if (!taken) throw new Problem('link_invalid')
      return taken
    },

    async addressed(request: FastifyRequest, kind: LinkKind, token: string) {
      const link = await byLink.addressed(kind, token, addressOf(request))
      if (!link) throw new Problem('link_invalid')
      return link
    },

    async askForReset(request: FastifyRequest, email: string): Promise<void> {
      if (!(await byLink.askForReset(email, addressOf(request)))) throw new Problem('invalid_email')
    },

    async resetPassword(request: FastifyRequest, reply: FastifyReply, choice: Choice): Promise<void> {
      setResetCookie(reply, accepted(await byLink.resetPassword(choice, contextOf(request))).pass)
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
        contextOf(request),
      )
      if ('refused' in answer) {
        if (typeof answer.refused === 'string') throw new Problem(answer.refused)
        throw new Problem('weak_password', { detail: answer.refused.weak })
      }
      setSessionCookie(reply, answer.changed, live.now, principal.endsAt)
    },

    async stepUp(request: FastifyRequest, reply: FastifyReply, proof: Proof) {
      const { live, credential } = signedIn(request)
      const answer = await parts.stepUp.stepUp(live.principal, credential, proof, bySession(request))
      if ('refused' in answer) {
        if (answer.refused === 'session_superseded') throw new Problem('session_superseded')
        request.log.info(answer, 'step-up failed')
        throw new Problem(stepUpRefusals[answer.refused] ?? 'wrong_password')
      }
      const { credential: renewed, now, endsAt } = answer.proved
      setSessionCookie(reply, renewed, now, endsAt)
      return answer.proved
    },

    stepUpOptions: (request: FastifyRequest) =>
      parts.stepUp.passkeyOptions(principalOf(request), addressOf(request), bySession(request)),

    async switchTenant(request: FastifyRequest, tenant: string | null): Promise<void> {
      const { live, credential } = signedIn(request)
      const to = tenant as TenantId | null
      const answer = await ownSessions.switchTenant(live.principal, credential, to, contextOf(request))
      if (answer === 'superseded') throw new Problem('session_superseded')
      if (answer === 'forbidden') throw new Problem('tenant_forbidden')
    },

    /** Ending the session that asks signs out. */
    async endDevice(request: FastifyRequest, reply: FastifyReply, id: string): Promise<void> {
      const principal = principalOf(request)
      const answer = await ownSessions.endOne(principal, id as SessionId, bySession(request))
      if (answer === 'unknown') throw new Problem('not_found')
      if (id === principal.session) clearSessionCookie(reply)
    },

    async endOtherDevices(request: FastifyRequest, reply: FastifyReply) {
      const { live, credential } = signedIn(request)
      const { principal } = live
      const answer = await ownSessions.endOthers(principal, credential, bySession(request))
      if (answer === 'gone') throw new Problem('unauthenticated')
      if (answer === 'superseded') throw new Problem('session_superseded')
      if (answer.renewed) setSessionCookie(reply, answer.renewed, live.now, principal.endsAt)
      return answer.ended
    },

    async endAllDevices(request: FastifyRequest, reply: FastifyReply) {
      const answer = await ownSessions.endAll(principalOf(request), bySession(request))
      if (answer === 'unknown') throw new Problem('unauthenticated')
      clearSessionCookie(reply)
      return answer
    },
  }
}

const outcomeOf = (answer: object) =>
  'refused' in answer ? String(answer.refused) : 'pending' in answer ? 'second-factor-required' : 'opened'

/** Of the others only that it was not the password. */
const stepUpRefusals: Partial<Record<StepUpRefusal, ErrorCode>> = {
  'second-factor-required': 'second_factor_required',
  'wrong-code': 'wrong_code',
  'no-factor': 'wrong_code',
  'codes-locked': 'codes_locked',
  'passkey-failed': 'passkey_failed',
}

const notFinished =
  'The account is there, but its password was changed, or it was disabled, at the same time. Sign in.'

function accepted<Done extends object>(
  answer: Done | LinkRefusal | NotFinished,
): Exclude<Done, LinkRefusal | NotFinished> {
  if (!('refused' in answer)) return answer as Exclude<Done, LinkRefusal | NotFinished>
  const { refused } = answer as LinkRefusal | NotFinished
  if (refused === 'link_invalid') throw new Problem(refused)
  if (refused === 'credential-changed') throw new Problem('unauthenticated', { detail: notFinished })
  throw new Problem('weak_password', { detail: refused.weak })
}
