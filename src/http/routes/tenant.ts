/** The session's current tenant: switched among those in which the person is an active member, or left. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { RecordRefusal } from '../../audit.js'
import { Problem } from '../../errors.js'
import type { TenantId } from '../../principal.js'
import type { Sessions } from '../../session/sessions.js'
import { occasionOf } from '../browser.js'
import { Body, forSessions, Id, jsonProblems, Nothing, problems } from '../schemas.js'
import { signedIn } from '../signed-in.js'

/** In the signed-in context. */
export function switchTenantRoute(sessions: Sessions, refused: RecordRefusal): FastifyPluginAsyncTypebox {
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
            ...problems(...jsonProblems, 'unauthenticated', 'session_superseded', 'tenant_forbidden'),
          },
        },
      },
      async (request, reply) => {
        const { live, credential } = signedIn(request)
        const { user: actor, session } = live.principal
        const occasion = occasionOf(request)
        const tenant = request.body.tenant as TenantId | null
        const answer = await sessions.switchTenant(credential, actor, tenant, occasion)
        if (answer === 'superseded') throw new Problem('session_superseded')
        if (answer === 'forbidden') {
          refused({ action: 'session.tenant', reason: 'tenant_forbidden', actor, session, occasion })
          throw new Problem('tenant_forbidden')
        }
        return reply.code(204).send(null)
      },
    )
  }
}
