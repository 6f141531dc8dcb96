/** The admin API as operators use it: what it answers, that it holds at once, and what it refuses. */
import { randomUUID } from 'node:crypto'
import { decodeJwt } from 'jose'
import tap, { test } from 'tap'
import { createVerifier } from '../../packages/verifier/src/index.js'
import { expected } from '../harness/callers.js'
import { acceptable, headersFrom, listRoutes, pathFor } from '../harness/routes.js'
import { freshAddress, member, person, tenant } from '../harness/world.js'
import { Browser } from '../support/browser.js'
import { eventually, goodPassword, issuer, testService, tokenIn } from '../support/service.js'

const service = await testService(tap)
const { sql } = service.database

async function administrator(...roles: string[]) {
  const me = await person(sql)
  await sql`update users set platform_roles = ${roles.length > 0 ? roles : ['administrator']} where id = ${me.id}`
  return new Browser(service.app, issuer, me.cookie)
}
const admin = await administrator()
const times = <T>(count: number, make: (at: number) => T) =>
  Array.from({ length: count }, (_, at) => make(at))
const patch = (browser: Browser, url: string, payload: object) =>
  service.app.inject({ method: 'PATCH', url, headers: headersFrom(issuer, browser.cookie), payload })

test('a person is created, gets a link by mail, chooses a password and signs in', async t => {
  const email = freshAddress()
  const created = await admin.post('/v1/admin/users', { email, name: 'Grace' })
  t.equal(created.statusCode, 201)
  t.match(created.json(), { email, name: 'Grace', state: 'active', platform_roles: [] })
  t.equal((await admin.post('/v1/admin/users', { email: email.toUpperCase() })).json().code, 'name_taken')
  t.equal((await admin.post('/v1/admin/users', { email: 'not an address' })).json().code, 'invalid_email')
  const token = tokenIn(await service.mailTo(email))
  t.notMatch(created.body, token, 'PW-25: the administrator never sees the link')
  const person = service.browser()
  t.equal((await person.post('/v1/password/reset', { token, password: goodPassword })).statusCode, 204)
  t.equal((await person.post('/v1/session', { email, password: goodPassword })).statusCode, 201)
  t.same((await admin.get(`/v1/admin/users?email=${email}`)).json().items, [created.json()])
  t.match((await admin.get(`/v1/admin/users/${created.json().id}`)).json(), { email })
})

test('a link that was lost is mailed again, to somebody who has no password yet and to nobody else', async t => {
  const email = freshAddress()
  const { id } = (await admin.post('/v1/admin/users', { email })).json()
  await service.mailTo(email)
  const again = await admin.post(`/v1/admin/users/${id}/link`)
  t.same([again.statusCode, again.json()], [202, { accepted: true }])
  const link = tokenIn(await service.mailTo(email))
  const chosen = await service.browser().post('/v1/password/reset', { token: link, password: goodPassword })
  t.equal(chosen.statusCode, 204, chosen.body)
  const refused = await admin.post(`/v1/admin/users/${id}/link`)
  t.match(refused.json(), { code: 'invalid_request', detail: /has a password/ })
  t.equal((await admin.post(`/v1/admin/users/${randomUUID()}/link`)).statusCode, 404)
})

test('disabling ends all sessions at once; enabling and deleting are what they say', async t => {
  const me = await person(sql)
  const browser = new Browser(service.app, issuer, me.cookie)
  const url = `/v1/admin/users/${me.id}`
  t.match((await patch(admin, url, { state: 'disabled', name: 'Gone' })).json(), {
    state: 'disabled',
    name: 'Gone',
  })
  t.equal((await browser.get('/v1/session')).statusCode, 401)
  t.equal((await patch(admin, url, { state: 'active' })).json().state, 'active')
  t.equal((await browser.get('/v1/session')).statusCode, 401, 'nothing comes back')
  t.equal((await admin.delete(url)).statusCode, 204)
  t.equal((await admin.get(url)).statusCode, 404)
  t.equal((await admin.delete(url)).statusCode, 404)
})

test('sessions of a person are listed and ended: one, and all', async t => {
  const me = await person(sql)
  const browser = new Browser(service.app, issuer, me.cookie)
  const { items } = (await admin.get(`/v1/admin/users/${me.id}/sessions`)).json()
  t.match(items, [{ id: me.session, address: '127.0.0.1' }])
  t.equal((await admin.delete(`/v1/admin/sessions/${me.session}`)).statusCode, 204)
  t.equal((await browser.get('/v1/session')).statusCode, 401)
  const other = await person(sql)
  t.same((await admin.delete(`/v1/admin/users/${other.id}/sessions`)).json(), { ended: 1 })
  t.equal((await new Browser(service.app, issuer, other.cookie).get('/v1/session')).statusCode, 401)
  t.equal((await admin.delete(`/v1/admin/users/${randomUUID()}/sessions`)).statusCode, 404)
})

test('a tenant with roles and members: every change is in the very next check and token', async t => {
  const acme = (await admin.post('/v1/admin/tenants', { name: 'Acme' })).json()
  t.same(acme.roles.map(({ id }: { id: string }) => id).sort(), ['admin', 'member', 'owner'])
  const base = `/v1/admin/tenants/${acme.id}`
  const role = (await admin.post(`${base}/roles`, { name: 'writer', permissions: ['doc:write'] })).json()
  const me = await person(sql)
  const put = await admin.put(`${base}/members/${me.id}`, { roles: [role.id] })
  t.match(put.json(), { user: { id: me.id }, roles: [role.id], state: 'active' })
  const browser = new Browser(service.app, issuer, me.cookie)
  await browser.put('/v1/session/tenant', { tenant: acme.id })
  const claims = async () => decodeJwt((await browser.post('/v1/token', {})).json().access_token)
  t.match(await claims(), { tenant: acme.id, roles: ['writer'], permissions: ['doc:write'] })
  await admin.put(`${base}/roles/${role.id}`, { name: 'reader', permissions: ['doc:read'] })
  t.match(await claims(), { roles: ['reader'], permissions: ['doc:read'] })
  await admin.put(`${base}/members/${me.id}`, { roles: [role.id], state: 'suspended' })
  t.equal((await browser.post('/v1/token', {})).json().code, 'tenant_forbidden')
  await admin.put(`${base}/members/${me.id}`, { roles: [], state: 'active' })
  t.match(await claims(), { roles: [], permissions: [] })
  t.match((await admin.get(`/v1/admin/users/${me.id}/memberships`)).json().items, [{ tenant: acme.id }])
  await patch(admin, base, { state: 'suspended' })
  t.equal((await browser.post('/v1/token', {})).json().code, 'tenant_forbidden')
  t.equal((await admin.delete(base)).statusCode, 204)
  t.equal((await browser.post('/v1/token', {})).json().code, 'tenant_forbidden')
  t.equal((await admin.get(base)).statusCode, 404)
})

test('an application is registered with its reasons, changed, and removed', async t => {
  const wanted = {
    client_id: 'shop',
    name: 'Shop',
    audiences: ['orders'],
    origins: ['http://localhost:8123'],
  }
  const far = await admin.post('/v1/admin/applications', { ...wanted, origins: ['https://shop.example.com'] })
  t.equal(far.statusCode, 400)
  t.match(far.json().detail, /not same-site with the issuer/)
  const created = await admin.post('/v1/admin/applications', wanted)
  t.equal(created.statusCode, 201)
  t.match(created.json(), { ...wanted, state: 'enabled', grants: [], token_lifetime_seconds: 300 })
  t.equal((await admin.post('/v1/admin/applications', wanted)).json().code, 'name_taken')
  const taken = await admin.post('/v1/admin/applications', { ...wanted, client_id: 'twin' })
  t.match(taken.json(), { code: 'name_taken', detail: /belongs to another application/ })
  const me = await person(sql)
  const spa = new Browser(service.app, 'http://localhost:8123', me.cookie)
  await eventually(async () => ((await spa.post('/v1/token', {})).statusCode === 200 ? true : undefined))
  await patch(admin, '/v1/admin/applications/shop', { audiences: ['billing', 'orders'] })
  t.equal(decodeJwt((await spa.post('/v1/token', {})).json().access_token).aud, 'billing')
  await patch(admin, '/v1/admin/applications/shop', { state: 'disabled' })
  t.ok([400, 403].includes((await spa.post('/v1/token', {})).statusCode), 'at once')
  t.equal((await admin.delete('/v1/admin/applications/shop')).statusCode, 204)
  t.equal((await admin.get('/v1/admin/applications/shop')).statusCode, 404)
  t.equal((await admin.delete('/v1/admin/applications/mintmark')).statusCode, 404, 'the hosted pages stay')
})

test('an Idempotency-Key creates once; used for something else it is refused', async t => {
  const key = { 'idempotency-key': randomUUID() }
  const email = freshAddress()
  const answers = await Promise.all(
    Array.from({ length: 5 }, () => admin.post('/v1/admin/users', { email }, key)),
  )
  t.same([...new Set(answers.map(answer => answer.statusCode))], [201])
  t.equal(new Set(answers.map(answer => answer.json().id)).size, 1)
  const other = await admin.post('/v1/admin/users', { email: freshAddress() }, key)
  t.equal(other.json().code, 'idempotency_conflict')
  const second = await administrator()
  t.equal(
    (await second.post('/v1/admin/tenants', { name: 'Mine' }, key)).statusCode,
    201,
    'keys are a caller’s own',
  )
  for (const bad of ['', 'a b', 'x'.repeat(101), 'ü'])
    t.ok(
      (await admin.post('/v1/admin/tenants', { name: 'x' }, { 'idempotency-key': bad })).statusCode >= 400,
      bad,
    )
})

test('every creation of the admin API takes an Idempotency-Key: repeated it is the same thing, for another it is refused', async t => {
  const creations = (await listRoutes()).filter(route => expected(route)?.administrator === 201)
  const made = creations.filter(({ url }) => url.startsWith('/v1/admin/'))
  t.ok(made.length >= 6, made.map(({ key }) => key).join(', '))
  for (const route of made) {
    const me = await person(sql)
    const [url, body] = [await pathFor(sql, route, me), await acceptable[route.key]?.(sql, me)]
    const other = await acceptable[route.key]?.(sql, await person(sql))
    const key = { 'idempotency-key': randomUUID() }
    const answers = await Promise.all(times(5, () => admin.post(url, body, key)))
    const bodies = answers.map(answer => {
      t.equal(answer.statusCode, 201, `${route.key}: ${answer.body}`)
      // What is shown once is shown to one.
      const { key: _, ...rest } = answer.json()
      return JSON.stringify(rest)
    })
    t.equal(new Set(bodies).size, 1, route.key)
    const different = { ...other, name: 'Another' }
    const changed = 'email' in (body ?? {}) ? other : different
    const conflict = await admin.post(url, changed, key)
    t.same([conflict.statusCode, conflict.json().code], [409, 'idempotency_conflict'], route.key)
    const [row] =
      await sql`select count(*)::int as rows from idempotent_answers where key = ${key['idempotency-key']}`
    t.equal(row?.rows, 1, route.key)
  }
})

test('whoever holds every role that a tenant can have gets a token that is taken and fits into a header', async t => {
  const [me, acme] = [await person(sql), await tenant(sql)]
  const url = `/v1/admin/tenants/${acme}/roles`
  const create = (at: number, permissions: number) =>
    admin.post(url, {
      name: `${at} "role" 所`,
      permissions: times(permissions, () => `orders:${randomUUID()}`),
    })
  t.equal((await create(0, 200)).json().code, 'role_too_large', '8 KB at once')
  const roles: string[] = []
  for (let at = 0; ; at++) {
    const answer = await create(at, 5)
    if (answer.statusCode !== 201) {
      t.same([answer.statusCode, answer.json().code], [400, 'role_too_large'])
      break
    }
    roles.push(answer.json().id)
  }
  t.ok(roles.length > 10, `${roles.length} roles`)
  await member(sql, me.id, acme, 'owner', 'admin', 'member', ...roles)
  const browser = new Browser(service.app, issuer, me.cookie)
  const minted = await browser.post('/v1/token', { client_id: 'mintmark', tenant: acme })
  const { access_token: token } = minted.json()
  t.ok(`Authorization: Bearer ${token}`.length < 8192, `${token.length} characters`)
  const keys = (await admin.get('/.well-known/jwks.json')).json()
  const verdict = await createVerifier({ issuer, audience: 'mintmark', keys }).verify(token)
  t.match(verdict, { ok: true, principal: { sub: me.id } })

  // Made by a release that did not look.
  const [large, small] = [`x:${'y'.repeat(90)}`, times(60, at => `x:${String(at).padStart(80, '0')}`)]
  await sql`update tenants set roles = roles || ${sql.json({ old: { name: 'old', permissions: small } })} where id = ${acme}`
  const put = (permissions: string[], name = 'first') =>
    admin.put(`${url}/${roles[0]}`, { name, permissions })
  t.equal((await put(times(9, at => `${large}${at}`))).json().code, 'role_too_large')
  t.equal((await put([])).statusCode, 200, 'less than before')
  t.equal((await put([])).statusCode, 200, 'as much as before')
  t.equal((await put([large])).json().code, 'role_too_large')
  t.equal((await admin.delete(`${url}/${roles[1]}`)).statusCode, 204)
})

test('TN-13, TN-07: an auditor reads and changes nothing; nobody raises themselves, or lowers those above', async t => {
  const auditor = await administrator('auditor')
  const boss = await person(sql)
  await sql`update users set platform_roles = '{administrator}' where id = ${boss.id}`
  for (const url of ['/v1/admin/users', '/v1/admin/tenants', '/v1/admin/applications', '/v1/admin/audit'])
    t.equal((await auditor.get(url)).statusCode, 200, url)
  t.equal((await auditor.post('/v1/admin/tenants', { name: 'x' })).json().code, 'forbidden')
  const own = auditor.cookie?.split('.')[0] as string
  const [me] = await sql`select user_id as id from sessions where id = ${own}`
  t.equal(
    (await patch(auditor, `/v1/admin/users/${me?.id}`, { platform_roles: ['administrator'] })).statusCode,
    403,
  )
  t.equal((await patch(auditor, `/v1/admin/users/${boss.id}`, { state: 'disabled' })).statusCode, 403)
  const raised = await patch(admin, `/v1/admin/users/${me?.id}`, { platform_roles: ['administrator'] })
  t.same(raised.json().platform_roles, ['administrator'])
  t.equal(
    (await auditor.post('/v1/admin/tenants', { name: 'x' })).statusCode,
    201,
    'in the very next request',
  )
})

test('TN-19: what is done and what is refused is in the audit log, with tenant and request', async t => {
  const acme = (await admin.post('/v1/admin/tenants', { name: 'Audited' })).json()
  const nobody = new Browser(service.app, issuer, (await person(sql)).cookie)
  const refused = await nobody.get(`/v1/admin/tenants/${acme.id}`)
  t.equal(refused.statusCode, 403)
  const events = await eventually(async () => {
    const { items } = (await admin.get('/v1/admin/audit?limit=20')).json()
    return items.some((event: { request_id: string }) => event.request_id === refused.headers['request-id'])
      ? items
      : undefined
  })
  const denied = events.find((event: { outcome: string }) => event.outcome === 'refused')
  t.match(denied, { action: 'admin.request', reason: 'forbidden', subject: 'GET /v1/admin/tenants/:tenant' })
  const done = events.find((event: { action: string }) => event.action === 'tenant.created')
  t.match(done, { outcome: 'done', tenant: acme.id, subject: acme.id, address: admin.address })
  t.ok(done.actor && done.request_id)
  const [first, second] = [
    (await admin.get('/v1/admin/audit?limit=3')).json(),
    (await admin.get('/v1/admin/audit?limit=1')).json(),
  ]
  t.ok(Number(first.items[0].id) > Number(first.items[1].id), 'the newest first')
  const next = (await admin.get(`/v1/admin/audit?limit=1&cursor=${second.next_cursor}`)).json()
  t.ok(Number(next.items[0].id) < Number(second.items[0].id))
})

test('TN-17: cursors, limits and ids that are none of ours are bad requests', async t => {
  for (const query of [
    'limit=0',
    'limit=101',
    'limit=x',
    'cursor=x',
    'cursor=%00',
    'page=2',
    'cursor=a&cursor=b',
  ])
    t.equal((await admin.get(`/v1/admin/users?${query}`)).statusCode, 400, query)
  const foreign = Buffer.from("' or 1=1 --").toString('base64url')
  for (const list of ['users', 'tenants', 'applications', 'audit'])
    t.equal((await admin.get(`/v1/admin/${list}?cursor=${foreign}`)).statusCode, 400, list)
  for (const id of ['x', '%2e%2e', '{00000000-0000-4000-8000-000000000000}', 'A'.repeat(5000), '%00'])
    t.ok([400, 404].includes((await admin.get(`/v1/admin/users/${id}`)).statusCode), id.slice(0, 20))
})

test('TN-15: an admin application’s page may call, another’s may not', async t => {
  await sql`insert into applications (client_id, name, audiences, grants) values ('console', 'Console', '{c}', '{admin}')`
  await sql`insert into application_origins (origin, client_id) values ('http://localhost:9123', 'console')`
  const call = (origin: string) =>
    service.app.inject({
      method: 'POST',
      url: '/v1/admin/tenants',
      headers: headersFrom(origin, admin.cookie),
      payload: { name: 'From the console' },
    })
  const allowed = await eventually(async () => {
    const answer = await call('http://localhost:9123')
    return answer.statusCode === 201 ? answer : undefined
  })
  t.equal(allowed.headers['access-control-allow-origin'], 'http://localhost:9123')
  t.equal((await call('http://localhost:9999')).json().code, 'wrong_origin')
  const here = await tenant(sql)
  await member(sql, (await person(sql)).id, here, 'owner')
})
