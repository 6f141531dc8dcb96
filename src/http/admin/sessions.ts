/** Admin: where a person is signed in, and ending sessions: one, all of a person, all there are. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { may } from '../../core/authority.js'
import type { SessionId, UserId } from '../../core/principal.js'
import type { Revocations } from '../../sessions/revocations.js'
import { Ended, Id, Instant, Nothing, problems, SessionHandle } from '../api/schemas.js'
import { by, type Needs } from '../middleware/admin-context.js'
import { describeSession } from './describe.js'
import { accepted, adminProblems, forAdmins, PageOf, PageQuery, page, pageRequest } from './shapes.js'

const ListedSession = Type.Object({
  id: Type.String(),
  device: Type.Union([Type.String(), Type.Null()]),
  user_agent: Type.String(),
  address: Type.String(),
  created_at: Instant,
  last_seen_at: Instant,
  ends_at: Instant,
})
const UserPath = Type.Object({ user: Id })
/** When it was used last, in microseconds, and its id. */
export const listedForm = /^\d{1,16} [A-Za-z0-9_-]{21}[AQgw]$/
const ends: Needs = caller => may(caller, 'sessions:write')

export function sessionAdminRoutes(revocations: Revocations): FastifyPluginAsyncTypebox {
  return async app => {
    app.get(
      '/v1/admin/users/:user/sessions',
      {
        config: { needs: caller => may(caller, 'users:read') },
        schema: {
          operationId: 'listSessionsOfUser',
          ...forAdmins,
          summary: 'The live sessions of a person, the latest used first',
          params: UserPath,
          querystring: PageQuery,
          response: { 200: PageOf(ListedSession), ...problems(...adminProblems) },
        },
      },
      async ({ params, query }) =>
        page(await revocations.list(params.user as UserId, pageRequest(query, listedForm)), describeSession),
    )

    app.delete(
      '/v1/admin/users/:user/sessions',
      {
        config: { needs: ends },
        schema: {
          operationId: 'endSessionsOfUser',
          ...forAdmins,
          summary: 'End all sessions of a person',
          params: UserPath,
          response: { 200: Ended('They have ended.'), ...problems(...adminProblems, 'not_found') },
        },
      },
      async request => accepted(await revocations.endAllOf(request.params.user as UserId, by(request))),
    )

    app.delete(
      '/v1/admin/sessions/:session',
      {
        config: { needs: ends },
        schema: {
          operationId: 'endAnySession',
          ...forAdmins,
          summary: 'End one session of anybody',
          params: Type.Object({ session: SessionHandle }),
          response: {
            204: Nothing('It has ended, now or before.'),
            ...problems(...adminProblems, 'not_found'),
          },
        },
      },
      async (request, reply) => {
        accepted(await revocations.endOne(request.params.session as SessionId, 'anyone', by(request)))
        return reply.code(204).send(null)
      },
    )

    app.delete(
      '/v1/admin/sessions',
      {
        config: { needs: ends },
        schema: {
          operationId: 'endAllSessions',
          ...forAdmins,
          summary: 'End the sessions of everybody, the caller’s too',
          response: { 200: Ended('They have ended.'), ...problems(...adminProblems) },
        },
      },
      async request => revocations.endAll(by(request)),
    )
  }
}
