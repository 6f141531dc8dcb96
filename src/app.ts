/** Everything that is served, in one visible order: frame, public documents, and the contexts by who may call. */

import cookie from '@fastify/cookie'
import type {} from '@fastify/swagger'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify'
import type { RecordRefusal } from './audit.js'
import type { OriginRegistry } from './directory/origins.js'
import { createActs } from './http/acts.js'
import {
  authorityOf,
  callerId,
  keyGuard,
  personGuard,
  requireAuthority,
  requireSessionOrKey,
} from './http/admin/context.js'
import { type AdminParts, adminRoutes } from './http/admin/index.js'
import { readClientAddresses } from './http/client-address.js'
import { createFederationActs, type FederationActParts } from './http/federation-acts.js'
import { bodyLimitBytes, frame, newRequestId, requireSecureTransport } from './http/frame.js'
import { freshProofGuard, requireFreshProof } from './http/fresh-proof.js'
import type { Metrics } from './http/metrics.js'
import { formAnswerRoute } from './http/pages/federation.js'
import { pages } from './http/pages/index.js'
import { answerProblems } from './http/problems.js'
import { deviceListRoute, endDeviceRoutes } from './http/routes/devices.js'
import {
  identitiesRoute,
  offeredProvidersRoute,
  providerRoutes,
  unlinkRoute,
} from './http/routes/federation.js'
import { type Health, healthRoutes } from './http/routes/health.js'
import { type IntrospectionParts, introspectRoute } from './http/routes/introspect.js'
import { acceptInvitationRoute, invitationSignUpRoute } from './http/routes/invitations.js'
import { changePasswordRoute, forgottenPasswordRoutes } from './http/routes/password.js'
import { signInRoute, signOutRoute, whoAmIRoute } from './http/routes/session.js'
import { signUpRoutes } from './http/routes/sign-up.js'
import { stepUpRoute } from './http/routes/step-up.js'
import { switchTenantRoute } from './http/routes/tenant.js'
import { tokenRoute } from './http/routes/token.js'
import { wellKnownRoutes } from './http/routes/well-known.js'
import { answerPreflights, guardOrigins, originGuard } from './http/same-origin.js'
import { ProblemDocument } from './http/schemas.js'
import { touchKeysAfterwards } from './http/service-key.js'
import { requireSession, type Settled, sessionGuard, touchAfterwards, userOf } from './http/signed-in.js'
import { createTurns } from './http/turns.js'
import { answerUnknownRoutes } from './http/unknown-routes.js'
import { answerUnroutable } from './http/unroutable.js'
import type { KeyRing } from './keyring/key-ring.js'
import type { Federation } from './login/federation.js'
import type { Finish } from './login/finish.js'
import type { InBackground, Post } from './login/mail.js'
import type { PasswordChanger } from './login/password-change.js'
import type { PasswordReset } from './login/password-reset.js'
import type { PasswordSignIn } from './login/password-sign-in.js'
import type { ProviderLogouts } from './login/provider-logout.js'
import type { SignUp } from './login/sign-up.js'
import type { StepUp } from './login/step-up.js'
import type { Throttle } from './login/throttle.js'
import { trusting } from './network-address.js'
import type { Revocations } from './session/revocations.js'
import type { Sessions } from './session/sessions.js'
import type { Theme } from './theme.js'

export interface AppParts {
  readonly issuer: string
  readonly log: FastifyBaseLogger
  readonly trustedProxies: readonly string[]
  readonly product: string
  readonly theme: Theme
  readonly passwordMinLength: number
  readonly registry: OriginRegistry
  readonly ring: KeyRing
  readonly sessions: Sessions
  readonly revocations: Revocations
  readonly stepUp: StepUp
  readonly admin: AdminParts
  readonly introspection: IntrospectionParts
  readonly federation: Federation
  readonly identities: FederationActParts['identities']
  readonly accounts: FederationActParts['accounts']
  readonly providerLogouts: ProviderLogouts
  readonly post: Post
  readonly inBackground: InBackground
  readonly throttle: Pick<Throttle, 'signOut'>
  readonly finish: Finish
  readonly refused: RecordRefusal
  readonly metrics: Metrics
  readonly settled: Settled
  readonly passwordSignIn: PasswordSignIn
  readonly signUp: SignUp
  readonly passwordReset: PasswordReset
  readonly changePassword: PasswordChanger
  /** The embedded default answers probes on the main listener too. */
  readonly health: Health | undefined
  /** Sees the app before its routes: how the reference is generated from them. */
  readonly beforeRoutes?: (app: FastifyInstance) => Promise<void>
}

export async function buildApp(parts: AppParts): Promise<FastifyInstance> {
  const { issuer, log, registry, ring, sessions, revocations, refused, metrics, settled } = parts
  const watch = { metrics, refused, settled }
  const acts = createActs({ ...parts, invitations: parts.admin.invitations })
  const ways = createFederationActs(parts)
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
    ajv: { customOptions: { removeAdditional: false, coerceTypes: false, useDefaults: false } },
  }).withTypeProvider<TypeBoxTypeProvider>()

  app.addSchema(ProblemDocument)
  answerProblems(app, metrics)
  answerUnknownRoutes(app, parts)
  frame(app, issuer)
  readClientAddresses(app, trusts, log)
  metrics.observe(app)
  await parts.beforeRoutes?.(app)
  if (parts.health) await app.register(healthRoutes(parts.health))
  await app.register(wellKnownRoutes(issuer, ring))

  await app.register(async app => {
    requireSecureTransport(app, issuer)
    await app.register(cookie, { hook: false })
    touchAfterwards(app, sessions)
    await app.register(
      pages({ ...parts, acts, ways, watch, takeTurns, memberships: parts.admin.memberships }),
    )
    await app.register(formAnswerRoute(parts))
    await app.register(providerRoutes(parts.providerLogouts))
    const origins = { issuer, registry }
    answerPreflights(app, origins)

    await app.register(async app => {
      guardOrigins(app, origins, 'registered applications')
      await app.register(signOutRoute(acts))
      await app.register(offeredProvidersRoute(ways))
      await app.register(tokenRoute({ issuer, sessions, ring, refused, metrics }))
      await app.register(async app => {
        requireSession(app, sessions, watch)
        await app.register(whoAmIRoute)
        await app.register(async app => {
          takeTurns(app, userOf)
          await app.register(switchTenantRoute(acts))
        })
      })
    })

    await app.register(async app => {
      requireSessionOrKey(app, {
        session: [
          originGuard(origins, 'admin applications'),
          sessionGuard(sessions, watch),
          freshProofGuard(refused),
          personGuard(parts.admin.authorities),
        ],
        key: [keyGuard(parts.admin.serviceKeys, settled)],
      })
      requireAuthority(app, { refused, throttle: parts.admin.throttle, settled })
      takeTurns(app, request => callerId(authorityOf(request)))
      touchKeysAfterwards(app, parts.admin.serviceKeys)
      await app.register(adminRoutes(parts.admin))
    })

    await app.register(async app => {
      touchKeysAfterwards(app, parts.admin.serviceKeys)
      await app.register(introspectRoute(parts.introspection))
    })

    await app.register(async app => {
      guardOrigins(app, origins, 'account applications')
      await app.register(signUpRoutes(acts))
      await app.register(signInRoute(acts))
      await app.register(forgottenPasswordRoutes(acts))
      await app.register(invitationSignUpRoute(acts))
      await app.register(async app => {
        requireSession(app, sessions, watch)
        takeTurns(app, userOf)
        await app.register(changePasswordRoute(acts))
        await app.register(stepUpRoute(acts))
        await app.register(acceptInvitationRoute(acts))
        await app.register(deviceListRoute(revocations))
        await app.register(identitiesRoute(ways))
        await app.register(async app => {
          requireFreshProof(app, refused)
          await app.register(endDeviceRoutes(acts))
          await app.register(unlinkRoute(ways))
        })
      })
    })
  })
  return app
}
