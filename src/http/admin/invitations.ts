/** Admin: inviting people into a tenant by mail. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { Invitations } from '../../accounts/invitations.js'
import { mayIn } from '../../core/authority.js'
import { parseEmailAddress } from '../../core/email-address.js'
import { Problem } from '../../core/errors.js'
import type { TenantId } from '../../core/principal.js'
import type { Invitation, InvitationStore } from '../../tenants/invitations.js'
import { Body, Email, Id, Instant, Nothing, problems } from '../api/schemas.js'
import { by, type Needs } from '../middleware/admin-context.js'
import {
  accepted,
  adminProblems,
  forAdmins,
  PageOf,
  PageQuery,
  page,
  pageRequest,
  TenantPath,
} from './shapes.js'

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
  { description: 'An invitation that was not taken yet.' },
)
const writes: Needs = (caller, { tenant }) => mayIn(caller, tenant, 'mintmark:members:write')

export interface InvitationRouteParts {
  readonly invitationStore: InvitationStore
  readonly invitations: Invitations
}

export function invitationRoutes({
  invitationStore,
  invitations,
}: InvitationRouteParts): FastifyPluginAsyncTypebox {
  return async app => {
    app.get(
      '/v1/admin/tenants/:tenant/invitations',
      {
        config: { needs: (caller, { tenant }) => mayIn(caller, tenant, 'mintmark:members:read') },
        schema: {
          operationId: 'listInvitations',
          ...forAdmins,
          summary: 'Invitations of a tenant that were not taken yet',
          params: TenantPath,
          querystring: PageQuery,
          response: { 200: PageOf(InvitationObject), ...problems(...adminProblems) },
        },
      },
      async ({ params, query }) =>
        page(await invitationStore.list(params.tenant as TenantId, pageRequest(query)), describe),
    )

    app.post(
      '/v1/admin/tenants/:tenant/invitations',
      {
        config: { needs: writes },
        schema: {
          operationId: 'invite',
          ...forAdmins,
          summary: 'Invite an address by mail; it replaces an earlier invitation of the same address',
          params: TenantPath,
          body: Body({
            email: Email,
            roles: Type.Array(Type.String({ maxLength: 64, pattern: '^[a-z0-9-]+$' }), { maxItems: 50 }),
          }),
          response: {
            201: InvitationObject,
            ...problems(
              ...adminProblems,
              'not_found',
              'invalid_email',
              'unknown_role',
              'idempotency_conflict',
            ),
          },
        },
      },
      async (request, reply) => {
        const tenant = request.params.tenant as TenantId
        const parsed = parseEmailAddress(request.body.email)
        if (!parsed.ok) throw new Problem('invalid_email')
        const { roles } = request.body
        const invitation = accepted(await invitations.invite(tenant, parsed.address, roles, by(request)))
        return reply.code(201).send(describe(invitation))
      },
    )

    app.delete(
      '/v1/admin/tenants/:tenant/invitations/:invitation',
      {
        config: { needs: writes },
        schema: {
          operationId: 'withdrawInvitation',
          ...forAdmins,
          summary: 'Withdraw an invitation: its link works no more',
          params: Type.Object({ tenant: Id, invitation: Id }),
          response: { 204: Nothing('Withdrawn.'), ...problems(...adminProblems, 'not_found') },
        },
      },
      async (request, reply) => {
        const { tenant, invitation } = request.params as { tenant: TenantId; invitation: string }
        accepted(await invitationStore.withdraw(tenant, invitation, by(request)))
        return reply.code(204).send(null)
      },
    )
  }
}

function describe({ id, tenant, email, roleIds, inviter, createdAt, expiresAt }: Invitation) {
  return { id, tenant, email, roles: [...roleIds], inviter, created_at: createdAt, expires_at: expiresAt }
}
