/** The cookie and who may send it: CK of the attack list, against every state-changing route there is. */
import tap, { test } from 'tap'
import { acceptable, codeOf, headersFrom, listRoutes } from '../harness/routes.js'
import { administrator, application, fingerprint, person, session } from '../harness/world.js'
import { tampered } from '../red/cookies.js'
import { forgeries, simpleTypes } from '../red/cross-site.js'
import { testDatabase } from '../support/database.js'
import { appOrigin, goodPassword, issuer, testService } from '../support/service.js'

const database = await testDatabase(tap)
const { sql } = database
await application(sql, { clientId: 'spa', origins: [appOrigin] })
await application(sql, { clientId: 'portal', origins: ['http://localhost:7000'], grants: ['account'] })
const service = await testService(tap, { database })
const { app } = service
/** What a provider calls, by itself or by the form of a page of its own: no cookie is looked at there. */
const byProviders = (url: string) => url.startsWith('/v1/federation/:provider/')
const changing = (await listRoutes()).filter(
  route => route.changesState && !route.forServices && !byProviders(route.url),
)

test('CK-01: the session cookie has exactly these attributes, this shape, and lives to the absolute end', async t => {
  const me = await person(sql)
  const answer = await service.browser().post('/v1/session', { email: me.email, password: goodPassword })
  t.equal(answer.statusCode, 201)
  const headers = [answer.headers['set-cookie']].flat()
  t.equal(headers.length, 1, 'one cookie and no other')
  const [pair = '', ...attributes] = String(headers[0]).split('; ')
  t.match(pair, /^__Host-session=[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}$/)
  t.same(
    attributes.map(attribute => attribute.replace(/\d+$/, 'N')).sort(),
    ['HttpOnly', 'Max-Age=N', 'Path=/', 'SameSite=Lax', 'Secure'],
    'no Domain, no Expires, nothing twice',
  )
  const { session: opened } = answer.json()
  const [id, secret = ''] = pair.slice('__Host-session='.length).split('.')
  t.equal(opened.id, id)
  const [row] = await sql`select extract(epoch from ends_at - created_at)::float8 as life,
    floor(extract(epoch from ends_at))::float8 as ends_at from sessions where id = ${String(id)}`
  t.equal(row?.life, 2_592_000)
  t.equal(opened.ends_at, row?.ends_at)
  const maxAge = Number(/\d+$/.exec(attributes.find(text => text.startsWith('Max-Age')) ?? '')?.[0])
  t.ok(maxAge === 2_592_000 || maxAge === 2_591_999, `Max-Age ${maxAge} is the absolute limit, rounded down`)
  t.notOk(answer.body.includes(secret), 'nothing else carries the secret')
  t.notOk(JSON.stringify({ ...answer.headers, 'set-cookie': '' }).includes(secret))
})

test('CK-01: a shorter absolute limit shortens the cookie, and a password change does not lengthen it', async t => {
  const me = await person(sql)
  await sql`update sessions set ends_at = now() + interval '1000 seconds' where id = ${me.session}`
  const browser = service.browser().at(app)
  browser.cookie = me.cookie
  const answer = await browser.put('/v1/password', {
    current_password: goodPassword,
    new_password: 'quite other words now',
  })
  t.equal(answer.statusCode, 204)
  const maxAge = answer.cookies[0]?.maxAge ?? 0
  t.ok(maxAge > 0 && maxAge <= 1000, `${maxAge}`)
  const { iat, exp } = claimsOf((await browser.post('/v1/token', {})).json().access_token)
  t.equal(exp - iat, 300)
})

function claimsOf(token: string) {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
}

test('CK-05: a session outside its cookie is nobody, and does not reach the log', async t => {
  const me = await person(sql)
  const before = service.logLines.length
  const places: [string, Record<string, string>][] = [
    [`/v1/session?session=${me.cookie}&sid=${me.session}&__Host-session=${me.cookie}`, {}],
    ['/v1/session', { authorization: `Bearer ${me.cookie}` }],
    ['/v1/session', { authorization: `Session ${me.cookie}` }],
    [
      '/v1/session',
      { authorization: `Basic ${Buffer.from(me.cookie.replace('.', ':')).toString('base64')}` },
    ],
    ['/v1/session', { 'x-session': me.cookie, 'x-session-id': me.session }],
    ['/v1/session', { 'set-cookie': `__Host-session=${me.cookie}` }],
  ]
  for (const [url, headers] of places) {
    const read = await service.browser().get(url, headers)
    t.equal(read.statusCode, 401, JSON.stringify(headers))
    t.notOk(read.headers['set-cookie'])
    const minted = await service.browser().post(url.replace('/session', '/token'), {}, headers)
    t.equal(minted.statusCode, 401)
  }
  const inBody = await service.browser().post('/v1/token', { session: me.cookie })
  t.equal(inBody.statusCode, 401, 'before the body is even looked at')
  const log = service.logLines.slice(before).join('')
  t.notOk(log.includes(me.secret))
  t.notOk(log.includes(me.cookie))
})

/** Addresses that only refused requests have named. */
const untouched = new Set<string>()
for (const { id, what, headers } of forgeries) {
  test(`${id}: ${what}, is refused by every state-changing route and changes nothing`, async t => {
    const me = await administrator(sql)
    for (const route of changing) {
      // A form cannot send the header: Origin alone guards it.
      if (route.page && headers.origin === issuer && headers['sec-fetch-site'] === undefined) continue
      const payload = await acceptable[route.key]?.(sql, me)
      if (payload && 'email' in payload) untouched.add(String(payload.email))
      const before = await fingerprint(sql)
      const answer = await app.inject({
        method: route.method as 'POST',
        url: route.url,
        headers: { ...headers, cookie: `__Host-session=${me.cookie}` },
        ...(payload && { payload }),
      })
      t.equal(answer.statusCode, 403, route.key)
      t.equal(codeOf(answer), 'wrong_origin')
      t.notOk(answer.headers['set-cookie'], 'no cookie set or cleared')
      t.notOk(answer.headers['access-control-allow-origin'], 'nor may the page read why')
      t.equal(await fingerprint(sql), before, `${route.key} changed no row`)
    }
  })
}

test('CK-06: none of those requests has sent a mail', async t => {
  const me = await person(sql)
  await service.browser().post('/v1/password/forgot', { email: me.email })
  await service.mailTo(me.email)
  t.ok(untouched.size > forgeries.length)
  t.same(
    service.mails.filter(mail => untouched.has(mail.to)).map(mail => mail.subject),
    [],
  )
})

test('CK-07: JSON in a type that needs no preflight, or in none, is refused and changes nothing', async t => {
  const me = await administrator(sql)
  for (const route of changing) {
    const body = await acceptable[route.key]?.(sql, me)
    if (!body) continue
    const before = await fingerprint(sql)
    for (const type of route.page ? [...simpleTypes, 'application/json'] : simpleTypes) {
      if (route.page && type === 'application/x-www-form-urlencoded') continue
      const answer = await app.inject({
        method: route.method as 'POST',
        url: route.url,
        headers: { ...headersFrom(issuer, me.cookie), ...(type !== undefined && { 'content-type': type }) },
        payload: JSON.stringify(body),
      })
      t.equal(answer.statusCode, 415, `${route.key} as ${type}`)
      t.equal(codeOf(answer), 'unsupported_media_type')
    }
    t.equal(await fingerprint(sql), before, route.key)
  }
  for (const type of [
    'application/json',
    'APPLICATION/JSON; Charset="UTF-8"',
    'application/json;charset=utf-8',
  ]) {
    const answer = await service.browser().post('/v1/password/forgot', '{"email":"nobody@example.com"}', {
      'content-type': type,
    })
    t.equal(answer.statusCode, 202, type)
  }
})

test("CK-12: a cross-site sign-in with the attacker's own password is refused and sets no cookie", async t => {
  const attacker = await person(sql)
  const body = { email: attacker.email, password: goodPassword }
  for (const origin of ['https://evil.example', 'null', appOrigin, 'http://localhost:6666']) {
    const answer = await app.inject({
      method: 'POST',
      url: '/v1/session',
      headers: headersFrom(origin),
      payload: body,
    })
    t.equal(answer.statusCode, 403, origin)
    t.notOk(answer.headers['set-cookie'])
  }
  t.equal((await service.browser().post('/v1/session', body)).statusCode, 201, 'the password was right')
})

test('CK-13: there is no token to steal before sign-in: the proof is the origin of each request', async t => {
  const browser = service.browser()
  const page = await browser.get('/sign-up/verify')
  t.notOk(page.headers['set-cookie'], 'a page hands out no cookie')
  t.notMatch(page.body, /csrf|nonce|type="?hidden/i, 'and no token')
  const me = await person(sql)
  await browser.post('/v1/session', { email: me.email, password: goodPassword })
  t.equal((await browser.at(app, 'https://evil.example').delete('/v1/session')).statusCode, 403)
  t.equal((await browser.get('/v1/session')).statusCode, 200)
})

test('CK-16: sign-out clears the cookie with the attributes it was set with, twice, and never other cookies', async t => {
  const me = await person(sql)
  const browser = service.browser()
  const set = await browser.post('/v1/session', { email: me.email, password: goodPassword })
  const old = browser.cookie
  const attributesOf = (header: unknown) =>
    String(header)
      .split('; ')
      .slice(1)
      .filter(text => !text.startsWith('Max-Age'))
      .sort()
  for (const round of ['first', 'second']) {
    browser.cookie = old
    const out = await browser.delete('/v1/session')
    t.equal(out.statusCode, 204, round)
    t.match(out.headers['set-cookie'], /^__Host-session=; .*Max-Age=0/)
    t.same(attributesOf(out.headers['set-cookie']), attributesOf(set.headers['set-cookie']))
    t.equal(out.headers['clear-site-data'], '"storage"')
    t.equal(out.body, '')
  }
  t.equal((await service.browser().delete('/v1/session')).statusCode, 204, 'and without a session')
  browser.cookie = old
  const replay = await browser.get('/v1/session')
  t.equal(replay.statusCode, 401)
  t.notOk(replay.headers['set-cookie'], 'only sign-out clears a cookie')
})

test('CK-17: no answer may be framed: pages, refusals, missing pages', async t => {
  const html = (await listRoutes()).filter(({ method, url }) => method === 'GET' && !url.startsWith('/v1'))
  let pages = 0
  for (const url of [...html.map(route => route.url), '/nothing', '/v1/session', '/sign-up/verify/']) {
    const answer = await service.browser().get(url)
    t.equal(answer.headers['x-frame-options'], 'DENY', url)
    t.match(answer.headers['content-security-policy'], /frame-ancestors 'none'/, url)
    if (String(answer.headers['content-type']).startsWith('text/html')) pages++
  }
  t.equal(pages, 7)
  t.equal((await service.browser().post('/sign-up/verify')).headers['x-frame-options'], 'DENY')
})

test('a registered application may ask who is signed in, mint and sign out, with CORS, and nothing else', async t => {
  const me = await person(sql)
  const browser = service.browser(appOrigin)
  browser.cookie = me.cookie
  const corsOf = (answer: { headers: Record<string, unknown> }) => [
    answer.headers['access-control-allow-origin'],
    answer.headers['access-control-allow-credentials'],
  ]
  const read = await browser.get('/v1/session')
  const minted = await browser.post('/v1/token', {})
  t.equal(read.statusCode, 200)
  t.equal(minted.statusCode, 200)
  for (const answer of [read, minted]) {
    t.same(corsOf(answer), [appOrigin, 'true'])
    t.match(answer.headers.vary, /\bOrigin\b/i)
  }
  const refused = await service.browser(appOrigin).post('/v1/token', {})
  t.equal(refused.statusCode, 401)
  t.same(corsOf(refused), [appOrigin, 'true'], 'it can read that nobody is signed in')
  for (const route of changing) {
    if (['POST /v1/token', 'DELETE /v1/session', 'PUT /v1/session/tenant'].includes(route.key)) continue
    const body = await acceptable[route.key]?.(sql, me)
    const answer = await browser.send(route.method as 'POST', route.url, body)
    t.equal(answer.statusCode, 403, route.key)
    t.notOk(answer.headers['access-control-allow-origin'], 'and cannot read the refusal')
  }
  const out = await browser.delete('/v1/session')
  t.equal(out.statusCode, 204)
  t.same(corsOf(out), [appOrigin, 'true'])
  t.equal((await service.browser(appOrigin).at(app).get('/v1/session')).statusCode, 401)
})

test('an application granted `account` may sign in from its own origin', async t => {
  const me = await person(sql)
  const answer = await service
    .browser('http://localhost:7000')
    .post('/v1/session', { email: me.email, password: goodPassword })
  t.equal(answer.statusCode, 201)
  t.equal(answer.headers['access-control-allow-origin'], 'http://localhost:7000')
})

test('a foreign page may send a GET and read nothing of it', async t => {
  const me = await person(sql)
  for (const origin of ['https://evil.example', 'null', 'http://localhost:6666']) {
    const answer = await app.inject({ url: '/v1/session', headers: headersFrom(origin, me.cookie) })
    t.equal(answer.statusCode, 200)
    t.notOk(answer.headers['access-control-allow-origin'])
    t.notOk(answer.headers['access-control-allow-credentials'])
    t.equal(answer.headers['cross-origin-resource-policy'], 'same-origin', 'nor embed it')
  }
})

test('a preflight is answered for registered origins only, and promises nothing to others', async t => {
  const preflight = (origin: string | undefined, url: string) =>
    app.inject({
      method: 'OPTIONS',
      url,
      headers: {
        ...(origin !== undefined && { origin }),
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'content-type,x-mintmark',
      },
    })
  const good = await preflight(appOrigin, '/v1/token')
  t.equal(good.statusCode, 204)
  t.equal(good.headers['access-control-allow-origin'], appOrigin)
  t.equal(good.headers['access-control-allow-credentials'], 'true')
  t.match(good.headers.vary, /Origin/)
  for (const origin of ['https://evil.example', 'null', '', `${appOrigin}/`, '*', undefined]) {
    for (const url of ['/v1/token', '/v1/session', '/nothing', '/healthz']) {
      const answer = await preflight(origin, url)
      t.equal(answer.statusCode, 403, `${origin} ${url}`)
      t.notOk(answer.headers['access-control-allow-origin'])
      t.notOk(answer.headers['access-control-allow-methods'])
    }
  }
})

test('a cookie that is not exactly a live credential opens nothing, and is never cleared', async t => {
  const me = await person(sql)
  const other = await session(sql, me.id)
  for (const { what, header } of tampered(me.cookie, other.cookie)) {
    const read = await app.inject({ url: '/v1/session', headers: { cookie: header } })
    t.equal(read.statusCode, 401, what)
    t.notOk(read.headers['set-cookie'])
    const headers = { cookie: header, 'x-mintmark': '1' }
    const minted = await app.inject({
      method: 'POST',
      url: '/v1/token',
      headers,
      payload: { client_id: 'spa' },
    })
    t.equal(minted.statusCode, 401, `${what}: mint`)
    t.same(Object.keys(minted.json()).sort(), ['code', 'request_id', 'status', 'title', 'type'])
  }
  t.equal((await app.inject({ url: '/v1/session', headers: headersFrom(null, me.cookie) })).statusCode, 200)
  const among = { cookie: `a=b; __Host-session=${me.cookie}; c=__Host-session` }
  t.equal((await app.inject({ url: '/v1/session', headers: among })).statusCode, 200, 'among other cookies')
})

test('CK-02: under an https issuer a plain connection is refused whatever an untrusted peer forwards', async t => {
  const https = 'https://id.example.com'
  const behind = await testService(t, {
    env: { ISSUER: https, MINTMARK_TRUSTED_PROXIES: '10.0.0.0/8,192.0.2.7' },
  })
  const me = await person(behind.database.sql)
  const ask = (remoteAddress: string, forwarded: Record<string, string>) =>
    behind.app.inject({
      method: 'POST',
      url: '/v1/session',
      remoteAddress,
      headers: { origin: https, 'sec-fetch-site': 'same-origin', 'x-mintmark': '1', ...forwarded },
      payload: { email: me.email, password: goodPassword },
    })
  const over = (proto: string) => ({ 'x-forwarded-proto': proto, 'x-forwarded-for': '203.0.113.9' })
  const refused: [string, string, Record<string, string>][] = [
    ['an untrusted peer that claims https', '203.0.113.9', over('https')],
    [
      'an untrusted peer that claims to be the proxy',
      '203.0.113.9',
      { ...over('https'), 'x-forwarded-for': '10.0.0.1' },
    ],
    ['an untrusted peer with the Forwarded header', '203.0.113.9', { forwarded: 'proto=https' }],
    ['a neighbour of the trusted address', '192.0.2.8', over('https')],
    ['the proxy, saying http', '10.1.2.3', over('http')],
    ['the proxy, saying nothing', '10.1.2.3', {}],
    ['the proxy, having appended http to what the client claimed', '10.1.2.3', over('https, http')],
    ['the loopback address', '127.0.0.1', over('https')],
  ]
  for (const [what, peer, headers] of refused) {
    const answer = await ask(peer, headers)
    t.equal(answer.statusCode, 403, what)
    t.equal(answer.json().code, 'insecure_transport')
    const logged = behind.logLines.find(
      line => line.includes(answer.json().request_id) && line.includes('insecure transport rejected'),
    )
    const why = what.startsWith('the proxy')
      ? `the proxy sends ${headers['x-forwarded-proto'] === undefined ? 'no X-Forwarded-Proto' : 'another X-Forwarded-Proto than https'}`
      : 'the peer is not in MINTMARK_TRUSTED_PROXIES'
    t.match(JSON.parse(logged ?? '{}'), { peer, refused: why }, `${what}: why, and from whom, is logged`)
    t.notOk(answer.headers['set-cookie'])
    const read = await behind.app.inject({
      url: '/v1/session',
      remoteAddress: peer,
      headers: { ...headersFrom(null, me.cookie), ...headers },
    })
    t.equal(read.statusCode, 403, `${what}: the cookie is not accepted either`)
  }
  for (const peer of ['10.1.2.3', '192.0.2.7']) {
    const answer = await ask(peer, over('https'))
    t.equal(answer.statusCode, 201, peer)
    t.equal(answer.headers['strict-transport-security'], 'max-age=31536000')
    const [row] = await behind.database
      .sql`select address from sessions where id = ${answer.json().session.id}`
    t.equal(row?.address, '203.0.113.9', 'and only it is believed about the address')
  }
})
