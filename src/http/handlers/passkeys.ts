/** What routes do about passkeys: the use case asked, the cookie set, or the problem thrown. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { PasskeyRegistration } from '../../accounts/passkey-registration.js'
import type { PasskeySignIn } from '../../accounts/passkey-sign-in.js'
import { newSecret } from '../../core/secret.js'
import { addressOf, browserOf } from '../middleware/browser.js'
import { readPasskeyCookie, setPasskeyCookie } from '../middleware/cookie.js'
import type { Metrics } from '../middleware/metrics.js'
import { opened } from '../middleware/opened.js'
import { type ErrorCode, Problem } from '../middleware/problem.js'
import { ownerOf, strong } from './factors.js'

export interface PasskeyHandlerParts {
  readonly passkeySignIn: PasskeySignIn
  readonly passkeyRegistration: PasskeyRegistration
  readonly metrics: Metrics
}

export type PasskeyHandlers = ReturnType<typeof createPasskeyHandlers>

/** Of the others only that it was not accepted. */
const rejections: Partial<Record<string, ErrorCode>> = { 'too-many': 'too_many_passkeys' }

export function createPasskeyHandlers(parts: PasskeyHandlerParts) {
  const { passkeySignIn, passkeyRegistration, metrics } = parts

  return {
    async signInOptions(request: FastifyRequest, reply: FastifyReply) {
      const holder = readPasskeyCookie(request) ?? newSecret()
      const options = await passkeySignIn.options(holder, addressOf(request))
      setPasskeyCookie(reply, holder)
      return options
    },

    async signIn(request: FastifyRequest, reply: FastifyReply, response: unknown) {
      const answer = await passkeySignIn.signIn(readPasskeyCookie(request), response, browserOf(request))
      if ('pending' in answer) throw new Error('a passkey alone was not enough')
      metrics.signIn('refused' in answer ? answer.refused : 'opened')
      if (!('refused' in answer)) return opened(request, reply, answer)
      request.log.info(answer, 'sign-in by passkey failed')
      throw new Problem('passkey_failed')
    },

    async registrationOptions(request: FastifyRequest, firstStep: boolean) {
      const asked = { firstStep, from: addressOf(request) }
      const options = strong(await passkeyRegistration.options(ownerOf(request), asked))
      if (options === 'too-many') throw new Problem('too_many_passkeys')
      return options
    },

    async register(request: FastifyRequest, response: unknown, name?: string) {
      const answer = strong(await passkeyRegistration.complete(ownerOf(request), response, name))
      if (!('refused' in answer)) return answer
      request.log.info(answer, 'a passkey was not registered')
      throw new Problem(rejections[answer.refused] ?? 'passkey_rejected')
    },
  }
}
