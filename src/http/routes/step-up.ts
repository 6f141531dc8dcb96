/** Step-up: proving oneself again while signed in. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { RecordRefusal } from '../../audit.js'
import { Problem } from '../../errors.js'
import type { StepUp } from '../../login/step-up.js'
import { occasionOf } from '../browser.js'
import { setSessionCookie } from '../cookie.js'
import { Body, forSessions, Instant, jsonProblems, Password, problems } from '../schemas.js'
import { signedIn } from '../signed-in.js'

const Proved = Type.Object(
  {
    session: Type.Object({
      id: Type.String(),
      auth_time: Instant,
      amr: Type.Array(Type.String(), { description: 'RFC 8176.' }),
      acr: Type.String(),
      ends_at: Instant,
    }),
  },
  { description: 'Proved, and `Set-Cookie` holds the renewed session.' },
)

/** In the signed-in context. */
export function stepUpRoute(stepUp: StepUp, refused: RecordRefusal): FastifyPluginAsyncTypebox {
  return async app => {
    app.post(
      '/v1/session/step-up',
      {
        schema: {
          operationId: 'stepUp',
          tags: ['session'],
          ...forSessions,
          summary: 'Prove yourself again: raises auth_time and renews the cookie',
          body: Body({ password: Password }),
          response: {
            200: Proved,
            ...problems(
              ...jsonProblems,
              'unauthenticated',
              'session_superseded',
              'wrong_password',
              'too_many_requests',
              'busy',
            ),
          },
        },
      },
      async (request, reply) => {
        const { live, credential } = signedIn(request)
        const { user: actor, session } = live.principal
        const occasion = occasionOf(request)
        const answer = await stepUp(live.principal, credential, request.body, occasion)
        if ('refused' in answer) {
          if (answer.refused === 'session_superseded') throw new Problem('session_superseded')
          request.log.info({ refused: answer.refused }, 'step-up refused')
          refused({ action: 'session.proved', reason: answer.refused, actor, session, occasion })
          throw new Problem('wrong_password')
        }
        const { credential: renewed, now, endsAt, identity } = answer.proved
        setSessionCookie(reply, renewed, now, endsAt)
        const { amr, acr } = identity
        return {
          session: { id: session, auth_time: Math.floor(now), amr: [...amr], acr, ends_at: endsAt },
        }
      },
    )
  }
}
