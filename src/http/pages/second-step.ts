/** The second step of a sign-in: a code of an authenticator app, or a recovery code. */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { type Html, html } from '../../core/html.js'
import type { FactorHandlers } from '../handlers/factors.js'
import { catalogue, type ErrorCode } from '../middleware/problem.js'
import { codeIn, codeMembers } from '../shapes/codes.js'
import {
  type Asked,
  afterFault,
  afterRecoveryCode,
  askedFor,
  besideCode,
  codeField,
  withoutSpaces,
} from './code-fields.js'
import { type Destination, type Frame, leading, parameter, ReturnTo, secondStepFor } from './frame.js'
import { buttonForm, type Fault, hidden, nothing, type Page } from './layout.js'

/** For anyone: what counts is the pending sign-in of the browser. */
export function secondStepPages(app: FastifyInstance, frame: Frame, acts: FactorHandlers): void {
  frame.get(app, '/second-step', request => step(request, askedFor(parameter(request, 'with'))))
  frame.post(app, '/second-step', {
    fields: { ...codeMembers, return_to: ReturnTo },
    async work(request, reply, form) {
      const code = codeIn(withoutSpaces(form))
      await acts.completeSignIn(request, reply, code)
      if ('recoveryCode' in code) return afterRecoveryCode(await frame.destination(request))
      return frame.after(request, '/')
    },
    again: (fault, request, form) =>
      step(request, form.recovery_code === undefined ? 'code' : 'recovery_code', fault),
  })
  frame.post(app, '/second-step/cancel', {
    fields: { return_to: ReturnTo },
    async work(request, reply) {
      await acts.cancelSignIn(request, reply)
      return leading('/sign-in?cancelled=1', (await frame.destination(request))?.address)
    },
    again: (fault, request) => step(request, 'code', fault),
  })

  async function step(request: FastifyRequest, wanted: Asked, wrong?: Fault): Promise<string | Page> {
    const [to, next] = await Promise.all([frame.destination(request), acts.pending(request)])
    // What we could not do is said here, whether or not it was done: nobody is led on from it.
    const failed = wrong !== undefined && catalogue[wrong.code as ErrorCode][0] >= 500
    if (!failed && (!next || wrong?.code === 'sign_in_expired'))
      return leading(wrong ? '/sign-in?expired=1' : '/sign-in', to?.address)
    const recoveryCodes = next?.includes('recovery_code') === true
    const { asked, fault } = afterFault(recoveryCodes ? wanted : 'code', wrong, recoveryCodes)
    return page(to, asked, recoveryCodes, fault)
  }
}

function page(
  to: Destination | undefined,
  asked: Asked,
  recoveryCodes: boolean,
  fault: Fault | undefined,
): Page {
  const back = hidden('return_to', to?.address)
  const byRecoveryCode = asked === 'recovery_code'
  return {
    title: byRecoveryCode ? 'Enter a recovery code' : 'Enter your code',
    lead: byRecoveryCode
      ? 'Each recovery code works once.'
      : html`One more step to sign in${to?.application ? ` to ${to.application.name}` : ''}.`,
    fault: besideCode(asked, fault),
    returnTo: to?.application?.origin,
    body: html`<form method="post" action="/second-step">
${back}
${codeField(asked, fault)}
<button>Sign in</button>
</form>
${fault?.code === 'codes_locked' ? nothing : otherWay(to, asked, recoveryCodes)}
${buttonForm('/second-step/cancel', 'Cancel', back)}`,
  }
}

function otherWay(to: Destination | undefined, asked: Asked, recoveryCodes: boolean): Html {
  if (asked === 'recovery_code')
    return html`<p class="other"><a href="${secondStepFor(to?.address)}">Use a code from your app</a></p>`
  const other = recoveryCodes
    ? html`<a href="${leading('/second-step?with=recovery_code', to?.address)}">Use a recovery code</a>`
    : 'Ask the operator of this service for help.'
  return html`<p class="other">Don’t have your app? ${other}</p>`
}
