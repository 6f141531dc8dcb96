/** A user's devices: the list, ending one, ending all others or all. */
import { Type } from 'typebox'
import type { OwnSessions } from '../../sessions/own.js'
import { describeSession } from '../../sessions/revocations.js'
import type { AccountHandlers } from '../handlers/account.js'
import { principalOf } from '../middleware/signed-in.js'
import type { App } from '../shapes/app.js'
import { PageQuery, page, pageRequest, sessionListForm } from '../shapes/lists.js'
import {
  Ended,
  forSessions,
  Instant,
  Nothing,
  operation,
  ownListProblems,
  SessionHandle,
  userProblems,
} from '../shapes/schemas.js'

const Device = Type.Object(
  {
    id: Type.String(),
    current: Type.Boolean({ description: 'Whether this is the session of the request.' }),
    device: Type.Union([Type.String(), Type.Null()], {
      description:
        'A readable form of the user agent, like "Firefox on Linux". Null if it is not recognized.',
    }),
    user_agent: Type.String({ description: 'The `User-Agent` header at sign-in, at most 256 characters.' }),
    address: Type.String({ description: 'The IP address at sign-in.' }),
    created_at: Instant,
    last_seen_at: Type.Integer({
      format: 'int64',
      description:
        'A NumericDate. It is updated at most once in 1/500 of the idle limit, and at most once a minute.',
    }),
    ends_at: Instant,
  },
  { title: 'Device', description: 'An active session of the signed-in user.' },
)

/** In the signed-in context. */
export function deviceListRoute(app: App, own: OwnSessions): void {
  app.get(
    '/v1/sessions',
    operation('devices', forSessions, 'listSessions', {
      summary: 'List the devices on which the user is signed in, most recently used first',
      querystring: PageQuery,
      answers: {
        200: Type.Object(
          {
            sessions: Type.Array(Device),
            next_cursor: Type.Union([Type.String(), Type.Null()], {
              description: 'Null on the last page.',
            }),
          },
          {
            title: 'DevicePage',
            description: 'Active sessions. A session that is used between two requests moves to the front.',
          },
        ),
      },
      refuses: [...ownListProblems],
    }),
    async request => {
      const principal = principalOf(request)
      const listed = await own.list(principal, pageRequest(request.query, sessionListForm))
      const { items: sessions, next_cursor } = page(listed, one => ({
        ...describeSession(one),
        current: one.id === principal.session,
      }))
      return { sessions, next_cursor }
    },
  )
}

/** In the freshly proved context. */
export function endDeviceRoutes(app: App, acts: AccountHandlers): void {
  app.delete(
    '/v1/sessions/:id',
    operation('devices', forSessions, 'endSession', {
      revokes: 'always',
      summary: 'End one session of the signed-in user; ending the current one signs out',
      params: Type.Object({ id: SessionHandle }),
      answers: { 204: Nothing('The session has ended, now or earlier.') },
      refuses: [...userProblems, 'insufficient_user_authentication', 'not_found'],
    }),
    async (request, reply) => {
      await acts.endDevice(request, reply, request.params.id)
      return reply.code(204).send(null)
    },
  )

  app.delete(
    '/v1/sessions',
    operation('devices', forSessions, 'endSessions', {
      revokes: 'always',
      summary: 'End all other sessions of the signed-in user, or all of them',
      querystring: Type.Object(
        {
          scope: Type.Optional(
            Type.Union([Type.Literal('others'), Type.Literal('all')], {
              description: '`others` (default) keeps the current session. `all` signs out everywhere.',
            }),
          ),
        },
        { additionalProperties: false },
      ),
      answers: {
        200: Ended('The sessions have ended. If sessions are stored in Redis, `others` sets a new cookie.'),
      },
      refuses: [...userProblems, 'insufficient_user_authentication'],
    }),
    (request, reply) =>
      request.query.scope === 'all'
        ? acts.endAllDevices(request, reply)
        : acts.endOtherDevices(request, reply),
  )
}
