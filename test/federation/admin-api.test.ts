/** Providers by the admin API: the operations are those of the commands, and hold for the next sign-in. */
import { type Test, test } from 'tap'
import { administrator, serviceKey } from '../harness/world.js'
import { Browser } from '../support/browser.js'
import { startHostileProvider } from '../support/hostile-provider.js'
import { type TestService, testService } from '../support/service.js'
import { clientId, clientSecret, Visitor } from './world.js'

async function adminOf(service: TestService): Promise<Browser> {
  const { cookie } = await administrator(service.database.sql)
  return new Browser(service.app, service.issuer, cookie)
}

async function world(t: Test) {
  const provider = await startHostileProvider({ clientId, clientSecret })
  t.teardown(() => provider.close())
  const service = await testService(t)
  const declared = {
    id: 'acme',
    name: 'Acme',
    issuer: provider.issuer,
    client_id: clientId,
    client_secret: clientSecret,
    sign_up: 'open',
  }
  return { provider, service, admin: await adminOf(service), declared }
}

test('a provider that was declared by the API signs people in, and its secret is never shown', async t => {
  const { service, admin, declared } = await world(t)
  const made = await admin.post('/v1/admin/providers', declared)
  t.equal(made.statusCode, 201, made.body)
  t.match(made.json(), { id: 'acme', state: 'enabled', sign_up: 'open', grants: [], client_id: clientId })
  const visitor = new Visitor(service)
  t.equal((await visitor.signIn()).statusCode, 303)
  t.equal((await visitor.scripts.get('/v1/session')).statusCode, 200)
  const shown = await admin.get('/v1/admin/providers/acme')
  t.same(shown.json(), made.json())
  t.same((await admin.get('/v1/admin/providers')).json(), { items: [made.json()] })
  for (const { body } of [made, shown]) t.notOk(body.includes(clientSecret))
  const [row] = await service.database.sql`select action, actor is not null as acted from audit_events
    where action = 'provider.created'`
  t.same(row, { action: 'provider.created', acted: true })
  t.equal((await admin.post('/v1/admin/providers', declared)).json().code, 'name_taken')
})

test('what is wrong with a declaration is said, and nothing of it is stored', async t => {
  const { provider, service, admin, declared } = await world(t)
  const wrong = await admin.post('/v1/admin/providers', {
    ...declared,
    aal2: ['nonsense'],
    hosts: ['No Host'],
  })
  t.equal(wrong.json().code, 'invalid_request')
  t.match(wrong.json().detail, /No Host is not a host.*\n.*nonsense must be acr:/)
  const silent = await admin.post('/v1/admin/providers', { ...declared, issuer: 'http://127.0.0.1:9' })
  t.equal(silent.statusCode, 400)
  t.match(silent.json().detail, /^The provider cannot be used: /)
  t.equal((await service.database.sql`select from providers`).length, 0)

  await admin.post('/v1/admin/providers', declared)
  const moved = await admin.send('PATCH', '/v1/admin/providers/acme', { issuer: 'http://127.0.0.1:9' })
  t.equal(moved.json().code, 'invalid_request')
  const renamed = await admin.send('PATCH', '/v1/admin/providers/acme', {
    name: 'Acme staff',
    sign_up: 'off',
  })
  t.match(renamed.json(), { name: 'Acme staff', sign_up: 'off', issuer: provider.issuer })
  t.equal((await admin.send('PATCH', '/v1/admin/providers/nobody', { name: 'x' })).statusCode, 404)
})

test('one that is turned off signs nobody in, ends its sessions where that is asked, and is removed', async t => {
  const { provider, service, admin, declared } = await world(t)
  await admin.post('/v1/admin/providers', declared)
  t.same((await admin.post('/v1/admin/providers/acme/check')).json(), { ok: true, reason: null })
  const visitor = new Visitor(service)
  await visitor.signIn()
  const off = await admin.send('PATCH', '/v1/admin/providers/acme', { state: 'disabled' })
  t.equal(off.json().state, 'disabled')
  t.equal((await visitor.scripts.get('/v1/session')).statusCode, 200, 'what it opened lives on')
  t.equal((await new Visitor(service).open('/v1/federation/acme')).statusCode, 404)
  await admin.send('PATCH', '/v1/admin/providers/acme?end_sessions=true', { state: 'disabled' })
  t.equal((await visitor.scripts.get('/v1/session')).statusCode, 401)

  const back = await admin.send('PATCH', '/v1/admin/providers/acme', { state: 'enabled', name: 'Acme again' })
  t.match(back.json(), { state: 'enabled', name: 'Acme again' })
  await visitor.signIn()
  await provider.close()
  t.match((await admin.post('/v1/admin/providers/acme/check')).json(), { ok: false, reason: /./ })
  const removed = await admin.delete('/v1/admin/providers/acme?end_sessions=true')
  t.same([removed.statusCode, removed.json()], [200, { ended: 1 }])
  t.equal((await visitor.scripts.get('/v1/session')).statusCode, 401)
  t.equal((await admin.get('/v1/admin/providers/acme')).statusCode, 404)
})

test('who may read providers may not declare one, and a key of one tenant may do neither', async t => {
  const { service, declared } = await world(t)
  const { sql } = service.database
  const call = (key: string, method: 'GET' | 'POST', payload?: object) =>
    service.app.inject({
      method,
      url: '/v1/admin/providers',
      headers: { authorization: `Bearer ${key}` },
      ...(payload && { payload }),
    })
  const reader = (await serviceKey(sql, { scopes: ['providers:read'] })).key
  t.equal((await call(reader, 'GET')).statusCode, 200)
  t.equal((await call(reader, 'POST', declared)).statusCode, 403)
  const other = (await serviceKey(sql, { scopes: ['tenants:write'] })).key
  t.equal((await call(other, 'GET')).statusCode, 403)
})
