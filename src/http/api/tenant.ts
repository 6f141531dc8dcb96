/** The session's current tenant: switched among those in which the person is an active member, or left. */
import { Type } from 'typebox'
import type { Acts } from '../handlers/account.js'
import type { App } from '../shapes/app.js'
import { Body, forSessions, Id, Nothing, operation, personProblems } from '../shapes/schemas.js'

/** In the signed-in context. */
export function switchTenantRoute(app: App, acts: Acts): void {
  app.put(
    '/v1/session/tenant',
    operation('session', forSessions, 'switchTenant', {
      summary: 'Switch the current tenant, for tokens that name none; null leaves it',
      body: Body({ tenant: Type.Union([Id, Type.Null()]) }),
      answers: { 204: Nothing('The session is in that tenant.') },
      refuses: [...personProblems, 'tenant_forbidden'],
    }),
    async (request, reply) => {
      await acts.switchTenant(request, request.body.tenant)
      return reply.code(204).send(null)
    },
  )
}
