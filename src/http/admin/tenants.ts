/** Admin: tenants, made and changed. */
import { Type } from 'typebox'
import type { TenantId } from '../../core/principal.js'
import { describeTenant, type TenantStore } from '../../tenants/tenants.js'
import { adminActor, type Needs } from '../middleware/admin-context.js'
import type { App } from '../shapes/app.js'
import { PageOf, PageQuery, page, pageRequest } from '../shapes/lists.js'
import { Body, Instant, Nothing } from '../shapes/schemas.js'
import { accepted, found, Name, operation, over, TenantPath, within } from './shapes.js'

export const RoleObject = Type.Object(
  {
    id: Type.String({ description: 'Every tenant has the roles `owner`, `admin` and `member`.' }),
    name: Type.String(),
    permissions: Type.Array(Type.String()),
  },
  { title: 'Role', description: 'A role.' },
)

const TenantObject = Type.Object(
  {
    id: Type.String(),
    name: Type.String(),
    state: Type.String({ description: '`active` or `suspended`.' }),
    roles: Type.Array(RoleObject),
    created_at: Instant,
  },
  { title: 'Tenant', description: 'A tenant.' },
)
const platformReads: Needs = over('tenants:read')
const platformWrites: Needs = over('tenants:write')

export function tenantRoutes(app: App, tenants: TenantStore): void {
  app.get(
    '/v1/admin/tenants',
    operation(platformReads, 'listTenants', {
      summary: 'List the tenants',
      querystring: PageQuery,
      answers: { 200: PageOf(TenantObject) },
    }),
    async ({ query }) => page(await tenants.list(pageRequest(query)), describeTenant),
  )

  app.post(
    '/v1/admin/tenants',
    operation(platformWrites, 'createTenant', {
      summary: 'Create a tenant with the built-in roles',
      body: Body({ name: Name }),
      answers: { 201: TenantObject },
      refuses: ['idempotency_conflict'],
    }),
    async (request, reply) => {
      const tenant = accepted(await tenants.create(request.body.name, adminActor(request)))
      return reply.code(201).send(describeTenant(tenant))
    },
  )

  app.get(
    '/v1/admin/tenants/:tenant',
    operation(within('mintmark:members:read'), 'readTenant', {
      summary: 'Get a tenant with its roles',
      params: TenantPath,
      answers: { 200: TenantObject },
      refuses: ['not_found'],
    }),
    async ({ params }) => {
      return describeTenant(found(await tenants.read(params.tenant as TenantId)))
    },
  )

  app.patch(
    '/v1/admin/tenants/:tenant',
    operation(within('mintmark:tenant:write'), 'changeTenant', {
      revokes: 'always',
      summary:
        'Rename, suspend or activate a tenant; a change of its state needs `tenants:write` over all tenants',
      params: TenantPath,
      body: Body({
        name: Type.Optional(Name),
        state: Type.Optional(Type.Union([Type.Literal('active'), Type.Literal('suspended')])),
      }),
      answers: { 200: TenantObject },
      refuses: ['not_found'],
    }),
    async request => {
      const { name, state } = request.body
      const id = request.params.tenant as TenantId
      const tenant =
        name === undefined && state === undefined
          ? ((await tenants.read(id)) ?? 'unknown')
          : await tenants.change(id, { name, state }, adminActor(request))
      return describeTenant(accepted(tenant))
    },
  )

  app.delete(
    '/v1/admin/tenants/:tenant',
    operation(platformWrites, 'deleteTenant', {
      revokes: 'always',
      summary: 'Delete a tenant with its memberships; its users stay',
      params: TenantPath,
      answers: { 204: Nothing('Deleted.') },
      refuses: ['not_found'],
    }),
    async (request, reply) => {
      accepted(await tenants.remove(request.params.tenant as TenantId, adminActor(request)))
      return reply.code(204).send(null)
    },
  )
}
