/** Admin: roles of a tenant's own, and what the built-in ones hold. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { mayIn } from '../../core/authority.js'
import type { TenantId } from '../../core/principal.js'
import type { TenantStore } from '../../tenants/tenants.js'
import { Body, Id, Nothing, problems } from '../api/schemas.js'
import { by, type Needs } from '../middleware/admin-context.js'
import { describeRole } from './describe.js'
import { accepted, adminProblems, forAdmins, Name, Permission, TenantPath } from './shapes.js'
import { RoleObject } from './tenants.js'

const RolePath = Type.Object({
  tenant: Id,
  role: Type.String({ pattern: '^([0-9a-f-]{36}|owner|admin|member)$' }),
})
const RoleBody = Body({ name: Name, permissions: Type.Array(Permission, { maxItems: 200 }) })
const writes: Needs = (caller, { tenant }) => mayIn(caller, tenant, 'mintmark:roles:write')

export function roleRoutes(tenants: TenantStore): FastifyPluginAsyncTypebox {
  return async app => {
    app.post(
      '/v1/admin/tenants/:tenant/roles',
      {
        config: { needs: writes },
        schema: {
          operationId: 'createRole',
          ...forAdmins,
          summary: 'Create a role, of permissions that the caller holds',
          params: TenantPath,
          body: RoleBody,
          response: {
            201: RoleObject,
            ...problems(
              ...adminProblems,
              'not_found',
              'name_taken',
              'role_too_large',
              'idempotency_conflict',
            ),
          },
        },
      },
      async (request, reply) => {
        const tenant = request.params.tenant as TenantId
        const role = accepted(await tenants.createRole(tenant, request.body, by(request)))
        return reply.code(201).send(describeRole(role))
      },
    )

    app.put(
      '/v1/admin/tenants/:tenant/roles/:role',
      {
        config: { needs: writes },
        schema: {
          operationId: 'changeRole',
          ...forAdmins,
          summary:
            'Change a role, in every check and token from then on; built-in ones only over all tenants',
          params: RolePath,
          body: RoleBody,
          response: {
            200: RoleObject,
            ...problems(...adminProblems, 'not_found', 'name_taken', 'role_too_large'),
          },
        },
      },
      async request => {
        const { tenant, role: id } = request.params as { tenant: TenantId; role: string }
        return describeRole(accepted(await tenants.changeRole(tenant, { id, ...request.body }, by(request))))
      },
    )

    app.delete(
      '/v1/admin/tenants/:tenant/roles/:role',
      {
        config: { needs: writes },
        schema: {
          operationId: 'deleteRole',
          ...forAdmins,
          summary: 'Delete a role; its members lose it. Built-in roles stay',
          params: RolePath,
          response: { 204: Nothing('Deleted.'), ...problems(...adminProblems, 'not_found') },
        },
      },
      async (request, reply) => {
        const { tenant, role } = request.params as { tenant: TenantId; role: string }
        accepted(await tenants.removeRole(tenant, role, by(request)))
        return reply.code(204).send(null)
      },
    )
  }
}
