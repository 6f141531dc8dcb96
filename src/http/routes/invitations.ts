/** Taking an invitation: as who is signed in, or by making an account with it. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { Problem } from '../../errors.js'
import type { Invitations } from '../../login/invitations.js'
import { browserOf, occasionOf } from '../browser.js'
import { opened } from '../opened.js'
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
} from '../schemas.js'
import { signedIn } from '../signed-in.js'

/** Outside the signed-in context. */
export function invitationSignUpRoute(invitations: Invitations): FastifyPluginAsyncTypebox {
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
      async (request, reply) => {
        const { token, password, name } = request.body
        const answer = await invitations.signUp(token, password, name, browserOf(request))
        if ('refused' in answer) {
          if (answer.refused === 'link_invalid') throw new Problem('link_invalid')
          throw new Problem('weak_password', { detail: answer.refused.weak })
        }
        return opened(request, reply, answer)
      },
    )
  }
}

/** In the signed-in context. */
export function acceptInvitationRoute(invitations: Invitations): FastifyPluginAsyncTypebox {
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
            ),
          },
        },
      },
      async request => {
        const { user } = signedIn(request).live.principal
        const by = { actor: user, occasion: occasionOf(request) }
        const taken = await invitations.accept(request.body.token, user, by)
        if (!taken) throw new Problem('link_invalid')
        return taken
      },
    )
  }
}
