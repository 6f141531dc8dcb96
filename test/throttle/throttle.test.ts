/** Guessing and flooding: every limit that is documented, as clients meet it. PW and RL of the attack list. */
import type { LightMyRequestResponse } from 'fastify'
import { type Test, test } from 'tap'
import { type LimitName, limits } from '../../src/login/throttle.js'
import { freshAddress, link, type Person, person } from '../harness/world.js'
import { Browser, freshNetworkAddress } from '../support/browser.js'
import { type RedisServer, redisServer, skipWithoutRedis } from '../support/redis.js'
import {
  eventually,
  goodPassword,
  issuer,
  type TestService,
  testService,
  tokenIn,
} from '../support/service.js'

type Answer = LightMyRequestResponse

const wrongPassword = 'a wrong password, long enough'
const unknownToken = 'A'.repeat(43)

/** Instances that count together. */
interface World {
  readonly instances: readonly TestService[]
  /** Somebody at this network address, or at one of their own, in front of any of the instances. */
  at(address?: string, cookie?: string): Browser
  readonly sql: TestService['database']['sql']
}

async function alone(t: Test, env: Record<string, string> = {}): Promise<World> {
  return worldOf([await testService(t, { env })])
}

async function threeOnRedis(t: Test): Promise<World & { readonly redis: RedisServer }> {
  const redis = await redisServer(t)
  redis.start()
  const options = { env: { REDIS_URL: redis.url } }
  const first = await testService(t, options)
  const others = [await testService(t, { ...options, beside: first })]
  others.push(await testService(t, { ...options, beside: first }))
  for (const instance of [first, ...others]) await counting(instance)
  return { ...worldOf([first, ...others]), redis }
}

function worldOf(instances: readonly TestService[]): World {
  let next = 0
  const [first] = instances as [TestService]
  return {
    instances,
    sql: first.database.sql,
    at(address = freshNetworkAddress(), cookie) {
      const { app } = instances[next++ % instances.length] as TestService
      const browser = new Browser(app, issuer, cookie)
      browser.address = address
      return browser
    },
  }
}

/** Its limiter has reached Redis. */
const counting = ({ addresses }: TestService) =>
  eventually(async () => {
    const metrics = await (await fetch(`${addresses.probes}/metrics`)).text()
    return /^mintmark_redis_connected 1$/m.test(metrics) || undefined
  })

const signIn = (browser: Browser, email: string, password = wrongPassword) =>
  browser.post('/v1/session', { email, password })

/** No more at once than every instance has room for in its queue of hashes. */
async function many(count: number, attempt: (index: number) => Promise<Answer>): Promise<Answer[]> {
  const answers: Answer[] = []
  for (let from = 0; from < count; from += 50) {
    const batch = Array.from({ length: Math.min(50, count - from) }, (_, index) => attempt(from + index))
    answers.push(...(await Promise.all(batch)))
  }
  return answers
}

const statuses = (answers: readonly Answer[]) => {
  const counts: Record<number, number> = {}
  for (const { statusCode } of answers) counts[statusCode] = (counts[statusCode] ?? 0) + 1
  return counts
}

/** RL-09: a refusal says how long to wait and nothing else. */
function refused(t: Test, answer: Answer, limit: LimitName): void {
  t.equal(answer.statusCode, 429, limit)
  t.match(answer.headers['retry-after'], /^[1-9]\d*$/)
  t.ok(Number(answer.headers['retry-after']) <= limits[limit].seconds, 'no longer than the window')
  t.equal(answer.headers['content-type'], 'application/problem+json')
  t.same(answer.json(), {
    type: 'urn:mintmark:problem:too_many_requests',
    title: 'Too many attempts. Try again later.',
    status: 429,
    code: 'too_many_requests',
    request_id: answer.headers['request-id'],
  })
  t.notMatch(Object.keys(answer.headers).join(), /limit|remaining|reset/i, 'no counts')
  t.notOk(answer.headers['set-cookie'])
}

/** One limit: an attempt that passes as often as documented, and what it must not be in the way of. */
interface Case {
  readonly what: string
  readonly passes: number
  readonly prepare: (world: World, me: Person) => { attempt: (index: number) => Promise<Answer> }
  /** The right thing, tried where the limit is exhausted. */
  readonly atLast: (world: World, me: Person) => Promise<Answer>
  /** What goes on as ever, with the status that says so. */
  readonly unhindered: (world: World, me: Person) => Promise<readonly [string, Answer, number][]>
}

const here = '203.0.113.77'

const cases: Readonly<Record<Exclude<LimitName, 'mail by recipient'>, Case>> = {
  'sign-in by account and address': {
    what: 'one account from one address, however it is spelt',
    passes: 401,
    prepare: (world, me) => {
      const [local, domain] = me.email.split('@')
      const spellings = [me.email, me.email.toUpperCase(), `${local?.toUpperCase()}@${domain}`]
      return { attempt: index => signIn(world.at(here), spellings[index % spellings.length] as string) }
    },
    atLast: (world, me) => signIn(world.at(here), me.email, goodPassword),
    unhindered: async (world, me) => [
      ['the account elsewhere', await signIn(world.at(), me.email, goodPassword), 201],
      ['another account here', await signIn(world.at(here), (await person(world.sql)).email), 401],
    ],
  },
  'sign-in by account': {
    what: 'one account from many addresses',
    passes: 401,
    prepare: (world, me) => ({ attempt: () => signIn(world.at(), me.email) }),
    atLast: (world, me) => signIn(world.at(), me.email.toUpperCase(), goodPassword),
    unhindered: async world => {
      const { email } = await person(world.sql)
      return [['another account', await signIn(world.at(), email, goodPassword), 201]]
    },
  },
  'sign-in by address': {
    what: 'one password on many accounts from one address, known or not',
    passes: 401,
    prepare: world => ({
      attempt: async index =>
        signIn(world.at(here), index % 5 === 0 ? (await person(world.sql)).email : freshAddress()),
    }),
    atLast: (world, me) => signIn(world.at(here), me.email, goodPassword),
    unhindered: async (world, me) => [
      ['another address', await signIn(world.at(), me.email, goodPassword), 201],
    ],
  },
  'password change by person': {
    what: 'whoever holds a session guesses its current password from many addresses',
    passes: 403,
    prepare: (world, me) => ({
      attempt: () =>
        world.at(undefined, me.cookie).put('/v1/password', {
          current_password: wrongPassword,
          new_password: 'quite other words now',
        }),
    }),
    atLast: (world, me) =>
      world.at(undefined, me.cookie).put('/v1/password', {
        current_password: goodPassword,
        new_password: 'quite other words now',
      }),
    unhindered: async (world, me) => {
      const other = await person(world.sql)
      const change = { current_password: goodPassword, new_password: 'quite other words now' }
      return [
        ['another person', await world.at(undefined, other.cookie).put('/v1/password', change), 204],
        ['the session', await world.at(undefined, me.cookie).get('/v1/session'), 200],
        ['signing in with what it was', await signIn(world.at(), me.email, goodPassword), 201],
      ]
    },
  },
  'link by address': {
    what: 'links that are none, at either route',
    passes: 400,
    prepare: world => ({
      attempt: index =>
        world.at(here).post(index % 2 ? '/v1/sign-up/verify' : '/v1/password/reset', {
          token: index % 3 ? unknownToken : 'no token at all',
          password: goodPassword,
        }),
    }),
    atLast: async (world, me) => {
      const token = await link(world.sql, 'password-reset', me.email)
      return world.at(here).post('/v1/password/reset', { token, password: goodPassword })
    },
    unhindered: async (world, me) => {
      const token = await link(world.sql, 'password-reset', me.email)
      const reset = await world.at().post('/v1/password/reset', { token, password: goodPassword })
      return [['a link elsewhere', reset, 204]]
    },
  },
  'mail by address': {
    what: 'mails asked for at either route',
    passes: 202,
    prepare: world => ({
      attempt: index =>
        world.at(here).post(index % 2 ? '/v1/sign-up' : '/v1/password/forgot', { email: freshAddress() }),
    }),
    atLast: (world, me) => world.at(here).post('/v1/password/forgot', { email: me.email }),
    unhindered: async (world, me) => [
      ['another address', await world.at().post('/v1/password/forgot', { email: me.email }), 202],
    ],
  },
}

for (const [where, skip, open] of [
  ['by an instance alone', false, alone],
  ['over three instances on one Redis', skipWithoutRedis, threeOnRedis],
] as const) {
  for (const [name, { what, passes, prepare, atLast, unhindered }] of Object.entries(cases)) {
    const limit = name as LimitName
    test(`PW-07, RL-02, RL-09: ${what}: limited ${where}`, { skip }, async t => {
      const world = await open(t)
      const me = await person(world.sql)
      const { attempt } = prepare(world, me)
      const { points } = limits[limit]
      t.same(statuses(await many(points - 1, attempt)), { [passes]: points - 1 })
      const race = await many(40, attempt)
      t.same(statuses(race), { [passes]: 1, 429: 39 }, 'of those who try at once at the limit one passes')
      for (const answer of race.filter(({ statusCode }) => statusCode === 429)) refused(t, answer, limit)
      refused(t, await atLast(world, me), limit)
      for (const [other, answer, status] of await unhindered(world, me))
        t.equal(answer.statusCode, status, `${other}: ${answer.body}`)
    })
  }

  test(`RL-07: mails to one victim, asked for from many addresses: capped ${where}, with one answer`, {
    skip,
  }, async t => {
    const world = await open(t)
    const [victim, stranger] = [await person(world.sql), freshAddress()]
    const spellings = [victim.email, victim.email.toUpperCase()]
    const ask = (route: string, email: string) => world.at().post(route, { email })
    const { points } = limits['mail by recipient']
    const asked = [
      ...(await many(30, index => ask('/v1/password/forgot', spellings[index % 2] as string))),
      ...(await many(30, index => ask('/v1/sign-up', spellings[index % 2] as string))),
      ...(await many(30, () => ask('/v1/sign-up', stranger))),
      ...(await many(30, () => ask('/v1/password/forgot', stranger))),
    ]
    t.same(statuses(asked), { 202: 120 })
    t.same(new Set(asked.map(answer => answer.body)).size, 1, 'one answer')
    t.notOk(asked.some(({ headers }) => headers['retry-after'] !== undefined))
    // A service that has closed has done what it had begun.
    for (const instance of world.instances) await instance.close()
    const mails = world.instances[0]?.mails.map(({ to, subject }) => `${to} ${subject}`) ?? []
    const expected = [
      `${victim.email} Choose a new password for Mintmark`,
      `${victim.email} You already have an account at Mintmark`,
      `${stranger} Finish signing up to Mintmark`,
    ]
    t.same(mails.toSorted(), expected.flatMap(mail => Array.from({ length: points }, () => mail)).toSorted())
  })
}

test('the cases above are all limits', t => {
  t.same([...Object.keys(cases), 'mail by recipient'].sort(), Object.keys(limits).sort())
  t.end()
})

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
