/** Admin: tenants, made and changed. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { may, mayIn } from '../../core/authority.js'
import { Problem } from '../../core/errors.js'
import type { TenantId } from '../../core/principal.js'
import type { TenantStore } from '../../tenants/tenants.js'
import { Body, Instant, Nothing, problems } from '../api/schemas.js'
import { by, type Needs } from '../middleware/admin-context.js'
import { describeTenant } from './describe.js'
import {
  accepted,
  adminProblems,
  forAdmins,
  Name,
  PageOf,
  PageQuery,
  page,
  pageRequest,
  TenantPath,
} from './shapes.js'

export const RoleObject = Type.Object(
  {
    id: Type.String({ description: '`owner`, `admin` and `member` are in every tenant.' }),
    name: Type.String(),
    permissions: Type.Array(Type.String()),
  },
  { description: 'A role.' },
)
const TenantObject = Type.Object(
  {
    id: Type.String(),
    name: Type.String(),
    state: Type.String({ description: '`active` or `suspended`.' }),
    roles: Type.Array(RoleObject),
    created_at: Instant,
  },
  { description: 'A tenant.' },
)
const platformReads: Needs = caller => may(caller, 'tenants:read')
const platformWrites: Needs = caller => may(caller, 'tenants:write')

export function tenantRoutes(tenants: TenantStore): FastifyPluginAsyncTypebox {
  return async app => {
    app.get(
      '/v1/admin/tenants',
      {
        config: { needs: platformReads },
        schema: {
          operationId: 'listTenants',
          ...forAdmins,
          summary: 'All tenants',
          querystring: PageQuery,
          response: { 200: PageOf(TenantObject), ...problems(...adminProblems) },
        },
      },
      async ({ query }) => page(await tenants.list(pageRequest(query)), describeTenant),
    )

    app.post(
      '/v1/admin/tenants',
      {
        config: { needs: platformWrites },
        schema: {
          operationId: 'createTenant',
          ...forAdmins,
          summary: 'Create a tenant, with the built-in roles',
          body: Body({ name: Name }),
          response: { 201: TenantObject, ...problems(...adminProblems, 'idempotency_conflict') },
        },
      },
      async (request, reply) => {
        const tenant = accepted(await tenants.create(request.body.name, by(request)))
        return reply.code(201).send(describeTenant(tenant))
      },
    )

    app.get(
      '/v1/admin/tenants/:tenant',
      {
        config: { needs: (caller, { tenant }) => mayIn(caller, tenant, 'mintmark:members:read') },
        schema: {
          operationId: 'readTenant',
          ...forAdmins,
          summary: 'One tenant with its roles',
          params: TenantPath,
          response: { 200: TenantObject, ...problems(...adminProblems, 'not_found') },
        },
      },
      async ({ params }) => {
        const tenant = await tenants.read(params.tenant as TenantId)
        if (!tenant) throw new Problem('not_found')
        return describeTenant(tenant)
      },
    )

    app.patch(
      '/v1/admin/tenants/:tenant',
      {
        config: { needs: (caller, { tenant }) => mayIn(caller, tenant, 'mintmark:tenant:write') },
        schema: {
          operationId: 'changeTenant',
          ...forAdmins,
          summary: 'Rename a tenant; suspending it, and ending that, is for who may write to every tenant',
          params: TenantPath,
          body: Body({
            name: Type.Optional(Name),
            state: Type.Optional(Type.Union([Type.Literal('active'), Type.Literal('suspended')])),
          }),
          response: { 200: TenantObject, ...problems(...adminProblems, 'not_found') },
        },
      },
      async request => {
        const { name, state } = request.body
        const id = request.params.tenant as TenantId
        const tenant =
          name === undefined && state === undefined
            ? ((await tenants.read(id)) ?? 'unknown')
            : await tenants.change(id, { name, state }, by(request))
        return describeTenant(accepted(tenant))
      },
    )

    app.delete(
      '/v1/admin/tenants/:tenant',
      {
        config: { needs: platformWrites },
        schema: {
          operationId: 'deleteTenant',
          ...forAdmins,
          summary: 'Delete a tenant with its memberships; its people stay',
          params: TenantPath,
          response: { 204: Nothing('Deleted.'), ...problems(...adminProblems, 'not_found') },
        },
      },
      async (request, reply) => {
        accepted(await tenants.remove(request.params.tenant as TenantId, by(request)))
        return reply.code(204).send(null)
      },
    )
  }
}
