/** Redis away, back, or lying costs seconds at most: what it says is never a yes. */
import { test } from 'tap'
import { limits } from '../../src/accounts/throttle.js'
import { announce, listen, type Topic } from '../../src/store/redis/announcements.js'
import { connectRedis } from '../../src/store/redis/connection.js'
import { createLimiter } from '../../src/store/redis/limiter.js'
import { redisServer, skipWithoutRedis as skip } from '../support/redis.js'
import { redisCluster } from '../support/redis-cluster.js'
import { appOrigin, eventually, testService } from '../support/service.js'

test('an announcement reaches every listener, and whoever reconnects looks at everything', {
  skip,
}, async t => {
  const redis = await redisServer(t)
  const heard: Topic[] = []
  const problems: string[] = []
  const listener = listen(
    redis.url,
    topic => heard.push(topic),
    problem => problems.push(problem),
  )
  t.teardown(() => listener.close())
  await eventually(() => problems.length > 0 || undefined)
  t.equal(listener.state, 'away', 'it starts without Redis')

  redis.start()
  await eventually(() => heard.length === 2 || undefined)
  t.same(heard.splice(0), ['applications', 'keys'], 'announcements may have been missed')
  t.equal(listener.state, 'connected')
  await announce(redis.url, 'applications')
  await eventually(() => heard.length === 1 || undefined)
  t.same(heard.splice(0), ['applications'])

  await redis.stop()
  await eventually(() => listener.state === 'away' || undefined)
  await t.rejects(announce(redis.url, 'keys'), 'a command is told, and does not hang')
  redis.start()
  await eventually(() => heard.length === 2 || undefined)
})

test('an origin that was taken away is refused at once where it was announced, by every instance', {
  skip,
}, async t => {
  const redis = await redisServer(t)
  redis.start()
  // An hour: what is seen here was announced.
  const options = { env: { REDIS_URL: redis.url }, lookEveryMs: 3_600_000 }
  const one = await testService(t, options)
  const two = await testService(t, { ...options, beside: one })
  const { sql } = one.database
  await sql`insert into applications (client_id, name, audiences) values ('spa', 'SPA', '{api}')`
  await sql`insert into application_origins (origin, client_id) values (${appOrigin}, 'spa')`
  const allowed = async (service: typeof one) =>
    (await service.browser(appOrigin).delete('/v1/session')).statusCode === 204
  for (const service of [one, two]) await eventually(async () => (await allowed(service)) || undefined)
  await eventually(async () => {
    const { redis: state } = (await (await fetch(`${two.addresses.probes}/readyz`)).json()) as {
      redis: string
    }
    return state === 'connected' || undefined
  })

  await sql`delete from application_origins`
  await announce(redis.url, 'applications')
  for (const service of [one, two]) await eventually(async () => !(await allowed(service)) || undefined)
})

test('a Cluster carries announcements and counts attempts for all instances together', { skip }, async t => {
  const { url, nodes } = await redisCluster(t)
  const heard: Topic[] = []
  const listener = listen(
    url,
    topic => heard.push(topic),
    () => {},
  )
  t.teardown(() => listener.close())
  await eventually(() => heard.length === 2 || undefined, 10)
  heard.length = 0
  await announce(url, 'applications')
  await eventually(() => heard.length === 1 || undefined)
  await announce(
    nodes
      .map(({ port }) => `redis://127.0.0.1:${port}`)
      .reverse()
      .join(','),
    'keys',
  )
  await eventually(() => heard.length === 2 || undefined)
  t.same(heard, ['applications', 'keys'], 'whichever node was told')

  const limiters = await Promise.all(
    [1, 2].map(async () => {
      const redis = connectRedis(url)
      t.teardown(() => redis.disconnect())
      await redis.connect()
      return createLimiter(redis, { patience: 5000 })
    }),
  )
  const takes = Array.from({ length: 30 }, (_, index) => limiters[index % 2]?.take('mail by address', 'one'))
  const waits = await Promise.all(takes)
  t.equal(waits.filter(wait => wait === 0).length, limits['mail by address'].points)
})

test('sessions and tokens work the same with Redis down, and readiness says so without failing', {
  skip,
}, async t => {
  const redis = await redisServer(t)
  const service = await testService(t, { env: { REDIS_URL: redis.url } })
  const { browser } = await service.signUp('ada@example.com')
  t.equal((await browser.get('/v1/session')).statusCode, 200)
  t.equal((await browser.post('/v1/token', {})).statusCode, 200)
  const probe = await fetch(`${service.addresses.probes}/readyz`)
  t.equal(probe.status, 200)
  t.match(await probe.json(), { status: 'ready', redis: 'away' })

  redis.start()
  await eventually(async () => {
    const { redis: state } = (await (await fetch(`${service.addresses.probes}/readyz`)).json()) as {
      redis: string
    }
    return state === 'connected' || undefined
  })
  await browser.delete('/v1/session')
  t.equal((await service.browser().at(service.app).get('/v1/session')).statusCode, 401)
})
