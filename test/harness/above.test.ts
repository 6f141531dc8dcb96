/** H6: nobody gives what they do not hold, nor takes it: each permission alone, at every route that changes what is above it. */
import { randomUUID } from 'node:crypto'
import type postgres from 'postgres'
import tap, { test } from 'tap'
import {
  includedInTenants,
  type PlatformPermission,
  platformPermissions,
  tenantPermissions,
} from '../../src/core/authority.js'
import { issuer, testService } from '../support/service.js'
import { declaredProvider } from './declared-provider.js'
import { codeOf, headersFrom, listRoutes, openInvitation } from './routes.js'
import {
  administrator,
  application,
  factor,
  freshAddress,
  member,
  ownRole,
  person,
  serviceKey,
  tenant,
} from './world.js'

const service = await testService(tap)
const { sql } = service.database
// There is always another one than those here.
await administrator(sql)
const changes = (await listRoutes()).filter(
  ({ key, changesState }) => changesState && key.includes(' /v1/admin/'),
)

interface Above {
  readonly path: string
  readonly body?: object
  /** Permissions that are enough alone, by what they are. */
  readonly enough?: readonly PlatformPermission[]
}
type Make = (sql: postgres.Sql, place: string) => Promise<Above>

const user = async (person: { id: string }, body?: object) => ({
  path: `/v1/admin/users/${person.id}`,
  ...(body && { body }),
})
const boss = () => administrator(sql)
const bossWithFactor = async () => {
  const { id } = await boss()
  await factor(sql, id)
  return id
}
const client = async (grant: string) => {
  const clientId = `app-${randomUUID()}`
  await application(sql, { clientId, grants: [grant] })
  return clientId
}
const apps = '/v1/admin/applications'
const provider = async (more: { authoritativeFor?: string[]; grants?: object[] }) => {
  const { authoritativeFor = [], grants = [] } = more
  const id = `p${randomUUID().slice(0, 8)}`
  await sql`insert into providers
    (id, name, kind, issuer, client_id, sealed_secret, kek_id, scopes, authoritative_for, grants)
    values (${id}, ${id}, 'openid', ${`https://${id}.example`}, 'x', 'x', 'none', '{openid}', ${authoritativeFor},
      ${sql.json(grants as never)})`
  return id
}
const grant = (place: string) => ({ claim: 'groups', value: 'all', tenant: place, role: 'owner' })
/** Who may write to every tenant may give everything there. */
const everyTenant = { enough: ['tenants:write'] } as const
const owners = async (place: string) => {
  const [one, other] = [await person(sql), await person(sql)]
  for (const { id } of [one, other]) await member(sql, id, place, 'owner')
  return one.id
}
const invited = async (place: string, email: string) => {
  const id = await openInvitation(sql, place)
  await sql`update invitations set role_ids = '{owner}', email = ${email}, canonical_email = ${email} where id = ${id}`
  return id
}
const roleWith = async (place: string, ...permissions: string[]) => {
  const id = randomUUID()
  await sql`update tenants set roles = roles || ${sql.json({ [id]: { name: id, permissions } })} where id = ${place}`
  return id
}

const above: Readonly<Record<string, readonly Make[]>> = {
  'POST /v1/admin/users/:user/link': [
    async () => {
      const me = await boss()
      await sql`delete from passwords where user_id = ${me.id}`
      return { path: `/v1/admin/users/${me.id}/link` }
    },
  ],
  'POST /v1/admin/users/:user/factors/reset': [
    async () => ({ path: `/v1/admin/users/${await bossWithFactor()}/factors/reset` }),
  ],
  'POST /v1/admin/users/:user/factors/unlock': [
    async () => ({ path: `/v1/admin/users/${await bossWithFactor()}/factors/unlock` }),
  ],
  'PATCH /v1/admin/users/:user': [
    async () => user(await person(sql), { platform_roles: ['administrator'] }),
    async () => user(await person(sql), { platform_roles: ['auditor'] }),
    async () => user(await boss(), { platform_roles: [] }),
    async () => user(await boss(), { state: 'disabled' }),
    async () => user(await boss(), { name: 'Nobody' }),
  ],
  'DELETE /v1/admin/users/:user': [async () => user(await boss())],
  'POST /v1/admin/applications': ['account', 'admin'].map(grant => async () => ({
    path: apps,
    body: { client_id: `app-${randomUUID()}`, name: 'An application', audiences: ['api'], grants: [grant] },
  })),
  'PATCH /v1/admin/applications/:client': ['account', 'admin'].flatMap(grant => [
    async () => {
      const clientId = `app-${randomUUID()}`
      await application(sql, { clientId })
      return { path: `${apps}/${clientId}`, body: { grants: [grant] } }
    },
    async () => ({
      path: `${apps}/${await client(grant)}`,
      body: { origins: [`http://localhost:${grant === 'admin' ? 7998 : 7999}`] },
    }),
    async () => ({ path: `${apps}/${await client(grant)}`, body: { state: 'disabled' } }),
    async () => ({ path: `${apps}/${await client(grant)}`, body: { grants: [] } }),
  ]),
  'DELETE /v1/admin/applications/:client': ['account', 'admin'].map(grant => async () => ({
    path: `${apps}/${await client(grant)}`,
  })),
  'POST /v1/admin/service-keys': [
    async () => ({
      path: '/v1/admin/service-keys',
      body: { name: 'All', scopes: platformPermissions, audiences: ['api'] },
    }),
    async (_sql, place) => ({
      path: '/v1/admin/service-keys',
      body: { name: 'In a tenant', scopes: ['tenants:write', 'audit:read'], tenant: place },
    }),
  ],
  'DELETE /v1/admin/service-keys/:key': [
    async () => ({ path: `/v1/admin/service-keys/${(await serviceKey(sql)).id}` }),
  ],
  'POST /v1/admin/providers': [
    async () => ({
      path: '/v1/admin/providers',
      body: { ...(await declaredProvider()), authoritative_for: ['example.com'] },
    }),
    async (_sql, place) => ({
      path: '/v1/admin/providers',
      body: { ...(await declaredProvider()), grants: [grant(place)] },
    }),
  ],
  'PATCH /v1/admin/providers/:provider': [
    async () => ({
      path: `/v1/admin/providers/${await provider({})}`,
      body: { authoritative_for: ['example.com'] },
    }),
    async (_sql, place) => ({
      path: `/v1/admin/providers/${await provider({})}`,
      body: { grants: [grant(place)] },
    }),
    async () => ({
      path: `/v1/admin/providers/${await provider({ authoritativeFor: ['example.com'] })}`,
      body: { state: 'disabled' },
    }),
    async (_sql, place) => ({
      path: `/v1/admin/providers/${await provider({ grants: [grant(place)] })}`,
      body: { grants: [] },
    }),
  ],
  'DELETE /v1/admin/providers/:provider': [
    async () => ({ path: `/v1/admin/providers/${await provider({ authoritativeFor: ['example.com'] })}` }),
    async (_sql, place) => ({ path: `/v1/admin/providers/${await provider({ grants: [grant(place)] })}` }),
    async () => ({
      path: `/v1/admin/providers/${await provider({ authoritativeFor: ['example.com'] })}?end_sessions=true`,
    }),
  ],
  'PATCH /v1/admin/tenants/:tenant': [
    async (_sql, place) => ({
      path: `/v1/admin/tenants/${place}`,
      body: { state: 'active' },
      ...everyTenant,
    }),
  ],
  'POST /v1/admin/tenants/:tenant/roles': [
    async (_sql, place) => ({
      path: `/v1/admin/tenants/${place}/roles`,
      body: { name: randomUUID(), permissions: [...tenantPermissions] },
      ...everyTenant,
    }),
  ],
  'PUT /v1/admin/tenants/:tenant/roles/:role': [
    async (_sql, place) => ({
      path: `/v1/admin/tenants/${place}/roles/${await roleWith(place, ...tenantPermissions)}`,
      body: { name: randomUUID(), permissions: [] },
      ...everyTenant,
    }),
    async (_sql, place) => ({
      path: `/v1/admin/tenants/${place}/roles/${await roleWith(place)}`,
      body: { name: randomUUID(), permissions: ['doc:write', 'doc:read'] },
      ...everyTenant,
    }),
    async (_sql, place) => ({
      path: `/v1/admin/tenants/${place}/roles/member`,
      body: { name: 'member', permissions: [] },
      ...everyTenant,
    }),
  ],
  'DELETE /v1/admin/tenants/:tenant/roles/:role': [
    async (_sql, place) => ({
      path: `/v1/admin/tenants/${place}/roles/${await roleWith(place, ...tenantPermissions)}`,
      ...everyTenant,
    }),
  ],
  'PUT /v1/admin/tenants/:tenant/members/:user': [
    async (_sql, place) => ({
      path: `/v1/admin/tenants/${place}/members/${await owners(place)}`,
      body: { roles: [] },
      ...everyTenant,
    }),
    async (_sql, place) => {
      const { id } = await person(sql)
      await member(sql, id, place, ownRole)
      return {
        path: `/v1/admin/tenants/${place}/members/${id}`,
        body: { roles: ['owner'] },
        ...everyTenant,
      }
    },
  ],
  'DELETE /v1/admin/tenants/:tenant/members/:user': [
    async (_sql, place) => ({
      path: `/v1/admin/tenants/${place}/members/${await owners(place)}`,
      ...everyTenant,
    }),
  ],
  'POST /v1/admin/tenants/:tenant/invitations': [
    async (_sql, place) => ({
      path: `/v1/admin/tenants/${place}/invitations`,
      body: { email: freshAddress(), roles: ['owner'] },
      ...everyTenant,
    }),
    async (_sql, place) => {
      const email = freshAddress()
      await invited(place, email)
      return { path: `/v1/admin/tenants/${place}/invitations`, body: { email, roles: [] }, ...everyTenant }
    },
  ],
  'DELETE /v1/admin/tenants/:tenant/invitations/:invitation': [
    async (_sql, place) => ({
      path: `/v1/admin/tenants/${place}/invitations/${await invited(place, freshAddress())}`,
      ...everyTenant,
    }),
  ],
}

/** Whose permission is about all there is of that kind. */
const nothingAbove: Readonly<Record<string, string>> = {
  'POST /v1/admin/users': 'a person who is made holds nothing',
  'POST /v1/admin/tenants': 'a tenant that is made has no member',
  'DELETE /v1/admin/tenants/:tenant': 'who may write to every tenant may take everything there',
  'DELETE /v1/admin/users/:user/sessions':
    'whoever ends sessions ends anybody’s, and takes nothing but those',
  'DELETE /v1/admin/sessions/:session': 'whoever ends sessions ends anybody’s, and takes nothing but those',
  'DELETE /v1/admin/sessions': 'whoever ends sessions ends anybody’s, and takes nothing but those',
  'POST /v1/admin/providers/:provider/check': 'it reads',
  'POST /v1/admin/signing-keys/rotate': 'the keys are the installation’s',
  'POST /v1/admin/signing-keys/compromise': 'the keys are the installation’s',
  'POST /v1/admin/signing-keys/reseal': 'the keys are the installation’s',
}

test('every change has something above it here, or a reason why there is none', t => {
  t.same([...Object.keys(above), ...Object.keys(nothingAbove)].sort(), changes.map(({ key }) => key).sort())
  t.end()
})

/** Callers who hold one thing: keys for everything, keys of a tenant, and people with one permission in it. */
async function callersIn(place: string) {
  const everywhere = platformPermissions.map(async scope => {
    const audiences = scope === 'introspect' ? ['api'] : []
    const { key } = await serviceKey(sql, { scopes: [scope], audiences })
    return { name: scope as string, scope, headers: { authorization: `Bearer ${key}` } }
  })
  const keys = (Object.keys(includedInTenants) as PlatformPermission[]).map(async scope => {
    const { key } = await serviceKey(sql, { scopes: [scope], audiences: [], tenant: place })
    return { name: `${scope} in the tenant`, scope: undefined, headers: { authorization: `Bearer ${key}` } }
  })
  const people = tenantPermissions.map(async permission => {
    const me = await person(sql)
    await member(sql, me.id, place, await roleWith(place, permission))
    return { name: permission, scope: undefined, headers: headersFrom(issuer, me.cookie) }
  })
  return Promise.all([...everywhere, ...keys, ...people])
}

for (const [route, scenarios] of Object.entries(above)) {
  const method = route.split(' ')[0] as 'POST'
  test(`${route}: no permission alone changes what is above it, and all together do`, async t => {
    const ask = async ({ path, body }: Above, headers: Record<string, string>) =>
      service.app.inject({ method, url: path, headers, ...(body && { payload: body }) })
    for (const [at, make] of scenarios.entries()) {
      const place = await tenant(sql)
      const callers = await callersIn(place)
      const wanted = await make(sql, place)
      for (const { name, scope, headers } of callers) {
        if (scope && wanted.enough?.includes(scope)) continue
        const answer = await ask(wanted, headers)
        t.equal(`${answer.statusCode} ${codeOf(answer)}`, '403 forbidden', `${name}: scenario ${at}`)
      }
      const { key } = await serviceKey(sql, { scopes: platformPermissions })
      const done = await ask(wanted, { authorization: `Bearer ${key}` })
      t.ok(done.statusCode < 300, `scenario ${at} is one: ${done.statusCode} ${done.body}`)
    }
  })
}

test('who holds what a key holds revokes it, and every key itself', async t => {
  const scopes = ['service-keys:write', 'users:read'] as const
  const own = await serviceKey(sql, { scopes, audiences: [] })
  const [less, other] = [
    await serviceKey(sql, { scopes: ['users:read'], audiences: [] }),
    await serviceKey(sql, { scopes: ['users:write'], audiences: [] }),
  ]
  const revoke = async (id: string) => {
    const headers = { authorization: `Bearer ${own.key}` }
    return (await service.app.inject({ method: 'DELETE', url: `/v1/admin/service-keys/${id}`, headers }))
      .statusCode
  }
  t.equal(await revoke(other.id), 403)
  t.equal(await revoke(less.id), 204)
  t.equal(await revoke(own.id), 204)
})
