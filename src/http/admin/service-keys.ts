/** Admin: service keys, made, listed and revoked. A key is shown in the answer that makes it, and never again. */
import { Type } from 'typebox'
import { platformPermissions } from '../../core/authority.js'
import type { ServiceKeyId, TenantId } from '../../core/principal.js'
import { describeServiceKey, type ServiceKeys } from '../../tenants/service-keys.js'
import { adminActor, type Needs } from '../middleware/admin-context.js'
import type { App } from '../shapes/app.js'
import { PageOf, PageQuery, page, pageRequest } from '../shapes/lists.js'
import { Body, Id, Instant, Nothing } from '../shapes/schemas.js'
import { accepted, found, Name, operation, over } from './shapes.js'

const instantOrNull = Type.Union([Instant, Type.Null()])
const members = {
  id: Type.String(),
  name: Type.String(),
  state: Type.String({ description: '`active`, `expired` or `revoked`.' }),
  scopes: Type.Array(Type.String()),
  audiences: Type.Array(Type.String(), { description: 'Whose tokens it may introspect.' }),
  tenant: Type.Union([Type.String(), Type.Null()], { description: 'Null: for all tenants.' }),
  created_at: Instant,
  expires_at: instantOrNull,
  revoked_at: instantOrNull,
  last_used_at: Type.Union([Instant, Type.Null()], { description: 'To the minute.' }),
}
const Key = Type.Object(members, { title: 'ServiceKey', description: 'A service key.' })
const NewKey = Type.Object(
  {
    ...members,
    key: Type.Union([Type.String(), Type.Null()], {
      description: 'The key itself, this once. Null where the Idempotency-Key was used before.',
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
      summary: 'All service keys, also expired and revoked ones',
      querystring: PageQuery,
      answers: { 200: PageOf(Key) },
    }),
    async ({ query }) => page(await keys.list(pageRequest(query, idForm)), describeServiceKey),
  )

  app.post(
    '/v1/admin/service-keys',
    operation(writes, 'createServiceKey', {
      summary: 'Make a service key, of scopes that the caller holds',
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
            description: 'With the scope `introspect`: whose tokens it may ask about.',
          }),
        ),
        tenant: Type.Optional(Id),
        expires_in: Type.Optional(
          Type.Integer({ minimum: 60, maximum: 315_360_000, description: 'Seconds. Default: never.' }),
        ),
      }),
      answers: { 201: NewKey },
      refuses: ['not_found', 'idempotency_conflict'],
    }),
    async (request, reply) => {
      const { name, scopes, audiences = [], tenant = null, expires_in } = request.body
      const wanted = {
        name,
        scopes,
        audiences,
        tenant: tenant as TenantId | null,
        lifetimeSeconds: expires_in,
      }
      const { made, key } = accepted(await keys.create(wanted, adminActor(request)))
      return reply.code(201).send({ ...describeServiceKey(made), key })
    },
  )

  app.get(
    '/v1/admin/service-keys/:key',
    operation(reads, 'readServiceKey', {
      summary: 'One service key',
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
      summary: 'Revoke a service key, at once; it stays listed',
      params: KeyPath,
      answers: { 204: Nothing('It is revoked, now or before.') },
      refuses: ['not_found'],
    }),
    async (request, reply) => {
      accepted(await keys.revoke(request.params.key as ServiceKeyId, adminActor(request)))
      return reply.code(204).send(null)
    },
  )
}
