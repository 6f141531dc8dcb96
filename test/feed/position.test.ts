/** Every route that takes something away says up to which position of the feed that is published; no other does. */
import tap, { test } from 'tap'
import { acceptable, encoded, headersFrom, listRoutes, pathFor, type Route } from '../harness/routes.js'
import {
  administrator,
  application,
  member,
  ownRole,
  type Person,
  session,
  tenant,
} from '../harness/world.js'
import { freshNetworkAddress } from '../support/browser.js'
import { testDatabase } from '../support/database.js'
import { issuer, testService } from '../support/service.js'

const database = await testDatabase(tap)
const { sql } = database
await application(sql, { clientId: 'spa' })
// A reset of second factors takes something away when it is done, not when it is requested.
const service = await testService(tap, { database, env: { MINTMARK_FACTOR_RESET_HOURS: '0' } })
const { app } = service
const routes = (await listRoutes()).filter(({ changesState, url, page, forServices }) => {
  return changesState && url.startsWith('/v1/') && !page && !forServices
})

/** What makes a change take something away, where the body that every other test sends does not. */
const taking: Readonly<Record<string, object>> = {
  'PATCH /v1/admin/users/:user': { state: 'disabled' },
  'PATCH /v1/admin/tenants/:tenant': { state: 'suspended' },
  'PUT /v1/admin/tenants/:tenant/roles/:role': { name: 'writer', permissions: ['doc:write'] },
  'PUT /v1/admin/tenants/:tenant/members/:user': { roles: ['member'], state: 'suspended' },
  'PATCH /v1/admin/applications/:client': { state: 'disabled' },
  'POST /v1/admin/signing-keys/compromise': { all: true },
}

/** What takes something away where there is more than this test has. */
const elsewhere = new Set([
  // With sessions in Redis the session goes on under another id.
  'POST /v1/session/step-up',
  'POST /v1/session/step-up/passkey',
  // The other sessions that were created with it.
  'DELETE /v1/identities/:id',
  'PATCH /v1/admin/providers/:provider',
  'DELETE /v1/admin/providers/:provider',
])

async function call(route: Route, me: Person) {
  const body = taking[route.key] ?? (await acceptable[route.key]?.(sql, me))
  const url = await pathFor(sql, route, me)
  if (route.key.includes('roles/:role'))
    await sql`update tenants set roles = jsonb_set(roles, ${[ownRole]},
    '{"name": "guest", "permissions": ["doc:read", "doc:write"]}')`
  if (route.key.includes('members/:user'))
    await sql`update memberships set role_ids = ${['owner', 'r1']} where tenant_id = ${url.split('/')[4] ?? ''}`
  // Whoever is left must be able to own it.
  if (route.key.includes(':tenant'))
    await member(sql, me.id, url.split('/')[4] ?? (await tenant(sql)), 'owner')
  const before = await entries()
  const { payload, headers } = encoded(route, body)
  const answer = await app.inject({
    method: route.method as 'GET',
    url: route.key === 'DELETE /v1/sessions' ? `${url}?scope=all` : url,
    remoteAddress: freshNetworkAddress(),
    headers: { ...headersFrom(issuer, me.cookie), ...headers },
    ...(payload && { payload }),
  })
  return { answer, added: (await entries()) - before }
}

async function entries(): Promise<number> {
  const [row] = await sql<{ count: number }[]>`select count(*)::int from revocations`
  return row?.count ?? 0
}

async function revoking(): Promise<Set<string>> {
  const { parse } = await import('yaml')
  const { readFileSync } = await import('node:fs')
  const { join } = await import('node:path')
  const { root } = await import('../support/project.mjs')
  const { paths } = parse(readFileSync(join(root, 'openapi.yaml'), 'utf8'))
  const found = Object.entries<Record<string, { responses: Record<string, { headers?: object }> }>>(
    paths,
  ).flatMap(([path, methods]) =>
    Object.entries(methods).flatMap(([method, { responses }]) =>
      Object.values(responses).some(({ headers }) => headers && 'Mintmark-Revocation' in headers)
        ? [`${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`]
        : [],
    ),
  )
  return new Set(found)
}

const documented = await revoking()

for (const route of routes)
  test(`${route.key} says where its revocations are, if it makes any`, async t => {
    const me = await administrator(sql)
    await session(sql, me.id)
    const { answer, added } = await call(route, me)
    const told = answer.headers['mintmark-revocation']
    if (answer.statusCode >= 300) {
      t.notOk(told)
      return undefined
    }
    t.equal(documented.has(route.key), told !== undefined, `${answer.statusCode}: as the reference says`)
    if (added > 0) t.ok(told, `${added} entries`)
    if (told === undefined) return undefined
    t.equal(added > 0, !elsewhere.has(route.key), 'and it says so because it does')
    if (added === 0) return undefined
    const [generation, position] = String(told).split('.').map(Number)
    const [row] = await sql`select s.generation::float8 as generation, r.position::float8 as position
      from service s, revocations r order by r.id desc limit 1`
    t.strictSame({ generation, position }, { ...row }, 'up to the last of its entries')
    return undefined
  })
