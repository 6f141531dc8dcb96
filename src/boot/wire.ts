/** The domain and the app of one process put together from their stores. */
import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import { createByLink } from '../accounts/by-link.js'
import { createCodeProof } from '../accounts/code-proof.js'
import { createSessionCreator } from '../accounts/create-session.js'
import { createFactorManagement } from '../accounts/factor-management.js'
import { createFederation } from '../accounts/federated-sign-in.js'
import { createPasskeyProofs } from '../accounts/passkey-proof.js'
import { createPasskeyRegistration } from '../accounts/passkey-registration.js'
import { createPasskeySignIn } from '../accounts/passkey-sign-in.js'
import { createPasswordChange } from '../accounts/password-change.js'
import { type Argon2Parameters, createPasswordHasher, hashingWithin } from '../accounts/password-hash.js'
import { createPasswordPolicy } from '../accounts/password-policy.js'
import { createPasswordSignIn } from '../accounts/password-sign-in.js'
import { createRecoveryCodeNotice } from '../accounts/recovery-code-notice.js'
import { createSecondStep } from '../accounts/second-step.js'
import { createSignIn } from '../accounts/sign-in.js'
import { createSignInMethods } from '../accounts/sign-in-methods.js'
import { createStepUp } from '../accounts/step-up.js'
import { createThrottle } from '../accounts/throttle.js'
import { createWebAuthn } from '../accounts/webauthn.js'
import type { AuditLog, RequestContext } from '../audit/events.js'
import { createRefusals } from '../audit/refusals.js'
import type { InBackground } from '../core/background.js'
import type { Mailer } from '../core/mail.js'
import { createProviderLogouts } from '../federation/logout.js'
import { createConnections } from '../federation/metadata.js'
import { createVerifierCounts } from '../feed/counts.js'
import type { Feed } from '../feed/feed.js'
import { heldListsIn, type Receipts } from '../feed/receipts.js'
import type { Registry } from '../feed/registry.js'
import type { Health } from '../http/api/health.js'
import { addGauges, type FeedGauge, type Metrics } from '../http/middleware/metrics.js'
import type { Theme } from '../http/pages/theme.js'
import { buildApp } from '../http/server.js'
import type { KeyRing } from '../keys/key-ring.js'
import { createKeyOperations } from '../keys/operations.js'
import { createVerificationKeys } from '../keys/verification-keys.js'
import type { KeyEncryptionKeys } from '../sealing/key-encryption-keys.js'
import { createOwnSessions } from '../sessions/own.js'
import { createSessions } from '../sessions/sessions.js'
import { postgresAccountStore } from '../store/postgres/accounts/account-store.js'
import { postgresFactorResets } from '../store/postgres/accounts/factor-resets.js'
import { postgresFactorStore } from '../store/postgres/accounts/factor-store.js'
import { postgresIdentityStore } from '../store/postgres/accounts/identity-store.js'
import { parametersInUse } from '../store/postgres/accounts/parameters-in-use.js'
import { postgresPasskeyStore } from '../store/postgres/accounts/passkey-store.js'
import { postgresRedemptionStore } from '../store/postgres/accounts/redemption-store.js'
import { postgresAuditLog } from '../store/postgres/audit/audit-log.js'
import { postgresCallers } from '../store/postgres/authority/authority-store.js'
import type { Database } from '../store/postgres/database.js'
import { postgresFederationStore } from '../store/postgres/federation/federation-store.js'
import type { HotReads } from '../store/postgres/hot-reads.js'
import { postgresKeyRingStore } from '../store/postgres/keys/key-ring-store.js'
import { postgresServiceKeyStore } from '../store/postgres/tenants/service-key-store.js'
import { announce, type Topic } from '../store/redis/announcements.js'
import type { RedisClient } from '../store/redis/connection.js'
import { createLimiter } from '../store/redis/limiter.js'
import { postgresPendingSignIns } from '../store/sessions/pending-sign-ins.js'
import type { OriginRegistry } from '../tenants/origins.js'
import { createExchange } from '../tokens/exchange.js'
import type { Config } from './config.js'
import { ownShare } from './container.js'
import { createDomain } from './domain.js'
import type { SessionStores } from './session-stores.js'

/** Over this many waiting password hashes the answer is 503. */
const mostQueuedHashes = 64

/** Milliseconds between two counts of the parameters of stored password hashes. */
const countParametersEveryMs = 600_000

/** Milliseconds after which the end no longer waits for the audit log. */
const mostWritingMs = 5000

/** What a service is started with. */
export interface GivenParts {
  readonly config: Config
  readonly keks: KeyEncryptionKeys
  readonly mailer: Mailer
  readonly log: FastifyBaseLogger
  /** Cheaper password hashes, for tests alone: there is no setting for it. */
  readonly argon2?: Argon2Parameters
  /** A shorter deadline of requests, for tests alone. */
  readonly answerWithinMs?: number
  /** A shorter time within which unnoticed work starts, for tests alone. */
  readonly unnoticedWithinMs?: number
}

export interface AssemblyParts extends GivenParts {
  readonly theme: Theme
  readonly metrics: Metrics
  readonly inBackground: InBackground
  /** For work that would say by its load whose address a request named. */
  readonly unnoticed: InBackground
  readonly database: Database
  readonly hot: HotReads
  readonly reserved: Database
  readonly forRefusals: Database
  readonly stores: SessionStores
  readonly redis: RedisClient | undefined
  readonly ring: KeyRing
  readonly registry: OriginRegistry
  readonly feed: Feed
  readonly verifiers: Registry
  readonly receipts: Receipts
  /** On the main listener too: the embedded default only. */
  readonly health: Health | undefined
}

export async function assemble(parts: AssemblyParts): Promise<FastifyInstance> {
  const { config, metrics, log, mailer, inBackground, database, hot, reserved, ring, stores, keks, feed } =
    parts
  const { issuer, passwordMinLength } = config
  const { verifiers, receipts } = parts
  const { revocations } = stores
  const store = postgresAccountStore(database, stores.within)
  const sessions = createSessions(stores.sessions, config.sessionLimits)
  const share = ownShare()
  const hashing = hashingWithin(share, parts.argon2)
  log.info({ ...share, hashesAtOnce: hashing.concurrency }, 'resources available to this process')
  const hasher = createPasswordHasher({ ...hashing, queueLimit: mostQueuedHashes, parameters: parts.argon2 })
  const countParameters = async () => hasher.learn(await parametersInUse(database))
  await countParameters()
  const policy = createPasswordPolicy({ minLength: passwordMinLength, product: config.product })
  const throttle = createThrottle(createLimiter(parts.redis, config))
  const audit = postgresAuditLog(parts.forRefusals)
  const keyOf = createVerificationKeys()
  const refusals = createRefusals({ audit, throttle, log, metrics })
  const refused = refusals.record
  const mailing = { issuer, store, hasher, policy, throttle, mailer, inBackground: parts.unnoticed }
  const passwords = createPasswordSignIn(mailing)
  const proving = {
    ...mailing,
    sessions,
    refused,
    keks,
    factors: postgresFactorStore(database),
    factorResets: postgresFactorResets(database),
    pendingSignIns: postgresPendingSignIns(database),
    passkeys: postgresPasskeyStore(database),
    webAuthn: createWebAuthn({ id: config.passkeyRpId, name: config.product, origin: issuer }),
  }
  const proveCode = createCodeProof(proving)
  const notice = createRecoveryCodeNotice(proving)
  const passkeyProofs = createPasskeyProofs(proving)
  const shared = { ...proving, createSession: createSessionCreator(proving) }
  const changed = (topic: Topic) => inBackground('announcement', () => announceChange(parts, topic))
  const keys = async () => keks
  const domain = createDomain({ ...shared, config, database, reserved, keks: keys, sealing: keys, changed })
  const keyOperations = createKeyOperations({
    store: postgresKeyRingStore(reserved),
    keks,
    issuer,
    resealOthers: domain.resealOthers,
    changed: () => changed('keys'),
    heldLists: heldListsIn(receipts),
  })
  const identities = postgresIdentityStore(database, stores.within)
  const federation = postgresFederationStore(database, hot, stores.within)
  const federating = { ...shared, federation, identities, connections: createConnections(), keks }
  addGauges(metrics.registry, {
    hashesQueued: () => hasher.queued(),
    refusalsQueued: () => refusals.queued(),
    statementsPending: () => hot.pending + database.pending + parts.reserved.pending,
    signingKeyAgeSeconds: () => ring.signerAgeSeconds() ?? 0,
    feed: () => gaugesOf(feed),
    verifiers: createVerifierCounts(receipts.read),
    redisConnected: () => parts.redis && parts.redis.status === 'ready',
  })
  const app = await buildApp({
    ...parts,
    ...shared,
    ...config,
    settled: () => database.settled(),
    ownSessions: createOwnSessions({ ...shared, revocations }),
    signIn: createSignIn(passwords, shared),
    byLink: createByLink({ ...shared, invitations: postgresRedemptionStore(database) }),
    changePassword: createPasswordChange(passwords, shared),
    stepUp: createStepUp(passwords, proveCode, passkeyProofs, notice, shared),
    secondStep: createSecondStep(proveCode, passkeyProofs, notice, shared),
    factorManagement: createFactorManagement({ ...shared, product: config.product }),
    passkeySignIn: createPasskeySignIn(passkeyProofs, shared),
    passkeyRegistration: createPasskeyRegistration(shared),
    exchange: createExchange({ ...shared, signer: ring.signer }),
    admin: { ...domain, issuer, revocations, keyOperations, receipts },
    callers: postgresCallers(hot),
    serviceKeys: postgresServiceKeyStore(database),
    introspection: { issuer, introspections: stores.introspections, keyOf },
    feed: { ...config, feed, verifiers, ring, keyOf, forked: reportFork(parts, audit) },
    federation: createFederation(federating),
    signInMethods: createSignInMethods({ ...shared, identities }),
    providerLogouts: createProviderLogouts(federating),
  })
  const count = () => inBackground('password parameters', countParameters)
  const counting = setInterval(count, countParametersEveryMs).unref()
  app.addHook('onClose', async () => clearInterval(counting))
  // Once every request has been answered.
  app.addHook('onClose', () => refusals.close(mostWritingMs))
  return app
}

function gaugesOf(feed: Feed): Readonly<Record<FeedGauge, number | undefined>> {
  const { head, entries, waiting, ageMs, tickMs } = feed.state()
  return {
    feed_head: head,
    feed_entries: entries,
    feed_readers: waiting,
    feed_age_seconds: ageMs === undefined || waiting === 0 ? undefined : ageMs / 1000,
    feed_tick_seconds: tickMs === undefined ? undefined : tickMs / 1000,
  }
}

/** A verifier remembers what this database never had, or has lost. The audit log tells `mintmark keys doctor`. */
function reportFork({ log, metrics }: AssemblyParts, audit: AuditLog) {
  return async (context: RequestContext) => {
    log.error(
      'a verifier remembers revocations that this database does not have: read docs/backup-and-upgrade.md, then run `mintmark recover`',
    )
    metrics.feedForked()
    await audit.record([{ action: 'feed.forked', outcome: 'done', context }])
  }
}

/** This instance looks at once, and so do the others where there is a Redis. */
async function announceChange({ registry, ring, config }: AssemblyParts, topic: Topic): Promise<void> {
  await (topic === 'keys' ? ring : registry).refresh()
  if (config.redisUrl !== undefined) await announce(config.redisUrl, topic)
}
