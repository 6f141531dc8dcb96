/** Guessing and flooding in all the ways around a limit, and what an exhausted limit must not do to its victim. PW and RL. */
import { test } from 'tap'
import { limits } from '../../src/accounts/throttle.js'
import { freshAddress, link, type Person, person } from '../harness/world.js'
import { freshNetworkAddress } from '../support/browser.js'
import { redisServer, skipWithoutRedis } from '../support/redis.js'
import { eventually, goodPassword, type TestService, testService, tokenIn } from '../support/service.js'
import {
  type Answer,
  alone,
  counting,
  here,
  many,
  refused,
  signIn,
  statuses,
  threeOnRedis,
  type World,
  worldOf,
  wrongPassword,
} from './world.js'

test('RL-02: of 100 at once over three instances exactly ten reach the password', {
  skip: skipWithoutRedis,
}, async t => {
  const world = await threeOnRedis(t)
  const me = await person(world.sql)
  const answers = await Promise.all(Array.from({ length: 100 }, () => signIn(world.at(here), me.email)))
  t.same(statuses(answers), { 401: 10, 429: 90 })
  await eventually(async () => (await failuresOf(world, me)) === 10 || undefined)
  await Promise.all(world.instances.map(instance => instance.close()))
  t.equal(await failuresOf(world, me), 10, 'and no other was counted as a wrong password')
})

async function failuresOf({ sql }: World, { id }: Person): Promise<number> {
  const [row] = await sql`select failures from passwords where user_id = ${id}`
  return row?.failures
}

test('RL-03: Redis down: half as many, here, and never a 503; Redis back: in full again', {
  skip: skipWithoutRedis,
}, async t => {
  const redis = await redisServer(t)
  redis.start()
  const service = await testService(t, { env: { REDIS_URL: redis.url } })
  await counting(service)
  const world = worldOf([service])
  const me = await person(world.sql)
  const guess = () => signIn(world.at(here), me.email)
  t.same(statuses(await many(7, guess)), { 401: 7 })
  await redis.stop()
  t.same(statuses(await many(20, guess)), { 401: 5, 429: 15 })
  refused(t, await guess(), 'sign-in by account and address')
  t.equal((await signIn(world.at(), me.email, goodPassword)).statusCode, 201, 'others come in')
  redis.start()
  await counting(service)
  // What Redis had counted died with it.
  t.same(statuses(await many(20, guess)), { 401: 10, 429: 10 })
})

test('RL-03: Redis frozen: nobody is answered 503, attempts are counted here, and it heals by itself', {
  skip: skipWithoutRedis,
}, async t => {
  const redis = await redisServer(t)
  redis.start()
  const service = await testService(t, { env: { REDIS_URL: redis.url } })
  await counting(service)
  const world = worldOf([service])
  const me = await person(world.sql)
  redis.freeze()
  t.same(statuses(await many(30, () => signIn(world.at(here), me.email))), { 401: 5, 429: 25 })
  t.equal((await signIn(world.at(), me.email, goodPassword)).statusCode, 201)
  t.equal((await world.at().post('/v1/password/forgot', { email: me.email })).statusCode, 202)
  await service.mailTo(me.email)
  redis.thaw()
  // Answered from Redis again once a tenth guess for another account passes.
  await eventually(async () => {
    const other = await person(world.sql)
    return statuses(await many(10, () => signIn(world.at(), other.email)))[401] === 10 || undefined
  })
})

test('RL-05: no spelling of a limited route is a second bucket', async t => {
  const world = await alone(t)
  const me = await person(world.sql)
  await many(10, () => signIn(world.at(here), me.email))
  await many(20, () => world.at(here).post('/v1/sign-up', { email: freshAddress() }))
  for (const [path, body] of [
    ['session', { email: me.email, password: goodPassword }],
    ['sign-up', { email: freshAddress() }],
    ['password/forgot', { email: me.email }],
  ] as const) {
    const first = path.charCodeAt(0).toString(16)
    const one = [`/v1/${path}?x=1`, `/v1/${path}?`, `/v1/%${first}${path.slice(1)}`, `/%76%31/${path}`]
    for (const url of one) refused(t, await world.at(here).post(url, body), 'mail by address')
    const none = [`/V1/${path}`, `/v1/${path.toUpperCase()}`, `/v1/${path}/`, `//v1/${path}`, `/v1//${path}`]
    for (const url of [...none, `/v1/${path};x`, `/v1/${path}%20`, `/v1/${path}%00`, `/v1%2f${path}`])
      t.equal((await world.at(here).post(url, body)).statusCode, 404, url)
    for (const method of ['HEAD', 'GET', 'PUT', 'DELETE'] as const) {
      const answer = await world.at(here).send(method, `/v1/${path}`, body)
      t.notOk(answer.headers['set-cookie'] && answer.statusCode < 204, `${method} ${path}`)
      t.ok([204, 400, 401, 405].includes(answer.statusCode), `${method} ${path} ${answer.statusCode}`)
    }
    const override = { 'x-http-method-override': 'POST', 'x-forwarded-for': freshNetworkAddress() }
    refused(t, await world.at(here).post(`/v1/${path}`, body, override), 'mail by address')
  }
  await world.instances[0]?.close()
  t.equal(world.instances[0]?.mails.length, 20, 'nothing was sent beside what was paid for')
})

test('RL-05: no spelling of an account is a second bucket', async t => {
  const world = await alone(t)
  const spellings = ['zoe@bücher.example', 'ZOE@BÜCHER.example', 'zoe@xn--bcher-kva.example']
  spellings.push('Zoe@XN--BCHER-KVA.EXAMPLE', 'zoe@bu\u0308cher.example')
  for (let round = 0; round < 2; round++)
    for (const email of spellings) t.equal((await signIn(world.at(here), email)).statusCode, 401, email)
  for (const email of spellings)
    refused(t, await signIn(world.at(here), email), 'sign-in by account and address')
})

test('PW-07: an IPv6 network is one address, however its hosts and IPv4 are written', async t => {
  const world = await alone(t)
  for (const [addresses, other] of [
    [(index: number) => `2001:db8:7:8:${index + 1}::${index}`, '2001:db8:7:9::1'],
    [(index: number) => (index % 2 ? '203.0.113.9' : '::ffff:203.0.113.9'), '::ffff:203.0.113.10'],
  ] as const) {
    const me = await person(world.sql)
    const guess = (index: number) => signIn(world.at(addresses(index)), me.email)
    t.same(statuses(await many(20, guess)), { 401: 10, 429: 10 })
    t.equal((await signIn(world.at(other), me.email)).statusCode, 401, 'the next one is another')
  }
})

test('PW-07: X-Forwarded-For from a peer that is no trusted proxy is no address at all', async t => {
  for (const env of [{}, { MINTMARK_TRUSTED_PROXIES: '192.0.2.0/24' }]) {
    const world = await alone(t, env)
    const me = await person(world.sql)
    const answers = await many(20, index => {
      const spoofed = { 'x-forwarded-for': freshNetworkAddress(), 'x-real-ip': freshNetworkAddress() }
      const forwarded = { forwarded: `for=198.51.100.${index}`, 'client-ip': `198.51.100.${index}` }
      const body = { email: me.email, password: wrongPassword }
      return world.at(here).post('/v1/session', body, { ...spoofed, ...forwarded })
    })
    t.same(statuses(answers), { 401: 10, 429: 10 })
  }
})

test('PW-07: behind a trusted proxy each client counts for itself, by what the proxy saw', async t => {
  const world = await alone(t, { MINTMARK_TRUSTED_PROXIES: '192.0.2.0/24, 2001:db8:ffff::/48' })
  const me = await person(world.sql)
  const from = (proxy: string, forwarded: string) =>
    world
      .at(proxy)
      .post('/v1/session', { email: me.email, password: wrongPassword }, { 'x-forwarded-for': forwarded })
  const proxies = ['192.0.2.1', '192.0.2.200', '2001:db8:ffff::1', '::ffff:192.0.2.1']
  // Whatever the client had put in front, and through however many proxies of ours it came.
  const answers = await many(20, index =>
    from(
      proxies[index % proxies.length] as string,
      `${freshNetworkAddress()}, 198.51.100.7${index % 2 ? ', 192.0.2.9' : ''}`,
    ),
  )
  t.same(statuses(answers), { 401: 10, 429: 10 })
  t.equal((await from('192.0.2.1', '198.51.100.8')).statusCode, 401)
  t.equal((await from('192.0.2.1', '198.51.100.7')).statusCode, 429)
  t.equal((await signIn(world.at('198.51.100.7'), me.email)).statusCode, 429, 'it is that client')
  t.equal((await signIn(world.at('192.0.2.1'), me.email)).statusCode, 401, 'the proxy itself is another')
})

test('RL-10: a limit tells nobody whether an account exists, is disabled or has no password', async t => {
  const world = await alone(t)
  const [known, disabled, passwordless] = [
    await person(world.sql),
    await person(world.sql),
    await person(world.sql),
  ]
  await world.sql`update users set state = 'disabled' where id = ${disabled.id}`
  await world.sql`delete from passwords where user_id = ${passwordless.id}`
  const life = async (email: string) => {
    const address = freshNetworkAddress()
    const seen = []
    for (let index = 0; index < 12; index++) seen.push(visible(await signIn(world.at(address), email)))
    for (let index = 0; index < 5; index++) {
      seen.push(visible(await world.at(address).post('/v1/password/forgot', { email })))
      seen.push(visible(await world.at(address).post('/v1/sign-up', { email })))
    }
    for (let index = 0; index < 12; index++)
      seen.push(visible(await world.at(address).post('/v1/password/forgot', { email })))
    return seen
  }
  const expected = await life(freshAddress())
  const inTurn = expected
    .map(({ status }) => status)
    .filter((status, index, all) => status !== all[index - 1])
  t.same(inTurn, [401, 429, 202, 429])
  for (const email of [known.email, disabled.email, passwordless.email]) t.same(await life(email), expected)
})

/** Everything a stranger sees of an answer, but what differs between any two. */
function visible(answer: Answer) {
  const { date: _date, 'request-id': _id, 'retry-after': wait, ...headers } = answer.headers
  const { request_id: _requestId, ...body } = answer.json()
  return { status: answer.statusCode, headers, body, waits: wait !== undefined }
}

test('PW-11: whoever exhausts all limits of an account keeps nobody out: its person resets the password and is in', async t => {
  const world = await alone(t)
  const [service] = world.instances as [TestService]
  const victim = await person(world.sql)
  const { points } = limits['sign-in by account']
  await many(points, () => signIn(world.at(), victim.email))
  await many(20, () => world.at().post('/v1/sign-up', { email: victim.email }))
  refused(t, await signIn(world.at(), victim.email, goodPassword), 'sign-in by account')

  const browser = world.at()
  t.equal((await browser.get('/v1/session', { cookie: `__Host-session=${victim.cookie}` })).statusCode, 200)
  t.equal((await browser.post('/v1/password/forgot', { email: victim.email })).statusCode, 202)
  const mail = await eventually(() =>
    service.mails.find(({ to, subject }) => to === victim.email && /Choose a new/.test(subject)),
  )
  const password = 'quite other words now'
  const reset = await browser.post('/v1/password/reset', { token: tokenIn(mail), password })
  t.equal(reset.statusCode, 204)
  t.equal((await signIn(browser, victim.email, password)).statusCode, 201)
  t.equal(await failuresOf(world, victim), 0)
  t.equal((await signIn(world.at(), victim.email)).statusCode, 401, 'and guessing begins anew')
})

test('PW-11: whoever uses up the mails of a victim has sent them the links that let them in', async t => {
  const world = await alone(t)
  const [service] = world.instances as [TestService]
  const victim = await person(world.sql)
  await many(20, () => world.at().post('/v1/password/forgot', { email: victim.email }))
  const token = tokenIn(await service.mailTo(victim.email))
  await world.at().post('/v1/password/forgot', { email: victim.email })
  t.equal((await world.at().post('/v1/password/reset', { token, password: goodPassword })).statusCode, 204)
  const { seconds } = limits['mail by recipient']
  t.ok(seconds <= 30 * 60, 'when the last of them has expired another one may be asked for')
})

test('PW-07: after 100 failures in a row a password opens nothing, until a reset sets another one', async t => {
  const world = await alone(t)
  const [service] = world.instances as [TestService]
  const me = await person(world.sql)
  const fail = (count: number) => world.sql`update passwords set failures = ${count} where user_id = ${me.id}`
  await fail(99)
  const last = await signIn(world.at(), me.email, goodPassword)
  t.equal(last.statusCode, 201, '99 are not 100')
  await eventually(async () => (await failuresOf(world, me)) === 0 || undefined)
  await fail(99)
  const wrong = await signIn(world.at(), me.email)
  t.equal(wrong.statusCode, 401)
  await eventually(async () => (await failuresOf(world, me)) === 100 || undefined)

  for (let index = 0; index < 3; index++) {
    const right = await signIn(world.at(), me.email, goodPassword)
    t.same(visible(right), visible(wrong), 'the right one is answered as a wrong one')
  }
  const reasons = service.logLines.filter(line => line.includes('"refused":"too-many-failures"'))
  t.equal(reasons.length, 3, 'only the log knows')
  const session = world.at(undefined, last.cookies[0]?.value)
  t.equal((await session.get('/v1/session')).statusCode, 200, 'whoever is signed in stays so')
  const change = { current_password: goodPassword, new_password: 'quite other words now' }
  t.equal((await session.put('/v1/password', change)).json().code, 'wrong_password')

  const token = await link(world.sql, 'password-reset', me.email)
  t.equal((await world.at().post('/v1/password/reset', { token, password: goodPassword })).statusCode, 204)
  t.equal(await failuresOf(world, me), 0)
  t.equal((await signIn(world.at(), me.email, goodPassword)).statusCode, 201)
})

test('a wrong password is answered before its count is written, and an attempt that was not made counts nothing', async t => {
  const world = await alone(t)
  const me = await person(world.sql)
  const gate = await world.sql.reserve()
  t.teardown(() => gate.release())
  await gate`begin`
  await gate`select from passwords where user_id = ${me.id} for update`
  t.equal((await signIn(world.at(here), me.email)).statusCode, 401, 'the row is held; the answer came')
  t.equal(await failuresOf(world, me), 0)
  await gate`commit`
  await eventually(async () => (await failuresOf(world, me)) === 1 || undefined)
  t.same(statuses(await many(20, () => signIn(world.at(here), me.email))), { 401: 9, 429: 11 })
  for (const instance of world.instances) await instance.close()
  t.equal(await failuresOf(world, me), 10)
})

test('a right password gives its points back: people who sign in often are not throttled', async t => {
  const world = await alone(t)
  const me = await person(world.sql)
  const right = () => signIn(world.at(here), me.email, goodPassword)
  for (let round = 0; round < 60; round++) {
    const answer = await right()
    if (answer.statusCode !== 201) t.fail(`sign-in ${round}: ${answer.body}`)
  }
  t.same(statuses(await many(9, () => signIn(world.at(here), me.email))), { 401: 9 })
  t.equal((await right()).statusCode, 201)
  t.same(statuses(await many(20, () => signIn(world.at(here), me.email))), { 401: 10, 429: 10 })
})
