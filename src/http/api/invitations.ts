/** Taking an invitation: as who is signed in, or by making an account with it. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { Acts } from '../handlers.js'
import {
  Body,
  forAnyone,
  forSessions,
  jsonProblems,
  LinkToken,
  Opened,
  Password,
  problems,
  Text,
} from './schemas.js'

/** Outside the signed-in context. */
export function invitationSignUpRoute(acts: Acts): FastifyPluginAsyncTypebox {
  return async app => {
    app.post(
      '/v1/invitations/sign-up',
      {
        schema: {
          operationId: 'signUpByInvitation',
          tags: ['sign-up'],
          ...forAnyone,
          summary: 'Take an invitation by making an account for its address, and open the session',
          body: Body({ token: LinkToken, password: Password, name: Type.Optional(Text(100)) }),
          response: {
            201: Opened,
            ...problems(...jsonProblems, 'link_invalid', 'weak_password', 'too_many_requests', 'busy'),
          },
        },
      },
      (request, reply) => acts.signUpByInvitation(request, reply, request.body),
    )
  }
}

/** In the signed-in context. */
export function acceptInvitationRoute(acts: Acts): FastifyPluginAsyncTypebox {
  return async app => {
    app.post(
      '/v1/invitations/accept',
      {
        schema: {
          operationId: 'acceptInvitation',
          tags: ['session'],
          ...forSessions,
          summary: 'Take an invitation that was sent to the address of who is signed in',
          body: Body({ token: LinkToken }),
          response: {
            200: Type.Object({ tenant: Type.String() }, { description: 'A member of this tenant now.' }),
            ...problems(
              ...jsonProblems,
              'unauthenticated',
              'session_superseded',
              'link_invalid',
              'too_many_requests',
              'busy',
            ),
          },
        },
      },
      request => acts.acceptInvitation(request, request.body.token),
    )
  }
}
