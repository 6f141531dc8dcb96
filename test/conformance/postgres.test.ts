/** Postgres keeps every store contract. */
import { accountStoreSuite } from './account-store.js'
import { applicationStoreSuite } from './application-store.js'
import { auditSuite } from './audit.js'
import { factorResetsSuite } from './factor-resets.js'
import { invitationStoreSuite } from './invitation-store.js'
import { keyRingStoreSuite } from './key-ring-store.js'
import { postgresFactorWorld, postgresWorld } from './postgres-world.js'
import { renewalSuite } from './renewals.js'
import { revocationsSuite } from './revocations.js'
import { factorStoreSuite, secondFactorSuite } from './second-factors.js'
import { serviceKeyStoreSuite } from './service-key-store.js'
import { sessionStoreSuite } from './session-store.js'
import { tenantStoreSuite } from './tenant-store.js'
import { userStoreSuite } from './user-store.js'

sessionStoreSuite('Postgres', postgresWorld)
renewalSuite('Postgres', postgresWorld)
revocationsSuite('Postgres', postgresWorld)
secondFactorSuite('Postgres', postgresWorld)
factorStoreSuite('Postgres', postgresWorld)
userStoreSuite('Postgres', postgresWorld)
factorResetsSuite('Postgres', postgresFactorWorld)
tenantStoreSuite('Postgres', postgresWorld)
invitationStoreSuite('Postgres', postgresWorld)
accountStoreSuite('Postgres', postgresWorld)
applicationStoreSuite('Postgres', postgresWorld)
serviceKeyStoreSuite('Postgres', postgresWorld)
keyRingStoreSuite('Postgres', postgresWorld)
auditSuite('Postgres', postgresWorld)
