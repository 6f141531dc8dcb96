/** What we could not judge costs nobody a point: every route that takes one, in every way in which we cannot judge. */
import tap, { type Test, test } from 'tap'
import { type LimitName, limits } from '../../src/accounts/throttle.js'
import { newSecret } from '../../src/core/secret.js'
import { newCredential } from '../../src/sessions/credential.js'
import { federationWorld } from '../federation/world.js'
import { acceptable, encoded, headersFrom, listRoutes, pathFor, type Route } from '../harness/routes.js'
import { administrator, freshAddress, person, session } from '../harness/world.js'
import { freshNetworkAddress } from '../support/browser.js'
import { mailerTo, mailReceiver } from '../support/mail-receiver.js'
import { redisServer, skipWithoutRedis as skip } from '../support/redis.js'
import { eventually, goodPassword, issuer, testService } from '../support/service.js'
import { counting, here, many, signIn, statuses, worldOf, wrongPassword } from '../throttle/world.js'

const redis = skip ? undefined : await redisServer(tap)
redis?.start()
const env = redis ? { REDIS_URL: redis.url } : {}
const federation = await federationWorld(tap, {}, 'openid', { env })
const { service } = federation
const { sql } = service.database
if (redis) await counting(service)
await sql`update service set sessions_in_redis = true`
const routes = (await listRoutes()).filter(({ method }) => method !== 'HEAD' && method !== 'OPTIONS')

/** The sum of each limit's counts, and with it whether any was taken at all. */
async function counts(): Promise<Record<string, number>> {
  const sums: Record<string, number> = {}
  for (const key of ((await redis?.command('keys', 'mintmark:limit:*')) ?? []) as string[]) {
    const name = key.split(':')[2] ?? ''
    sums[name] = (sums[name] ?? 0) + Number(await redis?.command('get', key))
  }
  return sums
}
const forget = () => redis?.command('flushall')

/** A request that the route accepts, from an administrator who has a network address of their own. */
async function prepared(route: Route): Promise<() => Promise<{ route: Route; status: number }>> {
  const { key, method } = route
  const me = await administrator(sql)
  const body = await acceptable[key]?.(sql, me)
  const { payload, headers } = encoded(route, body && { ...body, ...differently[key] })
  // A sign-out takes a point where the session is one that may have been in Redis.
  const stale = newCredential()
  const signsOut = key === 'DELETE /v1/session' || key === 'POST /sign-out'
  const cookie = signsOut ? `${stale.id}.${stale.secret.reveal()}` : me.cookie
  // Without the cookie of the browser that asked there is nothing to judge.
  const asked = key === 'POST /v1/passkey/sign-in' && { cookie: `__Host-passkey=${newSecret().reveal()}` }
  const path = (await pathFor(sql, route, me)).replace('/federation/nobody', '/federation/acme')
  return async () => {
    const answer = await service.app.inject({
      method: method as 'GET',
      url: path,
      remoteAddress: freshNetworkAddress(),
      headers: { ...headersFrom(issuer, cookie), ...headers, ...asked },
      ...(payload && { payload }),
    })
    return { route, status: answer.statusCode }
  }
}
/** A wrong password keeps its points, and a provider that there is can be asked. */
const differently: Readonly<Record<string, object>> = {
  'POST /v1/session': { password: wrongPassword },
  'POST /v1/session/step-up': { password: wrongPassword },
  'PUT /v1/password': { current_password: wrongPassword },
  'POST /sign-in-methods/link': { provider: 'acme' },
  'POST /step-up/provider': { provider: 'acme' },
}

/** What each route leaves taken when it is judged, from one request while nothing is wrong. */
const leaves = new Map<string, Record<string, number>>()
/** The limits that each route has taken from, whether they came back or not. */
const takes = new Map<string, string[]>()

test('the routes that take points are known by taking them', { skip }, async t => {
  for (const route of routes) {
    const send = await prepared(route)
    await forget()
    await send()
    const taken = await counts()
    takes.set(route.key, Object.keys(taken))
    leaves.set(route.key, taken)
  }
  const seen = new Set([...takes.values()].flat()).add('mail-by-recipient')
  const every = (Object.keys(limits) as LimitName[]).map(name => name.replaceAll(' ', '-'))
  t.same([...seen].sort(), every.sort(), 'each limit by some route; that of mails after the answer')
})

/** Each holds what a judgement needs: behind it our statements wait, and give up within seconds. */
const tables = [
  ...['users', 'passwords', 'mail_links', 'invitations', 'tenants', 'memberships', 'providers'],
  ...['federation_flows', 'revoked_sessions', 'audit_events', 'applications', 'service_keys'],
  ...['passkeys', 'passkey_challenges', 'totp_factors', 'pending_sign_ins'],
]
const unjudged = new Map<string, Set<string>>()

/** Nothing is left taken by those that could not be judged, and by each of the others as much as ever. */
async function compare(t: Test, what: string, outcomes: readonly { route: Route; status: number }[]) {
  const expected: Record<string, number> = {}
  for (const { route, status } of outcomes) {
    const judged = status < 500
    if (!judged) unjudged.set(route.key, (unjudged.get(route.key) ?? new Set()).add(what))
    for (const [limit, left] of Object.entries(leaves.get(route.key) ?? {}))
      expected[limit] = (expected[limit] ?? 0) + (judged ? left : 0)
  }
  // The mails go out after the answers, or do not.
  await eventually(async () => {
    const { 'mail-by-recipient': _mails, ...found } = await counts()
    const { 'mail-by-recipient': _expected, ...wanted } = expected
    const held = Object.entries(wanted).every(([limit, left]) => (found[limit] ?? 0) === left)
    return held || undefined
  }).catch(async () => t.same(await counts(), expected, what))
  t.pass(`${what}: ${outcomes.filter(({ status }) => status >= 500).length} could not be judged`)
}

for (const table of tables) {
  test(`a Postgres that does not answer about ${table} costs nobody a point, on any route`, {
    skip,
  }, async t => {
    const taking = routes.filter(({ key }) => (takes.get(key) ?? []).length > 0)
    const sends: Awaited<ReturnType<typeof prepared>>[] = []
    for (const route of taking) sends.push(await prepared(route))
    // By itself: it signs out the callers of the others, who are then refused after all.
    const signsAllOut = sends.splice(
      taking.findIndex(({ key }) => key === 'DELETE /v1/admin/sessions'),
      1,
    )
    await forget()
    const gate = await sql.reserve()
    t.teardown(() => gate.release())
    await gate`begin`
    await gate`lock table ${gate(table)} in access exclusive mode`
    const outcomes = await Promise.all(sends.map(send => send()))
    for (const send of signsAllOut) outcomes.push(await send())
    await gate`rollback`
    await compare(t, table, outcomes)
  })
}

test('a provider that is away costs nobody a point', { skip }, async t => {
  const begin = routes.filter(({ key }) => key === 'GET /v1/federation/:provider')
  t.equal(begin.length, 1)
  // Another client secret is another client: what is known of the provider serves for this one no more.
  await federation.change({ name: 'Acme again' })
  await federation.provider.close()
  await forget()
  const outcomes = []
  for (const route of begin) outcomes.push(await (await prepared(route))())
  t.same(
    outcomes.map(({ status }) => status),
    [503],
  )
  t.same(await counts(), { 'federation-by-address': 0 })
  unjudged.set('GET /v1/federation/:provider', new Set(['provider']))
})

test('a queue of hashes that is full costs nobody a point, and afterwards the right password is let in', async t => {
  const busy = await testService(t, { argon2: { memoryKib: 8192, passes: 2, lanes: 1 } })
  const world = worldOf([busy])
  const me = await person(world.sql)
  const wrong = () => signIn(world.at(here), me.email)
  const change = { current_password: wrongPassword, new_password: 'quite other words now' }
  let full = 0
  while (full < 3 * limits['sign-in by account and address'].points) {
    // One address alone cannot fill the queue: its own limit is lower.
    const crowd = Promise.all(Array.from({ length: 150 }, () => signIn(world.at(), freshAddress())))
    const mine = await Promise.all([
      ...Array.from({ length: 9 }, wrong),
      ...Array.from({ length: 9 }, () => world.at(here, me.cookie).put('/v1/password', change)),
    ])
    await crowd
    const codes = statuses(mine)
    t.notOk(codes[429], 'not one is throttled')
    full += codes[503] ?? 0
    // Those that found a place were judged; a right one forgets them.
    t.equal((await signIn(world.at(here), me.email, goodPassword)).statusCode, 201)
    const proof = { password: goodPassword }
    t.equal((await world.at(here, me.cookie).post('/v1/session/step-up', proof)).statusCode, 200)
    Object.assign(me, await session(world.sql, me.id))
  }
})

test('mails that could not be sent do not count against their recipient', async t => {
  const receiver = await mailReceiver(t)
  const mailer = mailerTo(t, receiver)
  const mailing = await testService(t, { mailer })
  const email = freshAddress()
  const { points } = limits['mail by recipient']
  const failed = () => mailing.logLines.filter(line => line.includes('background work failed')).length
  for (let index = 1; index <= points + 2; index++) {
    receiver.refuseNext(451)
    await mailing.browser().post('/v1/sign-up', { email })
    await eventually(() => failed() === index || undefined)
  }
  await many(points + 3, () => mailing.browser().post('/v1/sign-up', { email }))
  await mailing.close()
  t.equal(receiver.received.length, points, 'as many as ever reach them afterwards')
})

test('every route that judges was seen when it could not', { skip }, t => {
  const judging = [...takes].filter(([, taken]) => taken.length > 0).map(([key]) => key)
  t.same(
    judging.filter(key => !unjudged.has(key)),
    [],
  )
  t.end()
})
