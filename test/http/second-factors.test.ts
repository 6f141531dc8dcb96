/** Second factors by the JSON API: no session before the last step, each code once, one count of wrong ones. */
import { decodeJwt } from 'jose'
import tap, { test } from 'tap'
import { person } from '../harness/world.js'
import { Browser } from '../support/browser.js'
import { enrolled } from '../support/enrolled.js'
import { eventually, goodPassword, issuer, testService } from '../support/service.js'
import { codeAt, stepNow, wrongCode } from '../support/totp.js'

const service = await testService(tap)
const second = await testService(tap, { beside: service })
const { sql } = service.database
const holding = (cookie: string | undefined, at = service) => new Browser(at.app, issuer, cookie)
const codeOf = (answer: { json(): { code?: string } }) => answer.json().code

/** A browser in which the password of this account was right. */
async function afterPassword(email: string, at = service) {
  const browser = at.browser()
  const answer = await browser.post('/v1/session', { email, password: goodPassword })
  return { browser, answer }
}

test('a person sets up an app, gets recovery codes once, and signs in with password and code', async t => {
  const me = await person(sql)
  const browser = holding(me.cookie)
  t.same((await browser.get('/v1/factors')).json(), {
    items: [],
    recovery_codes: 0,
    codes_locked: false,
    reset_due_at: null,
  })
  const begun = await browser.post('/v1/totp', { name: 'My phone' })
  t.equal(begun.statusCode, 201)
  const { secret, uri } = begun.json()
  t.match(secret, /^[A-Z2-7]{32}$/)
  const address = new URL(uri)
  t.equal(address.protocol, 'otpauth:')
  t.equal(decodeURIComponent(address.pathname), `/Mintmark:${me.email}`)
  t.match(Object.fromEntries(address.searchParams), { secret, issuer: 'Mintmark' })
  t.equal((await afterPassword(me.email)).answer.statusCode, 201, 'MF-20: it is no factor yet')

  t.equal(codeOf(await browser.post('/v1/totp/confirm', { code: wrongCode(secret) })), 'wrong_code')
  const confirmed = await browser.post('/v1/totp/confirm', { code: codeAt(secret) })
  t.equal(confirmed.statusCode, 200)
  const { recovery_codes: codes } = confirmed.json()
  t.equal(new Set(codes).size, 10)
  for (const code of codes) t.match(code, /^([0-9A-HJKMNP-TV-Z]{4}-){5}[0-9A-HJKMNP-TV-Z]{4}$/)
  t.match((await browser.get('/v1/factors')).json(), {
    items: [{ kind: 'totp', name: 'My phone', last_used_at: null }],
    recovery_codes: 10,
  })
  t.match(await service.mailTo(me.email), { subject: /second factor was added/ })
  t.equal(codeOf(await browser.post('/v1/totp/confirm', { code: codeAt(secret) })), 'not_found')

  const { browser: other, answer } = await afterPassword(me.email)
  t.equal(answer.statusCode, 202)
  t.same(answer.json(), { next: ['totp', 'recovery_code'] })
  t.equal(other.cookie, undefined)
  t.ok(other.pending)
  const used = await other.post('/v1/session/second-factor', { code: codeAt(secret) })
  t.equal(codeOf(used), 'sign_in_expired', 'MF-05: the code that confirmed it signs nobody in')
  const opened = await other.post('/v1/session/second-factor', { code: codeAt(secret, stepNow() + 1) })
  t.equal(opened.statusCode, 201)
  t.equal(other.pending, undefined, 'its cookie is cleared')
  t.match((await other.get('/v1/session')).json().session, { amr: ['pwd', 'otp', 'mfa'], acr: 'aal2' })
  const { access_token } = (await other.post('/v1/token', {})).json()
  t.match(decodeJwt(access_token), { acr: 'aal2', amr: ['pwd', 'otp', 'mfa'] })
  const [factor] = (await other.get('/v1/factors')).json().items
  t.ok(factor.last_used_at)
  t.equal(factor.last_used_address, other.address)
})

test('MF-05, MF-06: a code is good for one step either way, and once', async t => {
  const me = await enrolled(sql, service)
  for (const [offset, good] of [
    [-3, false],
    [-2, false],
    [2, false],
    [3, false],
    [-1, true],
    [0, true],
    [1, true],
  ] as const) {
    const { browser } = await afterPassword(me.email)
    // Not across the end of a step, where it is not known which step the service sees.
    await eventually(() => Date.now() % 30_000 < 25_000 || undefined)
    const code = codeAt(me.secret, stepNow() + offset)
    const answer = await browser.post('/v1/session/second-factor', { code })
    t.equal(answer.statusCode, good ? 201 : 403, `${offset}`)
    if (!good) continue
    const again = (await afterPassword(me.email)).browser
    const twice = await again.post('/v1/session/second-factor', { code })
    t.equal(codeOf(twice), 'sign_in_expired', `${offset}, again`)
  }
})

test('codes are six ASCII digits, and a request carries exactly one', async t => {
  const me = await enrolled(sql, service)
  const { browser } = await afterPassword(me.email)
  const code = codeAt(me.secret)
  const [recovery] = me.recoveryCodes
  const fullWidth = [...code].map(digit => String.fromCodePoint(0xff10 + Number(digit))).join('')
  for (const wrong of [` ${code}`, `${code}\n`, code.slice(1), `${code}0`, fullWidth, '', '+12345', '1e5   '])
    t.equal(codeOf(await browser.post('/v1/session/second-factor', { code: wrong })), 'wrong_code', wrong)
  for (const body of [{}, { code, recovery_code: recovery }, { code: Number(code) }, { code: null }, []])
    t.equal(codeOf(await browser.post('/v1/session/second-factor', body)), 'invalid_request')
  t.equal((await browser.post('/v1/session/second-factor', { code })).statusCode, 201)
})

test('MF-07: one count of wrong codes for the person, whatever the browser and the instance', async t => {
  const me = await enrolled(sql, service)
  const wrong = wrongCode(me.secret)
  const tries = await Promise.all(
    Array.from({ length: 40 }, async (_, at) => {
      const { browser } = await afterPassword(me.email, at % 2 ? second : service)
      return codeOf(await browser.post('/v1/session/second-factor', { code: wrong }))
    }),
  )
  t.equal(tries.filter(code => code === 'wrong_code').length, 10)
  t.equal(tries.filter(code => code === 'codes_locked').length, 30)
  const { browser } = await afterPassword(me.email)
  t.equal(
    codeOf(await browser.post('/v1/session/second-factor', { code: await me.code() })),
    'codes_locked',
    'a right password does not lift it',
  )
  t.match((await holding(me.cookie).get('/v1/factors')).json(), { codes_locked: true })
  const [recovery] = me.recoveryCodes
  const opened = await browser.post('/v1/session/second-factor', { recovery_code: recovery })
  t.equal(opened.statusCode, 201, 'another factor does')
  const next = await afterPassword(me.email)
  t.equal((await next.browser.post('/v1/session/second-factor', { code: await me.code() })).statusCode, 201)
})

test('a pending sign-in tries ten codes, and the tenth may be right', async t => {
  const me = await enrolled(sql, service)
  const { browser } = await afterPassword(me.email)
  const wrong = { recovery_code: 'AAAA-AAAA-AAAA-AAAA-AAAA-AAAA' }
  for (let number = 1; number < 10; number++)
    t.equal(codeOf(await browser.post('/v1/session/second-factor', wrong)), 'wrong_code')
  const { pending } = browser
  t.equal((await browser.post('/v1/session/second-factor', { code: await me.code() })).statusCode, 201)
  const other = await afterPassword(me.email)
  for (let number = 1; number <= 10; number++) await other.browser.post('/v1/session/second-factor', wrong)
  t.equal(
    codeOf(await other.browser.post('/v1/session/second-factor', { code: await me.code() })),
    'sign_in_expired',
  )
  browser.pending = pending
  t.equal(
    codeOf(await browser.post('/v1/session/second-factor', { code: await me.code() })),
    'sign_in_expired',
    'one that became a session is used up',
  )
})

test('MF-10: recovery codes are used once, in any spelling, and not those of before', async t => {
  const me = await enrolled(sql, service)
  const [first = '', next = ''] = me.recoveryCodes
  const { browser } = await afterPassword(me.email)
  const spelled = ` ${first.toLowerCase().replaceAll('-', ' ').replaceAll('0', 'o').replaceAll('1', 'l')} `
  t.equal((await browser.post('/v1/session/second-factor', { recovery_code: spelled })).statusCode, 201)
  t.match((await browser.get('/v1/session')).json().session, { amr: ['pwd', 'otp', 'mfa'], acr: 'aal2' })
  t.match(await service.mailTo(me.email), { subject: /recovery code was used/, text: /9 codes are left/ })
  const again = (await afterPassword(me.email)).browser
  t.equal(codeOf(await again.post('/v1/session/second-factor', { recovery_code: first })), 'wrong_code')
  const fresh = (await browser.post('/v1/recovery-codes')).json().recovery_codes
  t.equal(fresh.length, 10)
  t.equal(codeOf(await again.post('/v1/session/second-factor', { recovery_code: next })), 'wrong_code')
  t.equal((await again.post('/v1/session/second-factor', { recovery_code: fresh[0] })).statusCode, 201)
})

test('of fifty at once with one recovery code on two instances one gets a session', async t => {
  const me = await enrolled(sql, service)
  const [recovery_code] = me.recoveryCodes
  const browsers = await Promise.all(
    Array.from(
      { length: 50 },
      async (_, at) => (await afterPassword(me.email, at % 2 ? second : service)).browser,
    ),
  )
  const answers = await Promise.all(
    browsers.map(browser => browser.post('/v1/session/second-factor', { recovery_code })),
  )
  t.equal(answers.filter(({ statusCode }) => statusCode === 201).length, 1)
})

test('of twenty at once in one pending sign-in, each with a code of its own, one gets a session', async t => {
  const me = await enrolled(sql, service)
  const { browser } = await afterPassword(me.email)
  const { pending } = browser
  const answers = await Promise.all(
    me.recoveryCodes.map(async (recovery_code, at) => {
      const copy = (at % 2 ? second : service).browser()
      copy.pending = pending
      return copy.post('/v1/session/second-factor', { recovery_code })
    }),
  )
  t.equal(answers.filter(({ statusCode }) => statusCode === 201).length, 1)
  const [left] =
    await sql`select count(*)::int as unused from recovery_codes where user_id = ${me.id} and used_at is null`
  t.equal(left?.unused, 9, 'the codes of the others were not used up')
})

test('what ends sessions ends a pending sign-in: a new password, a disable, the end of all', async t => {
  const ends: Record<string, (id: string) => Promise<unknown>> = {
    'a new epoch': id => sql`update users set epoch = epoch + 1 where id = ${id}`,
    'a disable': id => sql`update users set state = 'disabled' where id = ${id}`,
    'another password': id => sql`update passwords set version = version + 1 where user_id = ${id}`,
    'its time': id => sql`update pending_sign_ins set expires_at = now() where user_id = ${id}`,
  }
  for (const [what, end] of Object.entries(ends)) {
    const me = await enrolled(sql, service)
    const { browser } = await afterPassword(me.email)
    await end(me.id)
    const answer = await browser.post('/v1/session/second-factor', { code: await me.code() })
    t.equal(codeOf(answer), 'sign_in_expired', what)
    t.equal(browser.cookie, undefined)
  }
  const me = await enrolled(sql, service)
  const { browser } = await afterPassword(me.email)
  const { pending } = browser
  t.equal((await browser.delete('/v1/session/second-factor')).statusCode, 204)
  t.equal(browser.pending, undefined)
  browser.pending = pending
  t.equal(
    codeOf(await browser.post('/v1/session/second-factor', { code: await me.code() })),
    'sign_in_expired',
    'cancelled',
  )
})

test('step-up takes a code, and no password where there is a factor', async t => {
  const me = await enrolled(sql, service)
  const browser = holding(me.cookie)
  await sql`update sessions set auth_time = now() - interval '1 hour' where id = ${me.session}`
  t.equal(
    codeOf(await browser.post('/v1/session/step-up', { password: goodPassword })),
    'second_factor_required',
  )
  t.equal(
    codeOf(await browser.post('/v1/session/step-up', { password: goodPassword, code: '123456' })),
    'invalid_request',
  )
  t.equal(codeOf(await browser.post('/v1/session/step-up', { code: wrongCode(me.secret) })), 'wrong_code')
  const code = await me.code()
  const answer = await browser.post('/v1/session/step-up', { code })
  t.match(answer.json().session, { id: me.session, amr: ['pwd', 'otp', 'mfa'], acr: 'aal2' })
  t.equal(codeOf(await browser.post('/v1/session/step-up', { code })), 'session_superseded', 'MF-05')
  const [recovery_code] = me.recoveryCodes
  t.equal((await browser.post('/v1/session/step-up', { recovery_code })).statusCode, 200)
  t.match(await service.mailTo(me.email), { subject: /recovery code was used/, text: /9 codes are left/ })
  const none = await person(sql)
  t.equal(codeOf(await holding(none.cookie).post('/v1/session/step-up', { code: '123456' })), 'wrong_code')
})

test('MF-12: with a factor nothing of it changes at aal1, or with an old authentication', async t => {
  const me = await enrolled(sql, service)
  const browser = holding(me.cookie)
  const changes = [
    () => browser.post('/v1/totp', {}),
    () => browser.post('/v1/recovery-codes'),
    () => browser.send('PATCH', `/v1/factors/${me.factor}`, { name: 'Mine' }),
    () => browser.delete(`/v1/factors/${me.factor}`),
  ]
  const before = await sql`select * from totp_factors where user_id = ${me.id}`
  for (const change of changes) {
    const answer = await change()
    t.equal(answer.statusCode, 401)
    t.match(answer.json(), { code: 'insufficient_user_authentication', max_age: 900, acr_values: 'aal2' })
    t.match(answer.headers['www-authenticate'], /acr_values="aal2"/)
  }
  await browser.post('/v1/session/step-up', { code: await me.code() })
  await sql`update sessions set auth_time = now() - interval '1 hour' where id = ${me.session}`
  for (const change of changes) t.equal(codeOf(await change()), 'insufficient_user_authentication')
  const { last_step, last_used_at, last_used_address, ...row } = before[0] ?? {}
  t.match((await sql`select * from totp_factors where user_id = ${me.id}`)[0], row)
  await browser.post('/v1/session/step-up', { code: await me.code() })
  t.equal((await browser.send('PATCH', `/v1/factors/${me.factor}`, { name: 'Mine' })).statusCode, 204)
  const stranger = await enrolled(sql, service)
  t.equal(codeOf(await browser.delete(`/v1/factors/${stranger.factor}`)), 'not_found', 'of another')
  t.equal((await browser.delete(`/v1/factors/${me.factor}`)).statusCode, 204)
  t.match(await service.mailTo(me.email), { text: /“Mine” was removed.*last second factor/s })
  t.match((await browser.get('/v1/factors')).json(), { items: [], recovery_codes: 0 })
  t.equal((await afterPassword(me.email)).answer.statusCode, 201)
})

test('a new app replaces the one before, and keeps the recovery codes', async t => {
  const me = await enrolled(sql, service)
  const browser = holding(me.cookie)
  await browser.post('/v1/session/step-up', { code: await me.code() })
  const { secret } = (await browser.post('/v1/totp', {})).json()
  t.same((await browser.post('/v1/totp/confirm', { code: codeAt(secret) })).json(), { recovery_codes: [] })
  const { browser: other } = await afterPassword(me.email)
  t.equal(codeOf(await other.post('/v1/session/second-factor', { code: await me.code() })), 'wrong_code')
  t.equal(
    (await other.post('/v1/session/second-factor', { recovery_code: me.recoveryCodes[0] })).statusCode,
    201,
  )
})

test('a changed password gives an account with a factor no new proof', async t => {
  const me = await enrolled(sql, service)
  const browser = holding(me.cookie)
  await sql`update sessions set auth_time = now() - interval '1 hour' where id = ${me.session}`
  const before = (await browser.get('/v1/session')).json().session
  const changed = await browser.put('/v1/password', {
    current_password: goodPassword,
    new_password: 'another handful of plain words',
  })
  t.equal(changed.statusCode, 204, changed.body)
  t.match((await browser.get('/v1/session')).json().session, { auth_time: before.auth_time, acr: 'aal1' })
})

test('a reset of the password does not remove the factor', async t => {
  const me = await enrolled(sql, service)
  const browser = service.browser()
  await browser.post('/v1/password/forgot', { email: me.email })
  const token = /#token=(.+)$/.exec((await service.mailTo(me.email)).link ?? '')?.[1]
  const password = 'a new handful of plain words'
  t.equal((await browser.post('/v1/password/reset', { token, password })).statusCode, 204)
  t.equal((await browser.post('/v1/session', { email: me.email, password })).statusCode, 202)
})

test('the log of refusals names the person and the reason, and no code', async t => {
  const me = await enrolled(sql, service)
  const { browser } = await afterPassword(me.email)
  const code = wrongCode(me.secret)
  await browser.post('/v1/session/second-factor', { code })
  const rows = await eventually(async () => {
    const found = await sql`select action, outcome, reason from audit_events where actor = ${me.id}`
    return found.length > 0 ? [...found] : undefined
  })
  t.same(rows, [{ action: 'session.opened', outcome: 'refused', reason: 'wrong-code' }])
  t.notOk(service.logLines.some(line => line.includes(`"${code}"`)))
})
