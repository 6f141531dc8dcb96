/** Admin: the second factors of a user: which there are, removing them all, and forgetting wrong codes. */
import { Type } from 'typebox'
import type { FactorOperations } from '../../accounts/factor-operations.js'
import { describeFactors } from '../../accounts/factors.js'
import type { UserId } from '../../core/principal.js'
import { adminActor, type Needs } from '../middleware/admin-context.js'
import { Problem } from '../middleware/problem.js'
import type { App } from '../shapes/app.js'
import { FactorList } from '../shapes/factors.js'
import { Id, Instant, Nothing } from '../shapes/schemas.js'
import { accepted, found, operation, over } from './shapes.js'

const UserPath = Type.Object({ user: Id })
const reads: Needs = over('users:read')
const writes: Needs = over('users:write')

const RequestedReset = Type.Object(
  {
    due_at: Type.Union([Instant, Type.Null()], {
      description:
        'From when the next sign-in of the user removes the factors. Null if they were removed now.',
    }),
  },
  { title: 'FactorReset', description: 'A reset of second factors.' },
)

export function factorAdminRoutes(app: App, factors: FactorOperations): void {
  app.get(
    '/v1/admin/users/:user/factors',
    operation(reads, 'listFactorsOfUser', {
      summary: 'List the second factors of a user',
      params: UserPath,
      answers: { 200: FactorList },
      refuses: ['not_found'],
    }),
    async ({ params }) => describeFactors(found(await factors.of(params.user as UserId))),
  )

  app.post(
    '/v1/admin/users/:user/factors/reset',
    operation(writes, 'resetFactorsOfUser', {
      revokes: 'always',
      summary:
        'Reset the second factors of a user, after a delay in which they can stop it; their sessions end then',
      params: UserPath,
      answers: { 202: RequestedReset },
      refuses: ['not_found'],
    }),
    async (request, reply) => {
      const answer = await factors.reset(request.params.user as UserId, adminActor(request))
      if (answer === 'no-factor') throw new Problem('invalid_request', { detail: noFactor })
      return reply.code(202).send({ due_at: accepted(answer).dueAt })
    },
  )

  app.post(
    '/v1/admin/users/:user/factors/unlock',
    operation(writes, 'unlockFactorsOfUser', {
      summary: 'Unlock the second factors of a user: wrong codes so far no longer count',
      params: UserPath,
      answers: { 204: Nothing('Codes are accepted again.') },
      refuses: ['not_found'],
    }),
    async (request, reply) => {
      accepted(await factors.lift(request.params.user as UserId, adminActor(request)))
      return reply.code(204).send(null)
    },
  )
}

const noFactor = 'This user has no second factor.'
