/** A person's devices: the list, ending one, ending all others or all. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { By } from '../../audit.js'
import { Problem } from '../../errors.js'
import type { SessionId } from '../../principal.js'
import type { Revocations } from '../../session/revocations.js'
import { describeSession } from '../admin/describe.js'
import { occasionOf } from '../browser.js'
import { clearSessionCookie } from '../cookie.js'
import { forSessions, Instant, jsonProblems, Nothing, problems, SessionHandle } from '../schemas.js'
import { type SignedIn, signedIn } from '../signed-in.js'

const Device = Type.Object({
  id: Type.String(),
  current: Type.Boolean({ description: 'Whether it is the session that asks.' }),
  device: Type.Union([Type.String(), Type.Null()], {
    description: 'The user agent in words, like "Firefox on Linux"; null when it says nothing that is known.',
  }),
  user_agent: Type.String({ description: 'As the browser sent it at sign-in, at most 256 characters.' }),
  address: Type.String({ description: 'The network address at sign-in.' }),
  created_at: Instant,
  last_seen_at: Type.Integer({
    description: 'A NumericDate; moved at most once in 1/500 of the idle limit, and at least a minute apart.',
  }),
  ends_at: Instant,
})

/** In the signed-in context. */
export function deviceListRoute(revocations: Revocations): FastifyPluginAsyncTypebox {
  return async app => {
    app.get(
      '/v1/sessions',
      {
        schema: {
          operationId: 'listSessions',
          tags: ['devices'],
          ...forSessions,
          summary: 'The devices on which this person is signed in, the latest used first',
          response: {
            200: Type.Object({ sessions: Type.Array(Device) }, { description: 'The live sessions.' }),
            ...problems('unauthenticated', 'session_superseded', 'insecure_transport', 'unavailable'),
          },
        },
      },
      async request => {
        const { user, session } = signedIn(request).live.principal
        const listed = await revocations.list(user)
        const sessions = listed.map(one => ({ ...describeSession(one), current: one.id === session }))
        return { sessions }
      },
    )
  }
}

const proofProblems = [
  ...jsonProblems,
  'unauthenticated',
  'session_superseded',
  'insufficient_user_authentication',
] as const

/** In the freshly proved context. */
export function endDeviceRoutes(revocations: Revocations): FastifyPluginAsyncTypebox {
  return async app => {
    app.delete(
      '/v1/sessions/:id',
      {
        schema: {
          operationId: 'endSession',
          tags: ['devices'],
          ...forSessions,
          summary: 'End one session of this person; ending the one that asks signs out',
          params: Type.Object({ id: SessionHandle }),
          response: {
            204: Nothing('It has ended, now or before.'),
            ...problems(...proofProblems, 'not_found'),
          },
        },
      },
      async (request, reply) => {
        const id = request.params.id as SessionId
        const { principal } = signedIn(request).live
        const answer = await revocations.endOne(
          id,
          principal.user,
          by(signedIn(request), occasionOf(request)),
        )
        if (answer === 'unknown') throw new Problem('not_found')
        if (id === principal.session) clearSessionCookie(reply)
        return reply.code(204).send(null)
      },
    )

    app.delete(
      '/v1/sessions',
      {
        schema: {
          operationId: 'endSessions',
          tags: ['devices'],
          ...forSessions,
          summary: 'End all other sessions of this person, or all',
          querystring: Type.Object(
            {
              scope: Type.Optional(
                Type.Union([Type.Literal('others'), Type.Literal('all')], {
                  description: '`others` (default) keeps the session that asks; `all` signs out everywhere.',
                }),
              ),
            },
            { additionalProperties: false },
          ),
          response: {
            200: Type.Object(
              { ended: Type.Integer({ description: 'How many were live.' }) },
              { description: 'They have ended.' },
            ),
            ...problems(...proofProblems),
          },
        },
      },
      async (request, reply) => {
        const { live, credential } = signedIn(request)
        const { user } = live.principal
        const who = by(signedIn(request), occasionOf(request))
        if (request.query.scope === 'all') {
          const answer = await revocations.endAllOf(user, who)
          if (answer === 'unknown') throw new Problem('unauthenticated')
          clearSessionCookie(reply)
          return answer
        }
        const own = { user, id: credential.id, provenSecretHash: credential.secret.hash() }
        const answer = await revocations.endOthers(own, who)
        if (answer === 'gone') throw new Problem('unauthenticated')
        if (answer === 'superseded') throw new Problem('session_superseded')
        return answer
      },
    )
  }
}

function by({ live }: SignedIn, occasion: By['occasion']): By {
  return { actor: live.principal.user, occasion }
}
