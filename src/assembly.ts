/** The domain and the app put together from their stores. Only here, in service.ts and in the commands are stores known. */

import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import { buildApp } from './app.js'
import type { Config } from './config.js'
import { ownShare } from './container.js'
import { parseEmailAddress } from './directory/email-address.js'
import type { OriginRegistry } from './directory/origins.js'
import { createConnections } from './federation/metadata.js'
import { addGauges, type Metrics } from './http/metrics.js'
import type { Health } from './http/routes/health.js'
import type { KeyEncryptionKeys } from './keyring/key-encryption-keys.js'
import type { KeyRing } from './keyring/key-ring.js'
import type { KeyOperations } from './keyring/operations.js'
import { createVerificationKeys } from './keyring/verification-keys.js'
import { createFederation } from './login/federation.js'
import { createFinish } from './login/finish.js'
import { createInvitations } from './login/invitations.js'
import type { InBackground, Post } from './login/mail.js'
import { createPasswordChange } from './login/password-change.js'
import { type Argon2Parameters, createPasswordHasher, hashingWithin } from './login/password-hash.js'
import { createPasswordPolicy } from './login/password-policy.js'
import { createPasswordReset } from './login/password-reset.js'
import { createPasswordSignIn } from './login/password-sign-in.js'
import { createProviderLogouts } from './login/provider-logout.js'
import { createSignUp } from './login/sign-up.js'
import { createStepUp } from './login/step-up.js'
import { createThrottle } from './login/throttle.js'
import { sendWelcome } from './login/welcome.js'
import { createRefusals } from './refusals.js'
import { createSessions } from './session/sessions.js'
import type { SessionStores } from './session-stores.js'
import { createLimiter } from './store/limiter.js'
import { postgresAccountStore } from './store/postgres/account-store.js'
import { postgresApplicationStore } from './store/postgres/application-store.js'
import { postgresAuditLog } from './store/postgres/audit-log.js'
import { postgresAuthorityStore } from './store/postgres/authority-store.js'
import type { Database } from './store/postgres/database.js'
import { postgresFederationStore } from './store/postgres/federation-store.js'
import type { HotReads } from './store/postgres/hot-reads.js'
import { postgresInvitationStore } from './store/postgres/invitation-store.js'
import { postgresMembershipStore } from './store/postgres/membership-store.js'
import { postgresServiceKeyStore } from './store/postgres/service-key-store.js'
import { postgresTenantStore } from './store/postgres/tenant-store.js'
import { postgresUserStore } from './store/postgres/user-store.js'
import { announce } from './store/redis/announcements.js'
import type { RedisClient } from './store/redis/connection.js'
import type { Theme } from './theme.js'

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
  const identities = postgresFederationStore(database, hot, stores.within)
  const providers = { ...login, federation: identities, connections: createConnections(), keks: parts.keks }
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
      invitations: createInvitations({ ...login, invitations }),
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
