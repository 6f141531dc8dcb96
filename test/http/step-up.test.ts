/** Step-up: the proof moves, the secret changes by compare-and-swap, and parallel tabs find their way. */
import { decodeJwt } from 'jose'
import tap, { test } from 'tap'
import { person, session } from '../harness/world.js'
import { Browser } from '../support/browser.js'
import { eventually, goodPassword, issuer, testService } from '../support/service.js'

const service = await testService(tap)
const second = await testService(tap, { beside: service })
const { sql } = service.database
const holding = (cookie: string | undefined, at = service) => new Browser(at.app, issuer, cookie)
const audited = (session: string, action: string) =>
  eventually(async () => {
    const rows = await sql`select outcome, reason, actor from audit_events
      where session = ${session} and action = ${action} order by id`
    return rows.length > 0 ? [...rows] : undefined
  })

test('SS-02: a step-up renews the cookie under the same id, and session and token carry the new proof', async t => {
  const me = await person(sql)
  const browser = holding(me.cookie)
  await sql`update sessions set auth_time = now() - interval '1 hour' where id = ${me.session}`
  const before = (await browser.get('/v1/session')).json().session
  const answer = await browser.post('/v1/session/step-up', { password: goodPassword })
  t.equal(answer.statusCode, 200)
  const [id, secret] = browser.cookie?.split('.') ?? []
  t.equal(id, me.session)
  t.not(secret, me.secret)
  const { session: proved } = answer.json()
  t.match(proved, { id: me.session, amr: ['pwd'], acr: 'aal1', ends_at: before.ends_at })
  t.ok(proved.auth_time >= before.auth_time + 3599)
  t.match((await browser.get('/v1/session')).json().session, { auth_time: proved.auth_time, amr: ['pwd'] })
  const { access_token } = (await browser.post('/v1/token', {})).json()
  t.match(decodeJwt(access_token), { auth_time: proved.auth_time, acr: 'aal1', amr: ['pwd'] })
  const [cookie] = answer.cookies
  t.ok(Math.abs((cookie?.maxAge ?? 0) - (before.ends_at - Date.now() / 1000)) < 60, 'to the absolute end')
  t.match(await audited(me.session, 'session.stepped-up'), [{ outcome: 'done', actor: me.id }])
})

test('MF-01: a wrong password proves nothing: 403, the cookie and the proof stay as they were', async t => {
  const me = await person(sql)
  await sql`update sessions set auth_time = now() - interval '1 hour' where id = ${me.session}`
  const browser = holding(me.cookie)
  const row = async () => (await sql`select * from sessions where id = ${me.session}`)[0]
  const before = await row()
  for (const password of ['a wrong password, long enough', '', '\u0000', '\ud800'.repeat(3)]) {
    const answer = await browser.post('/v1/session/step-up', { password })
    t.equal(answer.json().code, 'wrong_password')
    t.notOk(answer.headers['set-cookie'])
  }
  t.same(await row(), before)
  t.equal(browser.cookie, me.cookie)
  const refusals = await eventually(async () => {
    const rows = await audited(me.session, 'session.stepped-up')
    return rows.length === 4 ? rows : undefined
  })
  t.match(refusals[0], { outcome: 'refused', reason: 'wrong-password', actor: me.id })
})

test('of tabs that step up at once one gets a cookie; the others are told to use it', async t => {
  const me = await person(sql)
  const tabs = Array.from({ length: 8 }, (_, index) => holding(me.cookie, index % 2 ? second : service))
  const answers = await Promise.all(
    tabs.map(tab => tab.post('/v1/session/step-up', { password: goodPassword })),
  )
  const won = answers.filter(answer => answer.statusCode === 200)
  t.equal(won.length, 1)
  const lost = answers.filter(answer => answer.statusCode !== 200)
  t.same([...new Set(lost.map(answer => answer.json().code))], ['session_superseded'])
  t.ok(lost.every(answer => !answer.headers['set-cookie']))
  const newest = won[0]?.cookies[0]?.value
  for (const at of [service, second]) {
    t.equal((await holding(newest, at).get('/v1/session')).statusCode, 200)
    t.equal((await holding(me.cookie, at).get('/v1/session')).json().code, 'session_superseded')
  }
})

test('a tab in flight with the old cookie is superseded at every route, and works with the new one', async t => {
  const me = await person(sql)
  const browser = holding(me.cookie)
  await browser.post('/v1/session/step-up', { password: goodPassword })
  const old = holding(me.cookie)
  for (const answer of [
    await old.get('/v1/session'),
    await old.get('/v1/sessions'),
    await old.post('/v1/token', {}),
    await old.delete('/v1/sessions'),
    await old.put('/v1/session/tenant', { tenant: null }),
    await old.post('/v1/session/step-up', { password: goodPassword }),
  ]) {
    t.equal(answer.statusCode, 401)
    t.equal(answer.json().code, 'session_superseded')
    t.notOk(answer.headers['set-cookie'])
  }
  t.equal((await browser.post('/v1/token', {})).statusCode, 200)
  t.equal(
    (await sql`select from audit_events where session = ${me.session} and action = 'session.reuse-detected'`)
      .length,
    0,
  )
})

test('a secret that was replaced more than a minute ago opens as little, and is written down', async t => {
  const me = await person(sql)
  await holding(me.cookie).post('/v1/session/step-up', { password: goodPassword })
  await sql`update sessions set secret_changed_at = now() - interval '61 seconds' where id = ${me.session}`
  for (const answer of [
    await holding(me.cookie).get('/v1/session'),
    await holding(me.cookie).post('/v1/token', {}),
  ]) {
    t.equal(answer.json().code, 'session_superseded')
    t.notOk(answer.headers['set-cookie'])
  }
  const rows = await eventually(async () => {
    const found = await audited(me.session, 'session.reuse-detected')
    return found.length === 2 ? found : undefined
  })
  t.match(rows[0], { outcome: 'refused', reason: 'replayed', actor: null })
})

test('a step-up is refused where the session ended, and says so without a cookie', async t => {
  const me = await person(sql)
  const other = await session(sql, me.id)
  await holding(other.cookie).delete('/v1/sessions')
  const answer = await holding(me.cookie).post('/v1/session/step-up', { password: goodPassword })
  t.equal(answer.json().code, 'unauthenticated')
  t.notOk(answer.headers['set-cookie'])
})

test('a password changed while a step-up was verified wins', async t => {
  const me = await person(sql)
  const other = await session(sql, me.id)
  const browser = holding(me.cookie)
  const [proof, change] = await Promise.all([
    browser.post('/v1/session/step-up', { password: goodPassword }),
    holding(other.cookie).put('/v1/password', {
      current_password: goodPassword,
      new_password: 'quite other words now',
    }),
  ])
  t.equal(change.statusCode, 204)
  t.ok([200, 401, 403].includes(proof.statusCode))
  t.equal((await browser.get('/v1/session')).statusCode, 401, 'its session ended with the change')
})

test('switching the tenant moves the session and what its tokens say, among own tenants only', async t => {
  const me = await person(sql)
  const browser = holding(me.cookie)
  const roles = sql.json({ r1: { name: 'reader', permissions: ['doc:read'] } })
  const [acme] = await sql`insert into tenants (name, roles) values ('Acme', ${roles}) returning id`
  const [other] = await sql`insert into tenants (name) values ('Other') returning id`
  await sql`insert into memberships (user_id, tenant_id, role_ids) values (${me.id}, ${acme?.id}, '{r1}')`
  t.equal((await browser.put('/v1/session/tenant', { tenant: acme?.id })).statusCode, 204)
  t.match((await browser.get('/v1/session')).json().tenant, { id: acme?.id, roles: ['reader'] })
  const { access_token } = (await browser.post('/v1/token', {})).json()
  t.match(decodeJwt(access_token), { tenant: acme?.id, permissions: ['doc:read'] })

  const refused = await browser.put('/v1/session/tenant', { tenant: other?.id })
  t.equal(refused.json().code, 'tenant_forbidden')
  t.match((await browser.get('/v1/session')).json().tenant, { id: acme?.id }, 'unchanged')
  const rows = await eventually(async () => {
    const found = await audited(me.session, 'session.tenant')
    return found.length === 2 ? found : undefined
  })
  t.same(rows.map(row => row.outcome).sort(), ['done', 'refused'])
  t.equal((await browser.put('/v1/session/tenant', { tenant: null })).statusCode, 204)
  t.equal((await browser.get('/v1/session')).json().tenant, null)
})
