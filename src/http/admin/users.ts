/** Admin: people, their platform roles, their state, their sessions and memberships. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { User, UserStore } from '../../accounts/users.js'
import { may, type PlatformRole, platformRoles } from '../../core/authority.js'
import { parseEmailAddress } from '../../core/email-address.js'
import { Problem } from '../../core/errors.js'
import type { UserId } from '../../core/principal.js'
import type { MembershipStore } from '../../tenants/tenants.js'
import { Body, Email, Id, Instant, Nothing, problems } from '../api/schemas.js'
import { by, type Needs } from '../middleware/admin-context.js'
import { describeMembership, describeUser } from './describe.js'
import { Member } from './members.js'
import { accepted, adminProblems, forAdmins, Name, PageOf, PageQuery, page, pageRequest } from './shapes.js'

const PlatformRoles = Type.Array(
  Type.Union((Object.keys(platformRoles) as PlatformRole[]).map(role => Type.Literal(role))),
  { uniqueItems: true, maxItems: 10 },
)
const UserObject = Type.Object(
  {
    id: Type.String(),
    email: Type.String(),
    name: Type.Union([Type.String(), Type.Null()]),
    state: Type.String({ description: '`active` or `disabled`.' }),
    platform_roles: Type.Array(Type.String()),
    created_at: Instant,
  },
  { description: 'A person.' },
)
const UserPath = Type.Object({ user: Id })
const reads: Needs = caller => may(caller, 'users:read')
const writes: Needs = caller => may(caller, 'users:write')

export interface UserRouteParts {
  readonly users: UserStore
  readonly memberships: MembershipStore
  /** After the creation: a link by which the person chooses a password. */
  readonly welcome: (user: User) => void
}

export function userRoutes({ users, memberships, welcome }: UserRouteParts): FastifyPluginAsyncTypebox {
  return async app => {
    app.get(
      '/v1/admin/users',
      {
        config: { needs: reads },
        schema: {
          operationId: 'listUsers',
          ...forAdmins,
          summary: 'People, all or the one with this address',
          querystring: Type.Object(
            { ...PageQuery.properties, email: Type.Optional(Email) },
            { additionalProperties: false },
          ),
          response: { 200: PageOf(UserObject), ...problems(...adminProblems) },
        },
      },
      async ({ query: { email, ...query } }) => {
        const parsed = email === undefined ? undefined : parseEmailAddress(email)
        if (parsed && !parsed.ok) return { items: [], next_cursor: null }
        return page(await users.list(pageRequest(query), parsed?.address.canonical), describeUser)
      },
    )

    app.post(
      '/v1/admin/users',
      {
        config: { needs: writes },
        schema: {
          operationId: 'createUser',
          ...forAdmins,
          summary: 'Create a person; they get a link by mail and choose their password',
          body: Body({ email: Email, name: Type.Optional(Name) }),
          response: {
            201: UserObject,
            ...problems(...adminProblems, 'invalid_email', 'name_taken', 'idempotency_conflict'),
          },
        },
      },
      async (request, reply) => {
        const { email, name } = request.body
        const parsed = parseEmailAddress(email)
        if (!parsed.ok) throw new Problem('invalid_email')
        const user = accepted(
          await users.create({ email: parsed.address, name, phc: undefined }, by(request)),
        )
        welcome(user)
        return reply.code(201).send(describeUser(user))
      },
    )

    app.get(
      '/v1/admin/users/:user',
      {
        config: { needs: reads },
        schema: {
          operationId: 'readUser',
          ...forAdmins,
          summary: 'One person',
          params: UserPath,
          response: { 200: UserObject, ...problems(...adminProblems, 'not_found') },
        },
      },
      async ({ params }) => {
        const user = await users.read(params.user as UserId)
        if (!user) throw new Problem('not_found')
        return describeUser(user)
      },
    )

    app.patch(
      '/v1/admin/users/:user',
      {
        config: { needs: writes },
        schema: {
          operationId: 'changeUser',
          ...forAdmins,
          summary:
            'Rename, disable (which ends all sessions) or enable a person, or change their platform roles',
          params: UserPath,
          body: Body({
            name: Type.Optional(Type.Union([Name, Type.Null()])),
            state: Type.Optional(Type.Union([Type.Literal('active'), Type.Literal('disabled')])),
            platform_roles: Type.Optional(PlatformRoles),
          }),
          response: { 200: UserObject, ...problems(...adminProblems, 'not_found') },
        },
      },
      async request => {
        const { name, state, platform_roles: platformRoles } = request.body
        const to = { name, state, platformRoles }
        return describeUser(accepted(await users.change(request.params.user as UserId, to, by(request))))
      },
    )

    app.delete(
      '/v1/admin/users/:user',
      {
        config: { needs: writes },
        schema: {
          operationId: 'deleteUser',
          ...forAdmins,
          summary: 'Delete a person, with sessions and memberships',
          params: UserPath,
          response: { 204: Nothing('Deleted.'), ...problems(...adminProblems, 'not_found') },
        },
      },
      async (request, reply) => {
        accepted(await users.remove(request.params.user as UserId, by(request)))
        return reply.code(204).send(null)
      },
    )

    app.get(
      '/v1/admin/users/:user/memberships',
      {
        config: { needs: caller => may(caller, 'users:read') && may(caller, 'tenants:read') },
        schema: {
          operationId: 'listMembershipsOfUser',
          ...forAdmins,
          summary: 'The tenants in which a person is a member',
          params: UserPath,
          response: {
            200: Type.Object({ items: Type.Array(Member) }, { description: 'All of them.' }),
            ...problems(...adminProblems),
          },
        },
      },
      async ({ params }) => ({
        items: (await memberships.of(params.user as UserId)).map(describeMembership),
      }),
    )
  }
}
