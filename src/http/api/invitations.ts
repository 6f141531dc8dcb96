/** Taking an invitation: as who is signed in, or by making an account with it. */
import { Type } from 'typebox'
import type { Acts } from '../handlers/account.js'
import type { App } from '../shapes/app.js'
import {
  Body,
  forAnyone,
  forSessions,
  jsonProblems,
  LinkToken,
  Opened,
  operation,
  Password,
  personProblems,
  Text,
} from '../shapes/schemas.js'

/** Outside the signed-in context. */
export function invitationSignUpRoute(app: App, acts: Acts): void {
  app.post(
    '/v1/invitations/sign-up',
    operation('sign-up', forAnyone, 'signUpByInvitation', {
      summary: 'Take an invitation by making an account for its address, and open the session',
      body: Body({ token: LinkToken, password: Password, name: Type.Optional(Text(100)) }),
      answers: { 201: Opened },
      refuses: [...jsonProblems, 'link_invalid', 'weak_password', 'too_many_requests', 'busy'],
    }),
    (request, reply) => acts.signUpByInvitation(request, reply, request.body),
  )
}

/** In the signed-in context. */
export function acceptInvitationRoute(app: App, acts: Acts): void {
  app.post(
    '/v1/invitations/accept',
    operation('session', forSessions, 'acceptInvitation', {
      summary: 'Take an invitation that was sent to the address of who is signed in',
      body: Body({ token: LinkToken }),
      answers: {
        200: Type.Object({ tenant: Type.String() }, { description: 'A member of this tenant now.' }),
      },
      refuses: [...personProblems, 'link_invalid'],
    }),
    request => acts.acceptInvitation(request, request.body.token),
  )
}
