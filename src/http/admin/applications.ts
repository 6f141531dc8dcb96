/** Admin: the applications that may ask for tokens, their origins, audiences and grants. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { may } from '../../core/authority.js'
import { Problem } from '../../core/errors.js'
import {
  type Application,
  type ApplicationStore,
  faultsOf,
  type NewApplication,
} from '../../tenants/applications.js'
import { Body, Instant, Nothing, problems } from '../api/schemas.js'
import { by, type Needs } from '../middleware/admin-context.js'
import { describeApplication } from './describe.js'
import { accepted, adminProblems, forAdmins, Name, PageOf, PageQuery, page, pageRequest } from './shapes.js'

const Origins = Type.Array(Type.String({ maxLength: 300 }), { maxItems: 50, uniqueItems: true })
const ReturnAddresses = Type.Array(Type.String({ maxLength: 2000 }), {
  maxItems: 50,
  uniqueItems: true,
  description: 'Whole addresses at these origins that the hosted pages may send people back to.',
})
const Audiences = Type.Array(Type.String({ maxLength: 200 }), {
  minItems: 1,
  maxItems: 50,
  uniqueItems: true,
  description: 'The first is the default.',
})
const Grants = Type.Array(Type.Union([Type.Literal('account'), Type.Literal('admin')]), {
  maxItems: 2,
  uniqueItems: true,
})
const Lifetime = Type.Integer({ minimum: 60, maximum: 900, description: 'Seconds that its tokens live.' })
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
  { description: 'An application.' },
)
const ApplicationPath = Type.Object({ client: ClientId })
const reads: Needs = caller => may(caller, 'applications:read')
const writes: Needs = caller => may(caller, 'applications:write')

export interface ApplicationRouteParts {
  readonly applications: ApplicationStore
  readonly issuer: string
  /** Other instances look at once. */
  readonly changed: () => void
}

export function applicationRoutes(parts: ApplicationRouteParts): FastifyPluginAsyncTypebox {
  const { applications, issuer, changed } = parts
  const sound = <T extends NewApplication>(application: T): T => {
    const faults = faultsOf(application, issuer)
    if (faults.length > 0) throw new Problem('invalid_request', { detail: faults.join('\n') })
    return application
  }
  return async app => {
    app.get(
      '/v1/admin/applications',
      {
        config: { needs: reads },
        schema: {
          operationId: 'listApplications',
          ...forAdmins,
          summary: 'All applications',
          querystring: PageQuery,
          response: { 200: PageOf(ApplicationObject), ...problems(...adminProblems) },
        },
      },
      async ({ query }) => {
        const wanted = pageRequest(query, /^[a-z0-9][a-z0-9._-]{1,63}$/)
        return page(await applications.list(wanted), describeApplication)
      },
    )

    app.post(
      '/v1/admin/applications',
      {
        config: { needs: writes },
        schema: {
          operationId: 'createApplication',
          ...forAdmins,
          summary: 'Register an application; an origin must be same-site with the issuer',
          body: Body({
            client_id: ClientId,
            name: Name,
            origins: Type.Optional(Origins),
            return_addresses: Type.Optional(ReturnAddresses),
            audiences: Audiences,
            token_lifetime_seconds: Type.Optional(Lifetime),
            grants: Type.Optional(Grants),
          }),
          response: {
            201: ApplicationObject,
            ...problems(...adminProblems, 'name_taken', 'idempotency_conflict'),
          },
        },
      },
      async (request, reply) => {
        const { client_id: clientId, origins = [], grants = [], ...given } = request.body
        const { name, audiences, return_addresses = [], token_lifetime_seconds = 300 } = given
        const wanted = sound({
          ...{ clientId, name, origins, audiences, grants },
          returnAddresses: return_addresses,
          tokenLifetimeSeconds: token_lifetime_seconds,
        })
        const application = owned(accepted(await applications.create(wanted, by(request))))
        changed()
        return reply.code(201).send(describeApplication(application))
      },
    )

    app.get(
      '/v1/admin/applications/:client',
      {
        config: { needs: reads },
        schema: {
          operationId: 'readApplication',
          ...forAdmins,
          summary: 'One application',
          params: ApplicationPath,
          response: { 200: ApplicationObject, ...problems(...adminProblems, 'not_found') },
        },
      },
      async ({ params }) => {
        const application = await applications.read(params.client)
        if (!application) throw new Problem('not_found')
        return describeApplication(application)
      },
    )

    app.patch(
      '/v1/admin/applications/:client',
      {
        config: { needs: writes },
        schema: {
          operationId: 'changeApplication',
          ...forAdmins,
          summary: 'Change an application; lists that are given replace those before',
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
          response: { 200: ApplicationObject, ...problems(...adminProblems, 'not_found', 'name_taken') },
        },
      },
      async request => {
        const before = await applications.read(request.params.client)
        if (!before) throw new Problem('not_found')
        const { token_lifetime_seconds: lifetime, return_addresses: addresses, ...given } = request.body
        const to = {
          ...given,
          ...(lifetime !== undefined && { tokenLifetimeSeconds: lifetime }),
          ...(addresses !== undefined && { returnAddresses: addresses }),
        }
        sound({ ...before, ...to })
        const application = owned(accepted(await applications.change(before.clientId, to, by(request))))
        changed()
        return describeApplication(application)
      },
    )

    app.delete(
      '/v1/admin/applications/:client',
      {
        config: { needs: writes },
        schema: {
          operationId: 'deleteApplication',
          ...forAdmins,
          summary: 'Remove an application: no token is minted for it from then on',
          params: ApplicationPath,
          response: { 204: Nothing('Removed.'), ...problems(...adminProblems, 'not_found') },
        },
      },
      async (request, reply) => {
        accepted(await applications.remove(request.params.client, by(request)))
        changed()
        return reply.code(204).send(null)
      },
    )
  }
}

function owned(answer: Application | { originTaken: string }): Application {
  if (!('originTaken' in answer)) return answer
  throw new Problem('name_taken', { detail: `${answer.originTaken} belongs to another application.` })
}
