/** The domain and the app put together from their stores. Only here, in service.ts and in the commands are stores known. */

import { availableParallelism } from 'node:os'
import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import type { Redis } from 'ioredis'
import { buildApp } from './app.js'
import type { Config } from './config.js'
import type { OriginRegistry } from './directory/origins.js'
import { addGauges, type Metrics } from './http/metrics.js'
import type { Health } from './http/routes/health.js'
import type { KeyRing } from './keyring/key-ring.js'
import { createFinish } from './login/finish.js'
import type { InBackground, Post } from './login/mail.js'
import { createPasswordChange } from './login/password-change.js'
import { createPasswordHasher } from './login/password-hash.js'
import { createPasswordPolicy } from './login/password-policy.js'
import { createPasswordReset } from './login/password-reset.js'
import { createPasswordSignIn } from './login/password-sign-in.js'
import { createSignUp } from './login/sign-up.js'
import { createStepUp } from './login/step-up.js'
import { createThrottle } from './login/throttle.js'
import { createSessions } from './session/sessions.js'
import { createLimiter } from './store/limiter.js'
import { postgresAccountStore } from './store/postgres/account-store.js'
import { postgresAuditLog } from './store/postgres/audit-log.js'
import type { Database } from './store/postgres/database.js'
import type { HotReads } from './store/postgres/hot-reads.js'
import { postgresRevocations } from './store/postgres/revocation-store.js'
import { postgresSessionStore } from './store/postgres/session-store.js'

/** Over this many waiting password hashes the answer is 503. */
const mostQueuedHashes = 64

export interface AssemblyParts {
  readonly config: Config
  readonly metrics: Metrics
  readonly log: FastifyBaseLogger
  readonly post: Post
  readonly inBackground: InBackground
  readonly database: Database
  readonly hot: HotReads
  /** Connections that only ending sessions may use. */
  readonly reserved: Database
  readonly redis: Redis | undefined
  readonly ring: KeyRing
  readonly registry: OriginRegistry
  /** On the main listener too: the embedded default only. */
  readonly health: Health | undefined
}

export function assemble(parts: AssemblyParts): Promise<FastifyInstance> {
  const { config, metrics, log, post, inBackground, database, hot, reserved, redis, ring, registry, health } =
    parts
  const { issuer, product, passwordMinLength, trustedProxies } = config
  const store = postgresAccountStore(database)
  const sessions = createSessions(postgresSessionStore(database, hot, reserved), config.sessionLimits)
  const hasher = createPasswordHasher({ concurrency: hashesAtOnce(), queueLimit: mostQueuedHashes })
  const policy = createPasswordPolicy({ minLength: passwordMinLength })
  const throttle = createThrottle(createLimiter(redis))
  const finish = createFinish(sessions)
  const login = { issuer, store, hasher, policy, throttle, post, inBackground, finish }
  const passwordSignIn = createPasswordSignIn(login)
  const audit = postgresAuditLog(database)
  addGauges(metrics.registry, {
    hashesQueued: () => hasher.queued(),
    statementsPending: () => hot.pending + database.pending + reserved.pending,
    signingKeyAgeSeconds: () => ring.signerAgeSeconds() ?? 0,
    redisConnected: () => redis && redis.status === 'ready',
  })
  return buildApp({
    metrics,
    refused: ({ actor, ...event }) =>
      inBackground('audit', () => audit.record({ ...event, outcome: 'refused', ...(actor && { actor }) })),
    issuer,
    product,
    passwordMinLength,
    log,
    trustedProxies,
    registry,
    ring,
    sessions,
    revocations: postgresRevocations(reserved),
    stepUp: createStepUp({ signIn: passwordSignIn, sessions }),
    finish,
    passwordSignIn,
    signUp: createSignUp(login),
    passwordReset: createPasswordReset(login),
    changePassword: createPasswordChange({ ...login, signIn: passwordSignIn }),
    health,
  })
}

/** One core is left to everything else. */
function hashesAtOnce(): number {
  return Math.max(1, availableParallelism() - 1)
}
