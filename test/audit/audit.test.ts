/** The audit log as people fill it: one row for each event, complete, and nothing secret. LG-04 of the attack list. */
import type { LightMyRequestResponse } from 'fastify'
import tap, { test } from 'tap'
import { freshAddress, link, person } from '../harness/world.js'
import type { Browser } from '../support/browser.js'
import { eventually, goodPassword, testService, tokenIn } from '../support/service.js'

const service = await testService(tap)
const { sql } = service.database
const founding = await sql`select * from audit_events`
const otherPassword = 'quite other words now'
const wrongPassword = 'a wrong password, long enough'

interface Row {
  readonly action: string
  readonly outcome: string
  readonly reason: string | null
  readonly actor: string | null
  readonly subject: string | null
  readonly session: string | null
  readonly address: string | null
  readonly request_id: string | null
}
const rowsAfter = (id: string) => sql<Row[]>`
  select action, outcome, reason, actor::text, subject, session, address, request_id
  from audit_events where id > ${id} order by id`

/**
 * The rows that one request added, of which there must be `count`; a refusal's comes after the answer. Then another
 * request whose row is the next shows that no more were on their way.
 */
async function added(count: number, work: () => Promise<LightMyRequestResponse>) {
  const [last] = await sql`select coalesce(max(id), 0)::text as id from audit_events`
  const answer = await work()
  const rows = await eventually(async () => {
    const rows = await rowsAfter(last?.id)
    return rows.length >= count ? rows : undefined
  })
  await sentinel(last?.id, count)
  return { answer, rows: rows.slice(0, count) }
}

async function sentinel(id: string, count: number) {
  const answer = await service.browser().post('/v1/session', { email: 'no address', password: 'x' })
  const rows = await eventually(async () => {
    const rows = await rowsAfter(id)
    return rows.some(row => row.request_id === answer.headers['request-id']) ? rows : undefined
  })
  if (rows.length !== count + 1) throw new Error(`${rows.length - 1} rows, not ${count}`)
}

/** Where and in which request, as the client was told it. */
const from = (browser: Browser, { headers }: LightMyRequestResponse) => ({
  address: browser.address,
  request_id: headers['request-id'],
})
const done = { outcome: 'done', reason: null }
const sessionOf = (browser: Browser) => browser.cookie?.split('.')[0]
const byAction = (rows: readonly Row[]) => [...rows].sort((a, b) => (a.action < b.action ? -1 : 1))

test('LG-04: a person signs up, signs in and out: one row for each thing done, complete', async t => {
  const email = freshAddress()
  const browser = service.browser()
  await added(0, () => browser.post('/v1/sign-up', { email }))
  const token = tokenIn(await service.mailTo(email))
  await added(0, () => browser.get('/sign-up/verify'))
  await added(0, () => browser.post('/v1/sign-up/verify', { token, password: 'short' }))
  const body = { token, password: goodPassword, name: 'Ada' }
  const signUp = await added(2, () => browser.post('/v1/sign-up/verify', body))
  const user = signUp.answer.json().user.id
  const first = sessionOf(browser)
  const whom = { ...done, actor: user, subject: user }
  t.strictSame(byAction(signUp.rows), [
    { action: 'account.created', ...whom, session: null, ...from(browser, signUp.answer) },
    { action: 'session.opened', ...whom, session: first, ...from(browser, signUp.answer) },
  ])

  await added(0, () => browser.get('/v1/session'))
  await added(0, () => browser.post('/v1/token', {}))

  const again = await added(2, () => browser.post('/v1/session', { email, password: goodPassword }))
  const second = sessionOf(browser)
  t.not(second, first)
  t.strictSame(byAction(again.rows), [
    { action: 'session.ended', ...whom, session: first, ...from(browser, again.answer) },
    { action: 'session.opened', ...whom, session: second, ...from(browser, again.answer) },
  ])

  const out = await added(1, () => browser.delete('/v1/session'))
  t.strictSame(out.rows, [
    { action: 'session.ended', ...whom, session: second, ...from(browser, out.answer) },
  ])
  await added(0, () => browser.delete('/v1/session'))
})

test('LG-04: a password is reset and changed: one row each, and the sessions that end with it need none', async t => {
  const { browser, user } = await service.signUp(freshAddress())
  const { email } = (await browser.get('/v1/session')).json().user
  const whom = { ...done, actor: user, subject: user }
  const session = sessionOf(browser)
  const change = { current_password: goodPassword, new_password: otherPassword }
  const changed = await added(1, () => browser.put('/v1/password', change))
  t.equal(changed.answer.statusCode, 204)
  t.strictSame(changed.rows, [
    { action: 'password.changed', ...whom, session, ...from(browser, changed.answer) },
  ])

  const stranger = service.browser()
  const token = await link(sql, 'password-reset', email)
  await added(0, () => stranger.post('/v1/password/forgot', { email }))
  const reset = await added(1, () => stranger.post('/v1/password/reset', { token, password: goodPassword }))
  t.equal(reset.answer.statusCode, 204)
  t.strictSame(reset.rows, [
    { action: 'password.reset', ...whom, session: null, ...from(stranger, reset.answer) },
  ])
  const replay = { token, password: goodPassword }
  await added(0, () => stranger.post('/v1/password/reset', replay))
})

test('LG-04: each refused sign-in is one row, after the answer, with the reason and whose account it was', async t => {
  const [me, disabled, locked] = [await person(sql), await person(sql), await person(sql)]
  const passwordless = await person(sql)
  await sql`update users set state = 'disabled' where id = ${disabled.id}`
  await sql`update passwords set failures = 100 where user_id = ${locked.id}`
  await sql`delete from passwords where user_id = ${passwordless.id}`
  const refusals: [string, string, string, string | null][] = [
    ['wrong-password', me.email, wrongPassword, me.id],
    ['unknown-address', freshAddress(), goodPassword, null],
    ['disabled', disabled.email, goodPassword, disabled.id],
    ['too-many-failures', locked.email, goodPassword, locked.id],
    ['no-password', passwordless.email, goodPassword, passwordless.id],
    ['malformed', 'nobody', goodPassword, null],
    ['malformed', me.email, '\ud800'.repeat(20), null],
  ]
  for (const [reason, email, password, actor] of refusals) {
    const browser = service.browser()
    const { answer, rows } = await added(1, () => browser.post('/v1/session', { email, password }))
    t.equal(answer.statusCode, 401, reason)
    t.strictSame(rows, [
      {
        action: 'session.opened',
        outcome: 'refused',
        reason,
        actor,
        subject: null,
        session: null,
        ...from(browser, answer),
      },
    ])
  }
})

test('LG-04: a sign-in that loses to a change of the password is one row', async t => {
  const me = await person(sql)
  await sql`create function lose() returns trigger language plpgsql as $$ begin return null; end $$`
  await sql`create trigger lose before insert on sessions for each row execute function lose()`
  const browser = service.browser()
  const body = { email: me.email, password: goodPassword }
  const { answer, rows } = await added(1, () => browser.post('/v1/session', body))
  await sql`drop trigger lose on sessions`
  t.equal(answer.statusCode, 401)
  t.match(rows, [
    {
      action: 'session.opened',
      outcome: 'refused',
      reason: 'credential-changed',
      actor: me.id,
      ...from(browser, answer),
    },
  ])
})

test('LG-04: a refused change of password is one row', async t => {
  const { browser, user } = await service.signUp(freshAddress())
  const body = { current_password: wrongPassword, new_password: otherPassword }
  const { answer, rows } = await added(1, () => browser.put('/v1/password', body))
  t.equal(answer.statusCode, 403)
  t.match(rows, [
    {
      action: 'password.changed',
      outcome: 'refused',
      reason: 'wrong-password',
      actor: user,
      subject: null,
      ...from(browser, answer),
    },
  ])
  t.equal(rows[0]?.session, sessionOf(browser), 'and the session that tried')
})

test('LG-04: a token that a live session may not have is one row, with the session that asked', async t => {
  const { browser, user } = await service.signUp(freshAddress())
  const nowhere = '00000000-0000-4000-8000-000000000000'
  const refusals: [string, object][] = [
    ['audience_forbidden', { audience: 'https://elsewhere.example' }],
    ['tenant_forbidden', { tenant: nowhere }],
    ['session_changed', { expect: { sub: nowhere } }],
  ]
  for (const [reason, body] of refusals) {
    const { answer, rows } = await added(1, () => browser.post('/v1/token', body))
    t.equal(answer.json().code, reason)
    t.strictSame(rows, [
      {
        action: 'session.token',
        outcome: 'refused',
        reason,
        actor: user,
        subject: null,
        session: sessionOf(browser),
        ...from(browser, answer),
      },
    ])
  }
  const elsewhere = service.browser(null)
  elsewhere.cookie = browser.cookie
  const unknown = await added(1, () => elsewhere.post('/v1/token', { client_id: 'nobody' }))
  t.match(unknown.rows, [{ action: 'session.token', reason: 'unknown_client', actor: user }])
})

test('LG-04: the founding of the signing key is one row, by nobody', async t => {
  const [signer] = await sql`select kid from signing_keys where signs_from is not null`
  t.match(founding, [
    { action: 'keys.bootstrapped', ...done, actor: null, session: null, address: null, request_id: null },
  ])
  t.equal(founding[0]?.subject, signer?.kid)
  await testService(t, { beside: service })
  t.equal((await sql`select from audit_events where action = 'keys.bootstrapped'`).length, 1, 'once')
})

test('a row names the client that a trusted proxy names, and nobody else can choose it', async t => {
  const env = { MINTMARK_TRUSTED_PROXIES: '10.0.0.0/8' }
  const behind = await testService(t, { beside: service, env })
  const me = await person(sql)
  const signIn = async (remoteAddress: string) => {
    const answer = await behind.app.inject({
      method: 'POST',
      url: '/v1/session',
      remoteAddress,
      headers: { 'x-mintmark': '1', 'x-forwarded-for': '203.0.113.9', 'x-request-id': 'forged' },
      payload: { email: me.email, password: goodPassword },
    })
    const id = String(answer.headers['request-id'])
    const [row] = await sql`select address from audit_events where request_id = ${id}`
    return row?.address
  }
  t.equal(await signIn('10.1.2.3'), '203.0.113.9')
  t.equal(await signIn('192.0.2.1'), '192.0.2.1')
  t.equal((await sql`select from audit_events where request_id = 'forged'`).length, 0)
})

test('the log holds nothing that signs anybody in, and no mail address', async t => {
  const email = freshAddress()
  const { browser } = await service.signUp(email)
  const secret = String(browser.cookie?.split('.')[1])
  const token = await link(sql, 'password-reset', email)
  await added(1, () => browser.post('/v1/session', { email, password: wrongPassword }))
  await browser.post('/v1/password/reset', { token, password: otherPassword })
  const [row] = await sql`select string_agg(e::text, ' ') as text, count(*)::int as count from audit_events e`
  t.ok(row?.count > 20)
  for (const one of [email, secret, token, goodPassword, otherPassword, wrongPassword])
    t.notOk(row?.text.includes(one), one)
  t.notMatch(row?.text, /@|argon2|eyJ/)
})

test('a change whose transaction is rolled back leaves no row, and one that is made leaves its row', async t => {
  const { browser, user } = await service.signUp(freshAddress())
  const count = async () => (await sql`select from audit_events where actor = ${user}`).length
  const before = await count()
  // The last statement of the transaction cannot be made: everything before it, the row as well, is undone.
  await sql`alter table audit_events add constraint refuses check (action <> 'session.ended') not valid`
  const refused = await browser.delete('/v1/session').finally(async () => {
    await sql`alter table audit_events drop constraint refuses`
  })
  t.equal(refused.statusCode, 500)
  t.equal(await count(), before)
  t.equal((await browser.get('/v1/session')).statusCode, 200, 'and the session did not end')
  const [own] = await sql`select id from sessions where user_id = ${user}`
  await sql`create function undo() returns trigger language plpgsql as $$ begin raise exception 'undone'; end $$`
  await sql`create constraint trigger undo after update on sessions deferrable initially deferred
    for each row execute function undo()`
  t.equal((await browser.delete('/v1/session')).statusCode, 500, 'the commit itself fails')
  t.equal(await count(), before, 'the row went with it')
  await sql`drop trigger undo on sessions`
  t.equal((await browser.delete('/v1/session')).statusCode, 204)
  t.equal(await count(), before + 1)
  t.match(await sql`select session from audit_events where actor = ${user} order by id desc limit 1`, [
    { session: own?.id },
  ])
})
