/** Signing up: ask for a link, then choose the password with it. */
import { Type } from 'typebox'
import type { Acts } from '../handlers/account.js'
import type { App } from '../shapes/app.js'
import {
  Accepted,
  Body,
  Email,
  forAnyone,
  jsonProblems,
  LinkToken,
  Opened,
  operation,
  Password,
  Text,
} from '../shapes/schemas.js'

export function signUpRoutes(app: App, acts: Acts): void {
  app.post(
    '/v1/sign-up',
    operation('sign-up', forAnyone, 'signUp', {
      summary: 'Ask for a sign-up link by mail; the answer is the same whether the address is known or not',
      body: Body({ email: Email }),
      answers: { 202: Accepted },
      refuses: [...jsonProblems, 'invalid_email', 'too_many_requests'],
    }),
    async (request, reply) => {
      await acts.askForSignUp(request, request.body.email)
      return reply.code(202).send({ accepted: true })
    },
  )

  app.post(
    '/v1/sign-up/verify',
    operation('sign-up', forAnyone, 'verifySignUp', {
      summary: 'Consume the link, set the password, and open the session',
      body: Body({ token: LinkToken, password: Password, name: Type.Optional(Text(100)) }),
      answers: { 201: Opened },
      refuses: [...jsonProblems, 'link_invalid', 'weak_password', 'too_many_requests', 'busy'],
    }),
    (request, reply) => acts.verifySignUp(request, reply, request.body),
  )
}
