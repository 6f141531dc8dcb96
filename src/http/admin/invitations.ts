/** Admin: inviting users into a tenant by mail. */
import { Type } from 'typebox'
import { parseEmailAddress } from '../../core/email-address.js'
import type { TenantId } from '../../core/principal.js'
import { describeInvitation, type Invitations } from '../../tenants/invitations.js'
import { adminActor, type Needs } from '../middleware/admin-context.js'
import { Problem } from '../middleware/problem.js'
import type { App } from '../shapes/app.js'
import { PageOf, PageQuery, page, pageRequest } from '../shapes/lists.js'
import { Body, Email, Id, Instant, Nothing } from '../shapes/schemas.js'
import { accepted, operation, RoleList, TenantPath, within } from './shapes.js'

const InvitationObject = Type.Object(
  {
    id: Type.String(),
    tenant: Type.String(),
    email: Type.String(),
    roles: Type.Array(Type.String()),
    inviter: Type.Union([Type.String(), Type.Null()]),
    created_at: Instant,
    expires_at: Instant,
  },
  { title: 'Invitation', description: 'A pending invitation.' },
)
const writes: Needs = within('mintmark:members:write')

export function invitationRoutes(app: App, invitations: Invitations): void {
  app.get(
    '/v1/admin/tenants/:tenant/invitations',
    operation(within('mintmark:members:read'), 'listInvitations', {
      summary: 'List the pending invitations of a tenant',
      params: TenantPath,
      querystring: PageQuery,
      answers: { 200: PageOf(InvitationObject) },
    }),
    async ({ params, query }) =>
      page(await invitations.list(params.tenant as TenantId, pageRequest(query)), describeInvitation),
  )

  app.post(
    '/v1/admin/tenants/:tenant/invitations',
    operation(writes, 'invite', {
      summary: 'Invite an address by email; this replaces an earlier invitation of the same address',
      params: TenantPath,
      body: Body({
        email: Email,
        roles: RoleList,
      }),
      answers: { 201: InvitationObject },
      refuses: ['not_found', 'invalid_email', 'unknown_role', 'idempotency_conflict'],
    }),
    async (request, reply) => {
      const tenant = request.params.tenant as TenantId
      const parsed = parseEmailAddress(request.body.email)
      if (!parsed.ok) throw new Problem('invalid_email')
      const { roles } = request.body
      const invitation = accepted(
        await invitations.invite(tenant, parsed.address, roles, adminActor(request)),
      )
      return reply.code(201).send(describeInvitation(invitation))
    },
  )

  app.delete(
    '/v1/admin/tenants/:tenant/invitations/:invitation',
    operation(writes, 'withdrawInvitation', {
      summary: 'Withdraw an invitation; its link stops working',
      params: Type.Object({ tenant: Id, invitation: Id }),
      answers: { 204: Nothing('Withdrawn.') },
      refuses: ['not_found'],
    }),
    async (request, reply) => {
      const { tenant, invitation } = request.params as { tenant: TenantId; invitation: string }
      accepted(await invitations.withdraw(tenant, invitation, adminActor(request)))
      return reply.code(204).send(null)
    },
  )
}
