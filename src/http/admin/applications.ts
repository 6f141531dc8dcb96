/** Admin: manage the applications that may request tokens, their origins, audiences and grants. */
import { Type } from 'typebox'
import { type Applications, describeApplication } from '../../tenants/applications.js'
import { adminActor, type Needs } from '../middleware/admin-context.js'
import type { App } from '../shapes/app.js'
import { PageOf, PageQuery, page, pageRequest } from '../shapes/lists.js'
import { Body, Instant, Nothing } from '../shapes/schemas.js'
import { accepted, found, Name, operation, over } from './shapes.js'

const Origins = Type.Array(Type.String({ maxLength: 300 }), { maxItems: 50, uniqueItems: true })
const ReturnAddresses = Type.Array(Type.String({ maxLength: 2000 }), {
  maxItems: 50,
  uniqueItems: true,
  description: 'Complete addresses at these origins, to which the hosted pages may return users.',
})
const Audiences = Type.Array(Type.String({ maxLength: 200 }), {
  minItems: 1,
  maxItems: 50,
  uniqueItems: true,
  description: 'The audiences that its tokens may have. The first is the default.',
})
const Grants = Type.Array(
  Type.Union([Type.Literal('account'), Type.Literal('admin')], { title: 'ApplicationGrant' }),
  {
    maxItems: 2,
    uniqueItems: true,
  },
)
const Lifetime = Type.Integer({
  minimum: 60,
  maximum: 900,
  description: 'The lifetime of its tokens in seconds.',
})
const State = Type.Union([Type.Literal('enabled'), Type.Literal('disabled')])
const ClientId = Type.String({ maxLength: 64, pattern: '^[a-z0-9][a-z0-9._-]{1,63}$' })
const ApplicationObject = Type.Object(
  {
    client_id: Type.String(),
    name: Type.String(),
    state: Type.String({ description: '`enabled` or `disabled`.' }),
    origins: Type.Array(Type.String()),
    return_addresses: Type.Array(Type.String()),
    audiences: Type.Array(Type.String()),
    token_lifetime_seconds: Type.Integer(),
    grants: Type.Array(Type.String()),
    created_at: Instant,
  },
  { title: 'Application', description: 'An application.' },
)
const ApplicationPath = Type.Object({ client: ClientId })
const reads: Needs = over('applications:read')
const writes: Needs = over('applications:write')

export function applicationRoutes(app: App, applications: Applications): void {
  app.get(
    '/v1/admin/applications',
    operation(reads, 'listApplications', {
      summary: 'List the applications',
      querystring: PageQuery,
      answers: { 200: PageOf(ApplicationObject) },
    }),
    async ({ query }) => {
      const wanted = pageRequest(query, /^[a-z0-9][a-z0-9._-]{1,63}$/)
      return page(await applications.list(wanted), describeApplication)
    },
  )

  app.post(
    '/v1/admin/applications',
    operation(writes, 'createApplication', {
      summary: 'Register an application; its origins must be same-site with the issuer',
      body: Body({
        client_id: ClientId,
        name: Name,
        origins: Type.Optional(Origins),
        return_addresses: Type.Optional(ReturnAddresses),
        audiences: Audiences,
        token_lifetime_seconds: Type.Optional(Lifetime),
        grants: Type.Optional(Grants),
      }),
      answers: { 201: ApplicationObject },
      refuses: ['name_taken', 'idempotency_conflict'],
    }),
    async (request, reply) => {
      const { client_id: clientId, origins = [], grants = [], ...given } = request.body
      const { name, audiences, return_addresses = [], token_lifetime_seconds = 300 } = given
      const wanted = {
        ...{ clientId, name, origins, audiences, grants },
        returnAddresses: return_addresses,
        tokenLifetimeSeconds: token_lifetime_seconds,
      }
      const application = accepted(await applications.create(wanted, adminActor(request)))
      return reply.code(201).send(describeApplication(application))
    },
  )

  app.get(
    '/v1/admin/applications/:client',
    operation(reads, 'readApplication', {
      summary: 'Get an application',
      params: ApplicationPath,
      answers: { 200: ApplicationObject },
      refuses: ['not_found'],
    }),
    async ({ params }) => {
      return describeApplication(found(await applications.read(params.client)))
    },
  )

  app.patch(
    '/v1/admin/applications/:client',
    operation(writes, 'changeApplication', {
      revokes: 'always',
      summary: 'Change an application; a list in the request replaces the current one',
      params: ApplicationPath,
      body: Body({
        name: Type.Optional(Name),
        state: Type.Optional(State),
        origins: Type.Optional(Origins),
        return_addresses: Type.Optional(ReturnAddresses),
        audiences: Type.Optional(Audiences),
        token_lifetime_seconds: Type.Optional(Lifetime),
        grants: Type.Optional(Grants),
      }),
      answers: { 200: ApplicationObject },
      refuses: ['not_found', 'name_taken'],
    }),
    async request => {
      const { token_lifetime_seconds: lifetime, return_addresses: addresses, ...given } = request.body
      const to = {
        ...given,
        ...(lifetime !== undefined && { tokenLifetimeSeconds: lifetime }),
        ...(addresses !== undefined && { returnAddresses: addresses }),
      }
      const { client } = request.params
      return describeApplication(accepted(await applications.change(client, to, adminActor(request))))
    },
  )

  app.delete(
    '/v1/admin/applications/:client',
    operation(writes, 'deleteApplication', {
      revokes: 'always',
      summary: 'Delete an application; no more tokens are minted for it',
      params: ApplicationPath,
      answers: { 204: Nothing('Removed.') },
      refuses: ['not_found'],
    }),
    async (request, reply) => {
      accepted(await applications.remove(request.params.client, adminActor(request)))
      return reply.code(204).send(null)
    },
  )
}
