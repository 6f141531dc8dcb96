/** The exchange: a session cookie in, a minutes-long access token out. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { ClientId, TenantId, UserId } from '../../core/principal.js'
import type { Exchange } from '../../tokens/exchange.js'
import { contextOf } from '../middleware/browser.js'
import { Problem } from '../middleware/problem.js'
import { presentedCredential, recordSession, refusal, type Watch } from '../middleware/signed-in.js'
import { Body, DescribedId, forSessions, Id, jsonProblems, operation } from '../shapes/schemas.js'

const printable = { pattern: '^[\\x21-\\x7e]*$' }

const TokenRequest = Body({
  audience: Type.Optional(
    Type.String({
      ...printable,
      maxLength: 200,
      description: 'Default: the first audience of the application.',
    }),
  ),
  tenant: Type.Optional(DescribedId('Default: the session’s current tenant.')),
  client_id: Type.Optional(
    Type.String({
      ...printable,
      maxLength: 64,
      description: 'The application, for callers without an `Origin`.',
    }),
  ),
  expect: Type.Optional(
    Type.Object(
      { sub: Type.Optional(Id), tenant: Type.Optional(Type.Union([Id, Type.Null()])) },
      {
        title: 'ExpectedSession',
        additionalProperties: false,
        description: 'The user and the tenant that the caller expects.',
      },
    ),
  ),
})

const Token = Type.Object(
  {
    access_token: Type.String({ description: 'A JWT access token (RFC 9068), ES256.' }),
    token_type: Type.Literal('Bearer'),
    expires_in: Type.Integer({ description: 'The lifetime of the token in seconds.' }),
    sub: Type.String(),
    sid: Type.String(),
    tenant: Type.Union([Type.String(), Type.Null()]),
  },
  { title: 'AccessToken', description: 'The token, with its user, session and tenant.' },
)

export interface TokenParts {
  readonly issuer: string
  readonly exchange: Exchange
  readonly watch: Watch
}

/**
 * Outside the signed-in context: the tenant stands in the body, and session, tenant, application and signing key are
 * one statement.
 */
export function tokenRoute({ issuer, exchange, watch }: TokenParts): FastifyPluginAsyncTypebox {
  return async app => {
    app.addHook('onRequest', async request => void presentedCredential(request))

    app.post(
      '/v1/token',
      {
        ...operation('token', forSessions, 'mintToken', {
          summary: 'Exchange the session for an access token',
          body: TokenRequest,
          answers: { 200: Token },
          refuses: [
            ...jsonProblems,
            'unauthenticated',
            'session_superseded',
            'unknown_client',
            'tenant_forbidden',
            'audience_forbidden',
            'session_changed',
            'too_many_requests',
          ],
        }),
        preValidation: async (request: { body: unknown }) => {
          if (request.body === undefined) request.body = {}
        },
      },
      async request => {
        const { audience, tenant, client_id, expect } = request.body
        const client = request.callingClient ?? client_id
        if (client === undefined || (client_id !== undefined && client_id !== client))
          throw new Problem('unknown_client')

        const { origin } = request.headers
        const credential = presentedCredential(request)
        const wanted = {
          client: client as ClientId,
          origin: origin === issuer ? undefined : origin,
          tenant: tenant as TenantId | undefined,
          audience,
          expect: expect as { sub?: UserId; tenant?: TenantId | null } | undefined,
        }
        const exchanged = await exchange(credential, wanted, contextOf(request), live =>
          recordSession(request, { live, credential }),
        )
        if (exchanged.gone !== undefined) throw await refusal(request, credential, exchanged.gone, watch)
        watch.metrics.mint('refused' in exchanged ? exchanged.refused : 'minted')
        if ('refused' in exchanged) throw new Problem(exchanged.refused)
        const { principal } = exchanged.live
        return {
          access_token: exchanged.minted.token,
          token_type: 'Bearer' as const,
          expires_in: exchanged.minted.expiresIn,
          sub: principal.user,
          sid: principal.session,
          tenant: typeof principal.tenant === 'object' ? principal.tenant.id : null,
        }
      },
    )
  }
}
