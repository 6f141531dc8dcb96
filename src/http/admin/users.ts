/** Admin: users, their platform roles, their state, their sessions and memberships. */
import { Type } from 'typebox'
import { describeUser, type Users } from '../../accounts/users.js'
import { may, type PlatformRole, platformRoles } from '../../core/authority.js'
import { parseEmailAddress } from '../../core/email-address.js'
import type { UserId } from '../../core/principal.js'
import { describeMembership, type MembershipStore } from '../../tenants/tenants.js'
import { adminActor, type Needs } from '../middleware/admin-context.js'
import { Problem } from '../middleware/problem.js'
import type { App } from '../shapes/app.js'
import { PageOf, PageQuery, page, pageRequest } from '../shapes/lists.js'
import { Accepted, Body, Email, Id, Instant, Nothing } from '../shapes/schemas.js'
import { Member } from './members.js'
import { accepted, found, Name, operation, over } from './shapes.js'

const PlatformRoles = Type.Array(
  Type.Union(
    (Object.keys(platformRoles) as PlatformRole[]).map(role => Type.Literal(role)),
    { title: 'PlatformRole' },
  ),
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
  { title: 'User', description: 'A user.' },
)
const UserPath = Type.Object({ user: Id })
const reads: Needs = over('users:read')
const writes: Needs = over('users:write')

export function userRoutes(app: App, users: Users, memberships: MembershipStore): void {
  app.get(
    '/v1/admin/users',
    operation(reads, 'listUsers', {
      summary: 'List all users, or the one with an address',
      querystring: Type.Object(
        { ...PageQuery.properties, email: Type.Optional(Email) },
        { additionalProperties: false },
      ),
      answers: { 200: PageOf(UserObject) },
    }),
    async ({ query: { email, ...query } }) => {
      const parsed = email === undefined ? undefined : parseEmailAddress(email)
      if (parsed && !parsed.ok) return { items: [], next_cursor: null }
      return page(await users.list(pageRequest(query), parsed?.address.canonical), describeUser)
    },
  )

  app.post(
    '/v1/admin/users',
    operation(writes, 'createUser', {
      summary: 'Create a user, who gets a link by email to choose a password',
      body: Body({ email: Email, name: Type.Optional(Name) }),
      answers: { 201: UserObject },
      refuses: ['invalid_email', 'name_taken', 'idempotency_conflict'],
    }),
    async (request, reply) => {
      const { email, name } = request.body
      const parsed = parseEmailAddress(email)
      if (!parsed.ok) throw new Problem('invalid_email')
      const user = accepted(
        await users.create({ email: parsed.address, name, phc: undefined }, adminActor(request)),
      )
      return reply.code(201).send(describeUser(user))
    },
  )

  app.get(
    '/v1/admin/users/:user',
    operation(reads, 'readUser', {
      summary: 'Get a user',
      params: UserPath,
      answers: { 200: UserObject },
      refuses: ['not_found'],
    }),
    async ({ params }) => {
      return describeUser(found(await users.read(params.user as UserId)))
    },
  )

  app.patch(
    '/v1/admin/users/:user',
    operation(writes, 'changeUser', {
      revokes: 'always',
      summary: 'Rename, disable (which ends all sessions) or enable a user, or change their platform roles',
      params: UserPath,
      body: Body({
        name: Type.Optional(Type.Union([Name, Type.Null()])),
        state: Type.Optional(Type.Union([Type.Literal('active'), Type.Literal('disabled')])),
        platform_roles: Type.Optional(PlatformRoles),
      }),
      answers: { 200: UserObject },
      refuses: ['not_found', 'last_administrator'],
    }),
    async request => {
      const { name, state, platform_roles: platformRoles } = request.body
      const to = { name, state, platformRoles }
      return describeUser(
        accepted(await users.change(request.params.user as UserId, to, adminActor(request))),
      )
    },
  )

  app.delete(
    '/v1/admin/users/:user',
    operation(writes, 'deleteUser', {
      revokes: 'always',
      summary: 'Delete a user with their sessions and memberships',
      params: UserPath,
      answers: { 204: Nothing('Deleted.') },
      refuses: ['not_found', 'last_administrator'],
    }),
    async (request, reply) => {
      accepted(await users.remove(request.params.user as UserId, adminActor(request)))
      return reply.code(204).send(null)
    },
  )

  app.post(
    '/v1/admin/users/:user/link',
    operation(writes, 'sendLinkToUser', {
      summary: 'Send the link to choose a password again, to a user who has no password yet',
      params: UserPath,
      answers: { 202: Accepted },
      refuses: ['not_found'],
    }),
    async (request, reply) => {
      const answer = await users.sendLink(request.params.user as UserId, adminActor(request))
      if (answer === 'has-password') throw new Problem('invalid_request', { detail: hasPassword })
      accepted(answer)
      return reply.code(202).send({ accepted: true })
    },
  )

  app.get(
    '/v1/admin/users/:user/memberships',
    operation(caller => may(caller, 'users:read') && may(caller, 'tenants:read'), 'listMembershipsOfUser', {
      summary: 'List the memberships of a user',
      params: UserPath,
      answers: {
        200: Type.Object(
          { items: Type.Array(Member) },
          { title: 'MemberList', description: 'All memberships of the user.' },
        ),
      },
    }),
    async ({ params }) => ({
      items: (await memberships.of(params.user as UserId)).map(describeMembership),
    }),
  )
}

const hasPassword = 'This user already has a password. They can ask for a reset if they have forgotten it.'
