/** What pages and JSON routes do about second factors alike: the use case asked, the cookie set, or the problem thrown. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { FactorManagement, Owner } from '../../accounts/factor-management.js'
import type { SecondProof, SecondStep, SecondStepRefusal } from '../../accounts/second-step.js'
import { addressOf, browserOf } from '../middleware/browser.js'
import { clearPendingCookie, readPendingCookie } from '../middleware/cookie.js'
import { stepUpSeconds } from '../middleware/fresh-proof.js'
import type { Metrics } from '../middleware/metrics.js'
import { opened } from '../middleware/opened.js'
import { type ErrorCode, Problem } from '../middleware/problem.js'
import { bySession, principalOf, signedIn } from '../middleware/signed-in.js'

export interface FactorHandlerParts {
  readonly secondStep: SecondStep
  readonly factorManagement: FactorManagement
  readonly metrics: Metrics
}

export type FactorHandlers = ReturnType<typeof createFactorHandlers>

const refusals: Readonly<Record<SecondStepRefusal, ErrorCode>> = {
  'no-pending': 'sign_in_expired',
  'credential-changed': 'sign_in_expired',
  'wrong-code': 'wrong_code',
  'no-factor': 'wrong_code',
  'codes-locked': 'codes_locked',
  'passkey-failed': 'passkey_failed',
}

export function createFactorHandlers({ secondStep, factorManagement, metrics }: FactorHandlerParts) {
  return {
    /** What may follow the first step in this browser; undefined: nothing was begun, or it is over. */
    async pending(request: FastifyRequest) {
      const pending = readPendingCookie(request)
      return pending && secondStep.read(pending)
    },

    async completeSignIn(request: FastifyRequest, reply: FastifyReply, proof: SecondProof) {
      const pending = readPendingCookie(request)
      if (!pending) throw new Problem('sign_in_expired')
      const answer = await secondStep.complete(pending, proof, browserOf(request))
      metrics.signIn('refused' in answer ? answer.refused : 'opened')
      if (!('refused' in answer)) return opened(request, reply, answer)
      request.log.info(answer, 'second step failed')
      throw new Problem(refusals[answer.refused])
    },

    async passkeyOptions(request: FastifyRequest) {
      const pending = readPendingCookie(request)
      const options = pending && (await secondStep.passkeyOptions(pending, addressOf(request)))
      if (!options) throw new Problem('sign_in_expired')
      return options
    },

    /** With a pending sign-in or without: who gives up twice is told the same. */
    async cancelSignIn(request: FastifyRequest, reply: FastifyReply): Promise<void> {
      const pending = readPendingCookie(request)
      if (pending) await secondStep.cancel(pending)
      clearPendingCookie(reply)
    },

    list: (request: FastifyRequest) => factorManagement.of(principalOf(request)),

    beginTotp: async (request: FastifyRequest, name?: string) =>
      strong(await factorManagement.beginTotp(ownerOf(request), name)),

    unconfirmedTotp: (request: FastifyRequest) => factorManagement.unconfirmedTotp(ownerOf(request)),

    async confirmTotp(request: FastifyRequest, code: string) {
      const answer = strong(await factorManagement.confirmTotp(ownerOf(request), code))
      if (answer === 'unknown') throw new Problem('not_found')
      if (answer === 'wrong-code') throw new Problem('wrong_code')
      return answer.recoveryCodes
    },

    async rename(request: FastifyRequest, id: string, name: string): Promise<void> {
      known(strong(await factorManagement.rename(ownerOf(request), id, name)))
    },

    async remove(request: FastifyRequest, id: string): Promise<void> {
      const answer = known(strong(await factorManagement.remove(ownerOf(request), id)))
      if (answer === 'last-way-in') throw new Problem('last_way_in')
    },

    async replaceCodes(request: FastifyRequest) {
      return known(strong(await factorManagement.replaceCodes(ownerOf(request)))).recoveryCodes
    },

    async stopReset(request: FastifyRequest): Promise<void> {
      if (!(await factorManagement.stopReset(ownerOf(request)))) throw new Problem('not_found')
    },
  }
}

export function ownerOf(request: FastifyRequest): Owner {
  const { principal, profile } = signedIn(request).live
  return { principal, ...profile, actor: bySession(request) }
}

/** Who has a second factor changes nothing of it with less. */
export function strong<Answer>(answer: Answer): Exclude<Answer, 'weak'> {
  if (answer === 'weak')
    throw new Problem('insufficient_user_authentication', { maxAgeSeconds: stepUpSeconds, acrValues: 'aal2' })
  return answer as Exclude<Answer, 'weak'>
}

function known<Answer>(answer: Answer): Exclude<Answer, 'unknown'> {
  if (answer === 'unknown') throw new Problem('not_found')
  return answer as Exclude<Answer, 'unknown'>
}
