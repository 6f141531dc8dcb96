/** What a verifier needs to know: the public keys, and the metadata that leads to them. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { KeyRing } from '../../keys/key-ring.js'
import { maxAgeSeconds } from '../../keys/schedule.js'
import { authorizationServerMetadata, openidConfiguration } from '../../tokens/metadata.js'
import { forAnyone, Nothing, operation } from '../shapes/schemas.js'

const PublicKey = Type.Object(
  {
    kty: Type.String(),
    crv: Type.String(),
    x: Type.String(),
    y: Type.String(),
    kid: Type.String(),
    alg: Type.String(),
    use: Type.String(),
  },
  { title: 'JsonWebKey', description: 'A public key (RFC 7517).' },
)
const shared = {
  issuer: Type.String(),
  jwks_uri: Type.String(),
  response_types_supported: Type.Array(Type.String()),
  introspection_endpoint: Type.String(),
  introspection_endpoint_auth_methods_supported: Type.Array(Type.String()),
}
const Metadata = Type.Object(shared, { title: 'AuthorizationServerMetadata', description: 'The metadata.' })
const OpenidMetadata = Type.Object(
  {
    ...shared,
    subject_types_supported: Type.Array(Type.String()),
    id_token_signing_alg_values_supported: Type.Array(Type.String()),
  },
  { title: 'OpenidConfiguration', description: 'The metadata.' },
)

const cacheControl = `public, max-age=${maxAgeSeconds}, must-revalidate`

export function wellKnownRoutes(issuer: string, ring: KeyRing): FastifyPluginAsyncTypebox {
  const server = authorizationServerMetadata(issuer)
  const openid = openidConfiguration(issuer)
  return async app => {
    app.addHook('onRequest', async (_request, reply) => {
      reply.header('access-control-allow-origin', '*').header('cross-origin-resource-policy', 'cross-origin')
    })

    app.get(
      '/.well-known/jwks.json',
      operation('metadata', forAnyone, 'jwks', {
        summary: 'The public signing keys (RFC 7517)',
        answers: {
          200: Type.Object(
            { keys: Type.Array(PublicKey) },
            { title: 'JsonWebKeySet', description: 'The public keys.' },
          ),
          304: Nothing('The list has not changed since the one whose ETag the request names.'),
        },
        refuses: ['unavailable'],
      }),
      async (request, reply) => {
        const { body, etag, feedPosition } = ring.published()
        reply.header('etag', etag).header('cache-control', cacheControl).header('mintmark-feed', feedPosition)
        if (matches(request.headers['if-none-match'], etag)) return reply.code(304).send(null)
        return reply
          .type('application/json; charset=utf-8')
          .serializer(String)
          .send(body as never)
      },
    )

    app.get(
      '/.well-known/historical-keys',
      operation('metadata', forAnyone, 'historicalKeys', {
        summary: 'Every key that no longer signs or was compromised (OpenID Federation 1.0), as a signed JWT',
        answers: {
          200: {
            description: 'The key history. A key of the JWK Set verifies it.',
            content: { 'application/jwk-set+jwt': { schema: Type.String() } },
          },
        },
        refuses: ['unavailable'],
      }),
      async (_request, reply) => {
        const history = await ring.history()
        return reply.header('cache-control', cacheControl).type('application/jwk-set+jwt').send(history)
      },
    )

    app.get(
      '/.well-known/oauth-authorization-server',
      operation('metadata', forAnyone, 'authorizationServerMetadata', {
        summary: 'Authorization server metadata (RFC 8414)',
        answers: { 200: Metadata },
      }),
      async (_request, reply) => reply.header('cache-control', cacheControl).send(server),
    )

    app.get(
      '/.well-known/openid-configuration',
      operation('metadata', forAnyone, 'openidConfiguration', {
        summary: 'OpenID provider metadata, for libraries that read only this address',
        answers: { 200: OpenidMetadata },
      }),
      async (_request, reply) => reply.header('cache-control', cacheControl).send(openid),
    )
  }
}

/** RFC 9110, section 13.1.2: a list of tags or `*`; weak tags compare equal. */
function matches(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false
  return header.split(',').some(tag => [etag, '*'].includes(tag.trim().replace(/^W\//, '')))
}
