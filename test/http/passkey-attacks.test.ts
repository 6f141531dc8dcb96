/** Attacks on passkeys by the JSON API: group PK of the attack list, and challenges that were made for another. */
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import tap, { test } from 'tap'
import { generateSealedKey } from '../../src/keys/signing-key.js'
import { loadKeyEncryptionKeys } from '../../src/sealing/key-encryption-keys.js'
import { Database } from '../../src/store/postgres/database.js'
import { recover } from '../../src/store/recovery.js'
import { link, person, session } from '../harness/world.js'
import { Browser } from '../support/browser.js'
import { device, optionsAt, prove, register, secondStep, signIn, stepUp } from '../support/passkeys.js'
import { eventually, goodPassword, issuer, testService } from '../support/service.js'

const service = await testService(tap)
const second = await testService(tap, { beside: service })
const { sql } = service.database
const holding = (cookie: string | undefined, at = service) => new Browser(at.app, issuer, cookie)
const codeOf = (answer: { json(): { code?: string } }) => answer.json().code

/** Somebody with one passkey, stepped up by it. */
async function withPasskey() {
  const me = await person(sql)
  const browser = holding(me.cookie)
  const own = device()
  const { factor } = (await register(browser, own)).json()
  await prove(browser, stepUp, own)
  return { me, browser, own, factor }
}
const pendingOf = async (email: string, at = service) => {
  const browser = at.browser()
  await browser.post('/v1/session', { email, password: goodPassword })
  return browser
}

test('PK-01: of 20 parallel copies of one answer one opens a session, in sign-in, second step and step-up', async t => {
  const { me, browser: holder, own } = await withPasskey()
  for (const [route, browser] of [
    [signIn, service.browser()],
    [secondStep, await pendingOf(me.email)],
    [stepUp, holder],
  ] as const) {
    const response = own.get(await optionsAt(browser, route))
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, at) => {
        const copy = holding(browser.cookie, at % 2 ? second : service)
        copy.pending = browser.pending
        copy.passkey = browser.passkey
        return copy.post(route, { response })
      }),
    )
    t.equal(answers.filter(({ statusCode }) => statusCode < 300).length, 1, route)
    const codes = new Set(answers.filter(({ statusCode }) => statusCode >= 300).map(codeOf))
    for (const code of codes) t.match(code, /^(passkey_failed|sign_in_expired|session_superseded)$/, route)
    t.ok((await browser.post(route, { response })).statusCode >= 400, 'nor does it later')
  }
  const [row] = await sql`select count(*)::int as opened from audit_events
    where actor = ${me.id} and action = 'session.opened' and outcome = 'done'`
  t.equal(row?.opened, 2)
})

test('PK-01: of 20 parallel copies of one registration one is made', async t => {
  const me = await person(sql)
  const browser = holding(me.cookie)
  const response = device().create(await optionsAt(browser, '/v1/passkeys', {}))
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, at) =>
      holding(me.cookie, at % 2 ? second : service).post('/v1/passkeys', { response }),
    ),
  )
  const won = answers.filter(({ statusCode }) => statusCode === 201)
  t.equal(won.length, 1)
  t.equal(won[0]?.json().recovery_codes.length, 10)
  t.equal((await sql`select from passkeys where user_id = ${me.id}`).length, 1)
  t.equal((await sql`select from recovery_codes where user_id = ${me.id}`).length, 10)
})

test('PK-02: a challenge older than five minutes is refused', async t => {
  const { me, browser: holder, own } = await withPasskey()
  for (const [route, browser] of [
    [signIn, service.browser()],
    [secondStep, await pendingOf(me.email)],
    [stepUp, holder],
  ] as const) {
    const options = await optionsAt(browser, route)
    await sql`update passkey_challenges set expires_at = expires_at - interval '5 minutes'`
    t.equal(codeOf(await browser.post(route, { response: own.get(options) })), 'passkey_failed', route)
    t.equal((await prove(browser, route, own)).statusCode < 300, true, 'a new one works')
  }
  const options = await optionsAt(holder, '/v1/passkeys', {})
  await sql`update passkey_challenges set expires_at = now()`
  const response = device().create(options)
  t.equal(codeOf(await holder.post('/v1/passkeys', { response })), 'passkey_rejected')
})

test('PK-05, PK-06, PK-08: what is not from here is refused, and its challenge is used up', async t => {
  const { own } = await withPasskey()
  for (const lies of [
    { origin: 'http://localhost' },
    { origin: 'https://localhost:4000' },
    { origin: 'http://sub.localhost:4000' },
    { origin: 'http://localhost:4000.evil.example' },
    { crossOrigin: true },
    { topOrigin: 'https://evil.example' },
    { rpId: 'evil.example' },
    { type: 'webauthn.create' },
    { challenge: randomBytes(32).toString('base64url') },
    { flags: { up: false } },
    { flags: { uv: false } },
    { flags: { be: true } },
    {
      signature: (honest: Buffer) =>
        Buffer.concat([honest.subarray(0, -1), Buffer.from([(honest.at(-1) ?? 0) ^ 1])]),
    },
    { userHandle: null },
    { userHandle: randomBytes(16) },
  ]) {
    const browser = service.browser()
    const options = await optionsAt(browser, signIn)
    const answer = await browser.post(signIn, { response: own.get(options, lies) })
    t.equal(answer.statusCode, 403, JSON.stringify(lies))
    t.equal(codeOf(answer), 'passkey_failed')
    t.equal(browser.cookie, undefined)
    t.notMatch(answer.body, /origin|signature|challenge|verif/)
  }
  const reasons = await eventually(async () => {
    const rows =
      await sql`select distinct action, outcome, reason from audit_events where reason = 'passkey-failed'
        and action = 'session.opened'`
    return rows.length > 0 ? [...rows] : undefined
  })
  t.same(reasons, [{ action: 'session.opened', outcome: 'refused', reason: 'passkey-failed' }])
})

test('PK-13: bodies that are no answer are refused without harm', async t => {
  const { browser, own } = await withPasskey()
  const good = own.get(await optionsAt(browser, stepUp))
  for (const response of [
    {},
    null,
    'x',
    { ...good, type: 'password' },
    { ...good, rawId: undefined },
    { ...good, response: {} },
    { ...good, id: 7 },
  ])
    t.equal(codeOf(await browser.post(stepUp, { response })), 'invalid_request', JSON.stringify(response))
  const large = { ...good, response: { ...good.response, signature: 'A'.repeat(1_000_000) } }
  t.equal(codeOf(await browser.post(stepUp, { response: large })), 'body_too_large')
  for (const changed of [
    { id: '####', rawId: '####' },
    { id: 'AA', rawId: 'AA' },
  ])
    t.equal(codeOf(await browser.post(stepUp, { response: { ...good, ...changed } })), 'passkey_failed')
  const options = await optionsAt(browser, '/v1/passkeys', {})
  const made = device().create(options)
  const deep = Buffer.alloc(16_000, 0x81).toString('base64url')
  const bomb = { ...made, response: { ...made.response, attestationObject: deep } }
  t.equal(codeOf(await browser.post('/v1/passkeys', { response: bomb })), 'passkey_rejected')
  t.equal((await browser.post('/v1/passkeys', { response: made })).statusCode, 201, 'its challenge is left')
})

test('a challenge of one purpose, browser, person or session is good for no other', async t => {
  const { me, browser: holder, own } = await withPasskey()
  const other = await withPasskey()
  const stranger = service.browser()
  const pending = await pendingOf(me.email)
  const elsewhere = holding((await session(sql, me.id)).cookie)
  const routes = { [signIn]: stranger, [secondStep]: pending, [stepUp]: holder }
  for (const [from, asks] of Object.entries(routes))
    for (const [to, answers] of Object.entries(routes)) {
      if (from === to) continue
      const { allowCredentials, ...options } = await optionsAt(asks, from)
      const answer = await answers.post(to, { response: own.get(options) })
      t.equal(codeOf(answer), 'passkey_failed', `${from} at ${to}`)
    }
  const registering = await optionsAt(holder, '/v1/passkeys', {})
  const asked = { challenge: registering.challenge, rpId: 'localhost' }
  t.equal(codeOf(await holder.post(stepUp, { response: own.get(asked) })), 'passkey_failed')
  const stepping = await optionsAt(holder, stepUp)
  const made = device().create({ ...registering, challenge: stepping.challenge })
  t.equal(codeOf(await holder.post('/v1/passkeys', { response: made })), 'passkey_rejected')

  const mine = await optionsAt(stranger, signIn)
  const thief = service.browser()
  t.equal(codeOf(await thief.post(signIn, { response: own.get(mine) })), 'passkey_failed', 'no cookie')
  await optionsAt(thief, signIn)
  t.equal(codeOf(await thief.post(signIn, { response: own.get(mine) })), 'passkey_failed', 'another browser')
  t.equal((await stranger.post(signIn, { response: own.get(mine) })).statusCode, 201, 'and it is left')

  const again = await pendingOf(me.email)
  const options = await optionsAt(again, secondStep)
  const another = await pendingOf(me.email)
  t.equal(codeOf(await another.post(secondStep, { response: own.get(options) })), 'passkey_failed', 'pending')
  const up = await optionsAt(holder, stepUp)
  t.equal(codeOf(await elsewhere.post(stepUp, { response: own.get(up) })), 'passkey_failed', 'session')
  t.equal(codeOf(await other.browser.post(stepUp, { response: own.get(up) })), 'passkey_failed', 'person')
  const enrolling = await optionsAt(holder, '/v1/passkeys', {})
  const response = device().create(enrolling)
  t.equal(codeOf(await other.browser.post('/v1/passkeys', { response })), 'passkey_rejected', 'person')
  await prove(elsewhere, stepUp, own)
  t.equal(codeOf(await elsewhere.post('/v1/passkeys', { response })), 'passkey_rejected', 'session')
  t.equal((await holder.post('/v1/passkeys', { response })).statusCode, 201)
})

test('a passkey of another completes nobody’s sign-in and step-up', async t => {
  const { me, browser } = await withPasskey()
  const thief = await withPasskey()
  const pending = await pendingOf(me.email)
  for (const [route, asks] of [
    [secondStep, pending],
    [stepUp, browser],
  ] as const) {
    const { allowCredentials, ...options } = await optionsAt(asks, route)
    t.equal(codeOf(await asks.post(route, { response: thief.own.get(options) })), 'passkey_failed')
  }
})

test('PK-14: the passkey of another is neither renamed nor removed', async t => {
  const { factor } = await withPasskey()
  const thief = await withPasskey()
  const [before] = await sql`select * from passkeys where id = ${factor.id}`
  const renamed = await thief.browser.send('PATCH', `/v1/factors/${factor.id}`, { name: 'Mine' })
  t.equal(codeOf(renamed), 'not_found')
  t.equal(codeOf(await thief.browser.delete(`/v1/factors/${factor.id}`)), 'not_found')
  t.same((await sql`select * from passkeys where id = ${factor.id}`)[0], before)
})

test('a credential id belongs to one person for ever: also when it is removed, and when they are', async t => {
  const credentialId = randomBytes(32)
  const { me, browser } = await withPasskey()
  const { factor } = (await register(browser, device(), { lies: { credentialId } })).json()
  const other = await withPasskey()
  const steal = () => register(other.browser, device(), { lies: { credentialId } })
  t.equal(codeOf(await steal()), 'passkey_rejected')
  t.equal(codeOf(await register(browser, device(), { lies: { credentialId } })), 'passkey_rejected', 'twice')
  t.equal((await browser.delete(`/v1/factors/${factor.id}`)).statusCode, 204)
  t.equal(codeOf(await steal()), 'passkey_rejected', 'removed')
  t.equal((await register(browser, device(), { lies: { credentialId } })).statusCode, 201, 'its owner may')
  await sql`delete from users where id = ${me.id}`
  t.equal(codeOf(await steal()), 'passkey_rejected', 'deleted')
  t.equal((await sql`select from passkeys where credential_id = ${credentialId}`).length, 0)
})

test('of two people who register one credential id at once one gets it', async t => {
  const credentialId = randomBytes(32)
  const people = await Promise.all([withPasskey(), withPasskey()])
  const answers = await Promise.all(
    people.map(({ browser }) => register(browser, device(), { lies: { credentialId } })),
  )
  t.same(answers.map(({ statusCode }) => statusCode).sort(), [201, 400])
})

test('PK-17: the passkey of a disabled user opens nothing', async t => {
  const { me, own } = await withPasskey()
  const browser = service.browser()
  const options = await optionsAt(browser, signIn)
  await sql`update users set state = 'disabled' where id = ${me.id}`
  t.equal(codeOf(await browser.post(signIn, { response: own.get(options) })), 'passkey_failed')
})

test('a passkey that is removed while its challenge is answered opens nothing', async t => {
  const { browser: holder, own, factor } = await withPasskey()
  const browser = service.browser()
  const options = await optionsAt(browser, signIn)
  await holder.delete(`/v1/factors/${factor.id}`)
  t.equal(codeOf(await browser.post(signIn, { response: own.get(options) })), 'passkey_failed')
})

test('whoever made an account of an address keeps no passkey when its owner comes', async t => {
  const { me, browser, own } = await withPasskey()
  await sql`update users set address_verified_by = null where id = ${me.id}`
  const options = await optionsAt(browser, '/v1/passkeys', {})
  const token = await link(sql, 'password-reset', me.email)
  const owner = service.browser()
  const password = 'quite other words now'
  t.equal((await owner.post('/v1/password/reset', { token, password })).statusCode, 204)
  t.equal((await sql`select from passkeys where user_id = ${me.id}`).length, 0)
  t.equal((await sql`select from passkey_challenges where user_id = ${me.id}`).length, 0)
  t.equal(
    codeOf(await browser.post('/v1/passkeys', { response: device().create(options) })),
    'unauthenticated',
  )
  t.equal(codeOf(await prove(service.browser(), signIn, own)), 'passkey_failed')
  t.equal((await owner.post('/v1/session', { email: me.email, password })).statusCode, 201)
})

test('challenges are limited by address, and so are answers that were made up', async t => {
  const limited = await testService(t, {
    beside: service,
    env: { MINTMARK_LIMIT_PASSKEY_BY_ADDRESS: '3/1h' },
  })
  const { own } = await withPasskey()
  const browser = limited.browser()
  const options = await optionsAt(browser, signIn)
  t.equal((await browser.post(signIn, { response: own.get(options) })).statusCode, 201, 'costs nothing')
  const again = await optionsAt(browser, signIn)
  const response = own.get(again, { type: 'none' })
  t.equal(codeOf(await browser.post(signIn, { response })), 'passkey_failed')
  t.equal(codeOf(await browser.post(signIn, { response })), 'too_many_requests')
  t.equal(codeOf(await browser.post(`${signIn}/options`)), 'too_many_requests')
  t.equal((await limited.browser().post(`${signIn}/options`)).statusCode, 200, 'another address')
})

test('after `mintmark recover` no challenge is left, and passkeys work as passwords do', async t => {
  const { own } = await withPasskey()
  const browser = service.browser()
  const options = await optionsAt(browser, signIn)
  const database = new Database(service.database.address, { connections: 1, anyCluster: true })
  t.teardown(() => database.close())
  const { keys } = await loadKeyEncryptionKeys(join(service.folder, 'keys'))
  await recover(database, () => generateSealedKey(issuer, keys), 0)
  t.equal(codeOf(await browser.post(signIn, { response: own.get(options) })), 'passkey_failed')
  t.equal((await prove(service.browser(), signIn, own)).statusCode, 201)
})
