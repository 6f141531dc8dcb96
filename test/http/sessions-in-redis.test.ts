/** The service with SESSION_STORE=redis: people come and go as with the table, and a Redis away is 503, never 401. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { StartRefused } from '../../src/core/errors.js'
import { newServiceCredential, revealServiceCredential } from '../../src/core/service-key.js'
import { newCredential } from '../../src/sessions/credential.js'
import type { Browser } from '../support/browser.js'
import { commandLine } from '../support/command.js'
import { rootUrl } from '../support/project.mjs'
import { type RedisServer, redisServer, skipWithoutRedis as skip } from '../support/redis.js'
import { redisCluster } from '../support/redis-cluster.js'
import { eventually, goodPassword, type TestService, testService, tokenIn } from '../support/service.js'

const unsafe = { MINTMARK_SESSION_REDIS_UNSAFE: 'accepted' }

async function running(t: Test): Promise<RedisServer> {
  const redis = await redisServer(t)
  redis.start()
  await redis.ready()
  return redis
}

const onRedis = (t: Test, url: string) =>
  testService(t, { env: { SESSION_STORE: 'redis', REDIS_URL: url, ...unsafe } })

/** A busy machine may take longer than the service waits for Redis: then it says 503, and is asked again. */
async function answered(ask: () => ReturnType<Browser['get']>) {
  return eventually(async () => {
    const answer = await ask()
    return answer.statusCode === 503 ? undefined : answer
  }, 20)
}

/** A key that may introspect for every audience here. */
async function introspector({ sql }: TestService['database']) {
  const credential = newServiceCredential()
  await sql`insert into service_keys (id, secret_hash, name, scopes, audiences)
    values (${credential.id}, ${credential.secret.hash()}, 'api', '{introspect}', '{api}')`
  return revealServiceCredential(credential)
}

async function everyday(t: Test, service: TestService): Promise<void> {
  const { sql } = service.database
  await sql`insert into applications (client_id, name, audiences) values ('spa', 'SPA', '{api}')`
  const key = await introspector(service.database)
  const active = async (token: string) => {
    const answer = await answered(() =>
      service.app.inject({
        method: 'POST',
        url: '/v1/introspect',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/x-www-form-urlencoded' },
        payload: new URLSearchParams({ token }).toString(),
      }),
    )
    return answer.json().active
  }
  const mint = async (browser: Browser) =>
    (await answered(() => browser.at(service.app, null).post('/v1/token', { client_id: 'spa' }))).json()
      .access_token
  const { browser } = await service.signUp('ada@example.com')
  const idOf = (who: Browser) => who.cookie?.split('.')[0]

  await t.test('sign up, ask, mint, introspect', async t => {
    t.equal((await answered(() => browser.get('/v1/session'))).statusCode, 200)
    t.equal(await active(await mint(browser)), true)
    const [row] = await sql`select count(*)::int as count from sessions`
    t.equal(row?.count, 0, 'nothing of it is in the table')
  })

  await t.test(
    'a step-up is a new session id; the cookie before is told so, and its tokens are inactive',
    async t => {
      const [before, token] = [browser.cookie, await mint(browser)]
      const answer = await answered(() => browser.post('/v1/session/step-up', { password: goodPassword }))
      t.equal(answer.statusCode, 200)
      t.equal(answer.json().session.id, idOf(browser))
      t.not(idOf(browser), before?.split('.')[0])
      const old = service.browser()
      old.cookie = before
      const refused = await answered(() => old.get('/v1/session'))
      t.same([refused.statusCode, refused.json().code], [401, 'session_superseded'])
      t.equal(await active(token), false)
      t.equal(await active(await mint(browser)), true)
      const { sessions } = (await answered(() => browser.get('/v1/sessions'))).json()
      t.match(sessions, [{ id: idOf(browser), current: true }])
      t.equal(sessions.length, 1)
    },
  )

  await t.test('another device is listed and ended; ending all others sets a new cookie', async t => {
    const phone = service.browser()
    const signIn = { email: 'ada@example.com', password: goodPassword }
    await answered(() => phone.post('/v1/session', signIn))
    t.equal((await answered(() => browser.get('/v1/sessions'))).json().sessions.length, 2)
    t.equal((await answered(() => browser.delete(`/v1/sessions/${idOf(phone)}`))).statusCode, 204)
    t.equal((await answered(() => phone.get('/v1/session'))).statusCode, 401)
    await answered(() => phone.post('/v1/session', signIn))
    const before = idOf(browser)
    const ended = await answered(() => browser.delete('/v1/sessions'))
    t.same([ended.statusCode, ended.json()], [200, {}])
    t.not(idOf(browser), before)
    t.equal((await answered(() => phone.get('/v1/session'))).statusCode, 401)
    t.equal((await answered(() => browser.get('/v1/session'))).statusCode, 200)
  })

  await t.test('a tenant is entered and left', async t => {
    const [tenant] = await sql`insert into tenants (name) values ('Acme') returning id`
    await sql`insert into memberships (user_id, tenant_id) select id, ${tenant?.id} from users`
    t.equal((await answered(() => browser.put('/v1/session/tenant', { tenant: tenant?.id }))).statusCode, 204)
    t.equal((await answered(() => browser.get('/v1/session'))).json().tenant.id, tenant?.id)
  })

  await t.test('a changed password renews the cookie, a sign-out ends it', async t => {
    const before = browser.cookie
    const next = `${goodPassword} too`
    const change = { current_password: goodPassword, new_password: next }
    t.equal((await answered(() => browser.put('/v1/password', change))).statusCode, 204)
    t.equal((await answered(() => browser.get('/v1/session'))).statusCode, 200)
    const old = service.browser()
    old.cookie = before
    t.equal((await answered(() => old.get('/v1/session'))).json().code, 'session_superseded')
    const last = browser.cookie
    t.equal((await browser.delete('/v1/session')).statusCode, 204)
    old.cookie = last
    t.equal((await answered(() => old.get('/v1/session'))).json().code, 'unauthenticated')
  })
}

test('people come and go with their sessions in one Redis', { skip }, async t => {
  await everyday(t, await onRedis(t, (await running(t)).url))
})

test('P6: no secret lies in Redis', { skip }, async t => {
  const redis = await running(t)
  const service = await onRedis(t, redis.url)
  const { browser } = await service.signUp('ada@example.com')
  await answered(() => browser.post('/v1/session/step-up', { password: goodPassword }))
  const secret = browser.cookie?.split('.')[1] ?? ''
  const keys = (await redis.command('keys', 'mintmark:session:*')) as string[]
  t.equal(keys.length, 2)
  for (const key of keys) {
    const row = JSON.stringify(await redis.command('hgetall', key))
    for (const form of ['base64url', 'base64', 'hex'] as const)
      t.notMatch(row, Buffer.from(secret, 'base64url').toString(form))
  }
})

test('people come and go with their sessions in a Redis Cluster', { skip }, async t => {
  await everyday(t, await onRedis(t, (await redisCluster(t)).url))
})

test('P4: while Redis is away nobody is let in and nobody loses a cookie; signing out works', {
  skip,
}, async t => {
  const redis = await running(t)
  const service = await onRedis(t, redis.url)
  const [{ browser: ada }, { browser: bob }] = [
    await service.signUp('ada@example.com'),
    await service.signUp('bob@example.com'),
  ]
  const cookie = ada.cookie
  redis.freeze()
  for (const ask of [
    () => ada.get('/v1/session'),
    () => ada.post('/v1/token', {}),
    () => ada.get('/v1/sessions'),
  ]) {
    const answer = await ask()
    t.same([answer.statusCode, answer.json().code], [503, 'unavailable'])
    t.notOk(answer.headers['set-cookie'])
  }
  const stranger = service.browser()
  const signIn = await stranger.post('/v1/session', { email: 'ada@example.com', password: goodPassword })
  t.equal(signIn.statusCode, 503)
  t.equal(stranger.cookie, undefined)
  const signedOut = bob.cookie
  t.equal((await bob.delete('/v1/session')).statusCode, 204, 'what cannot be found is refused from now on')
  redis.thaw()
  t.equal((await answered(() => ada.get('/v1/session'))).statusCode, 200, 'as soon as it answers again')
  t.equal(ada.cookie, cookie)
  const ghost = service.browser()
  ghost.cookie = signedOut
  t.equal((await answered(() => ghost.get('/v1/session'))).statusCode, 401)

  await redis.stop()
  t.equal((await ada.get('/v1/session')).statusCode, 503)
  redis.start()
  t.equal((await answered(() => ada.get('/v1/session'))).statusCode, 401, 'it kept nothing: the row is gone')
})

test('a link is not used up while Redis is away: the session that it opens could not be', {
  skip,
}, async t => {
  const redis = await running(t)
  const service = await onRedis(t, redis.url)
  const { browser } = await service.signUp('ada@example.com')
  const newcomer = service.browser()
  await newcomer.post('/v1/sign-up', { email: 'bob@example.com' })
  const verify = { token: tokenIn(await service.mailTo('bob@example.com')), password: goodPassword }
  await redis.stop()
  t.equal((await browser.get('/v1/session')).statusCode, 503)
  const refused = await newcomer.post('/v1/sign-up/verify', verify)
  t.same([refused.statusCode, refused.json().code], [503, 'unavailable'])
  redis.start()
  await redis.ready()
  t.equal((await answered(() => newcomer.post('/v1/sign-up/verify', verify))).statusCode, 201)
})

test('an address that signs out of made-up sessions is slowed down, and each costs a row at most', {
  skip,
}, async t => {
  const service = await onRedis(t, (await running(t)).url)
  const codes = new Map<number, number>()
  for (let round = 0; round < 110; round++) {
    const browser = service.browser()
    browser.address = '192.0.2.7'
    const { id, secret } = newCredential()
    browser.cookie = `${id}.${secret.reveal()}`
    const { statusCode } = await browser.delete('/v1/session')
    codes.set(statusCode, (codes.get(statusCode) ?? 0) + 1)
  }
  t.same(
    [...codes],
    [
      [204, 100],
      [429, 10],
    ],
  )
  const [row] = await service.database.sql`select count(*)::int as count from revoked_sessions`
  t.equal(row?.count, 100)
})

test('a Redis that evicts, keeps nothing, follows another or is a node alone refuses the start', {
  skip,
}, async t => {
  const redis = await running(t)
  const start = (more: Record<string, string> = {}, url = redis.url) =>
    testService(t, { env: { SESSION_STORE: 'redis', REDIS_URL: url, ...more } }).then(
      async service => {
        await service.close()
        return { faults: [], warned: service.logLines.join('') }
      },
      error => {
        if (error instanceof StartRefused) return { faults: error.faults, warned: '' }
        throw error
      },
    )
  const refused = async (match: RegExp, more?: Record<string, string>, url?: string) => {
    const { faults } = await start(more, url)
    t.equal(faults.length, 1, String(faults))
    t.match(faults[0], match)
  }
  await refused(/does not persist to disk.*appendonly yes.*MINTMARK_SESSION_REDIS_UNSAFE=accepted/)
  t.match((await start(unsafe)).warned, /does not persist to disk/, 'accepted, and said')
  await redis.command('config', 'set', 'appendonly', 'yes')
  t.same((await start()).faults, [])
  await redis.command('config', 'set', 'maxmemory', '100mb')
  await redis.command('config', 'set', 'maxmemory-policy', 'allkeys-lru')
  await refused(/evicts keys.*noeviction/)
  await redis.command('config', 'set', 'maxmemory-policy', 'noeviction')
  t.same((await start()).faults, [])
  const other = await running(t)
  await redis.command('replicaof', '127.0.0.1', new URL(other.url).port)
  await refused(/is a replica: set REDIS_URL to the master/, unsafe)
  await refused(
    /node of a Cluster: set REDIS_URL to several/,
    unsafe,
    (await redisCluster(t)).url.split(',')[0],
  )
  const { port } = new URL(redis.url)
  await refused(/DB index is out of range/, unsafe, `${redis.url}/99`)
  await redis.stop()
  await refused(/Redis cannot be reached.*ECONNREFUSED/, unsafe, `redis://127.0.0.1:${port}`)
})

test('a user of Redis with the documented rights is enough, and one with less refuses the start', {
  skip,
}, async t => {
  const redis = await running(t)
  const docs = await readFile(new URL('docs/sessions-in-redis.md', rootUrl), 'utf8')
  const [line = ''] = /^ACL SETUSER .*$/m.exec(docs) ?? []
  const make = (rights: string) => redis.command('acl', ...rights.split(' ').slice(1))
  await make(line)
  await make('ACL SETUSER reader on >password ~mintmark:* +@read +@scripting +@connection +info')
  await make('ACL SETUSER stranger on >password ~others:* &* +@all')
  const as = (user: string, password = 'password') => ({
    ...unsafe,
    SESSION_STORE: 'redis',
    REDIS_URL: redis.url.replace('//', `//${user}:${password}@`),
  })
  for (const user of ['reader', 'stranger'])
    await t.rejects(testService(t, { env: as(user) }), /does not let this user do what sessions need/)
  await t.rejects(testService(t, { env: as('mintmark', 'wrong') }), /WRONGPASS/)
  const service = await testService(t, { env: as('mintmark') })
  const { browser } = await service.signUp('ada@example.com')
  t.equal((await browser.post('/v1/session/step-up', { password: goodPassword })).statusCode, 200)
  t.equal((await browser.get('/v1/sessions')).json().sessions.length, 1)
  t.equal((await browser.delete('/v1/session')).statusCode, 204)
  t.notMatch(service.logLines.join(''), /does not let us|NOPERM|password/)
  const mintmark = await commandLine(t, service.database, join(service.folder, 'keys'), as('mintmark'))
  t.equal((await mintmark('sessions', 'migrate', '--to', 'postgres')).code, 0)
})
