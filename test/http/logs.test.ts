/** What the log holds of a life on this service, and what it never does. LG of the attack list. */
import { test } from 'tap'
import { headersFrom } from '../harness/routes.js'
import { freshAddress, person } from '../harness/world.js'
import { exchange } from '../red/socket.js'
import { hostile } from '../red/text.js'
import { eventually, issuer, testService, tokenIn } from '../support/service.js'

test('LG-03: after a whole journey at level trace, no line holds a password, cookie, secret, token, link or address', async t => {
  const service = await testService(t)
  const { sql } = service.database
  const email = 'zephyrine.quux@example.com'
  const [first, next, last, wrong] = [
    'zebra gravel umbrella',
    'violet trumpet engine',
    'copper lantern harbour',
    'wrong but plausible one',
  ]
  const secrets = new Set<string>([email, first, next, last, wrong])
  const remember = (...values: (string | undefined)[]) => {
    for (const value of values) if (value) secrets.add(value)
  }
  const browser = service.browser()
  const keep = () => remember(browser.cookie, browser.cookie?.split('.')[1])

  await browser.post('/v1/sign-up', { email })
  const signUp = await service.mailTo(email)
  remember(signUp.link, tokenIn(signUp))
  await browser.get(`/sign-up/verify?token=${tokenIn(signUp)}`)
  await browser.post('/v1/sign-up/verify', { token: tokenIn(signUp), password: 'short' })
  await browser.post('/v1/sign-up/verify', {
    token: tokenIn(signUp),
    password: first,
    name: 'Zephyrine Quux',
  })
  remember('Zephyrine Quux')
  keep()
  await browser.get('/v1/session')
  remember((await browser.post('/v1/token', {})).json().access_token)
  await browser.put('/v1/password', { current_password: wrong, new_password: next })
  await browser.put('/v1/password', { current_password: first, new_password: next })
  keep()
  await service.mailTo(email)
  await browser.delete('/v1/session')
  await browser.post('/v1/session', { email, password: wrong })
  await browser.post('/v1/session', { email, password: next })
  keep()
  await browser.get('/v1/session', { authorization: `Bearer ${browser.cookie}` })
  await browser.get(`/nothing?access_token=${browser.cookie}`)
  await browser.post('/v1/password/forgot', { email })
  const reset = await service.mailTo(email)
  remember(reset.link, tokenIn(reset))
  await browser.post('/v1/password/reset', { token: tokenIn(reset), password: last })
  await browser.post('/v1/password/reset', { token: tokenIn(reset), password: last })
  await browser.get('/v1/session')
  await browser.post('/v1/session', { email, password: last })
  keep()
  await browser.post('/v1/sign-up', { email })
  await browser.post('/v1/session', { email, password: last, extra: next })
  await browser.post('/v1/session', `{"email":"${email}","password":"${last}`, {
    'content-type': 'application/json',
  })
  await sql`alter table users rename to users_away`
  await browser.get('/v1/session')
  await browser.post('/v1/session', { email, password: last })
  await browser.post('/v1/password/forgot', { email })
  await sql`alter table users_away rename to users`
  await eventually(() => service.logLines.some(line => line.includes('"level":50')) || undefined)

  t.ok(secrets.size >= 15, `${secrets.size} secrets`)
  for (const [index, line] of service.logLines.entries()) {
    for (const secret of secrets) {
      for (const form of [
        secret,
        encodeURIComponent(secret),
        JSON.stringify(secret).slice(1, -1),
        Buffer.from(secret).toString('base64'),
      ]) {
        if (line.includes(form)) t.fail(`line ${index} holds ${secret.slice(0, 12)}…: ${line.slice(0, 300)}`)
      }
    }
  }
  t.ok(service.logLines.length > 20)
})

test('a request that is no HTTP leaves none of its bytes in the log', async t => {
  const service = await testService(t)
  const me = await person(service.database.sql)
  const head = `Host: x\r\nCookie: __Host-session=${me.cookie}\r\n`
  for (const bytes of [
    `GET /v1/session HTTP/1.1\n${head}\n`,
    `POST /v1/token HTTP/1.1\r\n${head}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}`,
    `GET /v1/session HTTP/1.1\r\n${head}X: ${'y'.repeat(70_000)}\r\n\r\n`,
  ])
    await exchange(service.addresses.main, bytes)
  const asNumbers = [...Buffer.from(me.secret)].join(',')
  for (const line of service.logLines) {
    t.notOk(line.includes(me.secret) || line.includes(asNumbers), line.slice(0, 120))
    t.ok(line.length < 10_000, `a line of ${line.length} bytes`)
  }
})

test('every request is one line: method, route, status, duration, request id, and the session where it was proved', async t => {
  const service = await testService(t)
  const me = await person(service.database.sql)
  const own = headersFrom(issuer, me.cookie)
  const forged = headersFrom(issuer, `${me.session}.${'A'.repeat(43)}`)
  const asks: [object, string, number, string | undefined][] = [
    [{ url: '/v1/session', headers: own }, '/v1/session', 200, me.session],
    [{ url: '/v1/session?x=1', headers: own }, '/v1/session', 200, me.session],
    [{ method: 'POST', url: '/v1/token', headers: own, payload: {} }, '/v1/token', 200, me.session],
    [{ url: '/v1/session', headers: forged }, '/v1/session', 401, undefined],
    [{ url: '/v1/session' }, '/v1/session', 401, undefined],
    [{ method: 'POST', url: '/v1/token', headers: own, payload: '{' }, '/v1/token', 415, undefined],
    [{ method: 'POST', url: '/v1/session', payload: {} }, '/v1/session', 403, undefined],
    [{ url: '/nothing/at/all' }, 'none', 404, undefined],
    [{ method: 'PATCH', url: '/v1/session' }, 'none', 405, undefined],
    [{ url: '/healthz', headers: { upgrade: 'h2c' } }, '/healthz', 200, undefined],
  ]
  for (const [sent, route, status, session] of asks) {
    const from = service.logLines.length
    const answer = await service.app.inject({ method: 'GET', ...sent })
    const lines = service.logLines.slice(from).map(line => JSON.parse(line))
    const requests = lines.filter(line => line.msg === 'request')
    t.equal(requests.length, 1, `${route} ${status}`)
    t.match(requests[0], { route, status, method: String, durationMs: Number, level: 30 })
    t.equal(requests[0].requestId, answer.headers['request-id'], 'the id that the client was told')
    t.equal(requests[0].session, session)
    t.equal(answer.statusCode, status)
  }
})

test('LG-02: nothing that a client sends makes a second line, a forged member, or an escape sequence', async t => {
  const service = await testService(t)
  const own = headersFrom(issuer)
  for (const { text } of hostile) {
    const printable = text.slice(0, 2000).replace(/[\0\r\n\u0100-\u{10ffff}\ud800-\udfff]/gu, ' ')
    const from = service.logLines.length
    await service.app.inject({ url: `/${encodeURIComponent(printable)}?${encodeURIComponent(printable)}` })
    await service.app.inject({
      method: 'POST',
      url: '/v1/session',
      headers: { ...own, 'user-agent': printable.replace(/[^\x20-\x7e]/g, ' '), 'x-request-id': 'forged' },
      payload: { email: text, password: text },
    })
    const chunks = service.logLines.slice(from)
    t.ok(chunks.length >= 2)
    for (const chunk of chunks) {
      t.equal(chunk.split('\n').length, 2, 'one line, ended')
      t.notMatch(chunk.trimEnd(), /\p{Cc}/u, 'no control character')
      const line = JSON.parse(chunk)
      t.ok([10, 20, 30].includes(line.level), 'nobody raises the alarm')
      t.not(line.requestId, 'forged')
    }
  }
})

test('a sign-in that is refused says in the log why, and whose account it was, by id', async t => {
  const service = await testService(t)
  const { sql } = service.database
  const me = await person(sql)
  const say = async (email: string, password: string) => {
    const from = service.logLines.length
    await service.browser().post('/v1/session', { email, password })
    return service.logLines
      .slice(from)
      .map(line => JSON.parse(line))
      .find(line => line.refused)
  }
  t.match(await say(me.email, 'a wrong password, long enough'), { refused: 'wrong-password', user: me.id })
  t.match(await say('nobody@example.com', 'a wrong password, long enough'), { refused: 'unknown-address' })
  t.match(await say('nobody', 'x'), { refused: 'malformed' })
  await sql`update users set state = 'disabled' where id = ${me.id}`
  t.match(await say(me.email, 'several unrelated words here'), { refused: 'disabled', user: me.id })
})

test('a mint that is refused once too often names its session in the log all the same', async t => {
  const service = await testService(t)
  const { browser } = await service.signUp(freshAddress())
  const [session = ''] = browser.cookie?.split('.') ?? []
  const from = service.logLines.length
  const statuses: number[] = []
  do {
    statuses.push((await browser.post('/v1/token', { audience: 'https://elsewhere.example' })).statusCode)
  } while (statuses.at(-1) === 403 && statuses.length < 400)
  t.equal(statuses.at(-1), 429)
  const lines = service.logLines.slice(from).map(line => JSON.parse(line))
  const limited = lines.filter(line => line.msg === 'request' && line.status === 429)
  t.match(limited, [{ route: '/v1/token', session }])
  t.not(session, '')
})
