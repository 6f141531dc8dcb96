/** What pages and JSON routes do about providers alike: begin, come back, unlink; the cookie set, or the problem thrown. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { FederationRefusal } from '../../accounts/federated-outcome.js'
import type { Completed, Federation } from '../../accounts/federated-sign-in.js'
import type { SignInMethods } from '../../accounts/sign-in-methods.js'
import type { FederatedIdentityId } from '../../core/principal.js'
import type { Purpose } from '../../federation/flow.js'
import type { Sessions } from '../../sessions/sessions.js'
import { addressOf, browserOf } from '../middleware/browser.js'
import { readFlowCookie, setFlowCookie, setSessionCookie } from '../middleware/cookie.js'
import type { Metrics } from '../middleware/metrics.js'
import { admitted } from '../middleware/opened.js'
import { type ErrorCode, Problem } from '../middleware/problem.js'
import { bySession, signedIn, userOf, visitorOf } from '../middleware/signed-in.js'
import { strong } from './factors.js'

export interface FederationHandlerParts {
  readonly federation: Federation
  readonly signInMethods: SignInMethods
  readonly sessions: Sessions
  readonly metrics: Metrics
}

/** What the user is told; the reason itself is for the log. */
export const refusals: Readonly<Record<FederationRefusal, ErrorCode>> = {
  'no-flow': 'federation_failed',
  declined: 'federation_failed',
  'not-believed': 'federation_failed',
  disabled: 'federation_failed',
  'turned-off': 'federation_failed',
  'signed-out-meanwhile': 'federation_failed',
  'not-linked': 'federation_failed',
  'not-fresh': 'federation_failed',
  'credential-changed': 'federation_failed',
  'second-factor-required': 'second_factor_required',
  unavailable: 'provider_unavailable',
  busy: 'busy',
  'account-exists': 'account_exists',
  'address-unverified': 'address_unverified',
  'sign-up-closed': 'sign_up_closed',
  'identity-taken': 'identity_taken',
}

const details: Readonly<Partial<Record<FederationRefusal, string>>> = {
  'no-flow':
    'This sign-in was started in another browser, took longer than ten minutes or was already completed. Start again.',
  declined: 'The provider did not sign you in, or you cancelled there.',
  'not-believed': 'The provider’s answer could not be verified. Start again.',
  'signed-out-meanwhile':
    'You were signed out, or a different user is signed in now. Sign in and start again.',
  'not-linked': 'That provider account is not linked to your account.',
  'not-fresh': 'The provider did not ask you to sign in again, so this does not confirm that it is you.',
}

export type FederationHandlers = ReturnType<typeof createFederationHandlers>

export function createFederationHandlers(parts: FederationHandlerParts) {
  const { federation, signInMethods, sessions, metrics } = parts

  return {
    offered: federation.offered,

    /** Answers where the user goes. `returnTo` is an address that was checked. */
    async begin(
      request: FastifyRequest,
      reply: FastifyReply,
      wanted: { provider: string; purpose: Purpose; returnTo: string | undefined },
    ) {
      const { provider, purpose, returnTo } = wanted
      const user = purpose === 'sign-in' ? undefined : signedIn(request).live.principal.user
      const secret = readFlowCookie(request)
      const begun = await federation.begin({ provider, purpose, returnTo, user, secret }, addressOf(request))
      if ('refused' in begun) throw new Problem('not_found')
      if ('unavailable' in begun) {
        request.log.warn({ provider, unavailable: begun.unavailable }, 'a provider cannot be reached')
        throw new Problem('provider_unavailable', { retryAfterSeconds: 30 })
      }
      setFlowCookie(reply, begun.secret)
      return begun
    },

    /** What came of it, with the cookie set; or the problem, said of the provider by its name. */
    async complete(
      request: FastifyRequest,
      reply: FastifyReply,
      provider: string,
    ): Promise<Completed & { readonly problem: Problem | undefined }> {
      // A query may have more question marks in it (RFC 3986, section 3.4).
      const [, answer = ''] = /\?(.*)/.exec(request.url) ?? []
      const { state } = request.query as Record<string, unknown>
      const completed = await federation.complete(
        provider,
        { answer, state },
        readFlowCookie(request),
        browserOf(request),
        async () => {
          const visitor = await visitorOf(request, sessions)
          return visitor && { principal: visitor.live.principal, credential: visitor.credential }
        },
      )
      const { outcome, purpose } = completed
      if ('opened' in outcome || 'pending' in outcome) {
        metrics.signIn('opened' in outcome ? 'opened' : 'second-factor-required')
        admitted(request, reply, 'opened' in outcome ? outcome.opened : outcome.pending)
        return { ...completed, problem: undefined }
      }
      if ('renewed' in outcome) {
        const { credential, now, endsAt } = outcome.renewed
        setSessionCookie(reply, credential, now, endsAt)
      }
      if (!('refused' in outcome)) return { ...completed, problem: undefined }
      const { refused: why, reason, user } = outcome
      if (purpose === 'sign-in') metrics.signIn(why)
      request.log.info({ provider, refused: why, reason, user }, 'provider sign-in failed')
      const detail = details[why]
      const retry = why === 'busy' || why === 'unavailable' ? { retryAfterSeconds: 30 } : {}
      const problem = new Problem(refusals[why], { ...(detail !== undefined && { detail }), ...retry })
      return { ...completed, problem }
    },

    waysOf: (request: FastifyRequest) => signInMethods.of(userOf(request)),

    async unlink(request: FastifyRequest, id: string): Promise<void> {
      const { principal, profile } = signedIn(request).live
      const identity = id as FederatedIdentityId
      const answer = await signInMethods.unlink(principal, identity, profile.email, bySession(request))
      if (strong(answer) === 'unknown') throw new Problem('not_found')
      if (answer === 'last-way-in') throw new Problem('last_way_in')
    },
  }
}
