/** Admin: roles of a tenant's own, and what the built-in ones hold. */
import { Type } from 'typebox'
import type { TenantId } from '../../core/principal.js'
import { describeRole, type TenantStore } from '../../tenants/tenants.js'
import { adminActor, type Needs } from '../middleware/admin-context.js'
import type { App } from '../shapes/app.js'
import { Body, Id, Nothing } from '../shapes/schemas.js'
import { accepted, Name, operation, Permission, TenantPath, within } from './shapes.js'
import { RoleObject } from './tenants.js'

const RolePath = Type.Object({
  tenant: Id,
  role: Type.String({ pattern: '^([0-9a-f-]{36}|owner|admin|member)$' }),
})
const RoleBody = Body({ name: Name, permissions: Type.Array(Permission, { maxItems: 200 }) })
const writes: Needs = within('mintmark:roles:write')

export function roleRoutes(app: App, tenants: TenantStore): void {
  app.post(
    '/v1/admin/tenants/:tenant/roles',
    operation(writes, 'createRole', {
      summary: 'Create a role with permissions that the caller holds',
      params: TenantPath,
      body: RoleBody,
      answers: { 201: RoleObject },
      refuses: ['not_found', 'name_taken', 'role_too_large', 'idempotency_conflict'],
    }),
    async (request, reply) => {
      const tenant = request.params.tenant as TenantId
      const role = accepted(await tenants.createRole(tenant, request.body, adminActor(request)))
      return reply.code(201).send(describeRole(role))
    },
  )

  app.put(
    '/v1/admin/tenants/:tenant/roles/:role',
    operation(writes, 'changeRole', {
      revokes: 'always',
      summary:
        'Change a role; every later check and token has the change. Built-in roles need `tenants:write` over all tenants',
      params: RolePath,
      body: RoleBody,
      answers: { 200: RoleObject },
      refuses: ['not_found', 'name_taken', 'role_too_large'],
    }),
    async request => {
      const { tenant, role: id } = request.params as { tenant: TenantId; role: string }
      return describeRole(
        accepted(await tenants.changeRole(tenant, { id, ...request.body }, adminActor(request))),
      )
    },
  )

  app.delete(
    '/v1/admin/tenants/:tenant/roles/:role',
    operation(writes, 'deleteRole', {
      revokes: 'always',
      summary: 'Delete a role; its members lose it. Built-in roles cannot be deleted',
      params: RolePath,
      answers: { 204: Nothing('Deleted.') },
      refuses: ['not_found'],
    }),
    async (request, reply) => {
      const { tenant, role } = request.params as { tenant: TenantId; role: string }
      accepted(await tenants.removeRole(tenant, role, adminActor(request)))
      return reply.code(204).send(null)
    },
  )
}
