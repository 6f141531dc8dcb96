/** The domain as operators change it, by the admin API or by a command: one place that puts its operations together. */

import { createFactorOperations } from '../accounts/factor-operations.js'
import type { Parts } from '../accounts/parts.js'
import { createUsers } from '../accounts/users.js'
import type { Actor } from '../audit/events.js'
import { createProviders } from '../federation/providers.js'
import type { KeyEncryptionKeys } from '../sealing/key-encryption-keys.js'
import { postgresFactorResets } from '../store/postgres/accounts/factor-resets.js'
import { postgresFactorStore } from '../store/postgres/accounts/factor-store.js'
import { postgresUserStore } from '../store/postgres/accounts/user-store.js'
import { postgresAuditLog } from '../store/postgres/audit/audit-log.js'
import type { Database } from '../store/postgres/database.js'
import { postgresProviderStore } from '../store/postgres/federation/provider-store.js'
import { postgresApplicationStore } from '../store/postgres/tenants/application-store.js'
import { postgresInvitationStore } from '../store/postgres/tenants/invitation-store.js'
import { postgresMembershipStore } from '../store/postgres/tenants/membership-store.js'
import { postgresServiceKeyStore } from '../store/postgres/tenants/service-key-store.js'
import { postgresTenantStore } from '../store/postgres/tenants/tenant-store.js'
import type { Topic } from '../store/redis/announcements.js'
import { createApplications } from '../tenants/applications.js'
import { createInvitations } from '../tenants/invitations.js'
import { createServiceKeys } from '../tenants/service-keys.js'
import type { Config } from './config.js'
import { endingSessions } from './session-stores.js'

export interface DomainParts extends Parts<'store' | 'throttle' | 'mailer' | 'inBackground'> {
  readonly config: Pick<Config, 'issuer' | 'sessionStore' | 'factorResetHours'>
  readonly database: Database
  /** For what takes something away at once; a command has one connection for everything. */
  readonly reserved?: Database
  /** To open what was sealed, and to seal with. */
  readonly keks: () => Promise<KeyEncryptionKeys>
  readonly sealing: () => Promise<KeyEncryptionKeys>
  /** Instances look at once. */
  readonly changed: (topic: Topic) => void
}

export type Domain = ReturnType<typeof createDomain>

export function createDomain({ config, database, reserved = database, changed, ...parts }: DomainParts) {
  const { issuer, factorResetHours: resetHours } = config
  const mailing = { ...parts, issuer }
  // Ending some with their cause needs no connection to where they are.
  const providers = postgresProviderStore(database, endingSessions(config))
  const providerOperations = createProviders({ ...parts, issuer, store: providers })
  const factors = createFactorOperations({
    ...mailing,
    resetHours,
    keys: parts.keks,
    factors: postgresFactorStore(database),
    factorResets: postgresFactorResets(database),
  })
  return {
    users: createUsers(postgresUserStore(database, reserved), mailing),
    tenants: postgresTenantStore(database),
    members: postgresMembershipStore(database),
    invitations: createInvitations({ ...mailing, store: postgresInvitationStore(database) }),
    applications: createApplications({
      store: postgresApplicationStore(database),
      issuer,
      changed: () => changed('applications'),
    }),
    serviceKeys: createServiceKeys(postgresServiceKeyStore(database, reserved)),
    providers: providerOperations,
    factors,
    /** What lies under key-encryption keys beside the signing keys. */
    async resealOthers(actor: Actor): Promise<void> {
      await providerOperations.reseal(actor)
      await factors.reseal(actor)
    },
    audit: postgresAuditLog(database),
  }
}
