/** Everything of the admin context, in one list. */
import type { FactorOperations } from '../../accounts/factor-operations.js'
import type { Users } from '../../accounts/users.js'
import type { AuditLog } from '../../audit/events.js'
import type { Providers } from '../../federation/providers.js'
import type { Receipts } from '../../feed/receipts.js'
import type { KeyOperations } from '../../keys/operations.js'
import type { Revocations } from '../../sessions/revocations.js'
import type { Applications } from '../../tenants/applications.js'
import type { Invitations } from '../../tenants/invitations.js'
import type { ServiceKeys } from '../../tenants/service-keys.js'
import type { MembershipStore, TenantStore } from '../../tenants/tenants.js'
import type { App } from '../shapes/app.js'
import { applicationRoutes } from './applications.js'
import { auditRoutes } from './audit.js'
import { factorAdminRoutes } from './factors.js'
import { invitationRoutes } from './invitations.js'
import { memberRoutes } from './members.js'
import { providerRoutes } from './providers.js'
import { revocationRoutes } from './revocations.js'
import { roleRoutes } from './roles.js'
import { serviceKeyRoutes } from './service-keys.js'
import { sessionAdminRoutes } from './sessions.js'
import { signingKeyRoutes } from './signing-keys.js'
import { tenantRoutes } from './tenants.js'
import { userRoutes } from './users.js'

export interface AdminParts {
  readonly users: Users
  readonly factors: FactorOperations
  readonly tenants: TenantStore
  readonly members: MembershipStore
  readonly invitations: Invitations
  readonly applications: Applications
  readonly serviceKeys: ServiceKeys
  readonly providers: Providers
  readonly audit: AuditLog
  readonly revocations: Revocations
  readonly keyOperations: KeyOperations
  readonly receipts: Receipts
  readonly issuer: string
}

export function adminRoutes(app: App, parts: AdminParts): void {
  userRoutes(app, parts.users, parts.members)
  factorAdminRoutes(app, parts.factors)
  sessionAdminRoutes(app, parts.revocations)
  tenantRoutes(app, parts.tenants)
  roleRoutes(app, parts.tenants)
  memberRoutes(app, parts.members)
  invitationRoutes(app, parts.invitations)
  applicationRoutes(app, parts.applications)
  serviceKeyRoutes(app, parts.serviceKeys)
  providerRoutes(app, parts.providers, parts.issuer)
  revocationRoutes(app, parts.receipts)
  signingKeyRoutes(app, parts.keyOperations)
  auditRoutes(app, parts.audit)
}
