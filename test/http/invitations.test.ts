/** Invitations by mail: sent, taken by an account or by making one, and worth nothing to anybody else. */
import tap, { test } from 'tap'
import { limits } from '../../src/accounts/throttle.js'
import { freshAddress, invitation, link, member, person, serviceKey, tenant } from '../harness/world.js'
import { Browser } from '../support/browser.js'
import { goodPassword, issuer, testService, tokenIn } from '../support/service.js'

const service = await testService(tap)
const { sql } = service.database
const holding = (cookie: string) => new Browser(service.app, issuer, cookie)

async function owner() {
  const [me, here] = [await person(sql), await tenant(sql)]
  await member(sql, me.id, here, 'owner')
  return { browser: holding(me.cookie), here, me }
}

test('somebody without an account makes one with the invitation, and is a member', async t => {
  const { browser, here, me } = await owner()
  const email = freshAddress()
  const url = `/v1/admin/tenants/${here}/invitations`
  const invited = await browser.post(url, { email, roles: ['member'] })
  t.equal(invited.statusCode, 201)
  t.match(invited.json(), { email, tenant: here, roles: ['member'], inviter: me.id })
  const mail = await service.mailTo(email)
  t.equal(mail.subject, 'You are invited to Mintmark')
  const [local, domain] = me.email.split('@')
  t.match(
    mail.text,
    `The account ${local} (at) ${domain?.replace('.', ' (dot) ')} invites you to join “Acme”`,
  )
  t.match(mail.link, /\/invitations\/accept#token=/)
  const token = tokenIn(mail)
  t.notMatch(invited.body, token, 'only the mail holds the link')
  t.match((await browser.get(url)).json().items, [{ id: invited.json().id }])

  const guest = service.browser()
  t.equal(
    (await guest.post('/v1/invitations/sign-up', { token, password: 'short' })).json().code,
    'weak_password',
  )
  const joined = await guest.post('/v1/invitations/sign-up', { token, password: goodPassword, name: 'Grace' })
  t.equal(joined.statusCode, 201)
  t.match((await guest.get('/v1/session')).json(), {
    user: { email, name: 'Grace' },
    tenant: { id: here, roles: ['member'] },
  })
  const again = await service.browser().post('/v1/invitations/sign-up', { token, password: goodPassword })
  t.equal(again.json().code, 'link_invalid')
  t.same((await browser.get(url)).json().items, [])
})

test('who has an account takes it signed in; another person cannot', async t => {
  const { browser, here } = await owner()
  const [me, other] = [await person(sql), await person(sql)]
  await browser.post(`/v1/admin/tenants/${here}/invitations`, { email: me.email, roles: ['admin'] })
  const token = tokenIn(await service.mailTo(me.email))
  t.equal((await holding(other.cookie).post('/v1/invitations/accept', { token })).json().code, 'link_invalid')
  t.same((await holding(me.cookie).post('/v1/invitations/accept', { token })).json(), { tenant: here })
  t.equal((await holding(me.cookie).post('/v1/invitations/accept', { token })).json().code, 'link_invalid')
  t.equal((await holding(me.cookie).get(`/v1/admin/tenants/${here}/members`)).statusCode, 200, 'an admin now')
  t.match((await holding(me.cookie).get('/v1/session')).json().tenant, { id: here }, 'they work there now')
  t.match((await holding(me.cookie).get('/?done=joined')).body, 'You are now a member of Acme.')
})

test('who holds a link is told its address, and of an invitation the tenant; looking consumes nothing', async t => {
  const email = freshAddress()
  const cases = [
    ['/sign-up/verify', await link(sql, 'sign-up', email), { email }],
    ['/password/reset', await link(sql, 'password-reset', email), { email }],
    ['/invitations/accept', await invitation(sql, email), { email, tenant: 'Acme' }],
  ] as const
  const ask = (page: string, token: string) =>
    service.app.inject({
      method: 'POST',
      url: `${page}/address`,
      headers: { origin: issuer, 'content-type': 'application/x-www-form-urlencoded' },
      payload: new URLSearchParams({ token }).toString(),
    })
  for (const [page, token] of cases)
    for (const [other, , expected] of cases) {
      const answer = await ask(other, token)
      t.equal(answer.statusCode, page === other ? 200 : 400, `${page} at ${other}`)
      if (page === other) t.same(answer.json(), expected)
      t.equal(answer.headers['cache-control'], 'no-store')
    }
})

test('a mailed link whose # was escaped leads to the link as it was sent, and no other address does', async t => {
  const token = 'A'.repeat(43)
  const led = async (url: string) => (await service.app.inject({ url })).headers.location
  for (const page of ['/sign-up/verify', '/password/reset', '/invitations/accept']) {
    t.equal(await led(`${page}%23token=${token}`), `${page}#token=${token}`)
    t.equal(await led(`${page}%23token%3D${token}`), `${page}#token=${token}`)
  }
  t.equal(
    await led(`/sign-up/verify?return_to=https%3A%2F%2Fapp.example%2F%23token=${token}`),
    `/sign-up/verify?return_to=https%3A%2F%2Fapp.example%2F#token=${token}`,
  )
  for (const url of [`/%23token=${token}`, `//evil.example%23token=${token}`, `/sign-in%23token=${token}`])
    t.equal(await led(url), undefined, url)
  t.notMatch(service.logLines.join(''), token, 'it is in no log')
})

test('an invitation that is repeated under its Idempotency-Key is one, with one mail whose link works', async t => {
  const { browser, here } = await owner()
  const url = `/v1/admin/tenants/${here}/invitations`
  const body = { email: freshAddress(), roles: ['member'] }
  const under = (key: string) => browser.post(url, body, { 'idempotency-key': key })
  const answers = await Promise.all(Array.from({ length: 5 }, () => under('invited-once')))
  answers.push(await under('invited-once'), await under('invited-once'))
  t.same([...new Set(answers.map(({ statusCode }) => statusCode))], [201])
  const [id, ...more] = new Set(answers.map(answer => answer.json().id))
  t.same(more, [])
  t.match((await browser.get(url)).json().items, [{ id }])
  const token = tokenIn(await service.mailTo(body.email))
  const [audited] = await sql`select count(*)::int as rows from audit_events
    where action = 'invitation.created' and subject = ${id}`
  t.equal(audited?.rows, 1)
  for (const different of [
    { ...body, roles: ['admin'] },
    { ...body, email: freshAddress() },
  ]) {
    const answer = await browser.post(url, different, { 'idempotency-key': 'invited-once' })
    t.same([answer.statusCode, answer.json().code], [409, 'idempotency_conflict'])
  }
  const guest = service.browser()
  t.equal((await guest.post('/v1/invitations/sign-up', { token, password: goodPassword })).statusCode, 201)
  t.equal((await under('invited-once')).json().id, id, 'taken meanwhile, it is not made anew')
  t.same((await browser.get(url)).json().items, [])
  t.equal(service.mails.filter(({ to }) => to === body.email).length, 1)
  const refused = await browser.post(url, { ...body, roles: ['nobody'] }, { 'idempotency-key': 'refused' })
  t.equal(refused.json().code, 'unknown_role')
  const other = await browser.post(url, { ...body, email: freshAddress() }, { 'idempotency-key': 'refused' })
  t.equal(other.statusCode, 201, 'a refusal uses no key up')
})

test('a withdrawn invitation is dead; RL-07: one mailbox gets three at most, with the same answer', async t => {
  const { browser, here } = await owner()
  const email = freshAddress()
  const url = `/v1/admin/tenants/${here}/invitations`
  let last = ''
  for (let round = 0; round < 5; round++) {
    const answer = await browser.post(url, { email, roles: [] })
    t.equal(answer.statusCode, 201)
    last = answer.json().id
    if (round < 3) await service.mailTo(email)
  }
  t.equal(service.mails.filter(mail => mail.to === email).length, 3)
  t.equal((await browser.delete(`${url}/${last}`)).statusCode, 204)
  t.equal((await browser.delete(`${url}/${last}`)).statusCode, 404)
  const token = tokenIn(service.mails.filter(mail => mail.to === email).at(-1) as never)
  const late = await service.browser().post('/v1/invitations/sign-up', { token, password: goodPassword })
  t.equal(late.json().code, 'link_invalid')
})

test('the mail says which service key invites, by its name', async t => {
  const here = await tenant(sql)
  const { key, id } = await serviceKey(sql, { scopes: ['tenants:write', 'members:write'], tenant: here })
  await sql`update service_keys set name = 'Billing at www.evil.example' where id = ${id}`
  const email = freshAddress()
  const answer = await service.app.inject({
    method: 'POST',
    url: `/v1/admin/tenants/${here}/invitations`,
    headers: { authorization: `Bearer ${key}` },
    payload: { email, roles: [] },
  })
  t.equal(answer.statusCode, 201, answer.body)
  const { text } = await service.mailTo(email)
  t.match(text, 'The service key “Billing at www evil example” invites you to join “Acme”')
})

test('what invited nobody costs neither its tenant nor its inviter anything', async t => {
  const { browser, here } = await owner()
  const url = `/v1/admin/tenants/${here}/invitations`
  const { points } = limits['invitation by person']
  for (let index = 0; index < points + 2; index++) {
    const { code } = (await browser.post(url, { email: freshAddress(), roles: ['none'] })).json()
    if (code !== 'unknown_role') t.fail(`${index}: ${code}`)
  }
  t.equal((await browser.post(url, { email: freshAddress(), roles: [] })).statusCode, 201)
})

test('the page behind the link offers both ways, and opening it consumes nothing', async t => {
  const { sql } = service.database
  const open = async () => (await sql`select id from invitations order by id`).map(({ id }) => id)
  const before = await open()
  const { body } = await service.app.inject({ url: '/invitations/accept' })
  t.match(body, 'action="/invitations/sign-up"')
  t.match(body, '/sign-in?return_to=%2Finvitations%2Faccept')
  t.same(await open(), before)
})
