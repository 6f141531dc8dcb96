/** Sign-up, reset and change: what a stranger learns, what a link is worth, who wins a race. PW of the attack list. */
import { hash as argon2 } from '@node-rs/argon2'
import type { LightMyRequestResponse } from 'fastify'
import tap, { test } from 'tap'
import { newCredential } from '../../src/sessions/credential.js'
import { freshAddress, invitation, link, person, session } from '../harness/world.js'
import { Browser } from '../support/browser.js'
import {
  eventually,
  goodPassword,
  issuer,
  productionArgon2,
  testService,
  tokenIn,
} from '../support/service.js'

const service = await testService(tap, { argon2: productionArgon2 })
const second = await testService(tap, { argon2: productionArgon2, beside: service })
const { sql } = service.database
const newPassword = 'quite other words now'

const holding = (cookie: string | undefined) => new Browser(service.app, issuer, cookie)
const statusOf = async (cookie: string | undefined) => (await holding(cookie).get('/v1/session')).statusCode
const signIn = (email: string, password: string) => service.browser().post('/v1/session', { email, password })
const forgot = (email: string) => service.browser().post('/v1/password/forgot', { email })
const change = (cookie: string, current_password: string, new_password = newPassword) =>
  holding(cookie).put('/v1/password', { current_password, new_password })

/** Everything a stranger sees of an answer, but what differs between any two. */
function seen(answer: LightMyRequestResponse) {
  const { date: _date, 'request-id': _id, ...headers } = answer.headers
  const { request_id: _requestId, ...body } = answer.json()
  return { status: answer.statusCode, headers, body }
}

test('PW-01: unknown, wrong, disabled, passwordless: one answer; only the right password of a live account differs', async t => {
  const me = await person(sql)
  const disabled = await person(sql)
  await sql`update users set state = 'disabled' where id = ${disabled.id}`
  const passwordless = await person(sql)
  await sql`delete from passwords where user_id = ${passwordless.id}`
  const wrong = seen(await signIn(me.email, 'a wrong password, long enough'))
  t.match(wrong, { status: 401, body: { code: 'invalid_credentials' } })
  t.notOk(wrong.headers['set-cookie'])
  t.notOk(wrong.headers['clear-site-data'])
  const others: [string, string, string][] = [
    ['unknown', freshAddress(), goodPassword],
    ['disabled, wrong', disabled.email, 'a wrong password, long enough'],
    ['disabled, right', disabled.email, goodPassword],
    ['without a password', passwordless.email, goodPassword],
    ['not an address', 'nobody', goodPassword],
    ['an empty address', '', goodPassword],
    ['an empty password', me.email, ''],
    ['a password over the limit', me.email, 'x'.repeat(1025)],
    ['a broken password', me.email, `${goodPassword}\ud800`],
    ['the right password and a space', me.email, `${goodPassword} `],
    ['the right password in capitals', me.email, goodPassword.toUpperCase()],
    ['another address with the same beginning', `${me.email}.org`, goodPassword],
  ]
  for (const [what, email, password] of others) t.same(seen(await signIn(email, password)), wrong, what)
  t.equal(
    (await signIn(me.email.toUpperCase(), goodPassword)).statusCode,
    201,
    'the case of an address is no matter',
  )
})

test('PW-04: signing up with a known address answers as with a new one; its owner gets a notice, the caller nothing', async t => {
  const { user } = await service.signUp('Known@example.com')
  const fresh = await service.browser().post('/v1/sign-up', { email: 'fresh@example.com' })
  const known = await service.browser().post('/v1/sign-up', { email: 'KNOWN@example.com' })
  t.equal(fresh.statusCode, 202)
  t.same(seen(known), seen(fresh))
  t.notOk(known.headers['set-cookie'])
  const notice = await service.mailTo('Known@example.com')
  t.match(notice.subject, 'already have an account')
  t.notMatch(notice.text, /#token=/, 'the notice opens nothing')
  const [row] =
    await sql`select count(*)::int as links from mail_links where canonical_email = 'known@example.com'`
  t.equal(row?.links, 0)
  t.equal((await signIn('known@example.com', goodPassword)).json().user.id, user, 'nothing has changed')
})

test('PW-05: a forgotten password answers the same for known, unknown and disabled; only the known one gets mail', async t => {
  const me = await person(sql)
  const disabled = await person(sql)
  await sql`update users set state = 'disabled' where id = ${disabled.id}`
  const unknown = freshAddress()
  const answers = [await forgot(unknown), await forgot(disabled.email), await forgot(me.email)]
  for (const answer of answers) t.same(seen(answer), seen(answers[0] as LightMyRequestResponse))
  t.equal(answers[0]?.statusCode, 202)
  t.match((await service.mailTo(me.email)).subject, 'new password')
  t.notOk(service.mails.find(mail => [unknown, disabled.email].includes(mail.to)))
})

test('PW-12: length is judged in code points and bytes, nothing is trimmed, cut or folded', async t => {
  const verdict = async (password: string) => {
    const token = await link(sql, 'sign-up', freshAddress())
    const answer = await service.browser().post('/v1/sign-up/verify', { token, password })
    return answer.statusCode === 201 ? 'taken' : answer.json().code
  }
  const words = 'gravel umbrella seven trumpets and a lake '
  const cases: [string, string, string][] = [
    ['7', 'gh7!kqz', 'weak_password'],
    ['8', 'gh7!kqzp', 'weak_password'],
    ['14', 'gh7!kqzp.wr4xn', 'weak_password'],
    ['15', 'gh7!kqzp.wr4xnb', 'taken'],
    ['14 characters in 56 bytes', '🦊🐸🦉🐙🦄🐝🐞🦋🐌🐢🐍🦖🦕🐳', 'weak_password'],
    ['15 characters in 60 bytes', '🦊🐸🦉🐙🦄🐝🐞🦋🐌🐢🐍🦖🦕🐳🐬', 'taken'],
    ['1024 bytes', words.repeat(30).slice(0, 1024), 'taken'],
    ['1025 bytes', words.repeat(30).slice(0, 1025), 'weak_password'],
    ['4097', 'x'.repeat(4097), 'invalid_request'],
    ['a NUL inside', 'gh7!kqzp\0.wr4xnb', 'taken'],
    ['a lone surrogate', 'gh7!kqzp.wr4xnb\ud800', 'weak_password'],
    ['spaces only', ' '.repeat(20), 'weak_password'],
    ['the service', 'mintmarkmintmark', 'weak_password'],
    ['a row of the keyboard', 'qwertyuiopasdfgh', 'weak_password'],
  ]
  for (const [what, password, expected] of cases) t.equal(await verdict(password), expected, what)
  const million = await service
    .browser()
    .post('/v1/sign-up/verify', { token: 'x', password: 'x'.repeat(1e6) })
  t.equal(million.statusCode, 413)

  const whole = words.repeat(4).slice(0, 160)
  const pairs: [string, string][] = [
    [`${whole.slice(0, 72)}A`, `${whole.slice(0, 72)}B`],
    [`${whole.slice(0, 128)}A`, `${whole.slice(0, 128)}B`],
    ['gravel umbrella\0one', 'gravel umbrella\0two'],
    ['gravel umbrella ', 'gravel umbrella'],
    [' gravel umbrella', 'gravel umbrella'],
  ]
  for (const [chosen, near] of pairs) {
    const { email } = await signedUpWith(chosen)
    t.equal((await signIn(email, near)).statusCode, 401, JSON.stringify(near.slice(-20)))
    t.equal((await signIn(email, chosen)).statusCode, 201)
  }
  const { email } = await signedUpWith('caf\u00e9 gravel umbrella')
  t.equal((await signIn(email, 'cafe\u0301 gravel umbrella')).statusCode, 201, 'two keyboards, one password')
})

async function signedUpWith(password: string) {
  const email = freshAddress()
  const browser = service.browser()
  const token = await link(sql, 'sign-up', email)
  const answer = await browser.post('/v1/sign-up/verify', { token, password })
  if (answer.statusCode !== 201) throw new Error(answer.body)
  return { email, browser, id: answer.json().user.id as string }
}

test('PW-15: a hash is argon2id with a salt of its own; older parameters are re-hashed once, sessions live on', async t => {
  const [one, other] = [await signedUpWith(goodPassword), await signedUpWith(goodPassword)]
  const rowOf = async (id: string) =>
    (await sql`select phc, version, changed_at from passwords where user_id = ${id}`)[0]
  const [mine, theirs] = [await rowOf(one.id), await rowOf(other.id)]
  t.match(mine?.phc, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22,}\$[A-Za-z0-9+/]{43}$/)
  t.not(mine?.phc.split('$')[4], theirs?.phc.split('$')[4], 'one password, two salts')

  const old = await argon2(goodPassword, { algorithm: 2, memoryCost: 8192, timeCost: 1, parallelism: 1 })
  await sql`update passwords set phc = ${old} where user_id = ${one.id}`
  t.equal((await signIn(one.email, 'a wrong password, long enough')).statusCode, 401)
  t.equal((await rowOf(one.id))?.phc, old, 'a wrong password re-hashes nothing')
  await Promise.all([signIn(one.email, goodPassword), signIn(one.email, goodPassword)])
  const rehashed = await rowOf(one.id)
  t.match(rehashed?.phc, '$argon2id$v=19$m=19456,t=2,p=1$')
  t.equal(rehashed?.version, mine?.version, 'the version is that of the password, not of its hash')
  t.same(rehashed?.changed_at, mine?.changed_at)
  t.equal((await one.browser.get('/v1/session')).statusCode, 200)
  t.equal((await signIn(one.email, goodPassword)).statusCode, 201)
  t.equal((await rowOf(one.id))?.phc, rehashed?.phc, 'once')
})

test('PW-18: a link of one person does nothing to another one, whatever the body says', async t => {
  const [me, victim] = [await person(sql), await person(sql)]
  for (const more of [
    { email: victim.email },
    { user: victim.id },
    { user_id: victim.id },
    { sub: victim.id },
    { id: victim.id },
  ]) {
    const token = await link(sql, 'password-reset', me.email)
    const answer = await service
      .browser()
      .post('/v1/password/reset', { token, password: newPassword, ...more })
    t.equal(answer.statusCode, 400)
    t.equal(answer.json().code, 'invalid_request')
    const changed = await holding(me.cookie).put('/v1/password', {
      current_password: goodPassword,
      new_password: newPassword,
      ...more,
    })
    t.equal(changed.statusCode, 400)
  }
  t.equal((await signIn(victim.email, goodPassword)).statusCode, 201)
  t.equal((await signIn(me.email, goodPassword)).statusCode, 201)
})

test('PW-26: no answer and no page ever holds a link or its token', async t => {
  const email = 'pw26@example.com'
  const asked = await service.browser().post('/v1/sign-up', { email })
  const signUpToken = tokenIn(await service.mailTo(email))
  const pages = [
    await service.browser().get('/sign-up/verify'),
    await service.browser().get(`/sign-up/verify?token=${signUpToken}`),
    await service.browser().get(`/password/reset?token=${signUpToken}`),
  ]
  const weak = await service.browser().post('/v1/sign-up/verify', { token: signUpToken, password: 'short' })
  const done = await service
    .browser()
    .post('/v1/sign-up/verify', { token: signUpToken, password: goodPassword })
  t.equal(done.statusCode, 201)
  const reset = await forgot(email)
  const resetToken = tokenIn(await service.mailTo(email))
  for (const answer of [asked, ...pages, weak, done, reset]) {
    for (const token of [signUpToken, resetToken]) {
      t.notOk(answer.body.includes(token))
      t.notOk(JSON.stringify(answer.headers).includes(token))
    }
  }
})

test('opening a link consumes nothing, a refused password consumes nothing, and the second use is refused', async t => {
  const flows: [string, string, string, number][] = [
    ['sign-up', '/sign-up/verify', '/v1/sign-up/verify', 201],
    ['password-reset', '/password/reset', '/v1/password/reset', 204],
  ]
  for (const [purpose, page, route, success] of flows) {
    const email = purpose === 'sign-up' ? freshAddress() : (await person(sql)).email
    const token = await link(sql, purpose, email)
    for (let scan = 0; scan < 3; scan++) {
      const opened = await service.browser(null).get(`${page}?utm=1`)
      t.equal(opened.statusCode, 200)
      t.match(opened.headers['referrer-policy'], 'same-origin')
      t.match(opened.headers['cache-control'], 'no-store')
    }
    t.equal((await service.browser().send('HEAD', page)).statusCode, 200)
    const redeem = (password: string) => service.browser().post(route, { token, password })
    t.equal((await redeem('too short')).json().code, 'weak_password')
    t.equal((await redeem(newPassword)).statusCode, success)
    const again = await redeem(newPassword)
    t.equal(again.json().code, 'link_invalid')
    t.notOk(again.headers['set-cookie'])
  }
})

test('who cannot be signed in to the account that was just made reads that it is there, and not that the link is no good', async t => {
  // In the moment between the account and its session.
  await sql`create function disabled_at_once() returns trigger language plpgsql as
    $$ begin new.state = 'disabled'; return new; end $$`
  await sql`create trigger disabled_at_once before insert on users for each row
    when (new.canonical_email like 'at-once%') execute function disabled_at_once()`
  const answer = async (url: string, more: object) => {
    const email = `at-once-${freshAddress()}`
    const token = await (url.includes('invitations') ? invitation(sql, email) : link(sql, 'sign-up', email))
    return service.browser().post(url, { token, password: goodPassword, ...more })
  }
  for (const url of ['/v1/sign-up/verify', '/v1/invitations/sign-up']) {
    const refused = await answer(url, {})
    t.equal(refused.statusCode, 401, url)
    t.match(refused.json(), { code: 'unauthenticated', detail: /^The account is there, .* Sign in\.$/ })
    t.notOk(refused.headers['set-cookie'])
  }
  await sql`drop trigger disabled_at_once on users`
})

test('the link to an account that an operator has made is worth a week', async t => {
  const admin = await person(sql)
  await sql`update users set platform_roles = '{administrator}' where id = ${admin.id}`
  for (const [age, expected] of [
    ['6 days 23 hours', 204],
    ['7 days', 400],
  ] as const) {
    const email = freshAddress()
    t.equal((await holding(admin.cookie).post('/v1/admin/users', { email })).statusCode, 201)
    const mail = await service.mailTo(email)
    t.match(mail.text, 'expires in 7 days')
    await sql`update mail_links set expires_at = expires_at - ${age}::interval, created_at = created_at - ${age}::interval
      where canonical_email = ${email}`
    const reset = { token: tokenIn(mail), password: newPassword }
    t.equal((await service.browser().post('/v1/password/reset', reset)).statusCode, expected, age)
  }
})

test('a link is worth 30 minutes, and ends the other links of its address', async t => {
  const me = await person(sql)
  for (const [age, expected] of [
    ['29 minutes', 204],
    ['30 minutes', 400],
    ['31 minutes', 400],
  ] as const) {
    await forgot(me.email)
    const token = tokenIn(await service.mailTo(me.email))
    await sql`update mail_links set expires_at = expires_at - ${age}::interval, created_at = created_at - ${age}::interval
      where canonical_email = ${me.email}`
    const answer = await service.browser().post('/v1/password/reset', { token, password: newPassword })
    t.equal(answer.statusCode, expected, age)
    if (expected === 204) await service.mailTo(me.email)
    await sql`delete from mail_links where canonical_email = ${me.email}`
  }
  const [first, latest] = [
    await link(sql, 'password-reset', me.email),
    await link(sql, 'password-reset', me.email),
  ]
  const reset = (token: string) =>
    service.browser().post('/v1/password/reset', { token, password: goodPassword })
  t.equal((await reset(latest)).statusCode, 204)
  t.equal((await reset(first)).json().code, 'link_invalid', 'also one that was mailed before it')
})

test('a reset ends every session, signs nobody in, and tells the owner', async t => {
  const me = await person(sql)
  const others = [await session(sql, me.id), await session(sql, me.id)]
  const token = await link(sql, 'password-reset', me.email)
  const answer = await holding(me.cookie).post('/v1/password/reset', { token, password: newPassword })
  t.equal(answer.statusCode, 204)
  t.same(
    answer.cookies.map(({ name }) => name),
    ['__Host-reset'],
    'a pass for one sign-in, and no session',
  )
  for (const { cookie } of [me, ...others]) t.equal(await statusOf(cookie), 401)
  t.match((await service.mailTo(me.email)).subject, 'was changed')
  t.equal((await signIn(me.email, goodPassword)).statusCode, 401)
  t.equal((await signIn(me.email, newPassword)).statusCode, 201)
})

test('a reset link of a person who was disabled meanwhile sets no password', async t => {
  const me = await person(sql)
  const token = await link(sql, 'password-reset', me.email)
  await sql`update users set state = 'disabled' where id = ${me.id}`
  const answer = await service.browser().post('/v1/password/reset', { token, password: newPassword })
  t.equal(answer.json().code, 'link_invalid')
  await sql`update users set state = 'active' where id = ${me.id}`
  t.equal((await signIn(me.email, newPassword)).statusCode, 401)
  t.equal((await signIn(me.email, goodPassword)).statusCode, 201)
})

test('a sign-up link whose address was taken meanwhile makes no second account and changes no password', async t => {
  const email = freshAddress()
  const token = await link(sql, 'sign-up', email)
  await sql`insert into users (email, canonical_email, address_verified_by)
    values (${email}, ${email}, 'invitation')`
  const answer = await service.browser().post('/v1/sign-up/verify', { token, password: newPassword })
  t.equal(answer.json().code, 'link_invalid')
  t.notOk(answer.headers['set-cookie'])
  const [row] =
    await sql`select count(*)::int as n, (select count(*)::int from passwords p join users u on u.id = p.user_id
    where u.email = ${email}) as passwords from users where canonical_email = ${email}`
  t.same([row?.n, row?.passwords], [1, 0])
})

test('signing up over an existing cookie ends that session', async t => {
  const me = await person(sql)
  const browser = holding(me.cookie)
  const token = await link(sql, 'sign-up', freshAddress())
  t.equal((await browser.post('/v1/sign-up/verify', { token, password: goodPassword })).statusCode, 201)
  t.equal(await statusOf(me.cookie), 401)
  t.equal((await browser.get('/v1/session')).statusCode, 200)
})

test('a change ends the other sessions and carries its own; the wrong current password changes nothing', async t => {
  const me = await person(sql)
  const other = await session(sql, me.id)
  for (const wrong of ['a wrong password, long enough', '', `${goodPassword}\ud800`, newPassword]) {
    const answer = await change(me.cookie, wrong)
    t.equal(answer.statusCode, 403)
    t.equal(answer.json().code, 'wrong_password')
    t.notOk(answer.headers['set-cookie'])
  }
  const weak = await change(me.cookie, goodPassword, 'short')
  t.equal(weak.json().code, 'weak_password')
  t.equal(
    (await change(me.cookie, goodPassword, me.email)).json().code,
    'weak_password',
    'made of the address',
  )
  t.same([await statusOf(me.cookie), await statusOf(other.cookie)], [200, 200])
  const browser = holding(me.cookie)
  const done = await browser.put('/v1/password', {
    current_password: goodPassword,
    new_password: newPassword,
  })
  t.equal(done.statusCode, 204)
  t.same(
    [await statusOf(browser.cookie), await statusOf(other.cookie), await statusOf(me.cookie)],
    [200, 401, 401],
  )
  t.match((await service.mailTo(me.email)).subject, 'was changed')
  t.equal((await signIn(me.email, goodPassword)).statusCode, 401)
  t.equal((await signIn(me.email, newPassword)).statusCode, 201)
})

test('a change whose session ends while it is hashing changes nothing', async t => {
  const me = await person(sql)
  const changing = change(me.cookie, goodPassword)
  // The hash takes longer than this statement: the session was live when the request began.
  await sql`update sessions set ended_at = now(), ended_reason = 'signed-out' where id = ${me.session}`
  const answer = await changing
  t.equal(answer.statusCode, 401)
  t.notOk(answer.headers['set-cookie'])
  t.equal((await signIn(me.email, goodPassword)).statusCode, 201, 'the password is what it was')
})

test('a sign-in with the old password that races a change is never a live session afterwards', async t => {
  for (let round = 0; round < 8; round++) {
    const me = await person(sql)
    const racer = new Browser(second.app, issuer)
    const [changed, raced] = await Promise.all([
      change(me.cookie, goodPassword),
      racer.post('/v1/session', { email: me.email, password: goodPassword }),
      new Browser(second.app, issuer).post('/v1/session', { email: me.email, password: goodPassword }),
    ])
    t.equal(changed.statusCode, 204)
    t.ok([201, 401].includes(raced.statusCode), String(raced.statusCode))
    t.equal((await racer.get('/v1/session')).statusCode, 401, 'the change wins')
    const [row] =
      await sql`select count(*)::int as live from sessions s join users u on u.id = s.user_id and u.epoch = s.user_epoch
      where s.user_id = ${me.id} and s.ended_at is null`
    t.equal(row?.live, 1)
  }
})

test('a change and a sign-in over the same session do not wait for each other in a circle', async t => {
  const me = await person(sql)
  // The statement of a sign-in, held between the row that it replaces and the check that its person exists.
  const slow = await sql.reserve()
  t.teardown(() => slow.release())
  await slow`begin`
  await slow`update sessions set last_seen_at = now() where id = ${me.session}`
  const changing = change(me.cookie, goodPassword)
  await eventually(async () => {
    const [row] = await sql`select count(*)::int as waiting from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`
    return row?.waiting > 0 || undefined
  })
  const opened = newCredential()
  await slow`
    insert into sessions (id, user_id, secret_hash, service_epoch, user_epoch, amr, acr, ends_at, idle_seconds,
      user_agent, address)
    select ${opened.id}, u.id, ${opened.secret.hash()}, g.epoch, u.epoch, '{pwd}', 'aal1', now() + interval '1 day',
      604800, '', '' from users u, service g where u.id = ${me.id}`
  await slow`commit`
  t.equal((await changing).statusCode, 204, 'not a 503 that a deadlock made')
  t.equal(await statusOf(`${opened.id}.${opened.secret.reveal()}`), 401, 'and the change wins')
})

test('mail goes to the address on record, not to another spelling of it', async t => {
  await service.signUp('Zoe@Example.com')
  await forgot('zoe@example.COM')
  t.equal((await service.mailTo('Zoe@Example.com')).to, 'Zoe@Example.com')
  t.notOk(service.mails.find(mail => mail.to === 'zoe@example.COM'))
})
