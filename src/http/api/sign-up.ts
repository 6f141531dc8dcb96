/** Signing up with a mailed link; and taking an invitation, with the account that is made for it or as who is signed in. */
import { Type } from 'typebox'
import type { AccountHandlers } from '../handlers/account.js'
import type { App } from '../shapes/app.js'
import {
  Accepted,
  Body,
  Email,
  forAnyone,
  forSessions,
  jsonProblems,
  LinkToken,
  Opened,
  operation,
  Password,
  Text,
  userProblems,
} from '../shapes/schemas.js'

export function signUpRoutes(app: App, acts: AccountHandlers): void {
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
      refuses: [
        ...jsonProblems,
        'link_invalid',
        'weak_password',
        'unauthenticated',
        'too_many_requests',
        'busy',
      ],
    }),
    (request, reply) => acts.verifySignUp(request, reply, request.body),
  )
}

/** Outside the signed-in context. */
export function invitationSignUpRoute(app: App, acts: AccountHandlers): void {
  app.post(
    '/v1/invitations/sign-up',
    operation('sign-up', forAnyone, 'signUpByInvitation', {
      summary: 'Take an invitation by making an account for its address, and open the session',
      body: Body({ token: LinkToken, password: Password, name: Type.Optional(Text(100)) }),
      answers: { 201: Opened },
      refuses: [
        ...jsonProblems,
        'link_invalid',
        'weak_password',
        'unauthenticated',
        'too_many_requests',
        'busy',
      ],
    }),
    (request, reply) => acts.signUpByInvitation(request, reply, request.body),
  )
}

/** In the signed-in context. */
export function acceptInvitationRoute(app: App, acts: AccountHandlers): void {
  app.post(
    '/v1/invitations/accept',
    operation('session', forSessions, 'acceptInvitation', {
      summary: 'Take an invitation that was sent to the address of who is signed in',
      body: Body({ token: LinkToken }),
      answers: {
        200: Type.Object(
          { tenant: Type.String() },
          { title: 'AcceptedInvitation', description: 'A member of this tenant now.' },
        ),
      },
      refuses: [...userProblems, 'link_invalid'],
    }),
    request => acts.acceptInvitation(request, request.body.token),
  )
}
