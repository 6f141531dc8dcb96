/** What must not lead past a second factor, and what must not keep its user out. */
import tap, { test } from 'tap'
import { federationWorld } from '../federation/world.js'
import { link, member, person, session, tenant } from '../harness/world.js'
import { Browser } from '../support/browser.js'
import { enrol, enrolled } from '../support/enrolled.js'
import { goodPassword, issuer } from '../support/service.js'
import { codeAt } from '../support/totp.js'

const world = await federationWorld(tap)
const { service } = world
const { sql } = service.database
const holding = (cookie: string | undefined) => new Browser(service.app, issuer, cookie)
const codeOf = (answer: { json(): { code?: string } }) => answer.json().code

async function afterPassword(email: string) {
  const browser = service.browser()
  const answer = await browser.post('/v1/session', { email, password: goodPassword })
  if (answer.statusCode !== 202) throw new Error(answer.body)
  return browser
}

/** A navigation of who has this cookie. */
function visiting(cookie: string) {
  const visitor = world.visitor()
  visitor.cookies.set('__Host-session', cookie)
  return visitor
}

test('a session of less than the account has links no provider, and unlinks none', async t => {
  await world.change({ countsAsProof: true, aal2: ['acr:phr'] })
  const me = await person(sql)
  const visitor = visiting(me.cookie)
  world.provider.person = { sub: me.id, email: me.email, email_verified: true }
  const begun = await visitor.submit('/sign-in-methods/link', { provider: 'acme' })
  const href = /<a class="button" href="([^"]+)"/.exec(begun.body)?.[1] ?? ''
  const address = href.replace(/&#(\d+);/g, (_, code) => String.fromCharCode(Number(code)))
  t.ok(address, 'it was begun before there was a factor')
  const factor = await enrol(sql, service, me.id)
  const back = await visitor.comeBack(address)
  t.equal(back.statusCode, 403)
  t.match(back.body, /data-code="second_factor_required"/)
  t.equal((await sql`select from federated_identities where user_id = ${me.id}`).length, 0)
  const again = await visitor.submit('/sign-in-methods/link', { provider: 'acme' })
  t.equal(again.headers.location, '/step-up?return_to=%2Fsign-in-methods')

  const [identity] = await sql`insert into federated_identities (user_id, provider_id, issuer, subject, label)
    values (${me.id}, 'acme', ${world.provider.issuer}, ${me.id}, 'me') returning id`
  const browser = holding(me.cookie)
  const refused = await browser.delete(`/v1/identities/${identity?.id}`)
  t.match(refused.json(), { code: 'insufficient_user_authentication', acr_values: 'aal2' })
  await browser.post('/v1/session/step-up', { code: await factor.code() })
  t.equal((await browser.delete(`/v1/identities/${identity?.id}`)).statusCode, 204)
})

test('another session of the same user neither sees nor confirms the app that is being set up', async t => {
  const me = await person(sql)
  const [mine, theirs] = [holding(me.cookie), holding((await session(sql, me.id)).cookie)]
  const { secret } = (await mine.post('/v1/totp', {})).json()
  t.equal(codeOf(await theirs.post('/v1/totp/confirm', { code: codeAt(secret) })), 'not_found')
  const page = await theirs.get('/second-factors/app')
  t.notOk(page.body.replace(/\s/g, '').includes(secret))
  const other = (await theirs.post('/v1/totp', {})).json().secret
  const confused = await mine.post('/v1/totp/confirm', { code: codeAt(other) })
  t.equal(codeOf(confused), 'not_found', 'the first session is told that its own is gone')
  t.same((await mine.get('/v1/factors')).json().items, [])
})

test('a right code that our own outage has stopped is no wrong code, and is taken afterwards', async t => {
  const me = await enrolled(sql, service)
  const browser = await afterPassword(me.email)
  const held = await sql.reserve()
  t.teardown(() => held.release())
  await held`begin`
  await held`select pg_advisory_xact_lock(735194603, hashtext(${me.id}))`
  const code = codeAt(me.secret)
  const stopped = await browser.post('/v1/session/second-factor', { code })
  t.equal(stopped.statusCode, 503, stopped.body)
  await held`commit`
  const [row] = await sql`select totp from factor_failures where user_id = ${me.id}`
  t.equal(row?.totp ?? 0, 0)
  t.equal((await browser.post('/v1/session/second-factor', { code })).statusCode, 201)
})

test('whoever knows the password alone closes the app, and never the recovery codes', async t => {
  const me = await enrolled(sql, service)
  for (let pending = 0; pending < 11; pending++) {
    const browser = await afterPassword(me.email)
    const wrong = { recovery_code: 'AAAA-AAAA-AAAA-AAAA-AAAA-AAAA' }
    for (let tries = 0; tries < 10; tries++) await browser.post('/v1/session/second-factor', wrong)
  }
  const browser = await afterPassword(me.email)
  const [recovery_code] = me.recoveryCodes
  t.equal((await browser.post('/v1/session/second-factor', { recovery_code })).statusCode, 201)
})

test('made-up pending sign-ins close nobody’s second step behind the same address', async t => {
  const me = await enrolled(sql, service)
  const browser = await afterPassword(me.email)
  const answers: (string | undefined)[] = []
  for (let tries = 0; tries < 40; tries++) {
    const stranger = service.browser()
    stranger.address = browser.address
    stranger.pending = Buffer.alloc(32, tries).toString('base64url')
    answers.push(codeOf(await stranger.post('/v1/session/second-factor', { code: '123456' })))
  }
  t.same([...new Set(answers)].sort(), ['sign_in_expired', 'too_many_requests'])
  t.equal((await browser.post('/v1/session/second-factor', { code: codeAt(me.secret) })).statusCode, 201)
})

test('a reset that nobody came for is not carried out long afterwards', async t => {
  const me = await enrolled(sql, service)
  await sql`insert into factor_resets (user_id, due_at) values (${me.id}, now() - interval '8 days')`
  const browser = await afterPassword(me.email)
  t.equal(browser.cookie, undefined)
  t.match((await holding(me.cookie).get('/v1/factors')).json(), { items: [{}] })
})

test('factors that were set up before anybody had verified the address end with the first verification', async t => {
  const me = await enrolled(sql, service)
  await sql`update users set address_verified_by = null where id = ${me.id}`
  await afterPassword(me.email)
  await sql`insert into factor_resets (user_id, due_at) values (${me.id}, now() + interval '1 day')`
  await sql`insert into factor_failures (user_id, totp) values (${me.id}, 3)`
  const password = 'a new handful of plain words'
  const browser = service.browser()
  const token = await link(sql, 'password-reset', me.email)
  t.equal((await browser.post('/v1/password/reset', { token, password })).statusCode, 204)
  for (const table of [
    'totp_factors',
    'recovery_codes',
    'factor_failures',
    'factor_resets',
    'pending_sign_ins',
  ])
    t.equal((await sql`select from ${sql(table)} where user_id = ${me.id}`).length, 0, table)
  t.equal((await browser.post('/v1/session', { email: me.email, password })).statusCode, 201)
  t.match(await service.mailTo(me.email), { text: /second factors/ })
})

test('an administrator neither resets nor unlocks their own factors by the admin API', async t => {
  const me = await enrolled(sql, service)
  await sql`update users set platform_roles = '{administrator}' where id = ${me.id}`
  const browser = holding(me.cookie)
  for (const what of ['reset', 'unlock'])
    t.equal(codeOf(await browser.post(`/v1/admin/users/${me.id}/factors/${what}`)), 'forbidden', what)
  t.equal((await sql`select from factor_resets where user_id = ${me.id}`).length, 0)
})

test('joining a tenant, switching to it and minting there ask for nothing that a session lacks', async t => {
  const me = await enrolled(sql, service)
  const acme = await tenant(sql)
  await member(sql, me.id, acme, 'r1')
  const browser = holding(me.cookie)
  t.equal((await browser.put('/v1/session/tenant', { tenant: acme })).statusCode, 204)
  t.match((await browser.get('/v1/session')).json().session, { acr: 'aal1' }, 'and make it no stronger')
})
