/** The client's network address: one form of it wherever it is shown, written down or counted, whoever wrote it how. */
import { request } from 'node:http'
import { type Test, test } from 'tap'
import { person, session } from '../harness/world.js'
import { goodPassword, issuer, type TestService, testService } from '../support/service.js'
import { many, statuses, worldOf, wrongPassword } from '../throttle/world.js'

const proxy = '192.0.2.1'
const trusting = { MINTMARK_TRUSTED_PROXIES: '192.0.2.0/24, 2001:db8:ffff::/48' }

const forms: Readonly<Record<string, readonly string[]>> = {
  '203.0.113.7': [
    ...[
      '203.0.113.7',
      '203.0.113.7:20007',
      '203.0.113.7:443',
      '::ffff:203.0.113.7',
      '[::ffff:203.0.113.7]:1',
    ],
    ...[
      '::ffff:cb00:7107',
      '198.51.100.1, 203.0.113.7:8',
      '203.0.113.7:9, 192.0.2.9:10',
      'unknown,203.0.113.7',
    ],
    ...['203.0.113.7, ::ffff:192.0.2.9', '203.0.113.7:1, [2001:db8:ffff::2]:2, 192.0.2.3:3', ' 203.0.113.7 '],
  ],
  '2001:db8:7::1': [
    ...['2001:db8:7::1', '2001:DB8:7:0:0::1', '[2001:db8:7::1]', '[2001:db8:7::1]:443'],
    ...['198.51.100.1:5, [2001:db8:7::1]:443', '[2001:db8:7::1]:1, [2001:db8:ffff::9]:443'],
  ],
}

/** Where a sign-in and its refusal were written to have come from. */
async function writtenDown({ database }: TestService, user: string) {
  const rows = await database.sql<{ address: string }[]>`
    select address from audit_events where subject = ${user} or actor = ${user} union
    select address from sessions where user_id = ${user} and user_agent <> 'test'`
  return rows.map(({ address }) => address)
}

for (const [canonical, written] of Object.entries(forms)) {
  test(`${canonical} is one client, however a proxy writes it`, async t => {
    const service = await testService(t, { env: trusting })
    const world = worldOf([service])
    const me = await person(world.sql)
    const from = (forwarded: string) => {
      const browser = world.at(proxy)
      return (password: string) =>
        browser.post('/v1/session', { email: me.email, password }, { 'x-forwarded-for': forwarded })
    }
    for (const form of written) t.equal((await from(form)(goodPassword)).statusCode, 201, form)
    const answers = await many(20, index => from(written[index % written.length] as string)(wrongPassword))
    t.same(statuses(answers), { 401: 10, 429: 10 }, 'they share one count')
    t.equal((await from('198.51.100.1:20007')(goodPassword)).statusCode, 201, 'another client has its own')
    await service.close()
    t.same((await writtenDown(service, me.id)).sort(), [canonical, '198.51.100.1'].sort())
    t.notOk(service.logLines.some(line => line.includes('sends no readable client address')))
  })
}

test('a device is shown with the canonical form of its address', async t => {
  const service = await testService(t, { env: trusting })
  const world = worldOf([service])
  const me = await person(world.sql)
  const browser = world.at('::ffff:192.0.2.7')
  const forwarded = { 'x-forwarded-for': '[2001:DB8:7:0::1]:4711' }
  await browser.post('/v1/session', { email: me.email, password: goodPassword }, forwarded)
  const { items = [], sessions = items } = (await browser.get('/v1/sessions', forwarded)).json()
  t.ok(JSON.stringify(sessions).includes('"2001:db8:7::1"'))
})

test('from a peer that is no trusted proxy its own address counts, whatever it names', async t => {
  const service = await testService(t, { env: trusting })
  const world = worldOf([service])
  const me = await person(world.sql)
  for (const [peer, forwarded] of [
    ['198.51.100.9', '203.0.113.7'],
    ['::ffff:198.51.100.9', '203.0.113.7:80'],
    ['198.51.100.9', 'unknown'],
    ['198.51.100.9', '192.0.2.1, 192.0.2.1:80'],
  ] as const) {
    const body = { email: me.email, password: goodPassword }
    t.equal(
      (await world.at(peer).post('/v1/session', body, { 'x-forwarded-for': forwarded })).statusCode,
      201,
    )
  }
  await service.close()
  t.same(await writtenDown(service, me.id), ['198.51.100.9'])
  t.notOk(
    service.logLines.some(line => line.includes('sends no readable client address')),
    'a stranger causes no warning',
  )
})

const warnings = ({ logLines }: TestService) =>
  logLines
    .map(line => JSON.parse(line))
    .filter(({ msg }) => String(msg).includes('sends no readable client address'))

test('a trusted proxy that names no address that can be read is warned of once, and stands for all behind it', async t => {
  const service = await testService(t, { env: trusting })
  const world = worldOf([service])
  const me = await person(world.sql)
  const guess = (forwarded: Record<string, string>, peer = proxy) =>
    world.at(peer).post('/v1/session', { email: me.email, password: wrongPassword }, forwarded)
  await service.app.inject({ url: '/.well-known/jwks.json', remoteAddress: proxy })
  t.same(warnings(service), [], 'a load balancer that only looks whether we live')
  const unreadable = [
    'unknown',
    '_hidden',
    '_SEVKISEK:47011',
    'example.com',
    '203.0.113.7x',
    '"203.0.113.7"',
    '[]:1',
  ]
  for (const form of unreadable) t.equal((await guess({ 'x-forwarded-for': form })).statusCode, 401, form)
  t.match(warnings(service), [{ level: 40, proxy, named: 'unreadable' }])
  t.equal(
    (await guess({ 'x-forwarded-for': 'unknown, 192.0.2.200:80' })).statusCode,
    401,
    'the nearest that can be read',
  )
  t.equal((await guess({})).statusCode, 401)
  t.equal((await guess({ 'x-forwarded-for': '' })).statusCode, 401)
  t.equal((await guess({}, '2001:db8:ffff::1')).statusCode, 401)
  t.match(
    warnings(service).map(({ named }) => named),
    ['unreadable', 'none'],
    'each once',
  )
  t.match(warnings(service)[0].msg, /set X-Forwarded-For to an address/)
  t.equal((await guess({})).statusCode, 401)
  t.equal((await guess({})).statusCode, 429, 'ten for the proxy itself')
  await service.close()
  t.same((await writtenDown(service, me.id)).sort(), ['192.0.2.1', '192.0.2.200', '2001:db8:ffff::1'])
})

test('on a socket that takes both, a client of IPv4 has its address of IPv4', async t => {
  const service = await testService(t, { env: { MINTMARK_LISTEN: '[::]:0' } })
  const { sql } = service.database
  const me = await person(sql)
  const { port } = new URL(service.addresses.main)
  const status = await post(t, Number(port), { email: me.email, password: goodPassword })
  t.equal(status, 201)
  t.same(await sql`select address from sessions where user_id = ${me.id} and user_agent <> 'test'`, [
    { address: '127.0.0.1' },
  ])
  await session(sql, me.id)
})

/** By IPv4. */
function post(t: Test, port: number, body: object): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'x-mintmark': '1', origin: issuer }
    const sent = request(
      { host: '127.0.0.1', port, path: '/v1/session', method: 'POST', headers },
      answer => {
        answer.resume()
        resolve(answer.statusCode)
      },
    )
    sent.on('error', reject)
    t.teardown(() => sent.destroy())
    sent.end(JSON.stringify(body))
  })
}
