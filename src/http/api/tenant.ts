/** The session's current tenant: switched among those in which the person is an active member, or left. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { Acts } from '../handlers.js'
import { Body, forSessions, Id, jsonProblems, Nothing, problems } from './schemas.js'

/** In the signed-in context. */
export function switchTenantRoute(acts: Acts): FastifyPluginAsyncTypebox {
  return async app => {
    app.put(
      '/v1/session/tenant',
      {
        schema: {
          operationId: 'switchTenant',
          tags: ['session'],
          ...forSessions,
          summary: 'Switch the current tenant, for tokens that name none; null leaves it',
          body: Body({ tenant: Type.Union([Id, Type.Null()]) }),
          response: {
            204: Nothing('The session is in that tenant.'),
            ...problems(
              ...jsonProblems,
              'unauthenticated',
              'session_superseded',
              'tenant_forbidden',
              'too_many_requests',
              'busy',
            ),
          },
        },
      },
      async (request, reply) => {
        await acts.switchTenant(request, request.body.tenant)
        return reply.code(204).send(null)
      },
    )
  }
}
