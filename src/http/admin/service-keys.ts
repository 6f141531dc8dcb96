/** Admin: service keys, made, listed and revoked. A key is shown in the answer that makes it, and never again. */
import { Type } from 'typebox'
import { platformPermissions } from '../../core/authority.js'
import type { ServiceKeyId, TenantId } from '../../core/principal.js'
import { feedTerms } from '../../core/service-key.js'
import { describeServiceKey, type ServiceKeys } from '../../tenants/service-keys.js'
import { adminActor, type Needs } from '../middleware/admin-context.js'
import type { App } from '../shapes/app.js'
import { PageOf, PageQuery, page, pageRequest } from '../shapes/lists.js'
import { Body, Id, Instant, Nothing } from '../shapes/schemas.js'
import { accepted, found, Name, operation, over } from './shapes.js'

const instantOrNull = Type.Union([Instant, Type.Null()])
const Mode = Type.Union([Type.Literal('required'), Type.Literal('preferred')], {
  description:
    '`required`: its verifiers reject every token when the feed is too old. `preferred`: they accept tokens until they expire.',
})
const MaxAge = Type.Integer({
  minimum: 5,
  maximum: 900,
  description: 'Seconds after which the feed is too old.',
})
const FeedTerms = Type.Object(
  { mode: Mode, max_age_seconds: MaxAge },
  { title: 'FeedTerms', description: 'What the verifiers of the key do without the revocation feed.' },
)
const members = {
  id: Type.String(),
  name: Type.String(),
  state: Type.String({ description: '`active`, `expired` or `revoked`.' }),
  scopes: Type.Array(Type.String()),
  audiences: Type.Array(Type.String(), { description: 'The audiences whose tokens it may introspect.' }),
  tenant: Type.Union([Type.String(), Type.Null()], { description: 'Null if the key is for all tenants.' }),
  created_at: Instant,
  expires_at: instantOrNull,
  revoked_at: instantOrNull,
  last_used_at: Type.Union([Instant, Type.Null()], { description: 'Accurate to the minute.' }),
  feed: Type.Union([FeedTerms, Type.Null()], { description: 'Null without the scope `feed`.' }),
}
const Key = Type.Object(members, { title: 'ServiceKey', description: 'A service key.' })
const NewKey = Type.Object(
  {
    ...members,
    key: Type.Union([Type.String(), Type.Null()], {
      description: 'The key itself, shown only once. Null if the Idempotency-Key was used before.',
    }),
  },
  { title: 'CreatedServiceKey', description: 'The new service key.' },
)
const idForm = /^[A-Za-z0-9_-]{21}[AQgw]$/
const KeyPath = Type.Object({ key: Type.String({ pattern: idForm.source }) })
const reads: Needs = over('service-keys:read')
const writes: Needs = over('service-keys:write')

export function serviceKeyRoutes(app: App, keys: ServiceKeys): void {
  app.get(
    '/v1/admin/service-keys',
    operation(reads, 'listServiceKeys', {
      summary: 'List the service keys, including expired and revoked ones',
      querystring: PageQuery,
      answers: { 200: PageOf(Key) },
    }),
    async ({ query }) => page(await keys.list(pageRequest(query, idForm)), describeServiceKey),
  )

  app.post(
    '/v1/admin/service-keys',
    operation(writes, 'createServiceKey', {
      summary: 'Create a service key with scopes that the caller holds',
      body: Body({
        name: Name,
        scopes: Type.Array(
          Type.Union(
            platformPermissions.map(scope => Type.Literal(scope)),
            { title: 'ServiceKeyScope' },
          ),
          {
            minItems: 1,
            maxItems: 50,
            uniqueItems: true,
          },
        ),
        audiences: Type.Optional(
          Type.Array(Type.String({ maxLength: 200 }), {
            maxItems: 50,
            uniqueItems: true,
            description: 'With the scope `introspect`: the audiences whose tokens it may introspect.',
          }),
        ),
        tenant: Type.Optional(Id),
        expires_in: Type.Optional(
          Type.Integer({
            minimum: 60,
            maximum: 315_360_000,
            description: 'Seconds until the key expires. Default: never.',
          }),
        ),
        feed: Type.Optional(
          Type.Object(
            { mode: Type.Optional(Mode), max_age_seconds: Type.Optional(MaxAge) },
            {
              additionalProperties: false,
              title: 'ChosenFeedTerms',
              description:
                'With the scope `feed`: what the verifiers of the key are configured to do without the feed. Default: `preferred`, 15 seconds.',
            },
          ),
        ),
      }),
      answers: { 201: NewKey },
      refuses: ['not_found', 'idempotency_conflict'],
    }),
    async (request, reply) => {
      const { name, scopes, audiences = [], tenant = null, expires_in, feed } = request.body
      const wanted = {
        name,
        scopes,
        audiences,
        tenant: tenant as TenantId | null,
        lifetimeSeconds: expires_in,
        feed: feed && feedTerms({ mode: feed.mode, maxAgeSeconds: feed.max_age_seconds }),
      }
      const { made, key } = accepted(await keys.create(wanted, adminActor(request)))
      return reply.code(201).send({ ...describeServiceKey(made), key })
    },
  )

  app.get(
    '/v1/admin/service-keys/:key',
    operation(reads, 'readServiceKey', {
      summary: 'Get a service key',
      params: KeyPath,
      answers: { 200: Key },
      refuses: ['not_found'],
    }),
    async ({ params }) => {
      return describeServiceKey(found(await keys.read(params.key as ServiceKeyId)))
    },
  )

  app.delete(
    '/v1/admin/service-keys/:key',
    operation(writes, 'revokeServiceKey', {
      summary: 'Revoke a service key at once; it stays in the list',
      params: KeyPath,
      answers: { 204: Nothing('The key is revoked, now or earlier.') },
      refuses: ['not_found'],
    }),
    async (request, reply) => {
      accepted(await keys.revoke(request.params.key as ServiceKeyId, adminActor(request)))
      return reply.code(204).send(null)
    },
  )
}
