/** Operators and second factors by the admin API: seen, reset after a time in which the user can stop it, and unlocked. */
import { randomBytes, randomUUID } from 'node:crypto'
import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import tap, { test } from 'tap'
import { platformPermissions } from '../../src/core/authority.js'
import { administrator, freshAddress, person, serviceKey } from '../harness/world.js'
import { Browser } from '../support/browser.js'
import { enrol, enrolled } from '../support/enrolled.js'
import { redisServer, skipWithoutRedis as skip } from '../support/redis.js'
import { eventually, goodPassword, issuer, testService } from '../support/service.js'
import { wrongCode } from '../support/totp.js'

const service = await testService(tap)
const atOnce = await testService(tap, { beside: service, env: { MINTMARK_FACTOR_RESET_HOURS: '0' } })
const { sql } = service.database
const holding = (cookie: string | undefined, at = service) => new Browser(at.app, issuer, cookie)
const codeOf = (answer: { json(): { code?: string } }) => answer.json().code
const boss = await administrator(sql)
const admin = holding(boss.cookie)
const at = (id: string, more = '') => `/v1/admin/users/${id}/factors${more}`
const due = (id: string) => sql`update factor_resets set due_at = now() where user_id = ${id}`
const signIn = (email: string, browser = service.browser()) =>
  browser.post('/v1/session', { email, password: goodPassword })

async function audited(subject: string) {
  const rows = await sql`select action, actor, service_key, address from audit_events
    where subject = ${subject} and action like 'factors.%' order by id`
  return [...rows]
}

test('an operator sees the factors of a user, and nothing that would stand in for them', async t => {
  const me = await enrolled(sql, service)
  const answer = await admin.get(at(me.id))
  t.match(answer.json(), {
    items: [{ id: me.factor, kind: 'totp', name: 'Phone', last_used_at: null, last_used_address: null }],
    recovery_codes: 10,
    codes_locked: false,
    reset_due_at: null,
  })
  for (const secret of [me.secret, ...me.recoveryCodes]) t.notOk(answer.body.includes(secret))
  t.equal((await admin.get(at(randomUUID()))).statusCode, 404)
  t.match((await admin.get(at((await person(sql)).id))).json(), { items: [], recovery_codes: 0 })
})

test('a reset is due after a day, is mailed, and keeps its time when it is asked for again', async t => {
  const me = await enrolled(sql, service)
  const asked = await admin.post(at(me.id, '/reset'))
  t.equal(asked.statusCode, 202, asked.body)
  const { due_at } = asked.json()
  t.ok(Math.abs(due_at - Date.now() / 1000 - 86_400) < 60)
  t.match(await service.mailTo(me.email), {
    subject: /will be removed/,
    link: `${issuer}/second-factors`,
    text: new RegExp(`, ${new Date(due_at * 1000).toISOString().slice(11, 16)} UTC`),
  })
  await sql`update factor_resets set due_at = due_at - interval '1 hour' where user_id = ${me.id}`
  t.equal((await admin.post(at(me.id, '/reset'))).json().due_at, due_at - 3600)
  t.match((await admin.get(at(me.id))).json(), { reset_due_at: due_at - 3600 })
  t.match((await holding(me.cookie).get('/v1/factors')).json(), { reset_due_at: due_at - 3600 })
  t.equal((await signIn(me.email)).statusCode, 202, 'until then nothing has changed')
  t.equal((await holding(me.cookie).get('/v1/session')).statusCode, 200)
  t.match(await audited(me.id), Array(2).fill({ action: 'factors.reset-requested', actor: boss.id }))
})

test('of many sign-ins at once the first one carries out what is due, and each gets a session', async t => {
  const me = await enrolled(sql, service)
  await admin.post(at(me.id, '/reset'))
  await service.mailTo(me.email)
  const before = service.browser()
  await signIn(me.email, before)
  await due(me.id)
  const instances = [service, atOnce]
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, n) => signIn(me.email, (instances[n % 2] ?? service).browser())),
  )
  t.same(
    answers.map(({ statusCode }) => statusCode),
    Array(20).fill(201),
  )
  t.match(await audited(me.id), [
    { action: 'factors.reset-requested' },
    { action: 'factors.reset', actor: null, address: /^10\./ },
  ])
  t.match(await service.mailTo(me.email), { subject: /second factors for Mintmark were removed/ })
  t.equal((await holding(me.cookie).get('/v1/session')).statusCode, 401, 'earlier sessions have ended')
  t.equal(
    codeOf(await before.post('/v1/session/second-factor', { recovery_code: me.recoveryCodes[0] })),
    'sign_in_expired',
  )
  for (const table of [
    'totp_factors',
    'recovery_codes',
    'factor_failures',
    'factor_resets',
    'pending_sign_ins',
  ])
    t.same(await sql`select from ${sql(table)} where user_id = ${me.id}`, [], table)
})

test('a wrong password carries nothing out', async t => {
  const me = await enrolled(sql, service)
  await admin.post(at(me.id, '/reset'))
  await due(me.id)
  await service.browser().post('/v1/session', { email: me.email, password: 'other unrelated words here' })
  t.match((await admin.get(at(me.id))).json(), { items: [{}], recovery_codes: 10 })
})

test('any live session of the user stops a reset, however old its authentication', async t => {
  const me = await enrolled(sql, service)
  const browser = holding(me.cookie)
  t.equal(codeOf(await browser.delete('/v1/factor-reset')), 'not_found')
  await admin.post(at(me.id, '/reset'))
  await service.mailTo(me.email)
  await sql`update sessions set auth_time = now() - interval '5 days' where id = ${me.session}`
  t.equal(codeOf(await holding((await person(sql)).cookie).delete('/v1/factor-reset')), 'not_found')
  t.equal(codeOf(await service.browser().delete('/v1/factor-reset')), 'unauthenticated')
  t.equal((await browser.delete('/v1/factor-reset')).statusCode, 204)
  t.match(await service.mailTo(me.email), { subject: /stay/ })
  t.equal((await signIn(me.email)).statusCode, 202)
  t.match((await browser.get('/v1/factors')).json(), { items: [{}], reset_due_at: null })
  t.match(await audited(me.id), [
    { action: 'factors.reset-requested', actor: boss.id },
    { action: 'factors.reset-stopped', actor: me.id },
  ])
})

test('with a delay of 0 a reset is done at once, and says up to where the feed has it', async t => {
  const me = await enrolled(sql, service)
  const other = await holding(me.cookie).get('/v1/session')
  t.equal(other.statusCode, 200)
  const done = await holding(boss.cookie, atOnce).post(at(me.id, '/reset'))
  t.same([done.statusCode, done.json()], [202, { due_at: null }])
  t.match(done.headers['mintmark-revocation'], /^\d+\.\d+$/)
  t.equal((await holding(me.cookie).get('/v1/session')).statusCode, 401)
  t.match(await service.mailTo(me.email), { subject: /were removed/ })
  t.equal((await signIn(me.email)).statusCode, 201)
  t.match(await audited(me.id), [{ action: 'factors.reset', actor: boss.id }])
})

test('with sessions in Redis a reset that is due ends them, and the sign-in has one', { skip }, async t => {
  const redis = await redisServer(t)
  redis.start()
  await redis.ready()
  const own = await testService(t, {
    env: { SESSION_STORE: 'redis', REDIS_URL: redis.url, MINTMARK_SESSION_REDIS_UNSAFE: 'accepted' },
  })
  const { sql } = own.database
  const { browser, user } = await own.signUp(freshAddress())
  const [row] = await sql`select email from users where id = ${user}`
  const me = await enrol(sql, own, user)
  const { key } = await serviceKey(sql, { scopes: platformPermissions })
  const headers = { authorization: `Bearer ${key}` }
  const ask = () => own.app.inject({ method: 'POST', url: at(user, '/reset'), headers })
  t.equal((await ask()).statusCode, 202)
  t.equal((await browser.get('/v1/session')).statusCode, 200)
  await sql`update factor_resets set due_at = now() where user_id = ${user}`
  const next = own.browser()
  t.equal((await signIn(row?.email, next)).statusCode, 201)
  t.equal((await browser.get('/v1/session')).statusCode, 401)
  t.equal((await next.get('/v1/session')).statusCode, 200)
  t.same(await sql`select from totp_factors where id = ${me.factor}`, [])
})

test('a reset is for users who have a second factor', async t => {
  const me = await person(sql)
  t.match((await admin.post(at(me.id, '/reset'))).json(), {
    code: 'invalid_request',
    detail: /no second factor/,
  })
  t.equal((await admin.post(at(randomUUID(), '/reset'))).statusCode, 404)
  t.equal((await admin.post(at(randomUUID(), '/unlock'))).statusCode, 404)
  t.same(await sql`select from factor_resets where user_id = ${me.id}`, [])
})

test('nobody resets or unlocks somebody who holds more than they do', async t => {
  const above = await enrolled(sql, service)
  await sql`update users set platform_roles = '{auditor}' where id = ${above.id}`
  await sql`insert into factor_failures (user_id, totp) values (${above.id}, 10)`
  const by = async (scopes: readonly (typeof platformPermissions)[number][], more: string) => {
    const { key } = await serviceKey(sql, { scopes, audiences: [] })
    const headers = { authorization: `Bearer ${key}` }
    return service.app.inject({ method: 'POST', url: at(above.id, more), headers })
  }
  for (const more of ['/reset', '/unlock']) {
    t.equal(codeOf(await by(['users:write'], more)), 'forbidden', more)
    t.equal(codeOf(await by(['users:read'], more)), 'forbidden', more)
  }
  t.match((await admin.get(at(above.id))).json(), { reset_due_at: null, codes_locked: true })
  t.same(await audited(above.id), [])
  const all = platformPermissions.filter(one => one !== 'introspect')
  t.equal((await by(platformPermissions, '/unlock')).statusCode, 204)
  t.equal(codeOf(await by(all, '/reset')), undefined)
  t.match(await audited(above.id), [
    { action: 'factors.unlocked', actor: null, service_key: /./ },
    { action: 'factors.reset-requested', actor: null, service_key: /./ },
  ])
})

test('an operator lifts the lock of wrong codes, once there is one', async t => {
  const me = await enrolled(sql, service)
  t.equal((await admin.post(at(me.id, '/unlock'))).statusCode, 204)
  t.same(await audited(me.id), [], 'nothing was locked, and nothing is recorded')
  const browser = service.browser()
  await signIn(me.email, browser)
  for (let n = 0; n < 10; n++) await browser.post('/v1/session/second-factor', { code: wrongCode(me.secret) })
  const next = service.browser()
  await signIn(me.email, next)
  t.equal(codeOf(await next.post('/v1/session/second-factor', { code: await me.code() })), 'codes_locked')
  t.match((await admin.get(at(me.id))).json(), { codes_locked: true })
  t.equal((await admin.post(at(me.id, '/unlock'))).statusCode, 204)
  t.equal((await next.post('/v1/session/second-factor', { code: await me.code() })).statusCode, 201)
  t.match(await audited(me.id), [{ action: 'factors.unlocked', actor: boss.id }])
})

test('without the key-encryption key of an app its codes are 503 and not counted, and recovery codes work', async t => {
  const own = await testService(t)
  const { sql } = own.database
  const me = await enrolled(sql, own)
  const keys = join(own.folder, 'keys')
  await writeFile(join(keys, 'second.kek'), randomBytes(32).toString('base64'), { mode: 0o600 })
  await sql`update totp_factors set kek_id = 'elsewhere' where user_id = ${me.id}`
  const browser = own.browser()
  await signIn(me.email, browser)
  for (let n = 0; n < 3; n++) {
    const answer = await browser.post('/v1/session/second-factor', { code: await me.code() })
    t.equal(`${answer.statusCode} ${codeOf(answer)}`, '503 unavailable')
    t.ok(answer.headers['retry-after'])
  }
  t.match(own.logLines.join(''), /put elsewhere\.kek back into MINTMARK_KEYS_FOLDER/)
  t.same(await sql`select from factor_failures where totp > 0`, [])
  const opened = await browser.post('/v1/session/second-factor', { recovery_code: me.recoveryCodes[0] })
  t.equal(opened.statusCode, 201)
})

test('the admin API reseals the secrets of apps, which work under the new key alone', async t => {
  const own = await testService(t)
  const { sql } = own.database
  const people = [await enrolled(sql, own), await enrolled(sql, own)] as const
  const lost = await enrolled(sql, own)
  await sql`update totp_factors set kek_id = 'elsewhere' where user_id = ${lost.id}`
  // More than one batch, and one that is being set up.
  const begun = (await holding((await person(sql)).cookie, own).post('/v1/totp', {})).json()
  t.ok(begun.secret)
  const keys = join(own.folder, 'keys')
  await writeFile(join(keys, 'second.kek'), randomBytes(32).toString('base64'), { mode: 0o600 })
  const operator = holding((await administrator(sql)).cookie, own)
  const reseal = (body: object) => operator.post('/v1/admin/signing-keys/reseal', body)
  await reseal({ dry_run: true })
  t.same(await sql`select from totp_factors where kek_id = 'second'`, [])
  t.equal((await reseal({})).statusCode, 200)
  const ids = await sql`select kek_id, count(*)::int as count from totp_factors group by 1 order by 1`
  t.same(
    [...ids],
    [
      { kek_id: 'elsewhere', count: 1 },
      { kek_id: 'second', count: 3 },
    ],
  )
  t.equal((await sql`select from audit_events where action = 'factor.resealed'`).length, 3)
  await reseal({})
  t.equal((await sql`select from audit_events where action = 'factor.resealed'`).length, 3, 'once')
  await rename(join(keys, 'first.kek'), join(keys, 'first.away'))
  const another = await testService(t, { beside: own })
  for (const me of people) {
    const browser = another.browser()
    await signIn(me.email, browser)
    t.equal((await browser.post('/v1/session/second-factor', { code: await me.code() })).statusCode, 201)
  }
})

test('an address that nobody has tells nothing of second factors', async t => {
  const answer = await signIn(freshAddress())
  t.equal(`${answer.statusCode} ${codeOf(answer)}`, '401 invalid_credentials')
  t.equal(await eventually(() => answer.headers['set-cookie'] === undefined || undefined), true)
})
