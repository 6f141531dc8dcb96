/** Signing up with a mailed link; and taking an invitation, with the account that is made for it or as who is signed in. */
import { Type } from 'typebox'
import type { AccountHandlers } from '../handlers/account.js'
import type { App } from '../shapes/app.js'
import { SecondStepNeeded } from '../shapes/codes.js'
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

/** What a link that makes an account takes, and is answered. */
const accountByLink = (operationId: string, summary: string) =>
  operation('sign-up', forAnyone, operationId, {
    revokes: 'its session',
    summary,
    body: Body({ token: LinkToken, password: Password, name: Type.Optional(Text(100)) }),
    answers: { 201: Opened, 202: SecondStepNeeded },
    refuses: [
      ...jsonProblems,
      'link_invalid',
      'weak_password',
      'unauthenticated',
      'too_many_requests',
      'busy',
    ],
  })

export function signUpRoutes(app: App, acts: AccountHandlers): void {
  app.post(
    '/v1/sign-up',
    operation('sign-up', forAnyone, 'signUp', {
      summary:
        'Request a sign-up link by email; the response is the same whether the address is known or not',
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
    accountByLink('verifySignUp', 'Use the link to set the password, and create a session'),
    (request, reply) => acts.verifySignUp(request, reply, request.body),
  )
}

/** Outside the signed-in context. */
export function invitationSignUpRoute(app: App, acts: AccountHandlers): void {
  app.post(
    '/v1/invitations/sign-up',
    accountByLink(
      'signUpByInvitation',
      'Accept an invitation with a new account for its address, and create a session',
    ),
    (request, reply) => acts.signUpByInvitation(request, reply, request.body),
  )
}

/** In the signed-in context. */
export function acceptInvitationRoute(app: App, acts: AccountHandlers): void {
  app.post(
    '/v1/invitations/accept',
    operation('session', forSessions, 'acceptInvitation', {
      summary: 'Accept an invitation that was sent to the address of the signed-in user',
      body: Body({ token: LinkToken }),
      answers: {
        200: Type.Object(
          { tenant: Type.String() },
          { title: 'AcceptedInvitation', description: 'The user is now a member of this tenant.' },
        ),
      },
      refuses: [...userProblems, 'link_invalid'],
    }),
    request => acts.acceptInvitation(request, request.body.token),
  )
}
