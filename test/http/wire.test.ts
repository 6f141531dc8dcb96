/** The listener as bytes see it: framing, limits, methods, headers of every answer. HT of the attack list. */
import { request } from 'node:http'
import { gzipSync } from 'node:zlib'
import tap, { test } from 'tap'
import { headersFrom, listRoutes } from '../harness/routes.js'
import { fingerprint, person, serviceKey } from '../harness/world.js'
import { smuggled } from '../red/smuggling.js'
import { answersIn, exchange } from '../red/socket.js'
import { issuer, testService } from '../support/service.js'

const service = await testService(tap)
const { app, addresses } = service
const { sql } = service.database
const bodyLimit = 64 * 1024

for (const { what, bytes } of smuggled) {
  test(`HT-01: ${what}: 400, the connection closes, and no second request is seen`, async t => {
    const before = await fingerprint(sql)
    const received = await exchange(addresses.main, bytes)
    // The route may have refused before the bad framing came; the connection ends with it all the same.
    const statuses = [...received.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(match => Number(match[1]))
    t.match(String(statuses), /^(403,)?(400|431|501|505)$/)
    t.notMatch(received, '"status":"ok"')
    t.equal(await fingerprint(sql), before)
  })
}

test('HT-06: a body may have 64 KiB and not a byte more, whatever length it claims', async t => {
  const padded = (bytes: number) => {
    const rest = JSON.stringify({ email: 'nobody@example.com', x: '' }).length
    return JSON.stringify({ email: 'nobody@example.com', x: 'x'.repeat(bytes - rest) })
  }
  const post = (payload: string, headers = {}) =>
    app.inject({
      method: 'POST',
      url: '/v1/password/forgot',
      headers: { ...headersFrom(issuer), 'content-type': 'application/json', ...headers },
      payload,
    })
  t.equal(
    (await post(padded(bodyLimit))).json().code,
    'invalid_request',
    'an unknown member, but not too large',
  )
  t.equal((await post(padded(bodyLimit + 1))).json().code, 'body_too_large')
  t.equal((await post('{}', { 'content-length': String(bodyLimit + 1) })).statusCode, 413, 'a lie upwards')
  t.equal(
    (await post('{"email":"a@example.com"}', { 'content-length': '5' })).statusCode,
    400,
    'a lie downwards',
  )

  const zipped = gzipSync(`{"email":"a@example.com"${' '.repeat(1e6)}}`).toString('latin1')
  for (const encoding of ['gzip', 'deflate', 'br', 'x']) {
    const answer = await post(zipped, { 'content-encoding': encoding })
    t.ok([400, 415].includes(answer.statusCode), `${encoding} is not inflated: ${answer.statusCode}`)
  }
})

test('HT-06: an endless chunked body is cut off at the limit', async t => {
  const head = `POST /v1/password/forgot HTTP/1.1\r\nHost: x\r\nX-Mintmark: 1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`
  const chunk = `1000\r\n${' '.repeat(4096)}\r\n`
  const received = await exchange(addresses.main, head + chunk.repeat(40))
  t.match(received, /^HTTP\/1\.1 413 /)
  t.match(received, 'body_too_large')
})

test('a header of which one counts and that is there twice is refused, whatever its values and wherever they stand', async t => {
  const me = await person(sql)
  const { key } = await serviceKey(sql)
  const other = await serviceKey(sql)
  const send = (line: string, headers: readonly string[], body = '') =>
    exchange(
      addresses.main,
      `${line} HTTP/1.1\r\n${['Host: x', 'Connection: close', `Content-Length: ${body.length}`, ...headers].join('\r\n')}\r\n\r\n${body}`,
    )
  const form = 'Content-Type: application/x-www-form-urlencoded'
  const bearer = (value: string) => `Authorization: Bearer ${value}`
  const asked = [
    ['GET /v1/admin/users', [bearer(key)]],
    ['GET /v1/admin/users', [bearer('nonsense')]],
    ['POST /v1/introspect', [bearer(key), form], 'token=x'],
    ['GET /v1/session', [bearer(key), `Cookie: __Host-session=${me.cookie}`]],
    ['GET /.well-known/jwks.json', [bearer(key)]],
  ] as const
  for (const [line, headers, body] of asked) {
    t.match(await send(line, headers, body), /^HTTP\/1\.1 (200|401)/, `${line}: once`)
    for (const second of [headers[0], bearer(other.key), 'authorization: Basic eDp5', 'AUTHORIZATION:'])
      for (const both of [
        [second, ...headers],
        [...headers, second],
      ]) {
        const answer = await send(line, both, body)
        t.match(answer, /^HTTP\/1\.1 400/, `${line}: ${second.slice(0, 20)}`)
        t.match(answer, '"code":"invalid_request"')
      }
  }
  const json = 'Content-Type: application/json'
  const signIn = ['X-Mintmark: 1', json, 'content-type: text/plain']
  t.match(await send('POST /v1/session', signIn, '{}'), /^HTTP\/1\.1 400/)
  for (const twice of ['X-Mintmark: 1', 'Idempotency-Key: a', 'Origin: http://localhost:4000'])
    t.match(
      await send(
        'POST /v1/session',
        ['X-Mintmark: 1', 'Origin: http://localhost:4000', json, twice, twice],
        '{}',
      ),
      /^HTTP\/1\.1 40[03]/,
      `${twice}: Node hands on both`,
    )
})

test('HT-07: too many or too large header fields are 431', async t => {
  const lines = (count: number) => 'X: y\r\n'.repeat(count)
  const get = (more: string) =>
    exchange(addresses.main, `GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${more}\r\n`)
  t.match(await get(lines(90)), /^HTTP\/1\.1 200/)
  for (const [what, more] of [
    ['1000 fields', lines(1000)],
    ['101 fields', lines(101)],
    ['a field of 64 kB', `X: ${'y'.repeat(64_000)}\r\n`],
    ['a name of 64 kB', `${'y'.repeat(64_000)}: x\r\n`],
    ['200 cookies in as many lines', 'Cookie: a=b\r\n'.repeat(200)],
  ] as const) {
    t.match(await get(more), /^HTTP\/1\.1 431/, what)
  }
  const me = await person(sql)
  const many = Array.from({ length: 200 }, (_, index) => `c${index}=v`).join('; ')
  const cookie = `${many}; __Host-session=${me.cookie}`
  t.equal(
    (await app.inject({ url: '/v1/session', headers: { cookie } })).statusCode,
    200,
    '200 small cookies are fine',
  )
})

test('HT-08: the time-outs are set: head, request, idle connection', t => {
  const { server } = app
  t.equal(server.requestTimeout, 15_000)
  t.ok(server.headersTimeout > 0 && server.headersTimeout <= 15_000, `head ${server.headersTimeout}`)
  t.equal(server.keepAliveTimeout, 72_000)
  t.equal(server.timeout, 30_000)
  t.end()
})

test('HT-09: pipelined requests with different cookies are answered in order, each to its own person', async t => {
  const people = await Promise.all(Array.from({ length: 8 }, () => person(sql)))
  const order = [...people, ...people.toReversed()]
  const requests = order.map(({ cookie }, index) => {
    const last = index === order.length - 1 ? 'Connection: close\r\n' : ''
    const signedIn = index % 5 === 4 ? '' : `Cookie: __Host-session=${cookie}\r\n`
    return `GET /v1/session HTTP/1.1\r\nHost: x\r\n${signedIn}${last}\r\n`
  })
  const answers = answersIn(await exchange(addresses.main, requests.join('')))
  t.equal(answers.length, order.length)
  for (const [index, { status, body }] of answers.entries()) {
    if (index % 5 === 4) t.equal(status, 401, 'no cookie: not the one of before')
    else t.equal(JSON.parse(body).user.id, order[index]?.id)
  }
})

test('HT-17: methods that are not served are 405, with what is', async t => {
  for (const method of [
    'TRACE',
    'PROPFIND',
    'PATCH',
    'PUT',
    'DELETE',
    'LOCK',
    'REPORT',
    'M-SEARCH',
    'QUERY',
  ]) {
    const received = await exchange(
      addresses.main,
      `${method} /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Mintmark: 1\r\nX-Echo: echoed\r\n\r\n`,
    )
    t.match(received, /^HTTP\/1\.1 405 /, method)
    t.notMatch(received, 'echoed')
    t.match(received, /^allow: GET, HEAD\r$/im)
    t.match(received, /^x-content-type-options: nosniff\r$/im, method)
  }
  for (const [method, url, status] of [
    ['PATCH', '/v1/session', 405],
    ['QUERY', '/v1/session', 405],
    ['POST', '/nothing', 404],
    ['QUERY', '/nothing', 404],
  ] as const)
    for (const type of ['', 'Content-Type: text/plain\r\n', 'Content-Type: application/json\r\n']) {
      const head = `${method} ${url} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${type}Content-Length: 1\r\n\r\n{`
      const received = await exchange(addresses.main, head)
      t.match(received, new RegExp(`^HTTP/1\\.1 ${status} `), `${method} ${url} ${type}: whatever its body`)
    }
  t.equal(await exchange(addresses.main, 'CONNECT evil.example:443 HTTP/1.1\r\nHost: x\r\n\r\n'), '')
  const { statusCode, headers } = await service.browser().get('/v1/token')
  t.equal(statusCode, 405)
  t.equal(headers.allow, 'POST')
})

test('an address where nothing is answers a person with a page, and a program with a problem document', async t => {
  for (const [method, url, code, status] of [
    ['GET', '/sign-inn', 'not_found', 404],
    ['GET', '/v1/token', 'method_not_allowed', 405],
    ['POST', '/devices', 'method_not_allowed', 405],
  ] as const) {
    const asked = (accept?: string) =>
      service.app.inject({ method, url, headers: { ...(accept !== undefined && { accept }) } })
    const page = await asked('text/html,application/xhtml+xml,*/*;q=0.8')
    t.equal(page.statusCode, status)
    t.match(page.headers['content-type'], 'text/html')
    t.match(page.body, `data-code="${code}"`)
    t.match(page.headers, { 'cache-control': 'no-store', 'content-security-policy': /default-src 'none'/ })
    t.notMatch(page.body, 'sign-inn', 'nothing of the address')
    for (const accept of [undefined, '*/*', 'application/json']) {
      const document = await asked(accept)
      t.equal(document.statusCode, status)
      t.match(document.headers['content-type'], 'application/problem+json')
      t.equal(document.json().code, code)
    }
  }
})

test('a page takes what its address says was done from its own list, and nothing else', async t => {
  const { browser } = await service.signUp('done@example.com')
  for (const page of ['/', '/devices', '/sign-in-methods', '/second-factors'])
    for (const done of ['devices', 'constructor', '__proto__', 'toString', 'nothing']) {
      const { statusCode, body } = await browser.get(`${page}?done=${done}`)
      t.equal(statusCode, 200, `${page} ${done}`)
      t.equal(body.includes('class="note"'), done === 'devices' && ['/', '/devices'].includes(page), done)
    }
})

test('HT-17: no header or parameter makes one method another', async t => {
  const me = await person(sql)
  for (const url of ['/v1/session?_method=DELETE', '/v1/session']) {
    const answer = await service.browser().get(url, {
      cookie: `__Host-session=${me.cookie}`,
      'x-http-method-override': 'DELETE',
      'x-method-override': 'DELETE',
    })
    t.equal(answer.statusCode, 200)
  }
})

test('HT-21: an offer to upgrade is never taken up: the request is answered as it stands, in HTTP/1.1', async t => {
  for (const protocol of ['websocket', 'h2c', 'TLS/1.3', '']) {
    const received = await exchange(
      addresses.main,
      `GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: ${protocol}\r\nHTTP2-Settings: AAEAAEAAAAIAAAAAAAMAAAAAAAQBAAAAAAUAAEAAAAYABgAA\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
    )
    t.match(received, /^HTTP\/1\.1 200 /, protocol)
    t.notMatch(received, ' 101 ')
  }
})

/** What every answer carries, whoever made it. */
const everywhere: Record<string, RegExp> = {
  'content-security-policy': /^default-src 'none';.*base-uri 'none'; frame-ancestors 'none'$/,
  'x-content-type-options': /^nosniff$/,
  'x-frame-options': /^DENY$/,
  'referrer-policy': /^same-origin$/,
  'cross-origin-opener-policy': /^same-origin$/,
}

test('HT-18: every answer of the app carries the security headers: 2xx, 304, 4xx, 5xx, JSON and HTML', async t => {
  const me = await person(sql)
  const { etag = '' } = (await service.browser().get('/.well-known/jwks.json')).headers
  const own = headersFrom(issuer, me.cookie)
  const cases: [string, number, object][] = [
    ['a page', 200, { url: '/sign-up/verify' }],
    ['JSON', 200, { url: '/v1/session', headers: own }],
    ['nothing new', 304, { url: '/.well-known/jwks.json', headers: { 'if-none-match': String(etag) } }],
    ['no content', 204, { method: 'DELETE', url: '/v1/session', headers: own }],
    ['anonymous', 401, { url: '/v1/session' }],
    ['foreign', 403, { method: 'POST', url: '/v1/token', payload: {} }],
    ['missing', 404, { url: '/nothing' }],
    ['another method', 405, { method: 'PATCH', url: '/v1/session' }],
    [
      'another type',
      415,
      { method: 'POST', url: '/v1/sign-up', headers: { ...own, 'content-type': 'text/plain' }, payload: 'x' },
    ],
    [
      'no JSON',
      400,
      {
        method: 'POST',
        url: '/v1/sign-up',
        headers: { ...own, 'content-type': 'application/json' },
        payload: '{',
      },
    ],
    [
      'too large',
      413,
      { method: 'POST', url: '/v1/sign-up', headers: own, payload: { email: 'x'.repeat(70_000) } },
    ],
    [
      'too many fields',
      431,
      { url: '/healthz', headers: Object.fromEntries(Array.from({ length: 120 }, (_, i) => [`x${i}`, 'y'])) },
    ],
    ['a target that does not decode', 400, { url: '/%zz' }],
  ]
  for (const [what, status, sent] of cases) {
    const { statusCode, headers } = await app.inject(sent)
    t.equal(statusCode, status, what)
    for (const [name, value] of Object.entries(everywhere)) t.match(headers[name], value, `${what}: ${name}`)
    t.match(headers['request-id'], /^[0-9a-f-]{36}$/, what)
    t.notOk(headers['x-powered-by'] ?? headers.server, `${what}: no version`)
    if (!what.startsWith('nothing new')) t.equal(headers['cache-control'], 'no-store', what)
    if (status >= 400) t.equal(headers['content-type'], 'application/problem+json', what)
  }
  const page = await service.browser().get('/sign-up/verify')
  t.notMatch(page.headers['content-security-policy'], /unsafe|\*|data:|http/)
  t.notMatch(page.body, /<script(?![^>]* src=)[^>]*>|\son\w+=|style="/i, 'nothing inline')
})

test('HT-18: what Node itself refuses is still a problem document that nobody may keep or sniff', async t => {
  for (const [what, bytes] of [
    ['no HTTP', 'hello\r\n\r\n'],
    ['a head that is too large', `GET / HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(64_000)}\r\n\r\n`],
  ] as const) {
    const [answer] = answersIn(await exchange(addresses.main, bytes))
    t.match(answer?.head, /^content-type: application\/problem\+json/im, what)
    t.match(answer?.head, /^cache-control: no-store/im, what)
    t.match(answer?.head, /^x-content-type-options: nosniff/im, what)
    t.match(JSON.parse(answer?.body || '{}').code, /^(invalid_request|header_fields_too_large)$/, what)
  }
})

test('HT-20: a target that does not decode is not echoed, and is a line in the log', async t => {
  for (const target of ['/%zz<script>', '/%', '/v1/session/%c0%ae', '/%ff']) {
    const from = service.logLines.length
    const answer = await app.inject({ url: target })
    t.ok([400, 404].includes(answer.statusCode), target)
    t.notMatch(answer.body, /script|%|FST_/, 'the answer says nothing of it')
    t.ok(
      service.logLines.slice(from).some(line => JSON.parse(line).msg === 'request'),
      `${target} is logged`,
    )
  }
})

test('HT-24: no spelling of a private address is another resource, and nothing private may be kept', async t => {
  const me = await person(sql)
  const headers = headersFrom(issuer, me.cookie)
  const spellings = [
    '.css',
    '/x.css',
    ';x.css',
    ';.js',
    '%00.css',
    '%2fx.css',
    '/',
    '//',
    '/.',
    '/..',
    '%0a',
    '%3f.css',
    '.json',
    '~',
  ]
  for (const spelling of spellings) {
    const answer = await app.inject({ url: `/v1/session${spelling}`, headers })
    t.ok([400, 404].includes(answer.statusCode), `${spelling} ${answer.statusCode}`)
    t.notOk(answer.body.includes(me.id))
  }
  for (const url of ['/v1/session', '/v1/session?x.css', '/v1/session#x.css', '/v1/%73ession']) {
    const answer = await app.inject({ url, headers })
    t.equal(answer.headers['cache-control'], 'no-store', url)
  }
  for (const { method, url } of await listRoutes()) {
    if (method !== 'GET' || url.startsWith('/.well-known/') || url.startsWith('/assets/')) continue
    t.equal((await app.inject({ url })).headers['cache-control'], 'no-store', url)
  }
})

test('a connection that has been refused once does not poison the next request on it', async t => {
  const agentless = (path: string) =>
    new Promise<number>((resolve, reject) =>
      request(`${addresses.main}${path}`, answer => {
        answer.resume().on('end', () => resolve(answer.statusCode ?? 0))
      })
        .on('error', reject)
        .end(),
    )
  t.equal(await agentless('/nothing'), 404)
  t.equal(await agentless('/healthz'), 200)
  const head = 'Host: x\r\n'
  const received = await exchange(
    addresses.main,
    `POST /v1/token HTTP/1.1\r\n${head}Content-Type: application/json\r\nContent-Length: 44\r\n\r\nGET /healthz HTTP/1.1\r\nHost: y\r\nX: ${'z'.repeat(7)}\r\n\r\n` +
      `GET /v1/session HTTP/1.1\r\n${head}Connection: close\r\n\r\n`,
  )
  t.same(
    answersIn(received).map(answer => answer.status),
    [403, 401],
    'the body of a request refused before it was read is no request',
  )
})
