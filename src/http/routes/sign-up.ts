/** Signing up: ask for a link, then choose the password with it. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { Problem } from '../../errors.js'
import type { SignUp } from '../../login/sign-up.js'
import { addressOf, browserOf } from '../browser.js'
import { opened } from '../opened.js'
import {
  Accepted,
  Body,
  Email,
  forAnyone,
  jsonProblems,
  LinkToken,
  Opened,
  Password,
  problems,
  Text,
} from '../schemas.js'

export function signUpRoutes(signUp: SignUp): FastifyPluginAsyncTypebox {
  return async app => {
    app.post(
      '/v1/sign-up',
      {
        schema: {
          operationId: 'signUp',
          tags: ['sign-up'],
          ...forAnyone,
          summary:
            'Ask for a sign-up link by mail; the answer is the same whether the address is known or not',
          body: Body({ email: Email }),
          response: { 202: Accepted, ...problems(...jsonProblems, 'invalid_email', 'too_many_requests') },
        },
      },
      async (request, reply) => {
        if (!(await signUp.begin(request.body.email, addressOf(request)))) throw new Problem('invalid_email')
        return reply.code(202).send({ accepted: true })
      },
    )

    app.post(
      '/v1/sign-up/verify',
      {
        schema: {
          operationId: 'verifySignUp',
          tags: ['sign-up'],
          ...forAnyone,
          summary: 'Consume the link, set the password, and open the session',
          body: Body({ token: LinkToken, password: Password, name: Type.Optional(Text(100)) }),
          response: {
            201: Opened,
            ...problems(...jsonProblems, 'link_invalid', 'weak_password', 'too_many_requests', 'busy'),
          },
        },
      },
      async (request, reply) => {
        const { token, password, name } = request.body
        const answer = await signUp.verify(token, password, name, browserOf(request))
        if ('refused' in answer) {
          if (answer.refused === 'link_invalid') throw new Problem('link_invalid')
          throw new Problem('weak_password', { detail: answer.refused.weak })
        }
        return opened(request, reply, answer)
      },
    )
  }
}
