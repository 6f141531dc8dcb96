/** Admin: who is a member of a tenant, with which roles. */
import { Type } from 'typebox'
import type { TenantId, UserId } from '../../core/principal.js'
import { describeMembership, type MembershipStore } from '../../tenants/tenants.js'
import { adminActor, type Needs } from '../middleware/admin-context.js'
import type { App } from '../shapes/app.js'
import { PageOf, PageQuery, page, pageRequest } from '../shapes/lists.js'
import { Body, Id, Instant, Nothing, UserProfile } from '../shapes/schemas.js'
import { accepted, operation, RoleList, TenantPath, within } from './shapes.js'

export const Member = Type.Object(
  {
    user: UserProfile,
    tenant: Type.String(),
    state: Type.String({ description: '`active` or `suspended`.' }),
    roles: Type.Array(Type.String(), { description: 'Ids of roles of the tenant.' }),
    created_at: Instant,
  },
  { title: 'Member', description: 'A membership.' },
)

const MemberPath = Type.Object({ tenant: Id, user: Id })
const reads: Needs = within('mintmark:members:read')
const writes: Needs = within('mintmark:members:write')

export function memberRoutes(app: App, memberships: MembershipStore): void {
  app.get(
    '/v1/admin/tenants/:tenant/members',
    operation(reads, 'listMembers', {
      summary: 'List the members of a tenant',
      params: TenantPath,
      querystring: PageQuery,
      answers: { 200: PageOf(Member) },
    }),
    async ({ params, query }) =>
      page(await memberships.list(params.tenant as TenantId, pageRequest(query)), describeMembership),
  )

  app.put(
    '/v1/admin/tenants/:tenant/members/:user',
    operation(writes, 'setMembership', {
      revokes: 'always',
      summary: 'Set the roles and the state of a member; adding one needs `tenants:write` over all tenants',
      params: MemberPath,
      body: Body({
        roles: RoleList,
        state: Type.Optional(Type.Union([Type.Literal('active'), Type.Literal('suspended')])),
      }),
      answers: { 200: Member },
      refuses: ['not_found', 'unknown_role', 'last_owner'],
    }),
    async request => {
      const { tenant, user } = request.params as { tenant: TenantId; user: UserId }
      const { roles, state = 'active' } = request.body
      const answer = await memberships.put({ tenant, user, roleIds: roles, state }, adminActor(request))
      return describeMembership(accepted(answer))
    },
  )

  app.delete(
    '/v1/admin/tenants/:tenant/members/:user',
    operation(writes, 'removeMember', {
      revokes: 'always',
      summary: 'Remove a user from a tenant at once',
      params: MemberPath,
      answers: { 204: Nothing('Removed.') },
      refuses: ['not_found', 'last_owner'],
    }),
    async (request, reply) => {
      const { tenant, user } = request.params as { tenant: TenantId; user: UserId }
      accepted(await memberships.remove(tenant, user, adminActor(request)))
      return reply.code(204).send(null)
    },
  )
}
