/** Devices: what the list shows, and that ending one, all others or all holds on every instance at once. */
import tap, { test } from 'tap'
import { newCredential } from '../../src/sessions/credential.js'
import { headersFrom } from '../harness/routes.js'
import { administrator, person, session } from '../harness/world.js'
import { Browser } from '../support/browser.js'
import { eventually, goodPassword, issuer, testService } from '../support/service.js'

const service = await testService(tap)
const second = await testService(tap, { beside: service })
const third = await testService(tap, { beside: service })
const instances = [service, second, third]
const { sql } = service.database

const holding = (cookie: string | undefined, at = service) => new Browser(at.app, issuer, cookie)
const everywhere = (cookie: string | undefined) =>
  Promise.all(instances.map(async at => (await holding(cookie, at).get('/v1/session')).statusCode))
const audited = (session: string, action: string) =>
  eventually(async () => {
    const rows = await sql`select outcome, reason, actor, subject, address, request_id from audit_events
      where session = ${session} and action = ${action}`
    return rows.length > 0 ? [...rows] : undefined
  })

const firefox = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'
const iphone =
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1'

async function signedIn(email: string, userAgent?: string) {
  const browser = service.browser()
  const headers = userAgent === undefined ? {} : { 'user-agent': userAgent }
  const answer = await browser.post('/v1/session', { email, password: goodPassword }, headers)
  return { browser, id: answer.json().session.id as string }
}

test('SS-17: the list names each device in words, marks the one that asks, and holds no secret', async t => {
  const me = await person(sql)
  await sql`delete from sessions where user_id = ${me.id}`
  const desk = await signedIn(me.email, firefox)
  const phone = await signedIn(me.email, iphone)
  const odd = await signedIn(me.email, `<script>alert(1)</script>${'x'.repeat(600)}`)
  const answer = await phone.browser.get('/v1/sessions')
  t.equal(answer.statusCode, 200)
  const { sessions } = answer.json()
  t.same(
    sessions.map((one: { id: string }) => one.id),
    [odd.id, phone.id, desk.id],
    'the latest used first',
  )
  t.same(
    sessions.map((one: { device: string; current: boolean }) => [one.device, one.current]),
    [
      [null, false],
      ['Safari on iOS', true],
      ['Firefox on Linux', false],
    ],
  )
  t.equal(sessions[0].user_agent.length, 256, 'cut to size')
  t.match(answer.headers['content-type'], /^application\/json/)
  t.equal(sessions[1].address, phone.browser.address)
  const now = Date.now() / 1000
  for (const { created_at, last_seen_at, ends_at } of sessions) {
    t.ok(Math.abs(created_at - now) < 60 && Math.abs(last_seen_at - now) < 60)
    t.ok(ends_at > now + 29 * 86_400)
  }
  for (const { browser } of [desk, phone, odd]) t.notMatch(answer.body, browser.cookie?.split('.')[1])
  t.notMatch(answer.body, /hash|secret|token/)
})

test('the lists come in pages: a person’s own, the admin’s, and the page with what is more', async t => {
  const me = await person(sql)
  for (let index = 0; index < 59; index++) await session(sql, me.id)
  await sql`update sessions s set last_seen_at = now() - n * interval '1 minute', user_agent = 'agent ' || n
    from (select id, row_number() over (order by id = ${me.session} desc, id) n from sessions where user_id = ${me.id}) o
    where s.id = o.id`
  const browser = holding(me.cookie)
  const first = (await browser.get('/v1/sessions')).json()
  t.equal(first.sessions.length, 50)
  t.match(first.sessions[0], { id: me.session, current: true })
  const second = (await browser.get(`/v1/sessions?cursor=${first.next_cursor}`)).json()
  t.equal(second.sessions.length, 10)
  t.equal(second.next_cursor, null)
  const ids = [...first.sessions, ...second.sessions].map(({ id }: { id: string }) => id)
  t.equal(new Set(ids).size, 60)
  const few = (await browser.get('/v1/sessions?limit=7')).json()
  t.same(
    few.sessions.map(({ id }: { id: string }) => id),
    ids.slice(0, 7),
  )

  const admin = holding((await administrator(sql)).cookie)
  const listed = (await admin.get(`/v1/admin/users/${me.id}/sessions?limit=40`)).json()
  t.equal(listed.items.length, 40)
  const rest = await admin.get(`/v1/admin/users/${me.id}/sessions?limit=40&cursor=${listed.next_cursor}`)
  t.match(rest.json(), { next_cursor: null })
  t.equal(rest.json().items.length, 20)

  const rows = (page: string) => page.match(/<li>/g)?.length
  const page = (await browser.get('/devices')).body
  t.equal(rows(page), 50)
  const [, more = ''] = /href="(\/devices\?after=[^"]+)"/.exec(page) ?? []
  const last = (await browser.get(more)).body
  t.equal(rows(last), 10)
  t.notMatch(last, /after=/)
  t.match(last, /end-others/, 'the others can be ended from there too')
})

test('a cursor that is none of this list is refused', async t => {
  const browser = holding((await person(sql)).cookie)
  const encoded = (text: string) => Buffer.from(text).toString('base64url')
  const id = newCredential().id
  const bad = [
    `1 ${id}x`,
    `-1 ${id}`,
    `99999999999999999999 ${id}`,
    `1.5 ${id}`,
    id,
    `1  ${id}`,
    `x ${id}`,
    '',
  ]
  for (const cursor of [...bad.map(encoded), 'no cursor', '%00']) {
    t.equal((await browser.get(`/v1/sessions?cursor=${cursor}`)).statusCode, 400, cursor)
    t.equal((await browser.get(`/devices?after=${cursor}`)).statusCode, 400, cursor)
  }
  const largest = encoded(`9999999999999999 ${id}`)
  t.equal((await browser.get(`/v1/sessions?cursor=${largest}`)).statusCode, 200)
  for (const query of ['limit=0', 'limit=101', 'limit=1&limit=2', 'page=2'])
    t.equal((await browser.get(`/v1/sessions?${query}`)).statusCode, 400, query)
})

test('a person has a hundred sessions: with the next sign-in the one unused for the longest ends, everywhere', async t => {
  const me = await person(sql)
  for (let index = 0; index < 99; index++) await session(sql, me.id)
  const [oldest] = await sql`update sessions set last_seen_at = now() - interval '1 day'
    where id = (select min(id) from sessions where user_id = ${me.id} and id <> ${me.session}) returning id`
  const next = await signedIn(me.email)
  t.equal(next.browser.cookie !== undefined, true)
  const live = await sql`select id from sessions where user_id = ${me.id} and ended_at is null`
  t.equal(live.length, 100)
  const [row] = await sql`select ended_reason from sessions where id = ${oldest?.id}`
  t.equal(row?.ended_reason, 'too-many')
  t.match(await audited(oldest?.id, 'session.ended'), [
    { outcome: 'done', reason: 'too-many', actor: me.id, subject: me.id, address: next.browser.address },
  ])
  t.same(await everywhere(me.cookie), [200, 200, 200])
})

test('SS-10, SS-12: a device that is ended is out on every instance, and only that one', async t => {
  const me = await person(sql)
  const other = await session(sql, me.id)
  const third = await session(sql, me.id)
  const browser = holding(me.cookie)
  for (const round of ['first', 'again']) {
    const answer = await browser.delete(`/v1/sessions/${other.session}`)
    t.equal(answer.statusCode, 204, round)
    t.notOk(answer.headers['set-cookie'])
  }
  t.same(await everywhere(other.cookie), [401, 401, 401])
  t.same(await everywhere(third.cookie), [200, 200, 200])
  t.same(await everywhere(me.cookie), [200, 200, 200])
  const rows = await audited(other.session, 'session.ended')
  t.equal(rows.length, 1, 'ending again is no second event')
  t.match(rows[0], { outcome: 'done', actor: me.id, subject: me.id, address: browser.address })
})

test('ending the session that asks signs out: its cookie is cleared', async t => {
  const me = await person(sql)
  const browser = holding(me.cookie)
  const answer = await browser.delete(`/v1/sessions/${me.session}`)
  t.equal(answer.statusCode, 204)
  t.equal(browser.cookie, undefined)
  t.same(await everywhere(me.cookie), [401, 401, 401])
})

test("SS-18: another person's session and one that never was are answered alike, and nothing changes", async t => {
  const me = await person(sql)
  const victim = await person(sql)
  const answers = []
  for (const id of [victim.session, newCredential().id]) {
    const answer = await holding(me.cookie).delete(`/v1/sessions/${id}`)
    t.equal(answer.statusCode, 404)
    answers.push({ ...answer.json(), request_id: '' })
  }
  t.same(answers[0], answers[1])
  t.same(await everywhere(victim.cookie), [200, 200, 200])
})

test('TN-17: what is no session id is a bad request', async t => {
  const browser = holding((await person(sql)).cookie)
  const bad = ['x', '..', '%2e%2e%2f', '00000000-0000-4000-8000-000000000000', 'A'.repeat(10_000), 'é', '%00']
  for (const id of bad) {
    const { statusCode } = await browser.delete(`/v1/sessions/${encodeURIComponent(id)}`)
    t.ok([400, 404].includes(statusCode), `${id.slice(0, 40)}: ${statusCode}`)
  }
  for (const query of ['scope=everything', 'scope=all&scope=others', 'scope[]=all', 'all=1'])
    t.equal((await browser.delete(`/v1/sessions?${query}`)).statusCode, 400, query)
})

test('SS-12: ending all others keeps the one that asks, and counts', async t => {
  const me = await person(sql)
  const others = [await session(sql, me.id), await session(sql, me.id)]
  const stranger = await person(sql)
  const browser = holding(me.cookie)
  t.same((await browser.delete('/v1/sessions')).json(), { ended: 2 })
  for (const { cookie } of others) t.same(await everywhere(cookie), [401, 401, 401])
  t.same(await everywhere(me.cookie), [200, 200, 200])
  t.same(await everywhere(stranger.cookie), [200, 200, 200])
  t.same((await browser.delete('/v1/sessions?scope=others')).json(), { ended: 0 })
  t.equal((await browser.get('/v1/sessions')).json().sessions.length, 1)
})

test('ending all signs out everywhere, here as well', async t => {
  const me = await person(sql)
  const other = await session(sql, me.id)
  const browser = holding(me.cookie)
  const answer = await browser.delete('/v1/sessions?scope=all')
  t.same(answer.json(), { ended: 2 })
  t.equal(browser.cookie, undefined)
  for (const cookie of [me.cookie, other.cookie]) t.same(await everywhere(cookie), [401, 401, 401])
})

test('two devices that press "end all others" at once: one stays, on whichever instances they are', async t => {
  for (let round = 0; round < 5; round++) {
    const me = await person(sql)
    const other = await session(sql, me.id)
    const [a, b] = await Promise.all([
      holding(me.cookie, second).delete('/v1/sessions'),
      holding(other.cookie, third).delete('/v1/sessions'),
    ])
    t.same([a.statusCode, b.statusCode].sort(), [200, 401], `round ${round}`)
    const [first, last] = [await everywhere(me.cookie), await everywhere(other.cookie)]
    t.same(a.statusCode === 200 ? [first, last] : [last, first], [
      [200, 200, 200],
      [401, 401, 401],
    ])
  }
})

test('SS-12: the list is read by any session, ending asks for a fresh proof, and the step-up gives it', async t => {
  const me = await person(sql)
  const other = await session(sql, me.id)
  await sql`update sessions set auth_time = now() - interval '15 minutes 2 seconds' where id = ${me.session}`
  const browser = holding(me.cookie)
  t.equal((await browser.get('/v1/sessions')).statusCode, 200)
  for (const url of [`/v1/sessions/${other.session}`, '/v1/sessions', '/v1/sessions?scope=all']) {
    const answer = await browser.delete(url)
    t.equal(answer.statusCode, 401)
    t.match(answer.json(), { code: 'insufficient_user_authentication', max_age: 900 })
    t.equal(
      answer.headers['www-authenticate'],
      'Session error="insufficient_user_authentication", max_age="900"',
    )
    t.notOk(answer.headers['set-cookie'])
  }
  t.same(await everywhere(other.cookie), [200, 200, 200], 'nothing ended')
  const [refusal] = await audited(me.session, 'session.stepped-up')
  t.match(refusal, { outcome: 'refused', reason: 'stale-proof', actor: me.id })

  t.equal((await browser.post('/v1/session/step-up', { password: goodPassword })).statusCode, 200)
  t.equal((await browser.delete(`/v1/sessions/${other.session}`)).statusCode, 204)
  t.same(await everywhere(other.cookie), [401, 401, 401])
})

test('a proof is fresh for 900 seconds by the clock of the database', async t => {
  const me = await person(sql)
  const browser = holding(me.cookie)
  for (const [age, status] of [
    [890, 204],
    [902, 401],
  ] as const) {
    await sql`update sessions set auth_time = now() - ${age} * interval '1 second' where id = ${me.session}`
    const other = await session(sql, me.id)
    t.equal((await browser.delete(`/v1/sessions/${other.session}`)).statusCode, status, `${age} s old`)
  }
})

test('an application without the grant can neither list nor end', async t => {
  const me = await person(sql)
  await sql`insert into applications (client_id, name, audiences) values ('spa', 'SPA', '{api}')`
  await sql`insert into application_origins (origin, client_id) values ('http://localhost:5173', 'spa')`
  const headers = headersFrom('http://localhost:5173', me.cookie)
  const listed = await service.app.inject({ method: 'GET', url: '/v1/sessions', headers })
  t.notOk(listed.headers['access-control-allow-origin'], 'its page may not read it')
  const ended = await service.app.inject({ method: 'DELETE', url: '/v1/sessions', headers })
  t.equal(ended.json().code, 'wrong_origin')
})
