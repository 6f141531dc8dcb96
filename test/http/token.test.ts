/** The exchange: who gets a token, for which audience, in which tenant, with whose roles, and for how long. */
import tap, { test } from 'tap'
import type { ClientId } from '../../src/core/principal.js'
import type { OriginOwner } from '../../src/tenants/applications.js'
import { openOriginRegistry } from '../../src/tenants/origins.js'
import { application, member, person, tenant } from '../harness/world.js'
import { Browser } from '../support/browser.js'
import { testDatabase } from '../support/database.js'
import { appOrigin, issuer, testService } from '../support/service.js'

const database = await testDatabase(tap)
const { sql } = database
await application(sql, {
  clientId: 'spa',
  origins: [appOrigin, 'http://localhost:5174'],
  audiences: ['api', 'files'],
})
await application(sql, {
  clientId: 'other',
  origins: ['http://localhost:5175'],
  audiences: ['other-api'],
  lifetime: 60,
})
await application(sql, { clientId: 'mute', audiences: [] })
const service = await testService(tap, { database })
const second = await testService(tap, { beside: service })

const from = (origin: string | null, cookie: string, at = service) => new Browser(at.app, origin, cookie)
const claimsOf = (token: string) => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
const codeOf = async (asked: ReturnType<Browser['post']>) => {
  const answer = await asked
  return answer.statusCode === 200 ? 200 : `${answer.statusCode} ${answer.json().code}`
}

test('the application is the one that owns the Origin, and client_id must agree with it', async t => {
  const me = await person(sql)
  const mint = (origin: string | null, body: object) =>
    codeOf(from(origin, me.cookie).post('/v1/token', body))
  const cases: [string | null, object, string | number][] = [
    [appOrigin, {}, 200],
    ['http://localhost:5174', {}, 200],
    [appOrigin, { client_id: 'spa' }, 200],
    [appOrigin, { client_id: 'other' }, '400 unknown_client'],
    [appOrigin, { client_id: 'mintmark' }, '400 unknown_client'],
    [appOrigin, { client_id: '' }, '400 unknown_client'],
    [appOrigin, { client_id: 'SPA' }, '400 unknown_client'],
    [issuer, {}, 200],
    [issuer, { client_id: 'mintmark' }, 200],
    [issuer, { client_id: 'spa' }, '400 unknown_client'],
    [null, {}, '400 unknown_client'],
    [null, { client_id: 'spa' }, 200],
    [null, { client_id: 'nobody' }, '400 unknown_client'],
    [null, { client_id: "spa'or'1'='1" }, '400 unknown_client'],
    [null, { client_id: 'mute' }, '403 audience_forbidden'],
    ['https://evil.example', { client_id: 'spa' }, '403 wrong_origin'],
  ]
  for (const [origin, body, expected] of cases)
    t.equal(await mint(origin, body), expected, `${origin} ${JSON.stringify(body)}`)
  const minted = (await from(appOrigin, me.cookie).post('/v1/token', {})).json()
  t.equal(claimsOf(minted.access_token).client_id, 'spa')
})

test('the audience must be one of the application; the first is the default; a token has one', async t => {
  const me = await person(sql)
  const mint = (body: object, origin: string | null = appOrigin) =>
    from(origin, me.cookie).post('/v1/token', body)
  t.equal(claimsOf((await mint({})).json().access_token).aud, 'api')
  t.equal(claimsOf((await mint({ audience: 'files' })).json().access_token).aud, 'files')
  for (const audience of ['other-api', 'mintmark', '', 'API', 'ap', 'api,files', 'https://api', '*']) {
    t.equal(await codeOf(mint({ audience })), '403 audience_forbidden', JSON.stringify(audience))
  }
  for (const audience of [['api', 'files'], 'api files', 'api ', 'api\0']) {
    t.equal(await codeOf(mint({ audience })), '400 invalid_request', JSON.stringify(audience))
  }
  t.equal(await codeOf(mint({ audience: 'api' }, 'http://localhost:5175')), '403 audience_forbidden')
})

test('an origin taken away, or an application disabled, in the database is refused at the very next mint', async t => {
  await application(sql, { clientId: 'gone', origins: ['http://localhost:5180', 'http://localhost:5181'] })
  const fresh = await testService(t, { beside: service })
  const me = await person(sql)
  const mint = (origin: string | null) =>
    codeOf(from(origin, me.cookie, fresh).post('/v1/token', origin === null ? { client_id: 'gone' } : {}))
  for (const origin of ['http://localhost:5180', 'http://localhost:5181', null])
    t.equal(await mint(origin), 200)
  await sql`delete from application_origins where origin = 'http://localhost:5180'`
  t.equal(await mint('http://localhost:5180'), '400 unknown_client')
  t.equal(await mint('http://localhost:5181'), 200)
  await sql`update application_origins set client_id = 'other' where origin = 'http://localhost:5181'`
  t.equal(await mint('http://localhost:5181'), '400 unknown_client', 'it belongs to another one now')
  t.equal(await mint(null), 200)
  await sql`update applications set state = 'disabled' where client_id = 'gone'`
  t.equal(await mint(null), '400 unknown_client')
  await sql`update applications set state = 'enabled' where client_id = 'gone'`
  t.equal(await mint(null), 200)
  await sql`update applications set audiences = '{}' where client_id = 'gone'`
  t.equal(await mint(null), '403 audience_forbidden', 'so with its audiences')
})

test('a tenant needs an active membership in an active tenant; the refusal is the same for all others', async t => {
  const me = await person(sql)
  const [good, foreign, suspended, closed] = [
    await tenant(sql),
    await tenant(sql),
    await tenant(sql),
    await tenant(sql),
  ]
  for (const one of [good, suspended, closed]) await member(sql, me.id, one, 'r1')
  await sql`update memberships set state = 'suspended' where tenant_id = ${suspended}`
  await sql`update tenants set state = 'suspended' where id = ${closed}`
  const browser = from(appOrigin, me.cookie)
  const minted = (await browser.post('/v1/token', { tenant: good })).json()
  t.equal(minted.tenant, good)
  t.match(claimsOf(minted.access_token), { tenant: good, roles: ['reader'], permissions: ['doc:read'] })
  const refusals = new Set<string>()
  for (const wanted of [foreign, suspended, closed, '00000000-0000-4000-8000-000000000000']) {
    const answer = await browser.post('/v1/token', { tenant: wanted })
    t.equal(answer.statusCode, 403)
    const { request_id: _request, ...body } = answer.json()
    refusals.add(JSON.stringify(body))
  }
  t.equal(refusals.size, 1, 'nobody learns which tenants there are')
  for (const wanted of [
    '',
    'x',
    good.toUpperCase(),
    `{${good}}`,
    `urn:uuid:${good}`,
    `${good} `,
    good.replaceAll('-', ''),
    '../x',
    null,
  ]) {
    t.equal(
      await codeOf(browser.post('/v1/token', { tenant: wanted })),
      '400 invalid_request',
      String(wanted),
    )
  }
  const none = (await browser.post('/v1/token', {})).json()
  t.equal(none.tenant, null)
  const claims = claimsOf(none.access_token)
  t.notOk('tenant' in claims || 'roles' in claims || 'permissions' in claims)
})

test('a session whose current tenant is lost mints nothing until one is named', async t => {
  const me = await person(sql)
  const [current, other] = [await tenant(sql), await tenant(sql)]
  for (const one of [current, other]) await member(sql, me.id, one, 'r2')
  await sql`update sessions set tenant_id = ${current} where id = ${me.session}`
  const browser = from(appOrigin, me.cookie)
  t.equal((await browser.post('/v1/token', {})).json().tenant, current)
  t.equal((await browser.get('/v1/session')).json().tenant.id, current)
  await sql`update memberships set state = 'suspended' where user_id = ${me.id} and tenant_id = ${current}`
  for (const at of [service, second]) {
    t.equal(await codeOf(from(appOrigin, me.cookie, at).post('/v1/token', {})), '403 tenant_forbidden')
    t.equal(await codeOf(from(issuer, me.cookie, at).post('/v1/token', {})), '403 tenant_forbidden')
  }
  const who = await browser.get('/v1/session')
  t.equal(who.statusCode, 200, 'the person is still signed in')
  t.equal(who.json().tenant, null)
  t.equal((await browser.post('/v1/token', { tenant: other })).json().tenant, other)
})

test('`expect` that no longer holds is 409 and never a token', async t => {
  const [me, stranger] = [await person(sql), await person(sql)]
  const [mine, other] = [await tenant(sql), await tenant(sql)]
  for (const one of [mine, other]) await member(sql, me.id, one)
  const browser = from(appOrigin, me.cookie)
  const expecting = (expect: object, more: object = {}) =>
    codeOf(browser.post('/v1/token', { expect, ...more }))
  t.equal(await expecting({}), 200)
  t.equal(await expecting({ sub: me.id }), 200)
  t.equal(await expecting({ sub: me.id, tenant: null }), 200)
  t.equal(await expecting({ tenant: mine }, { tenant: mine }), 200)
  t.equal(await expecting({ sub: stranger.id }), '409 session_changed')
  t.equal(
    await expecting({ sub: stranger.id }, { tenant: other, audience: 'nothing' }),
    '409 session_changed',
    'said first',
  )
  t.equal(await expecting({ tenant: mine }), '409 session_changed')
  t.equal(await expecting({ tenant: null }, { tenant: mine }), '409 session_changed')
  t.equal(await expecting({ tenant: other }, { tenant: mine }), '409 session_changed')
  await sql`update sessions set tenant_id = ${mine} where id = ${me.session}`
  t.equal(await expecting({ tenant: mine }), 200)
  t.equal(await expecting({ tenant: null }), '409 session_changed')
  const refused = await browser.post('/v1/token', { expect: { sub: stranger.id } })
  t.notMatch(refused.body, me.id, 'a tab does not learn who is signed in now')
  t.notOk(refused.body.includes('access_token'))
})

test('P3: a change of roles or permissions stands in the very next token and answer, on every instance', async t => {
  const me = await person(sql)
  const acme = await tenant(sql)
  await member(sql, me.id, acme, 'r1')
  await sql`update sessions set tenant_id = ${acme} where id = ${me.session}`
  const now = async (at: typeof service) => {
    const { roles, permissions } = claimsOf(
      (await from(appOrigin, me.cookie, at).post('/v1/token', {})).json().access_token,
    )
    const who = (await from(appOrigin, me.cookie, at).get('/v1/session')).json().tenant
    t.same([who.roles, who.permissions], [roles, permissions], 'both answers agree')
    return { roles, permissions }
  }
  const steps: [string, () => Promise<unknown>, string[], string[]][] = [
    ['as it is', async () => {}, ['reader'], ['doc:read']],
    [
      'another role',
      () => sql`update memberships set role_ids = '{r2,r1}' where user_id = ${me.id}`,
      ['reader', 'writer'],
      ['doc:read', 'doc:write'],
    ],
    [
      'a role that is none',
      () => sql`update memberships set role_ids = '{r9,__proto__,constructor}' where user_id = ${me.id}`,
      [],
      [],
    ],
    [
      'one role',
      () => sql`update memberships set role_ids = '{r1}' where user_id = ${me.id}`,
      ['reader'],
      ['doc:read'],
    ],
    [
      'its permissions',
      () =>
        sql`update tenants set roles = jsonb_set(roles, '{r1,permissions}', '["doc:admin"]') where id = ${acme}`,
      ['reader'],
      ['doc:admin'],
    ],
    ['no role', () => sql`update memberships set role_ids = '{}' where user_id = ${me.id}`, [], []],
  ]
  for (const [what, happen, roles, permissions] of steps) {
    await happen()
    for (const at of [service, second]) t.same(await now(at), { roles, permissions }, what)
  }
})

test('exp is the lifetime after the database’s now, never past the absolute end, and never at or before iat', async t => {
  const me = await person(sql)
  const mint = async (origin: string) =>
    claimsOf((await from(origin, me.cookie).post('/v1/token', {})).json().access_token)
  const [row] = await sql`select extract(epoch from now())::float8 as now`
  const ordinary = await mint(appOrigin)
  t.ok(Math.abs(ordinary.iat - row?.now) < 30)
  t.equal(ordinary.exp - ordinary.iat, 300)
  const short = await mint('http://localhost:5175')
  t.equal(short.exp - short.iat, 60, 'the application’s lifetime')
  for (const seconds of [299, 61, 20]) {
    await sql`update sessions set ends_at = now() + ${seconds} * interval '1 second' where id = ${me.session}`
    const { exp, iat } = await mint(appOrigin)
    const [ends] =
      await sql`select floor(extract(epoch from ends_at))::float8 as at from sessions where id = ${me.session}`
    t.equal(exp, ends?.at, `${seconds} s before the end`)
    t.ok(exp > iat)
  }
  const answer = await from(appOrigin, me.cookie).post('/v1/token', {})
  t.equal(
    answer.json().expires_in,
    claimsOf(answer.json().access_token).exp - claimsOf(answer.json().access_token).iat,
  )
})

test('in the last second of a session no token is minted that is dead at birth', async t => {
  const me = await person(sql)
  for (let round = 0; round < 10; round++) {
    await sql`update sessions set ends_at = date_trunc('second', now()) + interval '990 milliseconds'
      where id = ${me.session}`
    const answer = await from(appOrigin, me.cookie).post('/v1/token', {})
    if (answer.statusCode === 401) continue
    const { access_token, expires_in } = answer.json()
    t.ok(expires_in > 0, `expires_in ${expires_in}`)
    t.ok(claimsOf(access_token).exp > claimsOf(access_token).iat)
  }
})

test('an older reading of the origins never overwrites a newer one', async t => {
  const readings: ((origins: ReadonlyMap<string, OriginOwner>) => void)[] = []
  const owner: OriginOwner = { clientId: 'spa' as ClientId, name: 'spa', grants: [], returnAddresses: [] }
  const registry = openOriginRegistry(
    {
      origins: () => new Promise(resolve => void readings.push(resolve)),
    },
    () => 0,
  )
  readings[0]?.(new Map([[appOrigin, owner]]))
  const { refresh, ownerOf } = await registry
  const [slow, quick] = [refresh(), refresh()]
  // The origin is removed between the two reads, and the first one's answer comes last.
  readings.at(-1)?.(new Map())
  await quick
  readings[1]?.(new Map([[appOrigin, owner]]))
  await slow
  t.equal(await ownerOf(appOrigin), undefined)
})

test('an ordinary token is under 1 KB, holds nothing secret, and is never kept by anyone', async t => {
  const me = await person(sql)
  const acme = await tenant(sql)
  await member(sql, me.id, acme, 'r1', 'r2')
  const answer = await from(appOrigin, me.cookie).post('/v1/token', { tenant: acme })
  const { access_token, ...rest } = answer.json()
  t.same(rest, { token_type: 'Bearer', expires_in: 300, sub: me.id, sid: me.session, tenant: acme })
  t.ok(access_token.length < 1024, `${access_token.length} bytes`)
  t.equal(answer.headers['cache-control'], 'no-store')
  t.notOk(answer.headers['set-cookie'])
  const text = JSON.stringify(claimsOf(access_token))
  for (const secret of [me.secret, me.email]) t.notOk(text.includes(secret))
})

test('tokens minted in parallel differ, and each names its own person', async t => {
  const people = await Promise.all(Array.from({ length: 20 }, () => person(sql)))
  const minted = await Promise.all(
    people.flatMap(one => [service, second].map(at => from(appOrigin, one.cookie, at).post('/v1/token', {}))),
  )
  const claims = minted.map(answer => claimsOf(answer.json().access_token))
  t.equal(new Set(claims.map(({ jti }) => jti)).size, 40)
  for (const [index, { sub, sid }] of claims.entries()) {
    t.same([sub, sid], [people[index >> 1]?.id, people[index >> 1]?.session])
  }
})
