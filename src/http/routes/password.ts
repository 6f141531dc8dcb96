/** Passwords: forgotten, reset by a link, changed while signed in. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { RecordRefusal } from '../../audit.js'
import { Problem } from '../../errors.js'
import type { PasswordChanger } from '../../login/password-change.js'
import type { PasswordReset } from '../../login/password-reset.js'
import { addressOf, occasionOf } from '../browser.js'
import { setSessionCookie } from '../cookie.js'
import {
  Accepted,
  Body,
  Email,
  forAnyone,
  forSessions,
  jsonProblems,
  LinkToken,
  Nothing,
  Password,
  problems,
} from '../schemas.js'
import { signedIn } from '../signed-in.js'

export function forgottenPasswordRoutes(reset: PasswordReset): FastifyPluginAsyncTypebox {
  return async app => {
    app.post(
      '/v1/password/forgot',
      {
        schema: {
          operationId: 'forgotPassword',
          tags: ['password'],
          ...forAnyone,
          summary: 'Ask for a reset link by mail; the answer is the same whether the address is known or not',
          body: Body({ email: Email }),
          response: { 202: Accepted, ...problems(...jsonProblems, 'invalid_email', 'too_many_requests') },
        },
      },
      async (request, reply) => {
        if (!(await reset.begin(request.body.email, addressOf(request)))) throw new Problem('invalid_email')
        return reply.code(202).send({ accepted: true })
      },
    )

    app.post(
      '/v1/password/reset',
      {
        schema: {
          operationId: 'resetPassword',
          tags: ['password'],
          ...forAnyone,
          summary: 'Consume the link and set a new password; every session of the person ends',
          body: Body({ token: LinkToken, password: Password }),
          response: {
            204: Nothing('The password is set. Sign in with it.'),
            ...problems(...jsonProblems, 'link_invalid', 'weak_password', 'too_many_requests', 'busy'),
          },
        },
      },
      async (request, reply) => {
        const answer = await reset.complete(request.body.token, request.body.password, occasionOf(request))
        if (answer === 'link_invalid') throw new Problem('link_invalid')
        if (answer !== 'reset') throw new Problem('weak_password', { detail: answer.weak })
        return reply.code(204).send(null)
      },
    )
  }
}

/** In the signed-in context. */
export function changePasswordRoute(
  change: PasswordChanger,
  refused: RecordRefusal,
): FastifyPluginAsyncTypebox {
  return async app => {
    app.put(
      '/v1/password',
      {
        schema: {
          operationId: 'changePassword',
          tags: ['password'],
          ...forSessions,
          summary:
            'Change the password: needs the current one, ends the other sessions, renews this one’s cookie',
          body: Body({ current_password: Password, new_password: Password }),
          response: {
            204: Nothing('The password is changed, and `Set-Cookie` holds the renewed session.'),
            ...problems(
              ...jsonProblems,
              'unauthenticated',
              'session_superseded',
              'wrong_password',
              'weak_password',
              'too_many_requests',
              'busy',
            ),
          },
        },
      },
      async (request, reply) => {
        const { live, credential } = signedIn(request)
        const { current_password, new_password } = request.body
        const occasion = occasionOf(request)
        const { principal, profile } = live
        const answer = await change(principal, profile, credential, current_password, new_password, occasion)
        if ('refused' in answer) {
          if (answer.refused === 'wrong_password') {
            const { user: actor, session } = principal
            refused({ action: 'password.changed', reason: 'wrong-password', actor, session, occasion })
          }
          if (typeof answer.refused === 'string') throw new Problem(answer.refused)
          throw new Problem('weak_password', { detail: answer.refused.weak })
        }
        setSessionCookie(reply, answer.changed, live.now, live.principal.endsAt)
        return reply.code(204).send(null)
      },
    )
  }
}
