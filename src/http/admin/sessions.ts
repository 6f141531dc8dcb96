/** Admin: where a user is signed in, and ending sessions: one, all of a user, all there are. */
import { Type } from 'typebox'
import type { SessionId, UserId } from '../../core/principal.js'
import { describeSession, type Revocations } from '../../sessions/revocations.js'
import { adminActor, type Needs } from '../middleware/admin-context.js'
import type { App } from '../shapes/app.js'
import { PageOf, PageQuery, page, pageRequest, sessionListForm } from '../shapes/lists.js'
import { Ended, Id, Instant, Nothing, SessionHandle } from '../shapes/schemas.js'
import { accepted, operation, over } from './shapes.js'

const ListedSession = Type.Object(
  {
    id: Type.String(),
    device: Type.Union([Type.String(), Type.Null()]),
    user_agent: Type.String(),
    address: Type.String(),
    created_at: Instant,
    last_seen_at: Instant,
    ends_at: Instant,
  },
  { title: 'Session', description: 'An active session.' },
)
const UserPath = Type.Object({ user: Id })
const ends: Needs = over('sessions:write')

export function sessionAdminRoutes(app: App, revocations: Revocations): void {
  app.get(
    '/v1/admin/users/:user/sessions',
    operation(over('users:read'), 'listSessionsOfUser', {
      summary: 'List the active sessions of a user, most recently used first',
      params: UserPath,
      querystring: PageQuery,
      answers: { 200: PageOf(ListedSession) },
    }),
    async ({ params, query }) =>
      page(
        await revocations.list(params.user as UserId, pageRequest(query, sessionListForm)),
        describeSession,
      ),
  )

  app.delete(
    '/v1/admin/users/:user/sessions',
    operation(ends, 'endSessionsOfUser', {
      revokes: 'always',
      summary: 'End all sessions of a user',
      params: UserPath,
      answers: { 200: Ended('The sessions have ended.') },
      refuses: ['not_found'],
    }),
    async request => accepted(await revocations.endAllOf(request.params.user as UserId, adminActor(request))),
  )

  app.delete(
    '/v1/admin/sessions/:session',
    operation(ends, 'endAnySession', {
      revokes: 'always',
      summary: 'End one session of any user',
      params: Type.Object({ session: SessionHandle }),
      answers: { 204: Nothing('The session has ended, now or earlier.') },
      refuses: ['not_found'],
    }),
    async (request, reply) => {
      accepted(await revocations.endOne(request.params.session as SessionId, 'anyone', adminActor(request)))
      return reply.code(204).send(null)
    },
  )

  app.delete(
    '/v1/admin/sessions',
    operation(ends, 'endAllSessions', {
      revokes: 'always',
      summary: 'End all sessions of all users, including the caller',
      answers: { 200: Ended('The sessions have ended.') },
    }),
    async request => revocations.endAll(adminActor(request)),
  )
}
