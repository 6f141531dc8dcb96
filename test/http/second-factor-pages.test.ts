/** The hosted pages of second factors, without scripts: the second step, step-up, the list, and setting up an app. */
import tap, { type Test, test } from 'tap'
import { application, identity, person, provider } from '../harness/world.js'
import { Browser } from '../support/browser.js'
import { enrol, enrolled } from '../support/enrolled.js'
import { goodPassword, issuer, testService } from '../support/service.js'
import { codeAt, stepNow, wrongCode } from '../support/totp.js'

const service = await testService(tap)
const { sql } = service.database
const elsewhere = 'http://localhost:5999/back'
await application(sql, {
  clientId: 'shop',
  origins: ['http://localhost:5999'],
  returnAddresses: [elsewhere],
})
const returning = encodeURIComponent(elsewhere)

type Answer = Awaited<ReturnType<Browser['get']>>

/** A browser without scripts: it sends forms, and says what it got. */
class Visitor {
  readonly browser: Browser
  constructor(cookie?: string) {
    this.browser = new Browser(service.app, issuer, cookie)
  }
  open = (url: string) => this.browser.get(url)
  submit = (url: string, fields: Record<string, string> = {}) =>
    this.browser.send('POST', url, new URLSearchParams(fields).toString(), {
      'content-type': 'application/x-www-form-urlencoded',
      'sec-fetch-mode': 'navigate',
    })
}

const locationOf = ({ headers }: Answer) => headers.location
const faultOf = ({ body }: Answer) => /<main data-code="([a-z_]+)"/.exec(body)?.[1]
const titleOf = ({ body }: Answer) => /<h1>(.*?)<\/h1>/.exec(body)?.[1]
const errorOf = ({ body }: Answer, field: string) =>
  new RegExp(`<p class="error" id="${field}-error">(.*?)</p>`).exec(body)?.[1]
const alertOf = ({ body }: Answer) => /<p class="alert" role="alert">(.*?)<\/p>/.exec(body)?.[1]
const noteOf = ({ body }: Answer) => /<p class="note" role="status">(.*?)<\/p>/.exec(body)?.[1]
const secretOf = ({ body }: Answer) =>
  /<code class="secret">(.*?)<\/code>/.exec(body)?.[1]?.replaceAll(' ', '') ?? ''
const codesOf = ({ body }: Answer) =>
  [...body.matchAll(/<li><code>(.*?)<\/code>/g)].map(([, code = '']) => code)
const isThere = (t: Test, answer: Answer, title: string) => {
  t.equal(answer.statusCode, 200)
  t.equal(titleOf(answer), title)
}

/** After the password, where the second step is asked for. */
async function atSecondStep(email: string, returnTo?: string) {
  const visitor = new Visitor()
  const fields = { email, password: goodPassword, ...(returnTo !== undefined && { return_to: returnTo }) }
  const answer = await visitor.submit('/sign-in', fields)
  return { visitor, answer }
}
/** Signed in by a code: of aal2. */
async function strong() {
  const me = await enrolled(sql, service)
  const visitor = new Visitor(me.cookie)
  await visitor.submit('/step-up', { code: await me.code() })
  return { me, visitor }
}
const stale = (session: string) =>
  sql`update sessions set auth_time = now() - interval '1 hour' where id = ${session}`
const stateOf = async (user: string) =>
  JSON.stringify([
    await sql`select id, name, confirmed_at from totp_factors where user_id = ${user} order by id`,
    await sql`select code_hash, used_at from recovery_codes where user_id = ${user} order by code_hash`,
  ])

test('the password leads to the second step, a code to the account, and no session is there before', async t => {
  const me = await enrolled(sql, service)
  const { visitor, answer } = await atSecondStep(me.email)
  t.equal(answer.statusCode, 303)
  t.equal(locationOf(answer), '/second-step')
  t.equal(visitor.browser.cookie, undefined)
  const page = await visitor.open('/second-step')
  isThere(t, page, 'Enter your code')
  t.match(
    page.body,
    /name="code" type="text" autocomplete="one-time-code"[^>]* inputmode="numeric"[^>]* autofocus/,
  )
  t.match(page.headers, { 'cache-control': 'no-store' })
  t.notMatch(page.body, me.email, 'nothing of the account')
  const code = await me.code()
  const done = await visitor.submit('/second-step', { code: `${code.slice(0, 3)} ${code.slice(3)}` })
  t.equal(done.statusCode, 303)
  t.equal(locationOf(done), '/')
  t.ok(visitor.browser.cookie)
  t.equal(visitor.browser.pending, undefined)
  isThere(t, await visitor.open('/'), 'Your account')
})

test('the return address is carried along, and only a registered one', async t => {
  const me = await enrolled(sql, service)
  const { visitor, answer } = await atSecondStep(me.email, elsewhere)
  t.equal(locationOf(answer), `/second-step?return_to=${returning}`)
  const page = await visitor.open(String(locationOf(answer)))
  t.match(page.body, `name="return_to" value="${elsewhere}"`)
  t.match(page.headers['content-security-policy'], "form-action 'self' http://localhost:5999;")
  t.match(page.body, `href="/second-step?with=recovery_code&#38;return_to=${returning}"`)
  const wrong = await visitor.submit('/second-step', { code: wrongCode(me.secret), return_to: elsewhere })
  t.match(wrong.body, `name="return_to" value="${elsewhere}"`)
  const done = await visitor.submit('/second-step', { code: await me.code(), return_to: elsewhere })
  t.equal(locationOf(done), elsewhere)

  const foreign = await atSecondStep(me.email, 'https://evil.example/')
  t.equal(locationOf(foreign.answer), '/second-step')
  const page2 = await foreign.visitor.open('/second-step?return_to=https%3A%2F%2Fevil.example%2F')
  t.notMatch(page2.body, 'evil')
  const code = await me.code()
  const left = await foreign.visitor.submit('/second-step', { code, return_to: 'https://evil.example/' })
  t.equal(locationOf(left), '/')
})

test('without a pending sign-in there is no second step', async t => {
  const visitor = new Visitor()
  t.equal(locationOf(await visitor.open('/second-step')), '/sign-in')
  t.equal(
    locationOf(await visitor.open(`/second-step?return_to=${returning}`)),
    `/sign-in?return_to=${returning}`,
  )
  const late = await visitor.submit('/second-step', { code: '123456', return_to: elsewhere })
  t.equal(late.statusCode, 303)
  t.equal(locationOf(late), `/sign-in?expired=1&return_to=${returning}`)
  const again = await visitor.open(String(locationOf(late)))
  t.equal(titleOf(again), 'Sign in')
  t.match(alertOf(again), /took too long/)
  const me = await person(sql)
  t.equal(locationOf(await new Visitor(me.cookie).open('/second-step')), '/sign-in')
})

test('a wrong code is said beside its field, and the right one still works', async t => {
  const me = await enrolled(sql, service)
  const { visitor } = await atSecondStep(me.email)
  for (const code of [wrongCode(me.secret), '', 'abcdef', '１２３４５６']) {
    const wrong = await visitor.submit('/second-step', { code })
    t.equal(wrong.statusCode, 403, code)
    t.equal(faultOf(wrong), 'wrong_code')
    t.match(errorOf(wrong, 'code'), /wrong, has expired or was already used/)
    t.equal(visitor.browser.cookie, undefined)
  }
  const neither = await visitor.submit('/second-step', {})
  t.equal(neither.statusCode, 400)
  t.equal(faultOf(neither), 'invalid_request')
  const both = await visitor.submit('/second-step', { code: '123456', recovery_code: 'x' })
  t.equal(faultOf(both), 'invalid_request')
  t.equal(locationOf(await visitor.submit('/second-step', { code: await me.code() })), '/')
})

test('a sign-in that has tried too many codes, or is over, begins again with a word why', async t => {
  const me = await enrolled(sql, service)
  const { visitor } = await atSecondStep(me.email)
  const recovery_code = 'AAAA-AAAA-AAAA-AAAA-AAAA-AAAA'
  for (let number = 1; number < 10; number++)
    t.equal((await visitor.submit('/second-step', { recovery_code })).statusCode, 403)
  t.equal(locationOf(await visitor.submit('/second-step', { recovery_code })), '/sign-in?expired=1')
  t.equal(locationOf(await visitor.submit('/second-step', { code: await me.code() })), '/sign-in?expired=1')
  const next = await atSecondStep(me.email)
  await sql`update pending_sign_ins set expires_at = now() where user_id = ${me.id}`
  t.equal(
    locationOf(await next.visitor.submit('/second-step', { code: await me.code() })),
    '/sign-in?expired=1',
  )
  t.equal(locationOf(await next.visitor.open('/second-step')), '/sign-in')
})

test('locked codes of an app lead to a recovery code, where there is one', async t => {
  const me = await enrolled(sql, service)
  await sql`insert into factor_failures (user_id, totp) values (${me.id}, 10)`
  const { visitor } = await atSecondStep(me.email)
  const locked = await visitor.submit('/second-step', { code: await me.code() })
  t.equal(locked.statusCode, 403)
  t.equal(faultOf(locked), 'codes_locked')
  t.match(alertOf(locked), /enter a recovery code/)
  t.match(locked.body, 'name="recovery_code"')
  const [recovery_code = ''] = me.recoveryCodes
  t.equal(
    locationOf(await visitor.submit('/second-step', { recovery_code })),
    '/second-factors?done=recovery',
  )

  const none = await enrolled(sql, service)
  await sql`delete from recovery_codes where user_id = ${none.id}`
  await sql`insert into factor_failures (user_id, totp) values (${none.id}, 10)`
  const other = (await atSecondStep(none.email)).visitor
  const page = await other.open('/second-step?with=recovery_code')
  isThere(t, page, 'Enter your code')
  t.notMatch(page.body, 'with=recovery_code')
  t.match(alertOf(await other.submit('/second-step', { code: await none.code() })), /Ask the operator/)
})

test('Cancel ends the pending sign-in, and the sign-in page keeps the return address', async t => {
  const me = await enrolled(sql, service)
  const { visitor } = await atSecondStep(me.email, elsewhere)
  const { pending } = visitor.browser
  const cancelled = await visitor.submit('/second-step/cancel', { return_to: elsewhere })
  t.equal(locationOf(cancelled), `/sign-in?cancelled=1&return_to=${returning}`)
  t.equal(visitor.browser.pending, undefined)
  t.equal(noteOf(await visitor.open(String(locationOf(cancelled)))), 'The sign-in was cancelled.')
  visitor.browser.pending = pending
  t.equal(locationOf(await visitor.submit('/second-step', { code: await me.code() })), '/sign-in?expired=1')
})

test('after a recovery code, a page says how many are left and asks to set up the app again', async t => {
  const me = await enrolled(sql, service)
  const { visitor } = await atSecondStep(me.email, elsewhere)
  const page = await visitor.open(`/second-step?with=recovery_code&return_to=${returning}`)
  isThere(t, page, 'Enter a recovery code')
  t.match(page.body, 'name="recovery_code" type="text" autocomplete="off"')
  const wrong = await visitor.submit('/second-step', { recovery_code: 'nonsense', return_to: elsewhere })
  t.equal(errorOf(wrong, 'recovery_code'), 'This recovery code is wrong or was already used.')
  const [recovery_code = ''] = me.recoveryCodes
  const done = await visitor.submit('/second-step', { recovery_code, return_to: elsewhere })
  t.equal(locationOf(done), `/second-factors?done=recovery&return_to=${returning}`)
  const list = await visitor.open(String(locationOf(done)))
  isThere(t, list, 'Your second factors')
  t.match(noteOf(list), /You used a recovery code.*9 codes are left.*set it up again/)
  t.match(list.body, `<a class="button quiet" href="${elsewhere}">Continue to `)
  const begun = await visitor.submit('/second-factors/app', { return_to: elsewhere })
  t.equal(locationOf(begun), `/second-factors/app?return_to=${returning}`, 'it is strong enough for that')
  const secret = secretOf(await visitor.open(String(locationOf(begun))))
  const confirmed = await visitor.submit('/second-factors/app/confirm', {
    code: codeAt(secret),
    return_to: elsewhere,
  })
  t.equal(locationOf(confirmed), `/second-factors?done=replaced&return_to=${returning}`)
  const after = await visitor.open(String(locationOf(confirmed)))
  t.match(noteOf(after), /earlier one no longer works/)
  t.match(after.body, `href="${elsewhere}"`)
  const forged = await new Visitor((await person(sql)).cookie).open('/second-factors?done=recovery')
  t.equal(noteOf(forged), undefined, 'nothing is said to somebody without a factor')
})

test('the account page leads to the second factors, and an app is set up without scripts', async t => {
  const me = await person(sql)
  const visitor = new Visitor(me.cookie)
  t.match((await visitor.open('/')).body, '<a href="/second-factors">Your second factors</a>')
  const none = await visitor.open('/second-factors')
  isThere(t, none, 'Your second factors')
  t.notMatch(none.body, /Recovery codes|Rename/)
  t.match(none.body, 'action="/second-factors/app"')
  t.match(
    (await visitor.open('/second-factors/app')).body,
    /<button>Start<\/button>/,
    'opening it begins nothing',
  )
  t.equal(locationOf(await visitor.submit('/second-factors/app')), '/second-factors/app')
  const page = await visitor.open('/second-factors/app')
  isThere(t, page, 'Set up an authenticator app')
  t.match(page.headers, { 'cache-control': 'no-store' })
  const secret = secretOf(page)
  t.match(secret, /^[A-Z2-7]{32}$/)
  t.match(page.body, /<code class="secret">([A-Z2-7]{4} ){7}[A-Z2-7]{4}<\/code>/)
  t.match(page.body, /<svg class="qr"[^>]*role="img" aria-label="QR code[^"]*"[^>]*><path fill="#fff"/)
  t.notMatch(page.body, /style=|<script>/, 'the policy allows neither')
  t.match(page.body, `otpauth://totp/`)
  for (const code of [wrongCode(secret), '', '123']) {
    const wrong = await visitor.submit('/second-factors/app/confirm', { code })
    t.equal(wrong.statusCode, 403)
    t.match(errorOf(wrong, 'code'), /check the clock of your phone/)
    t.equal(secretOf(wrong), secret, 'the secret stays')
  }
  t.equal(faultOf(await visitor.submit('/second-factors/app/confirm', {})), 'invalid_request')
  const code = codeAt(secret)
  const confirmed = await visitor.submit('/second-factors/app/confirm', { code: ` ${code} ` })
  isThere(t, confirmed, 'Save your recovery codes')
  t.match(confirmed.headers, { 'cache-control': 'no-store' })
  const codes = codesOf(confirmed)
  t.equal(new Set(codes).size, 10)
  t.match(confirmed.body, 'href="/second-factors">I have saved them')
  t.notMatch(confirmed.body, secret)

  t.equal(
    locationOf(await visitor.submit('/second-factors/app/confirm', { code })),
    '/step-up?return_to=%2Fsecond-factors%2Fapp',
  )
  const list = await visitor.open('/second-factors')
  t.match(list.body, /Authenticator app.*added on \d+ \w+ \d{4}.*Not used yet/s)
  t.match(list.body, '10 codes are left')
  t.match(list.body, 'This is your last second factor')
  t.notMatch(list.body, secret)
  for (const code of codes) t.notMatch(list.body, code)

  const { visitor: other } = await atSecondStep(me.email)
  await sql`update totp_factors set last_step = 0 where user_id = ${me.id}`
  await other.submit('/second-step', { code: codeAt(secret, stepNow()) })
  t.match((await other.open('/second-factors')).body, `Last used just now from ${other.browser.address}`)
})

test('an app that is set up in 15 minutes or never, and a name that says nothing, are said so', async t => {
  const me = await person(sql)
  const visitor = new Visitor(me.cookie)
  await visitor.submit('/second-factors/app')
  const secret = secretOf(await visitor.open('/second-factors/app'))
  await sql`update totp_factors set created_at = now() - interval '16 minutes' where user_id = ${me.id}`
  const late = await visitor.submit('/second-factors/app/confirm', { code: codeAt(secret) })
  t.equal(late.statusCode, 404)
  t.match(alertOf(late), /nothing to confirm/)
  t.match(late.body, /<button>Start<\/button>/)
  t.notMatch(late.body, secret)

  const { me: other, visitor: owner } = await strong()
  const nameless = await owner.submit('/second-factors/rename', { factor: other.factor, name: '  ' })
  t.equal(nameless.statusCode, 400)
  t.equal(errorOf(nameless, `name-${other.factor}`), 'Enter a name.')
  t.match(nameless.body, '<details open>')
  t.equal(
    (await owner.submit('/second-factors/rename', { factor: other.factor, name: '\u0000' })).statusCode,
    400,
  )
  t.equal((await owner.submit('/second-factors/rename', { factor: 'x', name: 'y' })).statusCode, 400)
})

test('a factor is renamed and removed, and new codes replace the old ones, with a strong session', async t => {
  const { me, visitor } = await strong()
  const renamed = await visitor.submit('/second-factors/rename', { factor: me.factor, name: ' <b>Work</b> ' })
  t.equal(locationOf(renamed), '/second-factors?done=renamed')
  const list = await visitor.open('/second-factors?done=renamed')
  t.equal(noteOf(list), 'The second factor was renamed.')
  t.match(list.body, '&#60;b&#62;Work&#60;/b&#62;')
  t.notMatch(list.body, '<b>Work')

  const replaced = await visitor.submit('/second-factors/recovery-codes')
  isThere(t, replaced, 'Save your recovery codes')
  t.match(noteOf(replaced), /earlier recovery codes no longer work/)
  const fresh = codesOf(replaced)
  t.equal(new Set([...fresh, ...me.recoveryCodes]).size, 20)

  const stranger = await enrolled(sql, service)
  const before = await stateOf(stranger.id)
  for (const url of ['/second-factors/rename', '/second-factors/remove']) {
    const answer = await visitor.submit(url, {
      factor: stranger.factor,
      ...(url.endsWith('rename') && { name: 'Mine' }),
    })
    t.equal(answer.statusCode, 404, url)
    t.equal(titleOf(answer), 'Your second factors')
  }
  t.equal(await stateOf(stranger.id), before)

  t.equal(
    locationOf(await visitor.submit('/second-factors/remove', { factor: me.factor })),
    '/second-factors?done=removed',
  )
  const after = await visitor.open('/second-factors?done=removed')
  t.equal(noteOf(after), 'The second factor was removed.')
  t.notMatch(after.body, 'Recovery codes')
  t.equal((await visitor.submit('/second-factors/recovery-codes')).statusCode, 404)
})

test('every change asks for a fresh and strong authentication first, and leads back', async t => {
  const me = await enrolled(sql, service)
  const visitor = new Visitor(me.cookie)
  const changes = [
    ['/second-factors/rename', { factor: me.factor, name: 'Mine' }, '/second-factors'],
    ['/second-factors/remove', { factor: me.factor }, '/second-factors'],
    ['/second-factors/recovery-codes', {}, '/second-factors'],
    ['/second-factors/app', {}, '/second-factors/app'],
    ['/second-factors/app/confirm', { code: '123456' }, '/second-factors/app'],
  ] as const
  const before = await stateOf(me.id)
  const refusedAll = async (what: string) => {
    for (const [url, fields, back] of changes)
      t.equal(
        locationOf(await visitor.submit(url, fields)),
        `/step-up?return_to=${encodeURIComponent(back)}`,
        `${what}: ${url}`,
      )
    t.equal(
      locationOf(await visitor.open('/second-factors/app')),
      '/step-up?return_to=%2Fsecond-factors%2Fapp',
    )
    t.equal(await stateOf(me.id), before)
  }
  await refusedAll('aal1')
  const back = await visitor.submit('/step-up', { code: await me.code(), return_to: '/second-factors/app' })
  t.equal(locationOf(back), '/second-factors/app')
  await stale(me.session)
  await refusedAll('an hour ago')
  t.equal((await visitor.open('/second-factors')).statusCode, 200, 'reading needs none')
})

test('the secret of an app that is being set up is not shown to a weaker session', async t => {
  const { me, visitor } = await strong()
  await visitor.submit('/second-factors/app')
  const page = await visitor.open('/second-factors/app')
  t.match(page.body, 'It replaces the app that you use now')
  const secret = secretOf(page)
  t.ok(secret)
  const { visitor: weak } = await atSecondStep(me.email)
  await weak.submit('/second-step', { code: await me.code() })
  await sql`update sessions set acr = 'aal1' where user_id = ${me.id}`
  for (const answer of [
    await weak.open('/second-factors/app'),
    await weak.submit('/second-factors/app/confirm', { code: wrongCode(secret) }),
    await weak.submit('/second-factors/app/confirm', {}),
  ]) {
    t.equal(answer.statusCode, 303)
    t.notMatch(answer.body, secret.slice(0, 4))
  }
})

test('few recovery codes, a lock and a removal to come are said on the list', async t => {
  const me = await enrolled(sql, service)
  const visitor = new Visitor(me.cookie)
  const keep = (count: number) =>
    sql`update recovery_codes set used_at = case when code_hash in (select code_hash from recovery_codes
      where user_id = ${me.id} order by code_hash limit ${count}) then null else now() end where user_id = ${me.id}`
  for (const [count, warned] of [
    [4, false],
    [3, true],
    [1, true],
    [0, true],
  ] as const) {
    await keep(count)
    const { body } = await visitor.open('/second-factors')
    t.equal(/<p class="alert">[^<]*Create new ones/.test(body), warned, `${count}`)
    t.match(
      body,
      count === 1 ? '1 code is left' : count === 0 ? 'No codes are left' : `${count} codes are left`,
    )
  }
  await sql`insert into factor_failures (user_id, totp) values (${me.id}, 10)`
  t.match((await visitor.open('/second-factors')).body, /the codes of your app no longer work/)

  t.equal((await visitor.submit('/second-factors/stop-removal')).statusCode, 404)
  await sql`insert into factor_resets (user_id, due_at) values (${me.id}, '2031-05-06T07:08:00Z')`
  const asked = await visitor.open('/second-factors')
  t.match(asked.body, /From 6 May 2031, 07:08 UTC, your next sign-in removes them/)
  t.match(asked.body, 'action="/second-factors/stop-removal"')
  await stale(me.session)
  const stopped = await visitor.submit('/second-factors/stop-removal')
  t.equal(locationOf(stopped), '/second-factors?done=stopped', 'by any session')
  const after = await visitor.open('/second-factors?done=stopped')
  t.match(noteOf(after), /The removal was stopped/)
  t.notMatch(after.body, 'stop-removal')
})

test('step-up asks for a code where there is a factor, and takes no password', async t => {
  const me = await enrolled(sql, service)
  const visitor = new Visitor(me.cookie)
  const page = await visitor.open('/step-up?return_to=%2Fdevices')
  isThere(t, page, 'Confirm that it’s you')
  t.match(page.body, 'name="code"')
  t.notMatch(page.body, 'name="password"')
  t.match(page.body, 'href="/step-up?with=recovery_code&#38;return_to=%2Fdevices"')
  const refused = await visitor.submit('/step-up', { password: goodPassword, return_to: '/devices' })
  t.equal(refused.statusCode, 403)
  t.equal(faultOf(refused), 'second_factor_required')
  t.match(refused.body, 'name="code"')
  const wrong = await visitor.submit('/step-up', { code: wrongCode(me.secret), return_to: '/devices' })
  t.equal(wrong.statusCode, 403)
  t.match(errorOf(wrong, 'code'), /wrong, has expired/)
  t.match(wrong.body, 'name="return_to" value="/devices"')
  t.equal(faultOf(await visitor.submit('/step-up', {})), 'invalid_request')
  t.equal(
    faultOf(await visitor.submit('/step-up', { password: goodPassword, code: '123456' })),
    'invalid_request',
  )
  const done = await visitor.submit('/step-up', { code: await me.code(), return_to: '/devices' })
  t.equal(locationOf(done), '/devices')
  t.match((await visitor.browser.get('/v1/session')).json().session, { acr: 'aal2' })

  const [first = '', second = ''] = me.recoveryCodes
  t.match((await visitor.open('/step-up?with=recovery_code')).body, 'name="recovery_code"')
  t.equal(
    locationOf(await visitor.submit('/step-up', { recovery_code: first })),
    '/second-factors?done=recovery',
  )
  const back = await visitor.submit('/step-up', { recovery_code: second, return_to: '/devices' })
  t.equal(locationOf(back), '/devices')

  await sql`insert into factor_failures (user_id, totp) values (${me.id}, 10)
    on conflict (user_id) do update set totp = 10`
  const locked = await visitor.submit('/step-up', { code: await me.code() })
  t.match(alertOf(locked), /enter a recovery code/)
  t.match(locked.body, 'name="recovery_code"')
})

test('step-up offers a provider only where it can be enough', async t => {
  const me = await person(sql)
  const id = await provider(sql)
  const visitor = new Visitor(me.cookie)
  await sql`update providers set counts_as_proof = true, state = 'enabled' where id = ${id}`
  await identity(sql, me.id)
  const offers = async () => (await visitor.open('/step-up')).body.includes(`value="${id}"`)
  t.match((await visitor.open('/step-up')).body, 'name="password"', 'without a factor as ever')
  t.equal(await offers(), true)
  await enrol(sql, service, me.id)
  t.equal(await offers(), false, 'what it proves is aal1')
  await sql`update providers set aal2 = '{acr:gold}' where id = ${id}`
  t.equal(await offers(), true)
  await sql`update providers set counts_as_proof = false where id = ${id}`
  t.equal(await offers(), false)
})

test('who is not signed in signs in first, and comes back', async t => {
  const visitor = new Visitor()
  t.equal(locationOf(await visitor.open('/second-factors')), '/sign-in?return_to=%2Fsecond-factors')
  t.equal(locationOf(await visitor.open('/second-factors/app')), '/sign-in?return_to=%2Fsecond-factors%2Fapp')
  t.equal(locationOf(await visitor.submit('/second-factors/recovery-codes')), '/sign-in')
  const me = await enrolled(sql, service)
  const { answer } = await atSecondStep(me.email, '/second-factors')
  t.equal(locationOf(answer), '/second-step?return_to=%2Fsecond-factors')
})

test('the forms are taken from our own pages alone', async t => {
  const { me, visitor } = await strong()
  const before = await stateOf(me.id)
  for (const url of ['app', 'app/confirm', 'rename', 'remove', 'recovery-codes', 'stop-removal'])
    for (const origin of ['https://evil.example', 'null']) {
      const answer = await visitor.browser.send('POST', `/second-factors/${url}`, 'factor=x', {
        'content-type': 'application/x-www-form-urlencoded',
        origin,
        'sec-fetch-site': 'cross-site',
      })
      t.equal(answer.statusCode, 403, url)
    }
  t.equal(await stateOf(me.id), before)
})

test('no secret and no code is in the log', async t => {
  const me = await person(sql)
  const visitor = new Visitor(me.cookie)
  await visitor.submit('/second-factors/app')
  const secret = secretOf(await visitor.open('/second-factors/app'))
  const codes = codesOf(await visitor.submit('/second-factors/app/confirm', { code: codeAt(secret) }))
  t.equal(codes.length, 10)
  for (const text of [secret, ...codes]) t.notOk(service.logLines.some(line => line.includes(text)))
})
