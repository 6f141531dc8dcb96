/** The domain and the app put together from their stores. Only here, in service.ts and in the commands are stores known. */

import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import { createFederation } from '../accounts/federated-sign-in.js'
import { createFinish } from '../accounts/finish.js'
import { createInvitations } from '../accounts/invitations.js'
import { createPasswordChange } from '../accounts/password-change.js'
import { type Argon2Parameters, createPasswordHasher, hashingWithin } from '../accounts/password-hash.js'
import { createPasswordPolicy } from '../accounts/password-policy.js'
import { createPasswordReset } from '../accounts/password-reset.js'
import { createPasswordSignIn } from '../accounts/password-sign-in.js'
import { createSignUp } from '../accounts/sign-up.js'
import { createStepUp } from '../accounts/step-up.js'
import { createThrottle } from '../accounts/throttle.js'
import { sendWelcome } from '../accounts/welcome.js'
import { createRefusals } from '../audit/refusals.js'
import { parseEmailAddress } from '../core/email-address.js'
import type { InBackground, Post } from '../core/mail.js'
import { createProviderLogouts } from '../federation/logout.js'
import { createConnections } from '../federation/metadata.js'
import type { Health } from '../http/api/health.js'
import { addGauges, type Metrics } from '../http/middleware/metrics.js'
import type { Theme } from '../http/pages/theme.js'
import { buildApp } from '../http/server.js'
import type { KeyRing } from '../keys/key-ring.js'
import type { KeyOperations } from '../keys/operations.js'
import { createVerificationKeys } from '../keys/verification-keys.js'
import type { KeyEncryptionKeys } from '../sealing/key-encryption-keys.js'
import { createSessions } from '../sessions/sessions.js'
import { postgresAccountStore } from '../store/postgres/accounts/account-store.js'
import { postgresIdentityStore } from '../store/postgres/accounts/identity-store.js'
import { postgresRedemptionStore } from '../store/postgres/accounts/redemption-store.js'
import { postgresUserStore } from '../store/postgres/accounts/user-store.js'
import { postgresAuditLog } from '../store/postgres/audit/audit-log.js'
import { postgresAuthorityStore } from '../store/postgres/authority/authority-store.js'
import type { Database } from '../store/postgres/database.js'
import { postgresFederationStore } from '../store/postgres/federation/federation-store.js'
import type { HotReads } from '../store/postgres/hot-reads.js'
import { postgresApplicationStore } from '../store/postgres/tenants/application-store.js'
import { postgresInvitationStore } from '../store/postgres/tenants/invitation-store.js'
import { postgresMembershipStore } from '../store/postgres/tenants/membership-store.js'
import { postgresServiceKeyStore } from '../store/postgres/tenants/service-key-store.js'
import { postgresTenantStore } from '../store/postgres/tenants/tenant-store.js'
import { announce } from '../store/redis/announcements.js'
import type { RedisClient } from '../store/redis/connection.js'
import { createLimiter } from '../store/redis/limiter.js'
import type { OriginRegistry } from '../tenants/origins.js'
import type { Config } from './config.js'
import { ownShare } from './container.js'
import type { SessionStores } from './session-stores.js'

/** Over this many waiting password hashes the answer is 503. */
const mostQueuedHashes = 64

/** Milliseconds after which the end no longer waits for the audit log. */
const mostWritingMs = 5000

export interface AssemblyParts {
  readonly config: Config
  readonly theme: Theme
  readonly metrics: Metrics
  readonly log: FastifyBaseLogger
  readonly post: Post
  readonly inBackground: InBackground
  readonly database: Database
  readonly hot: HotReads
  readonly reserved: Database
  readonly forRefusals: Database
  readonly stores: SessionStores
  readonly redis: RedisClient | undefined
  readonly ring: KeyRing
  readonly keyOperations: KeyOperations
  readonly keks: KeyEncryptionKeys
  readonly registry: OriginRegistry
  /** On the main listener too: the embedded default only. */
  readonly health: Health | undefined
  readonly argon2: Argon2Parameters | undefined
}

export async function assemble(parts: AssemblyParts): Promise<FastifyInstance> {
  const { config, metrics, log, post, inBackground, database, hot, reserved, redis, ring, registry, health } =
    parts
  const { keyOperations } = parts
  const { issuer, product, passwordMinLength, trustedProxies } = config
  const { stores } = parts
  const { revocations } = stores
  const store = postgresAccountStore(database, stores.within)
  const sessions = createSessions(stores.sessions, config.sessionLimits)
  const share = ownShare()
  const hashing = hashingWithin(share, parts.argon2)
  log.info({ ...share, hashesAtOnce: hashing.concurrency }, 'what this process may take')
  const hasher = createPasswordHasher({ ...hashing, queueLimit: mostQueuedHashes, parameters: parts.argon2 })
  const policy = createPasswordPolicy({ minLength: passwordMinLength })
  const throttle = createThrottle(createLimiter(redis))
  const finish = createFinish(sessions)
  const login = { issuer, store, hasher, policy, throttle, post, inBackground, sessions, finish }
  const passwordSignIn = createPasswordSignIn(login)
  const audit = postgresAuditLog(database)
  const refusals = createRefusals({ audit: postgresAuditLog(parts.forRefusals), throttle, log, metrics })
  const identities = postgresIdentityStore(database, stores.within)
  const federation = postgresFederationStore(database, hot, stores.within)
  const providers = { ...login, federation, identities, connections: createConnections(), keks: parts.keks }
  const invitations = postgresInvitationStore(database)
  addGauges(metrics.registry, {
    hashesQueued: () => hasher.queued(),
    refusalsQueued: () => refusals.queued(),
    statementsPending: () => hot.pending + database.pending + reserved.pending,
    signingKeyAgeSeconds: () => ring.signerAgeSeconds() ?? 0,
    redisConnected: () => redis && redis.status === 'ready',
  })
  const app = await buildApp({
    metrics,
    settled: () => database.settled(),
    refused: refusals.record,
    issuer,
    product,
    theme: parts.theme,
    passwordMinLength,
    log,
    trustedProxies,
    registry,
    ring,
    sessions,
    revocations,
    stepUp: createStepUp({ signIn: passwordSignIn, sessions }),
    admin: {
      issuer,
      throttle,
      audit,
      revocations,
      authorities: postgresAuthorityStore(database),
      users: postgresUserStore(database),
      tenants: postgresTenantStore(database),
      memberships: postgresMembershipStore(database),
      invitationStore: invitations,
      invitations: createInvitations({
        ...login,
        invitations,
        redemptions: postgresRedemptionStore(database),
      }),
      applications: postgresApplicationStore(database),
      serviceKeys: postgresServiceKeyStore(database),
      welcome: ({ email }) => {
        const parsed = parseEmailAddress(email)
        if (!parsed.ok) return
        const { address } = parsed
        const send = () => sendWelcome(store, post, issuer, address)
        inBackground('welcome mail', () => throttle.mail('welcome', address.canonical, send))
      },
      changed: () => inBackground('announcement', () => announceApplications(parts)),
      keyOperations,
      keysChanged: () => inBackground('announcement', () => announceKeys(parts)),
    },
    introspection: {
      issuer,
      introspections: stores.introspections,
      keyOf: createVerificationKeys(),
    },
    federation: createFederation({ ...providers, sessions }),
    identities,
    accounts: store,
    providerLogouts: createProviderLogouts(providers),
    post,
    inBackground,
    throttle,
    finish,
    passwordSignIn,
    signUp: createSignUp(login),
    passwordReset: createPasswordReset(login),
    changePassword: createPasswordChange({ ...login, signIn: passwordSignIn }),
    health,
  })
  // Once every request has been answered.
  app.addHook('onClose', () => refusals.close(mostWritingMs))
  return app
}

/** This instance looks at once, and so do the others where there is a Redis. */
async function announceApplications({ registry, config }: AssemblyParts): Promise<void> {
  await registry.refresh()
  if (config.redisUrl !== undefined) await announce(config.redisUrl, 'applications')
}

async function announceKeys({ ring, config }: AssemblyParts): Promise<void> {
  await ring.refresh()
  if (config.redisUrl !== undefined) await announce(config.redisUrl, 'keys')
}
