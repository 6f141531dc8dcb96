/** Providers for scripts and for the providers themselves: what is offered, what is linked, and their logout. */
import formbody from '@fastify/formbody'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { ProviderLogouts } from '../../federation/logout.js'
import type { FederationHandlers } from '../handlers/federation.js'
import { contextOf } from '../middleware/browser.js'
import { Problem } from '../middleware/problem.js'
import type { App } from '../shapes/app.js'
import {
  forAnyone,
  forSessions,
  Id,
  Instant,
  Nothing,
  operation,
  ownListProblems,
  userProblems,
} from '../shapes/schemas.js'

const OfferedProvider = Type.Object(
  {
    id: Type.String({ description: 'To sign in, navigate to `/v1/federation/{id}`.' }),
    name: Type.String(),
    counts_as_proof: Type.Boolean({ description: 'Whether users can step up with it.' }),
  },
  { title: 'OfferedProvider', description: 'A provider that users can sign in with.' },
)
const Identity = Type.Object(
  {
    id: Type.String(),
    provider: Type.String(),
    provider_name: Type.String(),
    enabled: Type.Boolean({ description: 'False if the provider is disabled.' }),
    label: Type.String({ description: 'The name of the account at the provider when it was linked.' }),
    created_at: Instant,
  },
  { title: 'Identity', description: 'An account at a provider.' },
)

export function offeredProvidersRoute(app: App, acts: FederationHandlers): void {
  app.get(
    '/v1/federation',
    operation('federation', forAnyone, 'listProviders', {
      summary: 'List the providers that users can sign in with',
      answers: {
        200: Type.Object(
          {
            providers: Type.Array(OfferedProvider),
          },
          { title: 'OfferedProviderList', description: 'The enabled providers, sorted by name.' },
        ),
      },
      refuses: ['insecure_transport', 'unavailable'],
    }),
    async () => {
      const offered = await acts.offered()
      const providers = offered.map(({ id, name, countsAsProof }) => ({
        id,
        name,
        counts_as_proof: countsAsProof,
      }))
      return { providers }
    },
  )
}

/** In the signed-in context. */
export function identitiesRoute(app: App, acts: FederationHandlers): void {
  app.get(
    '/v1/identities',
    operation('federation', forSessions, 'listIdentities', {
      summary: 'List the sign-in methods of the signed-in user',
      answers: {
        200: Type.Object(
          {
            password: Type.Boolean({ description: 'Whether the user has a password.' }),
            identities: Type.Array(Identity),
          },
          { title: 'SignInMethods', description: 'The sign-in methods of the user, oldest first.' },
        ),
      },
      refuses: [...ownListProblems],
    }),
    async request => {
      const { linked, password } = await acts.waysOf(request)
      const identities = linked.map(one => ({
        id: one.id,
        provider: one.provider,
        provider_name: one.providerName,
        enabled: one.providerEnabled,
        label: one.label,
        created_at: one.createdAt,
      }))
      return { password, identities }
    },
  )
}

/** In the freshly proved context. (Linking leads through the provider, so it begins on the page /sign-in-methods.) */
export function unlinkRoute(app: App, acts: FederationHandlers): void {
  app.delete(
    '/v1/identities/:id',
    operation('federation', forSessions, 'unlinkIdentity', {
      revokes: 'always',
      summary: 'Unlink an account at a provider; other sessions that were created with it end',
      params: Type.Object({ id: Id }),
      answers: { 204: Nothing('The account is unlinked.') },
      refuses: [...userProblems, 'insufficient_user_authentication', 'not_found', 'last_way_in'],
    }),
    async (request, reply) => {
      await acts.unlink(request, request.params.id)
      return reply.code(204).send(null)
    },
  )
}

/** Called by providers: the token in the form is the authentication, no cookie is looked at, and no origin. */
export function providerRoutes(logouts: ProviderLogouts): FastifyPluginAsyncTypebox {
  return async app => {
    app.removeAllContentTypeParsers()
    await app.register(formbody)
    const params = Type.Object({ provider: Type.String({ maxLength: 32 }) })

    app.post(
      '/v1/federation/:provider/back-channel-logout',
      operation('federation', forAnyone, 'backChannelLogout', {
        summary: 'End the sessions that a provider names (OpenID Connect Back-Channel Logout 1.0)',
        consumes: ['application/x-www-form-urlencoded'],
        params: params,
        body: Type.Object({ logout_token: Type.String({ maxLength: 16_384 }) }),
        answers: { 200: Nothing('The sessions have ended, now or earlier.') },
        refuses: [
          'logout_token_invalid',
          'not_found',
          'insecure_transport',
          'body_too_large',
          'unsupported_media_type',
          'provider_unavailable',
          'not_confirmed',
          'unavailable',
        ],
      }),
      async (request, reply) => {
        const { provider } = request.params
        const answer = await logouts.take(provider, request.body.logout_token, contextOf(request))
        reply.header('cache-control', 'no-store')
        if ('ended' in answer) {
          request.log.info({ provider, ended: answer.ended }, 'provider logout')
          return reply.code(200).send(null)
        }
        request.log.warn({ provider, ...answer }, 'provider logout rejected')
        if ('unavailable' in answer) throw new Problem('provider_unavailable', { retryAfterSeconds: 30 })
        throw new Problem(answer.refused === 'unknown-provider' ? 'not_found' : 'logout_token_invalid')
      },
    )
  }
}
