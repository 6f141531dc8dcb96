/** Service keys over HTTP: how they are made and shown once, what they open, and every way in which they open nothing. */
import { createHash } from 'node:crypto'
import { inspect } from 'node:util'
import tap, { test } from 'tap'
import { platformPermissions } from '../../src/core/authority.js'
import {
  newServiceCredential,
  parseServiceCredential,
  revealServiceCredential,
} from '../../src/core/service-key.js'
import { member, person, serviceKey, tenant } from '../harness/world.js'
import { Browser } from '../support/browser.js'
import { eventually, issuer, testService } from '../support/service.js'

const service = await testService(tap)
const { sql } = service.database

async function administrator() {
  const me = await person(sql)
  await sql`update users set platform_roles = '{administrator}' where id = ${me.id}`
  return { me, browser: new Browser(service.app, issuer, me.cookie) }
}

type Method = 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE'
interface Sent {
  readonly method?: Method
  readonly headers?: Record<string, string>
  readonly body?: object
}
const call = (key: string | undefined, url: string, { method = 'GET', headers = {}, body }: Sent = {}) =>
  service.app.inject({
    method,
    url,
    headers: { ...(key !== undefined && { authorization: `Bearer ${key}` }), ...headers },
    ...(body && { payload: body }),
  })
const listed = '/v1/admin/service-keys'

test('a key is shown by the answer that makes it, and by no other; of its secret only SHA-256 is stored', async t => {
  const { me, browser } = await administrator()
  const wanted = {
    name: 'Orders',
    scopes: ['users:read', 'introspect'],
    audiences: ['orders'],
    expires_in: 3600,
  }
  const answer = await browser.post(listed, wanted)
  t.equal(answer.statusCode, 201)
  const { key, ...made } = answer.json()
  t.match(key, /^mintmark_sk_[A-Za-z0-9_-]{22}_[A-Za-z0-9_-]{43}$/)
  t.match(made, {
    name: 'Orders',
    state: 'active',
    scopes: wanted.scopes,
    audiences: ['orders'],
    tenant: null,
  })
  t.equal(made.expires_at - made.created_at, 3600)

  const read = await browser.get(`${listed}/${made.id}`)
  const list = await browser.get(listed)
  t.same(read.json(), made)
  t.ok(list.json().items.some(({ id }: { id: string }) => id === made.id))
  const secret = key.slice(-43)
  for (const { body } of [read, list]) t.notMatch(body, secret)
  const [row] = await sql`select s::text as text, secret_hash from service_keys s where id = ${made.id}`
  t.notMatch(row?.text, secret)
  t.same(row?.secret_hash, createHash('sha256').update(Buffer.from(secret, 'base64url')).digest())
  const [event] = await sql`select actor, outcome from audit_events
    where action = 'service-key.created' and subject = ${made.id}`
  t.match(event, { actor: me.id, outcome: 'done' })
  t.equal((await call(key, '/v1/admin/users')).statusCode, 200)
})

test('a creation that is repeated under its Idempotency-Key makes no second key and shows none', async t => {
  const { browser } = await administrator()
  const wanted = { name: 'Once', scopes: ['audit:read'] }
  const under = { 'idempotency-key': 'make-it-once' }
  const first = (await browser.post(listed, wanted, under)).json()
  const again = await browser.post(listed, wanted, under)
  t.equal(again.statusCode, 201)
  t.same(again.json(), { ...first, key: null })
  t.notMatch(again.body, first.key.slice(-43))
  const [kept] = await sql`select answer::text as text from idempotent_answers where key = 'make-it-once'`
  t.notMatch(kept?.text, first.key.slice(-43))
  t.equal(
    (await browser.post(listed, { ...wanted, name: 'Other' }, under)).json().code,
    'idempotency_conflict',
  )
})

test('a key that makes no sense is refused with what is wrong', async t => {
  const { browser } = await administrator()
  const acme = await tenant(sql)
  const post = (body: object) => browser.post(listed, { name: 'x', ...body })
  for (const [body, detail] of [
    [{ scopes: ['introspect'] }, /give both, or neither/],
    [{ scopes: ['users:read'], audiences: ['api'] }, /give both, or neither/],
    [{ scopes: ['introspect'], audiences: ['a b'] }, /white space/],
    [{ scopes: ['users:write'], tenant: acme }, /cannot have the scope users:write/],
  ] as const) {
    const answer = await post(body)
    t.equal(answer.statusCode, 400)
    t.match(answer.json().detail, detail)
  }
  for (const scopes of [[], ['everything'], ['users:read', 'users:read'], 'users:read'])
    t.equal((await post({ scopes })).statusCode, 400, JSON.stringify(scopes))
  for (const expires_in of [59, 1.5, -1, '3600', null])
    t.equal((await post({ scopes: ['users:read'], expires_in })).statusCode, 400, String(expires_in))
  const nowhere = '00000000-0000-4000-8000-000000000000'
  t.equal((await post({ scopes: ['audit:read'], tenant: nowhere })).statusCode, 404)
})

test('TN-10: a key opens what its scopes say and nothing beside', async t => {
  const { key, id } = await serviceKey(sql, { scopes: ['users:read'] })
  t.equal((await call(key, '/v1/admin/users')).statusCode, 200)
  for (const [method, url, body] of [
    ['GET', '/v1/admin/tenants', undefined],
    ['GET', '/v1/admin/audit', undefined],
    ['GET', listed, undefined],
    ['POST', '/v1/admin/users', { email: 'new@example.com' }],
    ['POST', listed, { name: 'x', scopes: ['users:read'] }],
    ['DELETE', '/v1/admin/sessions', undefined],
  ] as const) {
    const answer = await call(key, url, { method, ...(body && { body }) })
    t.equal(answer.json().code, 'forbidden', `${method} ${url}`)
    t.equal(answer.headers['www-authenticate'], 'Bearer error="insufficient_scope"')
  }
  const event = await eventually(async () => {
    const [row] = await sql`select reason, actor, subject, address from audit_events
      where action = 'admin.request' and service_key = ${id} and subject = 'DELETE /v1/admin/sessions'`
    return row
  })
  t.match(event, { reason: 'forbidden', actor: null })
})

test('what a key does is written down as the key’s', async t => {
  const { key, id } = await serviceKey(sql)
  const answer = await call(key, '/v1/admin/tenants', { method: 'POST', body: { name: 'By key' } })
  t.equal(answer.statusCode, 201, 'it needs neither Origin nor X-Mintmark')
  const [event] = await sql`select actor, service_key, outcome from audit_events
    where action = 'tenant.created' and subject = ${answer.json().id}`
  t.match(event, { actor: null, service_key: id, outcome: 'done' })
  const line = service.logLines.find(text => text.includes(`"serviceKey":"${id}"`))
  t.match(line, '"route":"/v1/admin/tenants"')
})

test('TN-10: nobody makes a key that holds what they do not: neither scopes nor audiences', async t => {
  const few = await serviceKey(sql, { scopes: ['service-keys:write', 'users:read'], audiences: [] })
  const make = (key: string, body: object) =>
    call(key, listed, { method: 'POST', body: { name: 'child', ...body } })
  t.equal((await make(few.key, { scopes: ['users:read'] })).statusCode, 201)
  for (const scope of platformPermissions) {
    if (scope === 'users:read' || scope === 'service-keys:write') continue
    const audiences = scope === 'introspect' ? ['api'] : []
    t.equal((await make(few.key, { scopes: ['users:read', scope], audiences })).statusCode, 403, scope)
  }
  const asking = await serviceKey(sql, { scopes: ['service-keys:write', 'introspect'], audiences: ['api'] })
  t.equal((await make(asking.key, { scopes: ['introspect'], audiences: ['api'] })).statusCode, 201)
  t.equal((await make(asking.key, { scopes: ['introspect'], audiences: ['api', 'other'] })).statusCode, 403)

  const auditor = await person(sql)
  await sql`update users set platform_roles = '{auditor}' where id = ${auditor.id}`
  const browser = new Browser(service.app, issuer, auditor.cookie)
  t.equal((await browser.get(listed)).statusCode, 200)
  t.equal((await browser.post(listed, { name: 'x', scopes: ['users:read'] })).statusCode, 403)
})

test('TN-10: a key that is bound to a tenant holds what its scopes include there, and in no other', async t => {
  const [acme, other] = [await tenant(sql), await tenant(sql)]
  const worker = await person(sql)
  await member(sql, worker.id, acme, 'member')
  const { key } = await serviceKey(sql, {
    scopes: ['tenants:read', 'tenants:write', 'audit:read'],
    audiences: [],
    tenant: acme,
  })
  const at = async (place: string) => [
    (await call(key, `/v1/admin/tenants/${place}`)).statusCode,
    (await call(key, `/v1/admin/tenants/${place}/members`)).statusCode,
    (await call(key, `/v1/admin/tenants/${place}/audit`)).statusCode,
    (await call(key, `/v1/admin/tenants/${place}`, { method: 'PATCH', body: { name: 'New' } })).statusCode,
  ]
  t.same(await at(acme), [200, 200, 200, 200])
  t.same(await at(other), [403, 403, 403, 403])
  const role = (roles: string[]) =>
    call(key, `/v1/admin/tenants/${acme}/members/${worker.id}`, { method: 'PUT', body: { roles } })
  t.equal((await role(['admin'])).statusCode, 200)
  t.equal((await role(['r1'])).statusCode, 403, 'it does not give what it does not hold')
  for (const url of ['/v1/admin/tenants', '/v1/admin/audit', '/v1/admin/users', listed])
    t.equal((await call(key, url)).statusCode, 403, url)
  const suspend = { method: 'PATCH', body: { state: 'suspended' } } as const
  t.equal((await call(key, `/v1/admin/tenants/${acme}`, suspend)).statusCode, 403)
  await sql`update tenants set state = 'suspended' where id = ${acme}`
  t.same(await at(acme), [403, 403, 403, 403], 'in a suspended tenant it holds nothing')
  await sql`delete from tenants where id = ${acme}`
  t.equal((await call(key, '/v1/admin/users')).statusCode, 401, 'it goes with its tenant')
})

test('TN-10: revoking holds for every request that begins afterwards, and the key stays listed', async t => {
  const { browser } = await administrator()
  const second = await testService(t, { beside: service })
  const { key, id } = await serviceKey(sql)
  for (const { app } of [service, second]) {
    const headers = { authorization: `Bearer ${key}` }
    t.equal((await app.inject({ method: 'GET', url: listed, headers })).statusCode, 200)
  }
  t.equal((await browser.delete(`${listed}/${id}`)).statusCode, 204)
  for (const { app } of [service, second]) {
    const headers = { authorization: `Bearer ${key}` }
    t.equal((await app.inject({ method: 'GET', url: listed, headers })).json().code, 'invalid_service_key')
  }
  t.equal((await browser.delete(`${listed}/${id}`)).statusCode, 204, 'revoking twice is no error')
  const shown = (await browser.get(`${listed}/${id}`)).json()
  t.equal(shown.state, 'revoked')
  t.ok(shown.revoked_at >= shown.created_at)
  const events = await sql`select from audit_events where action = 'service-key.revoked' and subject = ${id}`
  t.equal(events.length, 1)
  t.equal((await browser.delete(`${listed}/${newServiceCredential().id}`)).statusCode, 404)
  const own = await serviceKey(sql, { scopes: ['service-keys:write'] })
  t.equal((await call(own.key, `${listed}/${own.id}`, { method: 'DELETE' })).statusCode, 204)
  t.equal((await call(own.key, `${listed}/${own.id}`, { method: 'DELETE' })).statusCode, 401)
})

test('TN-10: an expired, unknown, forged or mangled key is refused alike', async t => {
  const { key, id } = await serviceKey(sql)
  const expired = await serviceKey(sql)
  await sql`update service_keys set expires_at = now() where id = ${expired.id}`
  const secret = key.slice(-43)
  const [hash] = await sql`select encode(secret_hash, 'base64') as text from service_keys where id = ${id}`
  const unused = `${key.slice(0, -1)}${key.at(-1) === 'A' ? 'B' : 'A'}`
  const wrong: [string, string][] = [
    ['expired', expired.key],
    ['unknown', revealServiceCredential(newServiceCredential())],
    ['the secret of another', `mintmark_sk_${id}_${(await serviceKey(sql)).key.slice(-43)}`],
    ['the prefix alone', 'mintmark_sk_'],
    ['prefix and id', `mintmark_sk_${id}`],
    ['without a secret', `mintmark_sk_${id}_`],
    ['half of it', key.slice(0, 50)],
    ['without its last character', key.slice(0, -1)],
    ['a character more', `${key}A`],
    ['padded', `${key}=`],
    ['in capitals', key.toUpperCase()],
    ['a capital prefix', key.replace('mintmark', 'Mintmark')],
    ['the secret alone', secret],
    ['id and secret like a cookie', `${id}.${secret}`],
    [
      'the stored hash',
      `mintmark_sk_${id}_${String(hash?.text).replace(/\+/g, '-').replace(/\//g, '_').slice(0, 43)}`,
    ],
    ['another last character', unused],
    ['quoted', `"${key}"`],
    ['twice', `${key},${key}`],
    ['followed by more', `${key} x`],
    ['nothing', ''],
  ]
  const bodies = new Set<string>()
  for (const [what, value] of wrong) {
    const answer = await call(value, listed)
    t.equal(answer.statusCode, 401, what)
    t.equal(answer.headers['www-authenticate'], 'Bearer error="invalid_token"', what)
    bodies.add(JSON.stringify({ ...answer.json(), request_id: '' }))
  }
  t.equal(bodies.size, 1, 'nobody learns why')
  for (const scheme of ['Basic', 'Token', 'mintmark', ''])
    t.equal(
      (await call(undefined, listed, { headers: { authorization: `${scheme} ${key}`.trim() } })).statusCode,
      401,
      scheme,
    )
  t.equal((await call(undefined, listed, { headers: { authorization: `bearer ${key}` } })).statusCode, 200)
  t.equal((await call(key, listed)).statusCode, 200, 'the key itself works all along')
})

test('a key has one spelling, and cannot be logged', t => {
  const credential = newServiceCredential()
  const text = revealServiceCredential(credential)
  const parsed = parseServiceCredential(text)
  t.ok(parsed && revealServiceCredential(parsed) === text)
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  for (const end of [text.length, 'mintmark_sk_'.length + 22]) {
    const spelled = [...alphabet].filter(last => {
      const other = `${text.slice(0, end - 1)}${last}${text.slice(end)}`
      return parseServiceCredential(other) !== undefined
    })
    t.equal(spelled.length, end === text.length ? 16 : 4, 'only those without unused bits')
  }
  for (const other of [` ${text}`, `${text}\n`, `${text}\0`, text.replace('_sk_', '-sk-')])
    t.equal(parseServiceCredential(other), undefined)
  const secret = text.slice(-43)
  for (const shown of [JSON.stringify(credential), inspect(credential), `${credential.secret}`])
    t.notMatch(shown, secret)
  t.end()
})

test('TN-10: a key is taken from the header alone, never from query, body or cookie', async t => {
  const { key } = await serviceKey(sql)
  for (const name of ['key', 'access_token', 'token', 'authorization', 'service_key'])
    t.equal((await call(undefined, `${listed}?${name}=${key}`)).statusCode, 401, name)
  for (const cookie of [`__Host-session=${key}`, `authorization=Bearer ${key}`])
    t.equal((await call(undefined, listed, { headers: { cookie } })).statusCode, 401)
  const posted = await call(undefined, listed, {
    method: 'POST',
    headers: { 'x-mintmark': '1' },
    body: { name: 'x', scopes: ['users:read'], access_token: key },
  })
  t.equal(posted.statusCode, 401)
  t.notMatch(service.logLines.join(''), key.slice(-43))
})

test('a key from a browser, and a key beside a session cookie, are refused', async t => {
  const { key } = await serviceKey(sql)
  const { me } = await administrator()
  for (const headers of [
    { origin: issuer, 'sec-fetch-site': 'same-origin', 'x-mintmark': '1' },
    { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' },
    { origin: 'null' },
    { 'sec-fetch-site': 'none' },
  ]) {
    const answer = await call(key, listed, { headers })
    t.equal(answer.json().code, 'wrong_origin', JSON.stringify(headers))
    t.notOk(answer.headers['access-control-allow-origin'])
  }
  const both = await call(key, listed, { headers: { cookie: `__Host-session=${me.cookie}` } })
  t.equal(both.json().code, 'invalid_request')
  const broken = await call('mintmark_sk_', listed, {
    headers: { cookie: `a=b; __Host-session=${me.cookie}` },
  })
  t.equal(broken.statusCode, 400, 'the cookie does not stand in for a key that does not work')
  t.equal((await call(key, listed, { headers: { cookie: 'other=1' } })).statusCode, 200)
})

test('a key opens nothing of a person’s', async t => {
  const { key } = await serviceKey(sql)
  for (const [method, url] of [
    ['GET', '/v1/session'],
    ['GET', '/v1/sessions'],
    ['POST', '/v1/token'],
    ['DELETE', '/v1/sessions'],
    ['PUT', '/v1/session/tenant'],
  ] as const) {
    const answer = await call(key, url, { method, headers: { 'x-mintmark': '1' } })
    t.equal(answer.json().code, 'unauthenticated', `${method} ${url}`)
  }
})

test('last-used moves after the answer, once a minute, and its failure fails no request', async t => {
  const { key, id } = await serviceKey(sql)
  const used = async () => {
    const [row] =
      await sql`select extract(epoch from last_used_at)::float8 as at from service_keys where id = ${id}`
    return row?.at as number | null
  }
  t.equal(await used(), null)
  t.equal((await call(key, listed)).statusCode, 200)
  const first = await eventually(async () => (await used()) ?? undefined)
  t.equal((await call(key, listed)).statusCode, 200)
  t.equal(await used(), first, 'not within the minute')
  await sql`update service_keys set last_used_at = now() - interval '61 seconds' where id = ${id}`
  t.equal((await call(key, '/v1/admin/users')).statusCode, 200)
  t.ok(await eventually(async () => ((await used()) ?? 0) >= first || undefined))

  await sql`update service_keys set last_used_at = null where id = ${id}`
  await sql`alter table service_keys add constraint refuses check (last_used_at is null) not valid`
  t.teardown(() => sql`alter table service_keys drop constraint refuses`)
  t.equal((await call(key, listed)).statusCode, 200)
  await eventually(
    () =>
      service.logLines.some(line => line.includes('the last-used time of a service key was not updated')) ||
      undefined,
  )
})
