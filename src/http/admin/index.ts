/** Everything of the admin context, in one list. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { Throttle } from '../../accounts/throttle.js'
import type { AuditLog } from '../../audit/events.js'
import type { AuthorityStore } from '../../core/authority.js'
import type { KeyOperations } from '../../keys/operations.js'
import type { Revocations } from '../../sessions/revocations.js'
import type { ServiceKeyStore } from '../../tenants/service-keys.js'
import type { TenantStore } from '../../tenants/tenants.js'
import { type ApplicationRouteParts, applicationRoutes } from './applications.js'
import { auditRoutes } from './audit.js'
import { type InvitationRouteParts, invitationRoutes } from './invitations.js'
import { memberRoutes } from './members.js'
import { roleRoutes } from './roles.js'
import { serviceKeyRoutes } from './service-keys.js'
import { sessionAdminRoutes } from './sessions.js'
import { signingKeyRoutes } from './signing-keys.js'
import { tenantRoutes } from './tenants.js'
import { type UserRouteParts, userRoutes } from './users.js'

export interface AdminParts extends UserRouteParts, ApplicationRouteParts, InvitationRouteParts {
  readonly authorities: AuthorityStore
  readonly tenants: TenantStore
  readonly revocations: Revocations
  readonly audit: AuditLog
  readonly serviceKeys: ServiceKeyStore
  readonly keyOperations: KeyOperations
  /** Other instances look at the ring at once, and this one. */
  readonly keysChanged: () => void
  readonly throttle: Pick<Throttle, 'admin' | 'adminFailed'>
}

export function adminRoutes(parts: AdminParts): FastifyPluginAsyncTypebox {
  return async app => {
    await app.register(userRoutes(parts))
    await app.register(sessionAdminRoutes(parts.revocations))
    await app.register(tenantRoutes(parts.tenants))
    await app.register(roleRoutes(parts.tenants))
    await app.register(memberRoutes(parts.memberships))
    await app.register(invitationRoutes(parts))
    await app.register(applicationRoutes(parts))
    await app.register(serviceKeyRoutes(parts.serviceKeys))
    await app.register(signingKeyRoutes(parts.keyOperations, parts.keysChanged))
    await app.register(auditRoutes(parts.audit))
  }
}
