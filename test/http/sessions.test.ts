/** What ends a session, what never does, and what proves one: SS of the attack list. */
import { createHash } from 'node:crypto'
import tap, { test } from 'tap'
import { newCredential, parseCredential } from '../../src/sessions/credential.js'
import { headersFrom } from '../harness/routes.js'
import { person, session } from '../harness/world.js'
import { Browser } from '../support/browser.js'
import { eventually, goodPassword, issuer, testService } from '../support/service.js'

const service = await testService(tap)
const second = await testService(tap, { beside: service })
const third = await testService(tap, { beside: service })
const instances = [service, second, third]
const { sql } = service.database
const otherPassword = 'quite other words now'

const holding = (cookie: string | undefined, at = service) => new Browser(at.app, issuer, cookie)
const statusOf = async (cookie: string | undefined, at = service) =>
  (await holding(cookie, at).get('/v1/session')).statusCode
const everywhere = (cookie: string | undefined) => Promise.all(instances.map(at => statusOf(cookie, at)))
const rowOf = async (id: string) => (await sql`select * from sessions where id = ${id}`)[0]

test('SS-01: a planted cookie is never the one that sign-in sets, and never becomes valid', async t => {
  const me = await person(sql)
  const attacker = await person(sql)
  const { id, secret } = newCredential()
  const invented = `${id}.${secret.reveal()}`
  for (const planted of [invented, attacker.cookie, `${attacker.session}.${secret.reveal()}`]) {
    const browser = holding(planted)
    t.equal((await browser.post('/v1/session', { email: me.email, password: goodPassword })).statusCode, 201)
    t.not(browser.cookie?.split('.')[0], planted.split('.')[0], 'a new id')
    t.not(browser.cookie?.split('.')[1], planted.split('.')[1], 'a new secret')
    t.equal((await browser.get('/v1/session')).json().user.id, me.id)
    t.equal(await statusOf(planted), 401)
  }
})

test('SS-02: a sign-in over an existing cookie ends that session, on every instance', async t => {
  const me = await person(sql)
  const browser = holding(me.cookie)
  t.equal((await browser.post('/v1/session', { email: me.email, password: goodPassword })).statusCode, 201)
  t.same(await everywhere(me.cookie), [401, 401, 401])
  t.equal((await rowOf(me.session))?.ended_reason, 'replaced')
  t.same(await everywhere(browser.cookie), [200, 200, 200])
})

test('a failed sign-in ends nothing and sets nothing', async t => {
  const me = await person(sql)
  const browser = holding(me.cookie)
  for (const body of [
    { email: me.email, password: 'a wrong password, long enough' },
    { email: 'nobody@example.com', password: goodPassword },
    { email: 'not an address', password: goodPassword },
  ]) {
    const answer = await browser.post('/v1/session', body)
    t.equal(answer.statusCode, 401)
    t.notOk(answer.headers['set-cookie'])
  }
  t.equal((await browser.post('/v1/session', { email: me.email })).statusCode, 400)
  t.equal(await statusOf(me.cookie), 200)
})

test('a sign-in with a forged cookie of someone else does not end their session', async t => {
  const victim = await person(sql)
  const me = await person(sql)
  const forged = `${victim.session}.${me.secret}`
  t.equal(
    (await holding(forged).post('/v1/session', { email: me.email, password: goodPassword })).statusCode,
    201,
  )
  t.equal(await statusOf(victim.cookie), 200)
})

test('SS-02: a password change renews the secret under the same id; the old one is superseded everywhere', async t => {
  const me = await person(sql)
  const browser = holding(me.cookie)
  await sql`update sessions set auth_time = now() - interval '1 hour' where id = ${me.session}`
  const before = (await browser.get('/v1/session')).json().session
  const change = { current_password: goodPassword, new_password: otherPassword }
  t.equal((await browser.put('/v1/password', change)).statusCode, 204)
  t.equal(browser.cookie?.split('.')[0], me.session)
  t.not(browser.cookie?.split('.')[1], me.secret)
  const after = (await browser.get('/v1/session')).json().session
  t.equal(after.id, before.id)
  t.equal(after.ends_at, before.ends_at, 'the absolute end does not move')
  t.ok(after.auth_time - before.auth_time >= 3599, 'the person has just proved themselves')
  for (const at of instances) {
    const old = holding(me.cookie, at)
    for (const answer of [
      await old.get('/v1/session'),
      await old.post('/v1/token', {}),
      await old.put('/v1/password', change),
    ]) {
      t.equal(answer.statusCode, 401)
      t.equal(answer.json().code, 'session_superseded')
      t.notOk(answer.headers['set-cookie'], 'another tab keeps the newer cookie')
    }
  }
  t.same(await everywhere(browser.cookie), [200, 200, 200])
})

test('only one secret back is superseded; two back is a forgery, and an ended session says no more than that', async t => {
  const me = await person(sql)
  const browser = holding(me.cookie)
  const passwords = [goodPassword, otherPassword, 'yet another set of words']
  for (const [index, current_password] of passwords.slice(0, 2).entries()) {
    await browser.put('/v1/password', { current_password, new_password: passwords[index + 1] })
  }
  t.equal((await holding(me.cookie).get('/v1/session')).json().code, 'unauthenticated')
  const [, previous] = await Promise.all([browser.get('/v1/session'), rowOf(me.session)])
  t.ok(previous?.previous_secret_hash)
  await browser.delete('/v1/session')
  t.equal((await holding(me.cookie).get('/v1/session')).json().code, 'unauthenticated')
})

test('SS-04: credentials are 128 + 256 random bits: no collision, no bias, no order', t => {
  const count = 256
  const all = Array.from({ length: count }, () => {
    const { id, secret } = newCredential()
    return { id: id as string, secret: secret.reveal() }
  })
  // Half of them, eight standard deviations around.
  const half = (found: number) => Math.abs(found - count / 2) < 64
  for (const part of ['id', 'secret'] as const) {
    const length = part === 'id' ? 16 : 32
    const values = all.map(one => Buffer.from(one[part], 'base64url'))
    t.ok(values.every(value => value.length === length))
    t.equal(new Set(all.map(one => one[part])).size, count, `${part}: no collision`)
    const bits = Array.from({ length: length * 8 }, (_, bit) => bit)
    const set = bits.map(bit => values.filter(value => ((value[bit >> 3] ?? 0) >> (bit & 7)) & 1).length)
    t.same(
      bits.filter(bit => !half(set[bit] ?? 0)),
      [],
      `${part}: each bit is set in about half of them`,
    )
    const rising = values.filter(
      (value, index) => index > 0 && Buffer.compare(value, values[index - 1] as Buffer) > 0,
    )
    t.ok(half(rising.length), `${part}: ${rising.length} of ${count} rise: no order in time`)
  }
  t.ok(all.every(({ id, secret }) => parseCredential(`${id}.${secret}`)))
  t.notOk(all.some(({ id, secret }) => secret.startsWith(id) || secret.includes(id)))
  t.end()
})

test('P6: a row holds only the SHA-256 of the secret', async t => {
  const me = await person(sql)
  const browser = holding(undefined)
  await browser.post('/v1/session', { email: me.email, password: goodPassword })
  const [id = '', secret = ''] = browser.cookie?.split('.') ?? []
  const row = await rowOf(id)
  t.same(row?.secret_hash, createHash('sha256').update(Buffer.from(secret, 'base64url')).digest())
  const [dump] = await sql`select r::text as text from sessions r where id = ${id}`
  t.notOk(dump?.text.includes(secret))
  t.notOk(dump?.text.includes(Buffer.from(secret, 'base64url').toString('hex')))
})

test('SS-07: a session dies at its idle limit, not before, and use before it moves it', async t => {
  const me = await person(sql)
  const idle = async (secondsBefore: number) =>
    sql`update sessions set last_seen_at = now() - (idle_seconds - ${secondsBefore}) * interval '1 second'
      where id = ${me.session}`
  await idle(60)
  t.equal(await statusOf(me.cookie), 200)
  await eventually(async () => {
    const [row] =
      await sql`select now() - last_seen_at < interval '1 minute' as moved from sessions where id = ${me.session}`
    return row?.moved || undefined
  })
  await idle(60)
  t.equal((await holding(me.cookie).post('/v1/token', {})).statusCode, 200, 'a mint is a use as well')
  await eventually(async () => {
    const [row] =
      await sql`select now() - last_seen_at < interval '1 minute' as moved from sessions where id = ${me.session}`
    return row?.moved || undefined
  })
  for (const secondsBefore of [0, -1]) {
    await idle(secondsBefore)
    t.same(await everywhere(me.cookie), [401, 401, 401], `t+${-secondsBefore} s`)
    t.equal((await holding(me.cookie).post('/v1/token', {})).statusCode, 401)
  }
  const [row] =
    await sql`select last_seen_at + idle_seconds * interval '1 second' < now() as idle from sessions
    where id = ${me.session}`
  t.equal(row?.idle, true, 'a refused request revives nothing')
})

test('SS-08: constant use does not carry a session over its absolute end, and no token outlives it', async t => {
  const me = await person(sql)
  await sql`update sessions set ends_at = now() + interval '100 seconds', last_seen_at = now() - interval '1 day'
    where id = ${me.session}`
  const browser = holding(me.cookie)
  const { ends_at } = (await browser.get('/v1/session')).json().session
  const minted = (await browser.post('/v1/token', {})).json()
  const { exp } = JSON.parse(Buffer.from(minted.access_token.split('.')[1], 'base64url').toString())
  t.equal(exp, ends_at)
  t.ok(minted.expires_in <= 100)
  await eventually(async () => {
    const [row] =
      await sql`select now() - last_seen_at < interval '1 minute' as touched from sessions where id = ${me.session}`
    return row?.touched || undefined
  })
  t.equal((await browser.get('/v1/session')).json().session.ends_at, ends_at, 'a touch does not move it')
  for (const seconds of [0, 1]) {
    await sql`update sessions set ends_at = now() - ${seconds} * interval '1 second', last_seen_at = now()
      where id = ${me.session}`
    t.same(await everywhere(me.cookie), [401, 401, 401])
  }
})

test('a touch is written only when it is due, and never to a session that has ended meanwhile', async t => {
  const me = await person(sql)
  const seen = async () => (await rowOf(me.session))?.last_seen_at.getTime()
  const fresh = await seen()
  for (let round = 0; round < 5; round++) await statusOf(me.cookie)
  // A touch that is due is written after those that were not would have been.
  const other = await session(sql, me.id)
  await sql`update sessions set last_seen_at = now() - interval '2 days' where id = ${other.session}`
  await statusOf(other.cookie)
  await eventually(async () => {
    const [row] =
      await sql`select now() - last_seen_at < interval '1 minute' as moved from sessions where id = ${other.session}`
    return row?.moved || undefined
  })
  t.equal(await seen(), fresh)
  await sql`update sessions set last_seen_at = now() - interval '1 day', ended_at = now(), ended_reason = 'signed-out'
    where id = ${me.session}`
  const aged = await seen()
  t.equal(await statusOf(me.cookie), 401)
  t.equal(await seen(), aged)
})

const causes: [
  string,
  (me: { id: string; session: string; cookie: string; email: string }) => Promise<unknown>,
][] = [
  ['sign-out', me => holding(me.cookie).delete('/v1/session')],
  ['disabling the person', me => sql`update users set state = 'disabled' where id = ${me.id}`],
  ["replacing the person's epoch", me => sql`update users set epoch = epoch + 1 where id = ${me.id}`],
  ['deleting the person', me => sql`delete from users where id = ${me.id}`],
  ['deleting the row', me => sql`delete from sessions where id = ${me.session}`],
]
for (const [cause, end] of causes) {
  test(`SS-10: ${cause} on one instance is a 401 on all, at once, for a check and a mint alike`, async t => {
    const me = await person(sql)
    t.same(await everywhere(me.cookie), [200, 200, 200])
    await end(me)
    t.same(await everywhere(me.cookie), [401, 401, 401])
    for (const at of instances) {
      const minted = await holding(me.cookie, at).post('/v1/token', {})
      t.equal(minted.statusCode, 401)
      t.equal(minted.json().code, 'unauthenticated', 'and not why')
      t.notOk(minted.headers['set-cookie'])
    }
  })
}

test('enabling a person again resurrects no session whose epoch was replaced', async t => {
  const me = await person(sql)
  await sql`update users set state = 'disabled', epoch = epoch + 1 where id = ${me.id}`
  await sql`update users set state = 'active' where id = ${me.id}`
  t.same(await everywhere(me.cookie), [401, 401, 401])
})

test('replacing the epoch of the service ends every session', async t => {
  const own = await testService(t)
  const me = await person(own.database.sql)
  t.equal(await statusOf(me.cookie, own), 200)
  await own.database.sql`update service set epoch = epoch + 1`
  t.equal(await statusOf(me.cookie, own), 401)
})

test('SS-16: sign-out with a forged, swapped, doubled or foreign cookie ends nothing but what it proves', async t => {
  const me = await person(sql)
  const victim = await person(sql)
  const [own, theirs] = [me.cookie, victim.cookie]
  const headers = [
    `__Host-session=${victim.session}.${me.secret}`,
    `__Host-session=${me.session}.${victim.secret}`,
    `__Host-session=${victim.session}.`,
    `__Host-session=${victim.session}`,
    `__Host-session=${own}; __Host-session=${theirs}`,
    `__Host-session=${theirs}; __Host-session=${own}`,
    `__Host-session=${own},${theirs}`,
    `__Host-session=%`,
  ]
  for (const cookie of headers) {
    const answer = await service.app.inject({
      method: 'DELETE',
      url: '/v1/session',
      headers: { ...headersFrom(issuer), cookie },
    })
    t.equal(answer.statusCode, 204, cookie.replaceAll(/[A-Za-z0-9_-]{43}/g, '…'))
    t.same([await statusOf(own), await statusOf(theirs)], [200, 200])
  }
  const body = { id: victim.session, session: victim.session, all: true }
  await service.app.inject({
    method: 'DELETE',
    url: `/v1/session?id=${victim.session}&all=1`,
    headers: headersFrom(issuer, own),
    payload: body,
  })
  t.same([await statusOf(own), await statusOf(theirs)], [401, 200])
})

test('signing out in one browser leaves the other one signed in', async t => {
  const me = await person(sql)
  const other = await session(sql, me.id)
  await holding(me.cookie).delete('/v1/session')
  t.same([await statusOf(me.cookie), await statusOf(other.cookie)], [401, 200])
})

test('signing out with the secret of before a password change still ends the session', async t => {
  const me = await person(sql)
  const browser = holding(me.cookie)
  await browser.put('/v1/password', { current_password: goodPassword, new_password: otherPassword })
  await holding(me.cookie).delete('/v1/session')
  t.same(await everywhere(browser.cookie), [401, 401, 401])
})

test('SS-19: a token is not a session and a session is not a token', async t => {
  const me = await person(sql)
  const { access_token, sid } = (await holding(me.cookie).post('/v1/token', {})).json()
  for (const value of [access_token, `${sid}.${access_token}`, `${sid}.${access_token.split('.')[2]}`]) {
    t.equal(await statusOf(value), 401)
    t.equal((await holding(value).post('/v1/token', {})).statusCode, 401)
    t.equal((await holding(value).delete('/v1/session')).statusCode, 204)
  }
  for (const bearer of [access_token, me.cookie, me.secret]) {
    const answer = await holding(undefined).get('/v1/session', { authorization: `Bearer ${bearer}` })
    t.equal(answer.statusCode, 401)
  }
  t.equal(await statusOf(me.cookie), 200)
})

test('a 401 never clears the cookie, and says in the log why', async t => {
  const me = await person(sql)
  const reasons: [string, string, () => Promise<unknown>][] = [
    ['unknown', `${newCredential().id}.${me.secret}`, async () => {}],
    ['forged', `${me.session}.${newCredential().secret.reveal()}`, async () => {}],
    [
      'idle',
      me.cookie,
      () => sql`update sessions set last_seen_at = now() - interval '8 days' where id = ${me.session}`,
    ],
    ['absolute', me.cookie, () => sql`update sessions set ends_at = now() where id = ${me.session}`],
    ['revoked', me.cookie, () => sql`update users set epoch = epoch + 1 where id = ${me.id}`],
    ['disabled', me.cookie, () => sql`update users set state = 'disabled' where id = ${me.id}`],
  ]
  for (const [gone, cookie, happen] of reasons) {
    await happen()
    const from = service.logLines.length
    const answer = await holding(cookie).get('/v1/session')
    t.equal(answer.statusCode, 401)
    t.equal(answer.json().code, 'unauthenticated')
    t.notOk(answer.headers['set-cookie'])
    t.equal(answer.headers['www-authenticate'], 'Session')
    const said = service.logLines
      .slice(from)
      .map(line => JSON.parse(line))
      .find(line => line.gone)
    t.equal(said?.gone, gone)
  }
})
