/** The counters: as many pass as is documented, with Redis, without, and while it is away. RL of the attack list. */
import { execFileSync } from 'node:child_process'
import { type Test, test } from 'tap'
import {
  createThrottle,
  type Limiter,
  type LimitName,
  limits,
  Throttled,
} from '../../src/accounts/throttle.js'
import { network, readAddress, trusting } from '../../src/core/network-address.js'
import type { TenantId, UserId } from '../../src/core/principal.js'
import { connectRedis, type RedisClient } from '../../src/store/redis/connection.js'
import { createLimiter } from '../../src/store/redis/limiter.js'
import { type RedisServer, redisServer, skipWithoutRedis } from '../support/redis.js'
import { eventually } from '../support/service.js'

const names = Object.keys(limits) as LimitName[]

interface Instance {
  readonly limiter: Limiter
  readonly redis: RedisClient
}

/** A limiter with a connection of its own, as an instance has it, but patient: a busy machine is no Redis that hangs. */
async function instance(t: Test, { url }: RedisServer, patience = 10_000): Promise<Instance> {
  const redis = connectRedis(url)
  t.teardown(() => redis.disconnect())
  redis.connect().catch(() => {})
  await ready(redis)
  return { limiter: createLimiter(redis, { patience }), redis }
}

/** It answers: its status alone may be that of a connection whose end has not been seen yet. */
const ready = (redis: RedisClient) =>
  eventually(async () => (await redis.ping().catch(() => undefined)) === 'PONG' || undefined, 10)

async function running(t: Test): Promise<RedisServer> {
  const server = await redisServer(t)
  server.start()
  return server
}

/** How many of these takers pass; all at once. */
async function passing(limiters: readonly Limiter[], limit: LimitName, key: string, takers: number) {
  const waits = await Promise.all(
    Array.from({ length: takers }, (_, index) =>
      (limiters[index % limiters.length] as Limiter).take(limit, key),
    ),
  )
  return { passed: waits.filter(wait => wait === 0).length, waits: waits.filter(wait => wait > 0) }
}

async function keepsTo(t: Test, limiters: readonly Limiter[]): Promise<void> {
  const [limiter] = limiters as [Limiter]
  for (const name of names) {
    const { points, seconds } = limits[name]
    const { passed, waits } = await passing(limiters, name, 'one', points + 100)
    t.equal(passed, points, name)
    t.ok(
      waits.every(wait => Number.isInteger(wait) && wait >= 1 && wait <= seconds),
      'the others are told how long to wait',
    )
    t.equal(await limiter.take(name, 'another'), 0, 'another key has points of its own')
    await limiter.clear(name, 'one')
    t.equal((await passing(limiters, name, 'one', points)).passed, points, 'cleared, all are back')
    await limiter.giveBack(name, 'one')
    t.equal((await passing(limiters, name, 'one', 5)).passed, 1, 'one given back is one')
    t.equal((await passing(limiters, name, 'one', 50)).passed, 0)
    await limiter.giveBack(name, 'one')
    t.equal((await passing(limiters, name, 'one', 5)).passed, 1, 'also behind those who were refused')
    await limiter.clear(name, 'one')
    await Promise.all(Array.from({ length: 20 }, () => limiter.giveBack(name, 'one')))
    t.equal(
      (await passing(limiters, name, 'one', points + 30)).passed,
      points,
      'none comes back that was not taken',
    )
  }
  for (const name of names) t.ok((await limiter.take(name, 'one')) > 0, `${name} is counted by itself`)
}

test('without Redis no more than twenty thousand keys of a limit are remembered: the first to begin goes first', async t => {
  const limiter = createLimiter(undefined)
  const name = 'link by address'
  const { points } = limits[name]
  const takeAll = async (key: string) => (await passing([limiter], name, key, points + 1)).passed
  t.equal(await takeAll('first'), points)
  t.equal(await takeAll('second'), points)
  for (let index = 0; index < 19_998; index++) await limiter.take(name, `key ${index}`)
  t.equal(await takeAll('first'), 0, 'so many have room')
  await limiter.take(name, 'one more')
  t.equal(await takeAll('second'), 0)
  t.equal(await takeAll('first'), points, 'forgotten')
  await limiter.clear(name, 'key 5')
  await limiter.take(name, 'in its place')
  t.equal(await takeAll('key 7'), points - 1, 'what was cleared leaves room')
})

test('RL-02: of any number at once exactly the documented number pass, without Redis', t =>
  keepsTo(t, [createLimiter(undefined)]))

test('RL-02: of any number at once over three instances on one Redis exactly the documented number pass', {
  skip: skipWithoutRedis,
}, async t => {
  const server = await running(t)
  const three = [await instance(t, server), await instance(t, server), await instance(t, server)]
  await keepsTo(
    t,
    three.map(({ limiter }) => limiter),
  )
})

test('RL-01: a window begins with the first attempt and is not made longer by others', {
  skip: skipWithoutRedis,
}, async t => {
  const { limiter, redis } = await instance(t, await running(t))
  const limit = 'sign-in by account and address'
  const { points, seconds } = limits[limit]
  await passing([limiter], limit, 'one', points)
  const [key = ''] = await redis.keys('*')
  t.ok((await redis.ttl(key)) <= seconds)
  // Aged: most of the window has passed.
  await redis.pexpire(key, 60_000)
  t.equal(await limiter.take(limit, 'one'), 60)
  t.equal(await limiter.take(limit, 'one'), 60, 'whoever goes on trying waits no longer')
  await redis.pexpire(key, 0)
  t.equal(
    (await passing([limiter], limit, 'one', points + 5)).passed,
    points,
    'the next window is a full one',
  )
})

test('Redis holds no address, no account and nothing that outlives its window', {
  skip: skipWithoutRedis,
}, async t => {
  const { limiter, redis } = await instance(t, await running(t))
  const throttle = createThrottle(limiter)
  const id = 'd9b2c7a0-5b0f-4b1e-8a58-0c6e0f7a2d11'
  const attempt = async () => {}
  await wrong(throttle, 'ada@example.com', '203.0.113.7')
  await throttle.link('203.0.113.7', attempt)
  await throttle.mailAsked('203.0.113.7', attempt)
  await throttle.mail('sign-up', 'ada@example.com', attempt)
  await throttle.currentPassword(id as UserId, 1, attempt)
  await throttle.federation('203.0.113.7', attempt)
  await throttle.passkey('203.0.113.7', attempt)
  await throttle.signOut('203.0.113.7', attempt)
  await throttle.invitation(id as TenantId, id as UserId, attempt)
  await throttle.refused(undefined, '203.0.113.9', attempt)
  await throttle.admin(id)
  const keys = await redis.keys('*')
  t.equal(keys.length, names.length, 'one for each limit')
  for (const key of keys) {
    t.match(key, /^mintmark:limit:[a-z-]+:[A-Za-z0-9_-]{43}$/)
    t.ok((await redis.ttl(key)) > 0)
    t.match(await redis.get(key), /^\d+$/)
  }
  await right(throttle, 'ada@example.com', '203.0.113.7')
  t.notOk((await redis.keys('*')).some(key => key.includes('account-and-address')))
})

type Throttle = ReturnType<typeof createThrottle>

/** A guess at a password of this version that is judged and wrong. */
const wrong = (throttle: Throttle, account: string, from: string, version = 1, carried = false) =>
  throttle.signIn(account, from, attempt => attempt.guess(version, carried))

const right = (throttle: Throttle, account: string, from: string, version = 1) =>
  throttle.signIn(account, from, async attempt => {
    await attempt.guess(version, false)
    await attempt.succeeded()
  })

test('a right password gives its points back, and frees its own pair only', async t => {
  const throttle = createThrottle(createLimiter(undefined))
  const { points } = limits['sign-in by account']
  for (let index = 0; index < points - 1; index++) await wrong(throttle, 'ada', `198.51.100.${index}`)
  for (let index = 0; index < 5; index++) await right(throttle, 'ada', `203.0.113.${index}`)
  await wrong(throttle, 'ada', '203.0.113.9')
  await t.rejects(wrong(throttle, 'ada', '203.0.113.10'), { message: 'throttled: sign-in by account' })

  const pair = limits['sign-in by account and address'].points
  for (let index = 0; index < pair; index++) await wrong(throttle, 'bob', '203.0.113.20')
  await right(throttle, 'eve', '203.0.113.20')
  await t.rejects(
    wrong(throttle, 'bob', '203.0.113.20'),
    { message: 'throttled: sign-in by account and address' },
    'a right password for another account frees nothing',
  )
})

test('guesses are counted for each password by itself: a new one begins with none', async t => {
  const throttle = createThrottle(createLimiter(undefined))
  const pair = limits['sign-in by account and address'].points
  for (let index = 0; index < pair; index++) await wrong(throttle, 'ada', '203.0.113.7', 1)
  await t.rejects(wrong(throttle, 'ada', '203.0.113.7', 1), { name: 'Throttled' })
  await wrong(throttle, 'ada', '203.0.113.7', 2)
  const user = 'ada' as UserId
  const attempt = async () => {}
  const { points } = limits['current password by person']
  for (let index = 0; index < points; index++) await throttle.currentPassword(user, 1, attempt)
  await t.rejects(throttle.currentPassword(user, 1, attempt), { name: 'Throttled' })
  await throttle.currentPassword(user, 2, attempt)
})

test('who has reset from a network does not pay for guesses from others, and pays there as everybody', async t => {
  const throttle = createThrottle(createLimiter(undefined))
  for (let index = 0; index < limits['sign-in by account'].points; index++)
    await wrong(throttle, 'ada', `198.51.100.${index}`)
  await t.rejects(wrong(throttle, 'ada', '203.0.113.7'), { message: 'throttled: sign-in by account' })
  const { points } = limits['sign-in by account and address']
  for (let index = 0; index < points; index++) await wrong(throttle, 'ada', '203.0.113.7', 1, true)
  await t.rejects(wrong(throttle, 'ada', '203.0.113.7', 1, true), {
    message: 'throttled: sign-in by account and address',
  })
})

/** Every way to take points, with work that is done in it. */
const charged: Readonly<Record<string, (throttle: Throttle, work: () => Promise<void>) => Promise<unknown>>> =
  {
    signIn: (throttle, work) =>
      throttle.signIn('ada', '203.0.113.7', async attempt => {
        await attempt.guess(1, false)
        await work()
      }),
    signInAfterReset: (throttle, work) => throttle.signInAfterReset(Buffer.alloc(32), work),
    currentPassword: (throttle, work) => throttle.currentPassword('ada' as UserId, 1, work),
    signOut: (throttle, work) => throttle.signOut('203.0.113.7', work),
    link: (throttle, work) => throttle.link('203.0.113.7', work),
    mailAsked: (throttle, work) => throttle.mailAsked('203.0.113.7', work),
    mail: (throttle, work) => throttle.mail('sign-up', 'ada', work),
    invitation: (throttle, work) => throttle.invitation('acme' as TenantId, 'ada' as UserId, work),
    federation: (throttle, work) => throttle.federation('203.0.113.7', work),
    passkeyAsked: (throttle, work) => throttle.passkeyAsked('203.0.113.7', work),
    passkey: (throttle, work) => throttle.passkey('203.0.113.7', work),
    refused: (throttle, work) => throttle.refused('ada', '203.0.113.7', work),
  }

test('whatever takes points gives back those of an attempt that ended in an error, once', async t => {
  // A request to the admin API is judged long after it has paid, in a hook.
  const all = Object.keys(createThrottle(createLimiter(undefined))).filter(name => !/^admin/.test(name))
  t.same(Object.keys(charged).sort(), all.sort(), 'every way is here')
  for (const [name, attempt] of Object.entries(charged)) {
    const taken = new Map<string, number>()
    const add = (key: string, by: number) => taken.set(key, (taken.get(key) ?? 0) + by)
    const throttle = createThrottle({
      take: async (limit, key) => {
        add(`${limit} ${key}`, 1)
        return 0
      },
      giveBack: async (limit, key) => void add(`${limit} ${key}`, -1),
      clear: async (limit, key) => void taken.set(`${limit} ${key}`, 0),
    })
    const failing = async () => {
      throw new Error('Postgres is away')
    }
    await t.rejects(attempt(throttle, failing), { message: 'Postgres is away' }, name)
    t.ok(taken.size > 0)
    t.same(new Set(taken.values()), new Set([0]), name)
    await attempt(throttle, async () => {})
    t.ok([...taken.values()].includes(1), `${name}: what was judged is kept`)
  }
})

test('an attempt that one limit refuses has taken nothing from the others', async t => {
  const limiter = createLimiter(undefined)
  const throttle = createThrottle(limiter)
  for (let index = 0; index < limits['sign-in by account and address'].points; index++)
    await wrong(throttle, 'ada', '203.0.113.7')
  const free = limits['sign-in by address'].points - limits['sign-in by account and address'].points
  for (let index = 0; index < free * 2; index++)
    await t.rejects(wrong(throttle, 'ada', '203.0.113.7'), Throttled)
  for (let index = 0; index < free; index++) await wrong(throttle, `b${index}`, '203.0.113.7')
  await t.rejects(wrong(throttle, 'eve', '203.0.113.7'), { message: 'throttled: sign-in by address' })
})

test('RL-03: Redis that dies is replaced by counters here, which allow half, and counts again when it is back', {
  skip: skipWithoutRedis,
}, async t => {
  const server = await running(t)
  const { limiter, redis } = await instance(t, server)
  for (const name of names) await passing([limiter], name, 'one', limits[name].points)
  await server.stop()
  for (const name of names) {
    const half = Math.ceil(limits[name].points / 2)
    t.equal((await passing([limiter], name, 'one', limits[name].points)).passed, half, name)
    await limiter.clear(name, 'one')
    t.equal((await passing([limiter], name, 'one', 1)).passed, 1, 'clearing works here too')
    await limiter.giveBack(name, 'one')
  }
  server.start()
  await ready(redis)
  for (const name of names) {
    const { points } = limits[name]
    t.equal((await passing([limiter], name, 'two', points + 10)).passed, points, `${name} in full again`)
  }
  t.ok((await redis.keys('*')).length >= names.length, 'and there')
})

test('RL-03: a service that starts without Redis counts here', { skip: skipWithoutRedis }, async t => {
  const server = await redisServer(t)
  const redis = connectRedis(server.url)
  t.teardown(() => redis.disconnect())
  redis.connect().catch(() => {})
  const limiter = createLimiter(redis, { patience: 10_000 })
  t.equal((await passing([limiter], 'mail by address', 'one', 50)).passed, 10)
  server.start()
  await ready(redis)
  t.equal((await passing([limiter], 'mail by address', 'one', 50)).passed, 20)
})

test('RL-03: a Redis that hangs costs one time-out: whoever comes after it does not wait at all', {
  skip: skipWithoutRedis,
}, async t => {
  const warnings: string[] = []
  const warned = (warning: Error) => void warnings.push(warning.message)
  process.on('warning', warned)
  t.teardown(() => process.off('warning', warned))
  const server = await running(t)
  const { limiter, redis } = await instance(t, server, 100)
  const limit = 'sign-in by address'
  const half = Math.ceil(limits[limit].points / 2)
  server.freeze()
  t.equal((await passing([limiter], limit, 'one', 100)).passed, half, 'those who met it are counted here')
  for (let index = 0; index < 50; index++) {
    const turn = new Promise(resolve => setImmediate(resolve, 'waited'))
    t.equal(await Promise.race([limiter.take(limit, 'two'), turn]), index < half ? 0 : 900)
  }
  await limiter.giveBack(limit, 'two')
  await limiter.clear(limit, 'two')
  t.equal(await limiter.take(limit, 'two'), 0)
  server.thaw()
  await ready(redis)
  t.equal((await passing([limiter], limit, 'three', 60)).passed, limits[limit].points, 'in full again')
  t.same(warnings, [])
})

test('RL-03: an event loop that stalls is not taken for a Redis that hangs', {
  skip: skipWithoutRedis,
}, async t => {
  const server = await running(t)
  const { limiter: patient, redis } = await instance(t, server)
  const hasty = createLimiter(redis, { patience: 1 })
  const limit = 'sign-in by account and address'
  // Redis knows the script from here on: one command, one answer.
  await patient.take(limit, 'first')
  for (let index = 0; index < 10; index++) {
    const taken = hasty.take(limit, 'one')
    // The loop stands still until Redis has answered somebody who came later.
    execFileSync('redis-cli', ['-u', server.url, 'ping'])
    t.equal(await taken, 0)
  }
  t.ok((await patient.take(limit, 'one')) > 0, 'all ten were counted there')
})

test('RL-03: a Redis that refuses every write counts as away', { skip: skipWithoutRedis }, async t => {
  const server = await running(t)
  const { limiter, redis } = await instance(t, server)
  await redis.config('SET', 'maxmemory', '1')
  const limit = 'sign-in by account and address'
  t.equal((await passing([limiter], limit, 'one', 20)).passed, 5)
})

test('an address stands for its network: IPv4 alone, IPv6 by /64, a mapped one for what it maps', t => {
  const same: [string, string][] = [
    ['203.0.113.7', '::ffff:203.0.113.7'],
    ['203.0.113.7', '::ffff:cb00:7107'],
    ['203.0.113.7', '0:0:0:0:0:FFFF:203.0.113.7'],
    ['2001:db8:1:2::1', '2001:db8:1:2:ffff:ffff:ffff:ffff'],
    ['2001:db8:1:2::1', '2001:0DB8:0001:0002:0000:0000:0000:0001'],
    ['fe80::1%eth0', 'fe80::2%eth1'],
  ]
  for (const [one, other] of same) t.equal(network(one), network(other), `${one} and ${other}`)
  const different: [string, string][] = [
    ['203.0.113.7', '203.0.113.8'],
    ['2001:db8:1:2::1', '2001:db8:1:3::1'],
    ['::1', '127.0.0.1'],
  ]
  for (const [one, other] of different) t.not(network(one), network(other), `${one} and ${other}`)
  for (const odd of ['', 'unknown', '203.0.113.0/24']) t.equal(network(odd), odd)
  t.end()
})

test('an address is read in every form that a proxy writes, and has one of its own', t => {
  const forms: [canonical: string, ...written: string[]][] = [
    [
      '203.0.113.7',
      ...['203.0.113.7', '203.0.113.7:20007', '::ffff:203.0.113.7', '::FFFF:cb00:7107'],
      ...['[::ffff:203.0.113.7]', '[::ffff:203.0.113.7]:443', '0:0:0:0:0:ffff:203.0.113.7'],
    ],
    [
      '2001:db8::1',
      ...['2001:db8::1', '[2001:db8::1]', '[2001:db8::1]:443', '2001:0DB8:0:0:0:0:0:1', '[2001:DB8::0:1]:1'],
    ],
    ['2001:db8::1:443', '2001:db8::1:443'],
    ['fe80::1', 'fe80::1%eth0', '[fe80::1%25eth0]:80'],
    ['::cb00:7107', '::203.0.113.7', '::cb00:7107'],
  ]
  for (const [canonical, ...written] of forms)
    for (const text of written) t.equal(readAddress(text), canonical, text)
  const none = [
    ...['', ' ', 'unknown', 'unknown:80', '_hidden', '_SEVKISEK:47011', 'localhost', 'example.com:80', '-'],
    ...['203.0.113', '203.0.113.256', '203.0.113.07', '0xcb007107', '3405803783', '203.0.113.7/32'],
    ...['203.0.113.7:', '203.0.113.7:123456', '203.0.113.7:80:80', '[203.0.113.7]:80', '[203.0.113.7]'],
    ...['[2001:db8::1', '2001:db8::1]', '[2001:db8::1]443', '[2001:db8::1]:', '[]', '[]:80', ':80'],
    ...['"203.0.113.7"', 'for=203.0.113.7', '203.0.113.7, 198.51.100.1', '２０３.0.113.7'],
  ]
  for (const text of [...none, undefined]) t.equal(readAddress(text), undefined, String(text))
  t.end()
})

test('a block of trusted proxies holds its addresses in whatever form, and no others', t => {
  const cases: [blocks: string[], within: string[], without: string[]][] = [
    [[], [], ['127.0.0.1', '::1', '']],
    [
      ['192.0.2.0/24'],
      ['192.0.2.1', '::ffff:192.0.2.255', '192.0.2.7:4711', '[::ffff:192.0.2.7]:1'],
      ['192.0.3.1', '::192.0.2.1', '2001:db8::1', 'unknown', '192.0.2.0/24', '3221225985'],
    ],
    [['192.0.2.9'], ['192.0.2.9', '::ffff:192.0.2.9'], ['192.0.2.8']],
    [['::ffff:192.0.2.0/120'], ['192.0.2.1', '::ffff:192.0.2.1'], ['192.0.3.1']],
    [['::ffff:192.0.2.9'], ['192.0.2.9'], ['192.0.2.8']],
    [
      ['2001:db8:ffff::/48'],
      ['2001:db8:ffff::1', '[2001:DB8:ffff:1::1]:80'],
      ['2001:db8:fffe::1', '192.0.2.1'],
    ],
    [
      ['2001:db8::1', '10.0.0.0/8'],
      ['2001:db8::1', '10.1.2.3'],
      ['2001:db8::2', '11.1.2.3'],
    ],
    [['::ffff:10.0.0.0/64'], ['::1'], ['10.0.0.1', '::ffff:10.0.0.1']],
  ]
  for (const [blocks, within, without] of cases) {
    const trusts = trusting(blocks)
    for (const address of within) t.ok(trusts(address), `${blocks} ${address}`)
    for (const address of without) t.notOk(trusts(address), `${blocks} ${address}`)
  }
  t.notOk(trusting(['0.0.0.0/1'])(undefined), 'a socket that has closed has no address')
  t.end()
})
