/** Everything that is served, in one visible order: frame, public documents, and the contexts by who may call. */
import cookie from '@fastify/cookie'
import type {} from '@fastify/swagger'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify'
import type { Throttle } from '../accounts/throttle.js'
import type { RecordRefusal } from '../audit/events.js'
import type { AuthorityStore } from '../core/authority.js'
import { callerId } from '../core/caller.js'
import { trusting } from '../core/network-address.js'
import type { KeyReads } from '../core/service-key.js'
import type { ProviderLogouts } from '../federation/logout.js'
import type { KeyRing } from '../keys/key-ring.js'
import type { Sessions } from '../sessions/sessions.js'
import type { OriginRegistry } from '../tenants/origins.js'
import type { ServiceKeyStore } from '../tenants/service-keys.js'
import type { Exchange } from '../tokens/exchange.js'
import { type AdminParts, adminRoutes } from './admin/index.js'
import { deviceListRoute, endDeviceRoutes } from './api/devices.js'
import { factorListRoutes, factorRoutes, secondStepRoutes } from './api/factors.js'
import { identitiesRoute, offeredProvidersRoute, providerRoutes, unlinkRoute } from './api/federation.js'
import { type FeedRouteParts, feedRoutes } from './api/feed.js'
import { type Health, healthRoutes } from './api/health.js'
import { type IntrospectionParts, introspectRoute } from './api/introspect.js'
import { passkeyRoutes, passkeySignInRoutes, passkeyStepUpRoutes } from './api/passkeys.js'
import { changePasswordRoute, forgottenPasswordRoutes } from './api/password.js'
import { signInRoute, signOutRoute, stepUpRoute, switchTenantRoute, whoAmIRoute } from './api/session.js'
import { acceptInvitationRoute, invitationSignUpRoute, signUpRoutes } from './api/sign-up.js'
import { tokenRoute } from './api/token.js'
import { wellKnownRoutes } from './api/well-known.js'
import { type AccountHandlerParts, createAccountHandlers } from './handlers/account.js'
import { createFactorHandlers, type FactorHandlerParts } from './handlers/factors.js'
import { createFederationHandlers, type FederationHandlerParts } from './handlers/federation.js'
import { createPasskeyHandlers, type PasskeyHandlerParts } from './handlers/passkeys.js'
import {
  callerOf,
  keyGuard,
  requireAuthority,
  requireSessionOrKey,
  userGuard,
} from './middleware/admin-context.js'
import { readClientAddresses } from './middleware/client-address.js'
import { answerInTime, mostAnsweringMs } from './middleware/deadline.js'
import { bodyLimitBytes, frame, newRequestId, requireSecureTransport } from './middleware/frame.js'
import { requireStepUp, stepUpGuard } from './middleware/fresh-proof.js'
import { answerProblems } from './middleware/problems.js'
import { tellPosition } from './middleware/revocation.js'
import { answerPreflights, guardOrigins, originGuard } from './middleware/same-origin.js'
import { touchKeysAfterwards } from './middleware/service-key.js'
import {
  requireSession,
  type Settled,
  sessionGuard,
  touchAfterwards,
  userOf,
} from './middleware/signed-in.js'
import { createTurns } from './middleware/turns.js'
import { answerUnroutable } from './middleware/unroutable.js'
import { restoreFragments } from './pages/escaped-fragments.js'
import { formAnswerRoute } from './pages/federation.js'
import { pages } from './pages/index.js'
import type { Theme } from './pages/theme.js'
import { answerUnknownRoutes } from './pages/unknown-routes.js'
import { ProblemDocument } from './shapes/problem-document.js'
import { formats } from './shapes/schemas.js'

export interface AppParts
  extends AccountHandlerParts,
    FederationHandlerParts,
    FactorHandlerParts,
    PasskeyHandlerParts {
  readonly issuer: string
  readonly log: FastifyBaseLogger
  readonly trustedProxies: readonly string[]
  readonly product: string
  readonly theme: Theme
  readonly passwordMinLength: number
  readonly registry: OriginRegistry
  readonly ring: KeyRing
  readonly sessions: Sessions
  readonly exchange: Exchange
  readonly admin: AdminParts
  readonly callers: AuthorityStore & KeyReads
  readonly serviceKeys: Pick<ServiceKeyStore, 'touch'>
  readonly introspection: IntrospectionParts
  readonly feed: Omit<FeedRouteParts, 'issuer' | 'callers'>
  readonly providerLogouts: ProviderLogouts
  readonly throttle: Pick<Throttle, 'signOut' | 'admin' | 'adminFailed'>
  readonly refused: RecordRefusal
  readonly settled: Settled
  /** Milliseconds: for tests alone, there is no setting for it. */
  readonly answerWithinMs?: number
  /** The embedded default answers probes on the main listener too. */
  readonly health: Health | undefined
  /** Sees the app before its routes: how the reference is generated from them. */
  readonly beforeRoutes?: (app: FastifyInstance) => Promise<void>
}

export async function buildApp(parts: AppParts): Promise<FastifyInstance> {
  const { issuer, log, registry, ring, sessions, refused, metrics, settled, serviceKeys, callers } = parts
  const watch = { metrics, refused, settled }
  const acts = createAccountHandlers(parts)
  const ways = createFederationHandlers(parts)
  const factors = createFactorHandlers(parts)
  const passkeys = createPasskeyHandlers(parts)
  const trusts = trusting(parts.trustedProxies)
  const takeTurns = createTurns()
  const app = fastify({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'requestId' }),
    trustProxy: trusts,
    genReqId: newRequestId,
    bodyLimit: bodyLimitBytes,
    ...answerUnroutable(issuer, log),
    http: { headersTimeout: 10_000 },
    requestTimeout: 15_000,
    connectionTimeout: 30_000,
    keepAliveTimeout: 72_000,
    return503OnClosing: true,
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false, useDefaults: false, formats } },
  }).withTypeProvider<TypeBoxTypeProvider>()

  app.addSchema(ProblemDocument)
  answerProblems(app, metrics)
  frame(app, issuer)
  restoreFragments(app)
  answerUnknownRoutes(app, parts)
  readClientAddresses(app, trusts, log)
  metrics.observe(app)
  answerInTime(app, parts.answerWithinMs ?? mostAnsweringMs)
  await parts.beforeRoutes?.(app)
  if (parts.health) await app.register(healthRoutes(parts.health))
  await app.register(wellKnownRoutes(issuer, ring))

  await app.register(async app => {
    requireSecureTransport(app, issuer, trusts)
    await app.register(cookie, { hook: false })
    touchAfterwards(app, sessions)
    tellPosition(app, { feed: parts.feed.feed, receipts: parts.admin.receipts })
    await app.register(
      pages({ ...parts, acts, ways, factors, watch, takeTurns, memberships: parts.admin.members }),
    )
    await app.register(formAnswerRoute(parts))
    await app.register(providerRoutes(parts.providerLogouts))
    const origins = { issuer, registry }
    answerPreflights(app, origins)

    await app.register(async app => {
      guardOrigins(app, origins, 'registered applications')
      signOutRoute(app, acts)
      offeredProvidersRoute(app, ways)
      await app.register(tokenRoute({ issuer, exchange: parts.exchange, watch }))
      await app.register(async app => {
        requireSession(app, sessions, watch)
        whoAmIRoute(app)
        await app.register(async app => {
          takeTurns(app, userOf)
          switchTenantRoute(app, acts)
        })
      })
    })

    await app.register(async app => {
      requireSessionOrKey(app, {
        session: [
          originGuard(origins, 'admin applications'),
          sessionGuard(sessions, watch),
          stepUpGuard(refused),
          userGuard(callers),
        ],
        key: [keyGuard(callers, settled)],
      })
      requireAuthority(app, { refused, throttle: parts.throttle, settled })
      takeTurns(app, request => callerId(callerOf(request)))
      touchKeysAfterwards(app, serviceKeys)
      adminRoutes(app, parts.admin)
    })

    await app.register(async app => {
      touchKeysAfterwards(app, serviceKeys)
      await app.register(introspectRoute(parts.introspection))
      await app.register(feedRoutes({ ...parts.feed, issuer, callers }))
    })

    await app.register(async app => {
      guardOrigins(app, origins, 'account applications')
      signUpRoutes(app, acts)
      signInRoute(app, acts)
      secondStepRoutes(app, factors)
      passkeySignInRoutes(app, { factors, passkeys })
      forgottenPasswordRoutes(app, acts)
      invitationSignUpRoute(app, acts)
      await app.register(async app => {
        requireSession(app, sessions, watch)
        takeTurns(app, userOf)
        changePasswordRoute(app, acts)
        stepUpRoute(app, acts)
        passkeyStepUpRoutes(app, { acts })
        acceptInvitationRoute(app, acts)
        deviceListRoute(app, parts.ownSessions)
        identitiesRoute(app, ways)
        factorListRoutes(app, factors)
        await app.register(async app => {
          requireStepUp(app, refused)
          endDeviceRoutes(app, acts)
          unlinkRoute(app, ways)
          factorRoutes(app, factors)
          passkeyRoutes(app, { passkeys })
        })
      })
    })
  })
  return app
}
