/** Introspection (RFC 7662): a service asks with its key, and gets today's answer about a token. */
import formbody from '@fastify/formbody'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { judgeKey } from '../../core/service-key.js'
import type { VerificationKeys } from '../../keys/verification-keys.js'
import {
  type Active,
  type Inactive,
  type IntrospectionReading,
  type IntrospectionStore,
  judgeToken,
} from '../../tokens/introspection.js'
import { type ReadToken, readToken, type Unreadable } from '../../tokens/read.js'
import { Problem } from '../middleware/problem.js'
import { keyRefusal, presentedClient, recordKey } from '../middleware/service-key.js'
import { Body, forClients, Instant, operation } from '../shapes/schemas.js'

const texts = Type.Optional(Type.Array(Type.String()))
const text = Type.Optional(Type.String())
const instant = Type.Optional(Instant)
const Answer = Type.Object(
  {
    active: Type.Boolean({ description: 'If false, there is no other member, and no reason is given.' }),
    iss: text,
    sub: text,
    aud: text,
    client_id: text,
    token_type: text,
    exp: instant,
    iat: instant,
    jti: text,
    sid: text,
    auth_time: instant,
    acr: text,
    amr: texts,
    tenant: text,
    roles: Type.Optional(
      Type.Array(Type.String(), { description: 'The current ones, not those in the token.' }),
    ),
    permissions: Type.Optional(
      Type.Array(Type.String(), { description: 'The current ones, not those in the token.' }),
    ),
  },
  { title: 'Introspection', description: 'Whether the token is valid now, and whose it is.' },
)

export interface IntrospectionParts {
  readonly issuer: string
  readonly introspections: IntrospectionStore
  readonly keyOf: VerificationKeys
}

/** The key is judged by the statement that reads the session: one moment, one answer. */
export function introspectRoute(parts: IntrospectionParts): FastifyPluginAsyncTypebox {
  const { issuer, introspections } = parts
  return async app => {
    app.removeAllContentTypeParsers()
    await app.register(formbody)
    app.addHook('onRequest', async request => void presentedClient(request))

    app.post(
      '/v1/introspect',
      operation('token', forClients, 'introspectToken', {
        summary: 'Check whether a token is valid now (RFC 7662)',
        consumes: ['application/x-www-form-urlencoded'],
        body: Body({
          token: Type.String({ description: 'An access token.' }),
          token_type_hint: Type.Optional(Type.String({ description: 'Ignored.' })),
        }),
        answers: { 200: Answer },
        refuses: [
          'invalid_service_key',
          'wrong_origin',
          'forbidden',
          'insecure_transport',
          'body_too_large',
          'unsupported_media_type',
          'unavailable',
        ],
      }),
      async request => {
        const credential = presentedClient(request)
        const token = readToken(request.body.token, issuer)
        const reading = await introspections.read({ key: credential.id, token: about(token) })
        const judged = judgeKey(credential, reading.key)
        if ('refused' in judged) throw keyRefusal(request, judged.refused)
        const { key } = judged
        recordKey(request, key)
        if (!key.scopes.includes('introspect')) throw new Problem('forbidden')
        const answer =
          'unreadable' in token
            ? { inactive: token.unreadable }
            : await judgeToken(token, await verifier(parts, reading), reading, key)
        if ('active' in answer) return described(answer.active)
        return inactive(request.log, answer.inactive)
      },
    )
  }
}

async function verifier({ keyOf }: IntrospectionParts, { publishedKey }: IntrospectionReading) {
  return publishedKey && (await keyOf(publishedKey.publicJwk))
}

function about(token: ReadToken | { readonly unreadable: Unreadable }) {
  if ('unreadable' in token) return undefined
  const { kid, claims } = token
  return { kid, session: claims.sid, tenant: claims.tenant, client: claims.clientId }
}

function inactive(log: { info(about: object, message: string): void }, reason: Inactive) {
  log.info({ inactive: reason }, 'token not active')
  return { active: false }
}

function described({ claims, tenant }: Active) {
  const { issuer, sub, audience, clientId, expiresAt, issuedAt, jti, sid, authTime, acr, amr } = claims
  return {
    active: true,
    token_type: 'Bearer',
    iss: issuer,
    sub,
    aud: audience,
    client_id: clientId,
    exp: expiresAt,
    iat: issuedAt,
    jti,
    sid,
    ...(authTime !== undefined && { auth_time: authTime }),
    acr,
    amr: [...amr],
    ...(tenant !== 'none' && {
      tenant: tenant.id,
      roles: [...tenant.roles],
      permissions: [...tenant.permissions],
    }),
  }
}
