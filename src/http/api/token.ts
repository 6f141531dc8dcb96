/** The exchange: a session cookie in, a minutes-long access token out. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { RecordRefusal } from '../../audit/events.js'
import { Problem } from '../../core/errors.js'
import type { ClientId, TenantId, UserId } from '../../core/principal.js'
import type { KeyRing } from '../../keys/key-ring.js'
import type { Sessions } from '../../sessions/sessions.js'
import { decide } from '../../tokens/exchange.js'
import { mint } from '../../tokens/mint.js'
import { occasionOf } from '../middleware/browser.js'
import type { Metrics } from '../middleware/metrics.js'
import { presentedCredential, recordSession, refusal } from '../middleware/signed-in.js'
import { Body, DescribedId, forSessions, Id, jsonProblems, problems } from './schemas.js'

const printable = { pattern: '^[\\x21-\\x7e]*$' }

const TokenRequest = Body({
  audience: Type.Optional(
    Type.String({ ...printable, maxLength: 200, description: 'Default: the application’s first.' }),
  ),
  tenant: Type.Optional(DescribedId('Default: the session’s current tenant.')),
  client_id: Type.Optional(
    Type.String({ ...printable, maxLength: 64, description: 'For callers without an Origin.' }),
  ),
  expect: Type.Optional(
    Type.Object(
      { sub: Type.Optional(Id), tenant: Type.Optional(Type.Union([Id, Type.Null()])) },
      {
        additionalProperties: false,
        description: 'Who the caller believes is signed in, and in which tenant.',
      },
    ),
  ),
})

const Token = Type.Object(
  {
    access_token: Type.String({ description: 'A JWT access token (RFC 9068), ES256.' }),
    token_type: Type.Literal('Bearer'),
    expires_in: Type.Integer({ description: 'Seconds.' }),
    sub: Type.String(),
    sid: Type.String(),
    tenant: Type.Union([Type.String(), Type.Null()]),
  },
  { description: 'The token, and whom it speaks of.' },
)

export interface TokenParts {
  readonly issuer: string
  readonly sessions: Sessions
  readonly ring: KeyRing
  readonly refused: RecordRefusal
  readonly metrics: Metrics
}

/**
 * Outside the signed-in context: the tenant stands in the body, and session, tenant, application and signing key are
 * one statement.
 */
export function tokenRoute({
  issuer,
  sessions,
  ring,
  refused,
  metrics,
}: TokenParts): FastifyPluginAsyncTypebox {
  return async app => {
    app.addHook('onRequest', async request => void presentedCredential(request))

    app.post(
      '/v1/token',
      {
        // Every member is optional, and so is the body.
        preValidation: async (request: { body: unknown }) => {
          if (request.body === undefined) request.body = {}
        },
        schema: {
          operationId: 'mintToken',
          tags: ['token'],
          ...forSessions,
          summary: 'Exchange the session for an access token',
          body: TokenRequest,
          response: {
            200: Token,
            ...problems(
              ...jsonProblems,
              'unauthenticated',
              'session_superseded',
              'unknown_client',
              'tenant_forbidden',
              'audience_forbidden',
              'session_changed',
              'too_many_requests',
            ),
          },
        },
      },
      async request => {
        const { audience, tenant, client_id, expect } = request.body
        const client = request.callingClient ?? client_id
        if (client === undefined || (client_id !== undefined && client_id !== client))
          throw new Problem('unknown_client')

        const { origin } = request.headers
        const credential = presentedCredential(request)
        const resumed = await sessions.resumeForMint(credential, {
          tenant: tenant as TenantId | undefined,
          client: client as ClientId,
          origin: origin === issuer ? undefined : origin,
        })
        if (resumed.gone !== undefined)
          throw await refusal(request, credential, resumed.gone, { metrics, refused })
        const { live, application, kid } = resumed
        recordSession(request, { live, credential })

        const decision = decide(live, application, {
          audience,
          expect: expect as { sub?: UserId; tenant?: TenantId | null } | undefined,
        })
        if ('refused' in decision) {
          metrics.mint(decision.refused)
          const { user: actor, session } = live.principal
          await refused({
            action: 'session.token',
            reason: decision.refused,
            actor,
            session,
            occasion: occasionOf(request),
          })
          throw new Problem(decision.refused)
        }
        const { principal } = live
        const order = { issuer, principal, clientId: client as ClientId, ...decision.granted }
        const { token, expiresIn } = mint(order, await ring.signer(kid), live.now)
        metrics.mint('minted')
        return {
          access_token: token,
          token_type: 'Bearer' as const,
          expires_in: expiresIn,
          sub: principal.user,
          sid: principal.session,
          tenant: principal.standing?.tenant ?? null,
        }
      },
    )
  }
}
