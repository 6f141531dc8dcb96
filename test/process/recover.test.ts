/** Another server than the recorded one: nothing is accepted from it until `mintmark recover`, and what that does. */
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from 'jose'
import { type Test, test } from 'tap'
import { Outage } from '../../src/core/errors.js'
import type { SessionId } from '../../src/core/principal.js'
import { Database } from '../../src/store/postgres/database.js'
import { HotReads } from '../../src/store/postgres/hot-reads.js'
import { link, person, serviceKey } from '../harness/world.js'
import { Browser } from '../support/browser.js'
import { commandLine } from '../support/command.js'
import { testDatabase } from '../support/database.js'
import { goodPassword, issuer, type TestService, testService } from '../support/service.js'

async function world(t: Test) {
  const service = await testService(t)
  const { sql } = service.database
  const me = await person(sql)
  const mintmark = await commandLine(t, service.database, join(service.folder, 'keys'))
  const browser = new Browser(service.app, issuer, me.cookie)
  const token = (await browser.post('/v1/token', {})).json().access_token as string
  /** What a promotion, or a restore into another cluster, changes about the server, seen from the row. */
  const becomesAnother = (what: 'timeline' | 'system_identifier') =>
    sql.unsafe(`update service set ${what} = '0000BEEF'`)
  return { service, sql, me, browser, token, mintmark, becomesAnother }
}

const signIn = (service: TestService, email: string) =>
  service.browser().post('/v1/session', { email, password: goodPassword })

test('on another timeline every route that asks the truth is 503, nobody loses a cookie, and keys are served', async t => {
  const { service, sql, me, browser, becomesAnother } = await world(t)
  const [signUp, reset] = [
    await link(sql, 'sign-up', 'new@example.com'),
    await link(sql, 'password-reset', me.email),
  ]
  await becomesAnother('timeline')
  const before = await sql`select * from sessions`
  for (const [what, answer] of Object.entries({
    check: await browser.get('/v1/session'),
    mint: await browser.post('/v1/token', {}),
    list: await browser.get('/v1/sessions'),
    'end others': await browser.delete('/v1/sessions'),
    'step-up': await browser.post('/v1/session/step-up', { password: goodPassword }),
    'switch of tenant': await browser.put('/v1/session/tenant', { tenant: null }),
    'sign-out': await browser.delete('/v1/session'),
    'sign-in': await signIn(service, me.email),
    'sign-up': await service.browser().post('/v1/sign-up/verify', { token: signUp, password: goodPassword }),
    reset: await service.browser().post('/v1/password/reset', { token: reset, password: goodPassword }),
  })) {
    t.equal(answer.statusCode, 503, what)
    t.equal(answer.json().code, 'unavailable', `${what}: nothing was done`)
    t.notOk(answer.headers['set-cookie'], what)
  }
  t.same(await sql`select * from sessions`, before)
  t.equal((await sql`select from mail_links`).length, 2)
  t.equal((await fetch(`${service.addresses.probes}/readyz`)).status, 503)
  t.equal((await browser.get('/.well-known/jwks.json')).statusCode, 200)
  t.match(service.logLines.join(''), /not the one that was trusted: run `mintmark recover`/)
})

test('another system identifier is noticed by the first statement of a connection, and by every change', async t => {
  const { service, becomesAnother } = await world(t)
  await becomesAnother('system_identifier')
  const { address } = service.database
  const hot = new HotReads(address)
  const database = new Database(address, { connections: 1 })
  t.teardown(() => Promise.all([hot.close(), database.close()]))
  await t.rejects(hot.read('x' as SessionId), Outage)
  await t.rejects(hot.read('x' as SessionId), Outage, 'and by the next')
  await t.rejects(
    database.read(tx => tx.execute('select 1')),
    Outage,
  )
  await t.rejects(
    database.transaction(tx => tx.execute('select 1')),
    Outage,
  )
})

test('a start on a server that is not trusted is refused, and says what to run', async t => {
  for (const what of ['timeline', 'system_identifier'] as const) {
    const { service, becomesAnother } = await world(t)
    await becomesAnother(what)
    await t.rejects(testService(t, { beside: service }), /not the trusted one[\s\S]*run `mintmark recover`/)
  }
})

test('recover: every session ends, unfinished flows are dropped, a new key signs, and instances serve at once', async t => {
  const { service, sql, me, browser, token, mintmark, becomesAnother } = await world(t)
  const reset = await link(sql, 'password-reset', me.email)
  const keysBefore = (await browser.get('/.well-known/jwks.json')).json().keys as { kid: string }[]
  await becomesAnother('timeline')
  const { code, out } = await mintmark('recover')
  t.equal(code, 0)
  t.match(out, /1 session\(s\) ended/)
  t.match(out, /1 unfinished/)

  t.equal((await browser.get('/v1/session')).json().code, 'unauthenticated', 'without a restart')
  const late = { token: reset, password: goodPassword }
  t.equal((await service.browser().post('/v1/password/reset', late)).json().code, 'link_invalid')
  const again = service.browser()
  t.equal((await again.post('/v1/session', { email: me.email, password: goodPassword })).statusCode, 201)
  const fresh = (await again.post('/v1/token', {})).json().access_token as string
  const { kid } = decodeProtectedHeader(fresh)
  t.notOk(
    keysBefore.some(key => key.kid === kid),
    'signed by a key that was not there before',
  )

  const jwks = (await again.get('/.well-known/jwks.json')).json()
  t.equal(jwks.keys.length, 4, 'the keys before, the signer, and its standby')
  for (const one of [token, fresh]) await t.resolves(jwtVerify(one, createLocalJWKSet(jwks)))
  const [event] =
    await sql`select actor, subject, outcome from audit_events where action = 'service.recovered'`
  t.match(event, { actor: null, subject: kid, outcome: 'done' })
  const next = await testService(t, { beside: service })
  t.equal((await new Browser(next.app, issuer, again.cookie).get('/v1/session')).statusCode, 200)
})

test('recover can be repeated, and the keys before keep the end that they were given first', async t => {
  const { sql, mintmark, becomesAnother } = await world(t)
  await becomesAnother('timeline')
  await mintmark('recover')
  const ends = () =>
    sql`select kid, unpublished_at from signing_keys where unpublished_at is not null order by kid`
  const first = await ends()
  t.equal(first.length, 2)
  t.match(await mintmark('recover'), { code: 0, err: '', out: /0 session\(s\) ended/ })
  for (const { kid, unpublished_at } of first)
    t.same((await ends()).find(key => key.kid === kid)?.unpublished_at, unpublished_at)
})

test('recover --nothing-lost trusts the server and keeps sessions, flows and keys', async t => {
  const { sql, me, browser, mintmark, becomesAnother } = await world(t)
  await link(sql, 'password-reset', me.email)
  await becomesAnother('timeline')
  t.equal((await browser.get('/v1/session')).statusCode, 503)
  t.match(await mintmark('recover', '--nothing-lost'), { code: 0, out: /Sessions continue/ })
  t.equal((await browser.get('/v1/session')).statusCode, 200)
  t.equal((await sql`select from mail_links`).length, 1)
  t.equal((await sql`select from signing_keys`).length, 2)
})

test('a database of a lower generation than was trusted here is not started from, until it is recovered', async t => {
  const { service, sql, mintmark } = await world(t)
  const later = `${Math.floor(Date.now() / 1000) + 1_000_000}`
  const file = join(service.folder, 'keys', `${later}.generation`)
  await writeFile(file, '')
  const refused = new RegExp(
    `former primary or a restored backup: its generation is [0-9]+, and ${file} says`,
  )
  await t.rejects(testService(t, { beside: service }), refused)
  t.match(await mintmark('users', 'list'), { code: 1, err: /former primary or a restored copy/ })
  const { out } = await mintmark('recover', '--nothing-lost')
  const higher = String(Number(later) + 1)
  t.match(out, `now trusts this database (generation ${higher})`)
  t.equal((await sql`select generation::text as generation from service`)[0]?.generation, higher)
  const kept = (await readdir(join(service.folder, 'keys'))).filter(name => name.endsWith('.generation'))
  t.same(kept, [`${higher}.generation`])
  await testService(t, { beside: service })
})

test('a start with another’s database that fails keeps nothing of it: the one in use starts again', async t => {
  const { service } = await world(t)
  const kept = () => readdir(join(service.folder, 'keys'))
  const before = await kept()
  t.ok(before.some(name => name.endsWith('.generation')))
  const another = await testDatabase(t)
  await another.sql`update service set generation = generation + 1000`
  const env = { MINTMARK_LISTEN: new URL(service.addresses.main).host }
  await t.rejects(testService(t, { beside: service, address: another.address, env }), /EADDRINUSE/)
  t.same(await kept(), before)
  await testService(t, { beside: service })
})

test('recover lists the service keys that work, which may have been revoked in the lost span', async t => {
  const { sql, mintmark } = await world(t)
  t.match(await mintmark('recover'), { code: 0, out: /There are no active service keys/ })
  const [working, revoked] = [await serviceKey(sql), await serviceKey(sql)]
  await sql`update service_keys set revoked_at = now() where id = ${revoked.id}`
  const { code, out } = await mintmark('recover')
  t.equal(code, 0)
  t.match(out, /revoke it again/)
  t.ok(out.includes(working.id) && !out.includes(revoked.id), 'and no other')
})

test('recover without the key-encryption key does nothing and says where to run it', async t => {
  const { service, sql, browser, becomesAnother } = await world(t)
  await becomesAnother('timeline')
  const elsewhere = await commandLine(t, service.database, join(service.folder, 'nowhere'))
  t.match(await elsewhere('recover'), {
    code: 1,
    err: /no key-encryption key in .*: run the command where the service runs/,
  })
  t.equal((await browser.get('/v1/session')).statusCode, 503)
  t.equal((await sql`select from audit_events where action = 'service.recovered'`).length, 0)
})

test('other commands on a server that is not trusted do nothing and name the mend', async t => {
  const { me, mintmark, becomesAnother } = await world(t)
  await becomesAnother('timeline')
  for (const args of [
    ['users', 'disable', me.id],
    ['sessions', 'end-all', '--everybody'],
  ])
    t.match(await mintmark(...args), { code: 1, err: /Nothing was changed: .*mintmark recover/ })
})
