/** Passkeys by the JSON API: the only step, the second one, and a step-up; and what users do with theirs. */
import { decodeJwt } from 'jose'
import tap, { test } from 'tap'
import { type Person, person, session } from '../harness/world.js'
import { Browser } from '../support/browser.js'
import { enrolled } from '../support/enrolled.js'
import { device, optionsAt, prove, register, secondStep, signIn, stepUp } from '../support/passkeys.js'
import { redisServer, skipWithoutRedis as skip } from '../support/redis.js'
import { goodPassword, issuer, testService } from '../support/service.js'
import { wrongCode } from '../support/totp.js'

const service = await testService(tap)
const { sql } = service.database
const holding = (cookie: string | undefined) => new Browser(service.app, issuer, cookie)
const codeOf = (answer: { json(): { code?: string } }) => answer.json().code
const standing = async (browser: Browser) => {
  const { amr, acr } = (await browser.get('/v1/session')).json().session
  return { amr, acr }
}

async function afterPassword({ email }: Person) {
  const browser = service.browser()
  return { browser, answer: await browser.post('/v1/session', { email, password: goodPassword }) }
}

/** Somebody with one passkey; the session in `browser` is of aal1. */
async function withPasskey(firstStep = true, settings: Parameters<typeof device>[0] = {}) {
  const me = await person(sql)
  const browser = holding(me.cookie)
  const own = device(settings)
  const answer = await register(browser, own, { firstStep })
  return { me, browser, own, factor: answer.json().factor, codes: answer.json().recovery_codes }
}

test('a person registers a passkey, gets recovery codes once, and signs in with it alone', async t => {
  const me = await person(sql)
  await sql`update users set name = 'Ada' where id = ${me.id}`
  const browser = holding(me.cookie)
  const own = device()
  const options = await optionsAt(browser, '/v1/passkeys', {})
  t.match(options, {
    rp: { id: 'localhost', name: 'Mintmark' },
    user: { name: me.email, displayName: 'Ada' },
    attestation: 'none',
    excludeCredentials: [],
    authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
    extensions: { credProps: true },
  })
  t.same(Buffer.from(options.user.id, 'base64url').toString('hex'), me.id.replaceAll('-', ''))
  const answer = await browser.post('/v1/passkeys', { name: 'Laptop', response: own.create(options) })
  t.equal(answer.statusCode, 201, answer.body)
  const { factor, recovery_codes: codes } = answer.json()
  t.match(factor, { kind: 'passkey', name: 'Laptop', first_step: true, last_used_at: null })
  t.equal(new Set(codes).size, 10)
  t.match(await service.mailTo(me.email), { subject: /second factor was added/, text: /“Laptop”/ })
  t.match((await browser.get('/v1/factors')).json(), { items: [factor], recovery_codes: 10 })
  t.same(await standing(browser), { amr: ['pwd'], acr: 'aal1' }, 'the session stays as strong as it was')

  const stranger = service.browser()
  const asked = await optionsAt(stranger, signIn)
  t.same(Object.keys(asked).sort(), ['challenge', 'rpId', 'timeout', 'userVerification'])
  t.equal(asked.userVerification, 'required')
  const opened = await stranger.post(signIn, { response: own.get(asked) })
  t.equal(opened.statusCode, 201, opened.body)
  t.equal(opened.json().user.id, me.id)
  t.same(await standing(stranger), { amr: ['hwk', 'user', 'mfa'], acr: 'aal2' })
  const { access_token } = (await stranger.post('/v1/token', {})).json()
  t.match(decodeJwt(access_token), { acr: 'aal2', amr: ['hwk', 'user', 'mfa'] })
  const [used] = (await stranger.get('/v1/factors')).json().items
  t.equal(used.last_used_address, stranger.address)
  t.ok(used.last_used_at)
})

test('a passkey that may be synced is `swk`', async t => {
  const { own } = await withPasskey(true, { flags: { be: true, bs: true }, counts: false })
  const browser = service.browser()
  t.equal((await prove(browser, signIn, own)).statusCode, 201)
  t.same(await standing(browser), { amr: ['swk', 'user', 'mfa'], acr: 'aal2' })
})

test('after the password a passkey completes the sign-in, with or without verification', async t => {
  const { me, own, codes } = await withPasskey(false)
  for (const [uv, amr] of [
    [false, ['pwd', 'hwk', 'mfa']],
    [true, ['pwd', 'hwk', 'user', 'mfa']],
  ] as const) {
    const { browser, answer } = await afterPassword(me)
    t.equal(answer.statusCode, 202)
    t.same(answer.json(), { next: ['passkey', 'recovery_code'] })
    const options = await optionsAt(browser, secondStep)
    t.equal(options.allowCredentials.length, 1)
    t.equal(options.userVerification, 'discouraged')
    const opened = await browser.post(secondStep, { response: own.get(options, { flags: { uv } }) })
    t.equal(opened.statusCode, 201, opened.body)
    t.same(await standing(browser), { amr, acr: 'aal2' })
    t.equal(browser.pending, undefined)
  }
  const { browser } = await afterPassword(me)
  const [recovery_code] = codes
  t.equal((await browser.post('/v1/session/second-factor', { recovery_code })).statusCode, 201)
  t.equal(codeOf(await prove(service.browser(), signIn, own)), 'passkey_failed', 'alone it is not enough')
})

test('a passkey stands beside an app, lifts its wrong codes, and is never counted', async t => {
  const me = await enrolled(sql, service)
  const browser = holding(me.cookie)
  await browser.post('/v1/session/step-up', { code: await me.code() })
  const own = device()
  const added = await register(browser, own)
  t.same(added.json().recovery_codes, [], 'there are some already')
  const first = await afterPassword(me)
  t.same(first.answer.json(), { next: ['passkey', 'totp', 'recovery_code'] })
  for (let times = 0; times < 10; times++)
    await first.browser.post('/v1/session/second-factor', { code: wrongCode(me.secret) })
  const next = await afterPassword(me)
  t.equal(
    codeOf(await next.browser.post('/v1/session/second-factor', { code: await me.code() })),
    'codes_locked',
  )
  t.equal(
    codeOf(await prove(next.browser, secondStep, own, { origin: 'https://evil.example' })),
    'passkey_failed',
  )
  t.equal((await prove(next.browser, secondStep, own)).statusCode, 201)
  const last = await afterPassword(me)
  t.equal((await last.browser.post('/v1/session/second-factor', { code: await me.code() })).statusCode, 201)
  const [row] = await sql`select totp from factor_failures where user_id = ${me.id}`
  t.equal(row?.totp ?? 0, 0)
})

test('a pending sign-in tries ten passkeys', async t => {
  const { me, own } = await withPasskey()
  const { browser } = await afterPassword(me)
  for (let times = 0; times < 10; times++)
    t.equal(codeOf(await prove(browser, secondStep, own, { type: 'none' })), 'passkey_failed')
  t.equal(codeOf(await browser.post(`${secondStep}/options`)), 'sign_in_expired')
  t.equal((await sql`select from factor_failures where user_id = ${me.id}`).length, 0)
  const again = await afterPassword(me)
  t.equal((await prove(again.browser, secondStep, own)).statusCode, 201)
})

test('a step-up by passkey verifies its user, renews the session, and raises it to aal2', async t => {
  const { me, browser, own } = await withPasskey()
  await sql`update sessions set auth_time = now() - interval '1 hour' where id = ${me.session}`
  t.equal(
    codeOf(await browser.post('/v1/session/step-up', { password: goodPassword })),
    'second_factor_required',
  )
  t.equal(codeOf(await prove(browser, stepUp, own, { flags: { uv: false } })), 'passkey_failed')
  const { cookie } = browser
  const answer = await prove(browser, stepUp, own)
  t.equal(answer.statusCode, 200, answer.body)
  t.match(answer.json().session, { id: me.session, amr: ['hwk', 'user', 'mfa'], acr: 'aal2' })
  t.not(browser.cookie, cookie)
  t.equal((await browser.delete(`/v1/sessions/${me.session}`)).statusCode, 204, 'it is fresh')
})

test('a key without a user handle steps up, but signs nobody in', async t => {
  const { browser, own } = await withPasskey(false)
  t.equal((await prove(browser, stepUp, own, { userHandle: null })).statusCode, 200)
})

test('with a passkey nothing of it changes at aal1, or with an old authentication', async t => {
  const { me, browser, own, factor } = await withPasskey()
  const changes = [
    () => browser.post('/v1/passkeys/options', {}),
    () => browser.send('PATCH', `/v1/factors/${factor.id}`, { name: 'Mine' }),
    () => browser.delete(`/v1/factors/${factor.id}`),
  ]
  for (const change of changes)
    t.match((await change()).json(), { code: 'insufficient_user_authentication', acr_values: 'aal2' })
  await prove(browser, stepUp, own)
  // Asked for at aal2, and answered in a session of aal1.
  const options = await optionsAt(browser, '/v1/passkeys', {})
  await sql`update sessions set acr = 'aal1' where id = ${me.session}`
  const response = device().create(options)
  t.equal(codeOf(await browser.post('/v1/passkeys', { response })), 'insufficient_user_authentication')
  await sql`update sessions set acr = 'aal2', auth_time = now() - interval '1 hour' where id = ${me.session}`
  for (const change of changes) t.equal(codeOf(await change()), 'insufficient_user_authentication')
  t.equal(codeOf(await browser.post('/v1/passkeys', { response })), 'insufficient_user_authentication')

  await prove(browser, stepUp, own)
  t.equal((await browser.send('PATCH', `/v1/factors/${factor.id}`, { name: 'Mine' })).statusCode, 204)
  t.match((await browser.get('/v1/factors')).json().items, [{ name: 'Mine', kind: 'passkey' }])
  const another = await optionsAt(browser, '/v1/passkeys', {})
  t.throws(() => own.create(another), /InvalidStateError/, 'an authenticator is not enrolled twice')
  t.equal((await browser.delete(`/v1/factors/${factor.id}`)).statusCode, 204)
  t.match((await browser.get('/v1/factors')).json(), { items: [], recovery_codes: 0 })
  t.match(await service.mailTo(me.email), { subject: /added/ })
  t.match(await service.mailTo(me.email), { text: /“Mine” was removed.*last second factor/s })
  t.equal(codeOf(await prove(service.browser(), signIn, own)), 'passkey_failed', 'it opens nothing any more')
  t.equal((await afterPassword(me)).answer.statusCode, 201)
})

test('PK-15: the last way in stays: of who has no password, the last passkey that signs in', async t => {
  const { me, browser, own, factor } = await withPasskey()
  await prove(browser, stepUp, own)
  const second = (await register(browser, device())).json().factor
  const other = (await register(browser, device(), { firstStep: false })).json().factor
  await sql`delete from passwords where user_id = ${me.id}`
  t.equal((await browser.delete(`/v1/factors/${second.id}`)).statusCode, 204, 'there is another')
  t.equal(codeOf(await browser.delete(`/v1/factors/${factor.id}`)), 'last_way_in')
  t.equal((await browser.delete(`/v1/factors/${other.id}`)).statusCode, 204, 'it is no way in')
  t.equal(codeOf(await browser.delete(`/v1/factors/${factor.id}`)), 'last_way_in')
  t.match((await browser.get('/v1/factors')).json(), { items: [{ id: factor.id }], recovery_codes: 10 })
  t.equal((await prove(service.browser(), signIn, own)).statusCode, 201)
})

test('PK-15: of two last passkeys that are removed at once one stays', async t => {
  const { me, browser, own, factor } = await withPasskey()
  await prove(browser, stepUp, own)
  const second = (await register(browser, device())).json().factor
  await sql`delete from passwords where user_id = ${me.id}`
  const answers = await Promise.all(
    [factor, second].map(({ id }) => browser.withCookie(browser.cookie).delete(`/v1/factors/${id}`)),
  )
  t.same(answers.map(({ statusCode }) => statusCode).sort(), [204, 409])
})

test('the limit of twenty passkeys holds, also for parallel registrations', async t => {
  const { browser, own } = await withPasskey()
  await prove(browser, stepUp, own)
  for (let number = 2; number <= 18; number++)
    t.equal((await register(browser, device())).statusCode, 201, `${number}`)
  const options = []
  for (let number = 0; number < 6; number++) options.push(await optionsAt(browser, '/v1/passkeys', {}))
  const answers = await Promise.all(
    options.map(each =>
      browser.withCookie(browser.cookie).post('/v1/passkeys', { response: device().create(each) }),
    ),
  )
  t.equal(answers.filter(({ statusCode }) => statusCode === 201).length, 2)
  t.equal(answers.filter(answer => codeOf(answer) === 'too_many_passkeys').length, 4)
  t.equal(codeOf(await browser.post('/v1/passkeys/options', {})), 'too_many_passkeys')
  t.equal((await browser.get('/v1/factors')).json().items.length, 20)
})

test('a counter that does not rise signs in, and is in the audit log; the greater one is kept', async t => {
  const { me, own, factor } = await withPasskey()
  t.equal((await prove(service.browser(), signIn, own, { counter: 9 })).statusCode, 201)
  t.equal((await prove(service.browser(), signIn, own, { counter: 3 })).statusCode, 201)
  const rows = await sql`
    select action, outcome, subject from audit_events where actor = ${me.id} and action ~ 'counter'`
  t.same([...rows], [{ action: 'passkey.counter-regressed', outcome: 'done', subject: factor.id }])
  const [row] = await sql`select counter::int from passkeys where id = ${factor.id}`
  t.equal(row?.counter, 9)
})

test('with sessions in Redis a passkey signs in, steps up and registers another', { skip }, async t => {
  const redis = await redisServer(t)
  redis.start()
  await redis.ready()
  const env = { SESSION_STORE: 'redis', REDIS_URL: redis.url, MINTMARK_SESSION_REDIS_UNSAFE: 'accepted' }
  const there = await testService(t, { env })
  const { browser } = await there.signUp('ada@example.com')
  const own = device()
  t.equal((await register(browser, own)).statusCode, 201)
  t.equal((await prove(browser, stepUp, own)).statusCode, 200)
  t.equal((await register(browser, device())).statusCode, 201)
  const other = there.browser()
  t.equal((await prove(other, signIn, own)).statusCode, 201)
  t.same(await standing(other), { amr: ['hwk', 'user', 'mfa'], acr: 'aal2' })
})

test('a browser keeps its cookie over several challenges, each of which works', async t => {
  const { own } = await withPasskey()
  const browser = service.browser()
  const first = await optionsAt(browser, signIn)
  const { passkey } = browser
  const second = await optionsAt(browser, signIn)
  t.equal(browser.passkey, passkey)
  t.equal((await browser.post(signIn, { response: own.get(first) })).statusCode, 201)
  t.equal((await browser.post(signIn, { response: own.get(second) })).statusCode, 201)
})

test('another session of the person goes on when a passkey is added', async t => {
  const { me } = await withPasskey()
  const other = await session(sql, me.id)
  t.equal((await holding(other.cookie).get('/v1/session')).statusCode, 200)
})
