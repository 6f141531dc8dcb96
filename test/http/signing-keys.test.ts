/** Signing keys over HTTP: the admin API, what a leak ends at once, and the history of keys. KY-06, KY-08, KY-12. */
import { sign } from 'node:crypto'
import { join } from 'node:path'
import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from 'jose'
import { type Test, test } from 'tap'
import { openSealedKey } from '../../src/keys/signing-key.js'
import type { SealedKey } from '../../src/keys/store.js'
import { loadKeyEncryptionKeys } from '../../src/sealing/key-encryption-keys.js'
import { Database } from '../../src/store/postgres/database.js'
import { postgresKeyRingStore } from '../../src/store/postgres/keys/key-ring-store.js'
import { administrator, application, person, serviceKey } from '../harness/world.js'
import { Browser } from '../support/browser.js'
import { ageKeys } from '../support/keys.js'
import { postgresProxy } from '../support/postgres-proxy.js'
import { issuer, type TestService, testService } from '../support/service.js'

const at = '/v1/admin/signing-keys'
const history = '/.well-known/historical-keys'

async function world(t: Test) {
  const service = await testService(t)
  const { sql } = service.database
  await application(sql, { clientId: 'spa' })
  const me = await person(sql)
  const browser = new Browser(service.app, null, me.cookie)
  return {
    ...{ service, sql, me, browser },
    admin: new Browser(service.app, issuer, (await administrator(sql)).cookie),
    async minted() {
      const answer = await browser.post('/v1/token', { client_id: 'spa' })
      t.equal(answer.statusCode, 200, answer.body)
      const { access_token: token } = answer.json()
      return { token, kid: decodeProtectedHeader(token).kid as string }
    },
    read: () => readHistory(service),
  }
}

/** Verified against the list of that moment, as whoever reads it would. */
async function readHistory({ app }: TestService) {
  const answer = await app.inject(history)
  const jwks = (await app.inject('/.well-known/jwks.json')).json()
  const { payload, protectedHeader } = await jwtVerify(answer.body, createLocalJWKSet(jwks), {
    issuer,
    typ: 'jwk-set+jwt',
    algorithms: ['ES256'],
  })
  // biome-ignore lint/suspicious/noExplicitAny: the test says what it expects.
  return { answer, payload, protectedHeader, keys: payload.keys as any[] }
}

/** The signer's private half, as a thief has it. */
async function stolen(service: TestService, kid: string) {
  const database = new Database(service.database.address, { connections: 1 })
  const { keys: keks } = await loadKeyEncryptionKeys(join(service.folder, 'keys'))
  const { keys } = await postgresKeyRingStore(database).read()
  await database.close()
  return openSealedKey(issuer, keys.find(key => key.kid === kid) as SealedKey, keks)
}

test('the admin API rotates, ends and reseals as the commands do, with a dry run of each', async t => {
  const { sql, admin, minted } = await world(t)
  const { kid } = await minted()
  const listed = (await admin.get(at)).json()
  t.same(listed.items.map((key: { state: string }) => key.state).sort(), ['signing', 'standby'])
  const dry = await admin.post(`${at}/rotate`, { dry_run: true })
  t.match(dry.json(), { changed: true, dry_run: true, items: { length: 3 } })
  t.equal((await admin.get(at)).json().items.length, 2)
  t.match((await admin.post(`${at}/rotate`, {})).json(), { changed: true, dry_run: false })
  t.match((await admin.post(`${at}/rotate`, {})).json(), { changed: false })
  t.match((await admin.post(`${at}/reseal`, {})).json(), { changed: false })
  t.match((await admin.get(`${at}/doctor`)).json(), { ok: true })
  const ended = (await admin.post(`${at}/compromise`, { kid })).json()
  t.match(ended, { changed: true, exposure: { introspection: 0, jwks: 30, everything: 7500 } })
  t.not((await minted()).kid, kid)
  t.match((await admin.post(`${at}/compromise`, { kid })).json(), { changed: false })
  t.equal((await admin.post(`${at}/compromise`, { kid: 'nobody' })).statusCode, 404)
  for (const wrong of [{}, { kid, all: true }, { all: true, kek: 'first' }, { kek: 'first' }, { all: false }])
    t.equal((await admin.post(`${at}/compromise`, wrong)).statusCode, 400, JSON.stringify(wrong))
  t.equal((await admin.post(`${at}/compromise`, { all: true, since: 9_999_999_999 })).statusCode, 400)
  const actions = (
    await sql`select action from audit_events where action like 'keys.%' and actor is not null
    order by id`
  ).map(({ action }) => action)
  t.same([...new Set(actions)].sort(), ['keys.compromised', 'keys.published', 'keys.scheduled'])
})

test('KY-06, KY-08: what a leaked key signs opens nothing, at introspection at once', async t => {
  const { service, sql, admin, minted, browser } = await world(t)
  const { token, kid } = await minted()
  const { key } = await serviceKey(sql, { scopes: ['introspect'], audiences: ['api'] })
  const asked = async (one: string) =>
    (
      await service.app.inject({
        method: 'POST',
        url: '/v1/introspect',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/x-www-form-urlencoded' },
        payload: `token=${one}`,
      })
    ).json()
  const thief = await stolen(service, kid)
  const claims = JSON.parse(Buffer.from(token.split('.')[1] as string, 'base64url').toString())
  const payload = Buffer.from(JSON.stringify({ ...claims, jti: 'A'.repeat(22) })).toString('base64url')
  const input = `${thief.header}.${payload}`
  const signature = sign('sha256', Buffer.from(input), { key: thief.private, dsaEncoding: 'ieee-p1363' })
  const forged = `${input}.${signature.toString('base64url')}`
  t.equal((await asked(token)).active, true)
  t.equal((await asked(forged)).active, true, 'as good as ours while nobody knows')
  await admin.post(`${at}/compromise`, { kid })
  for (const one of [token, forged]) t.same(await asked(one), { active: false })
  t.equal((await browser.get('/v1/session')).statusCode, 200, 'nobody is signed out')
  for (const [method, url] of [
    ['GET', '/v1/session'],
    ['GET', '/v1/sessions'],
    ['POST', '/v1/token'],
    ['GET', at],
    ['POST', `${at}/rotate`],
    ['POST', '/v1/session/step-up'],
  ] as const) {
    const headers = {
      authorization: `Bearer ${forged}`,
      cookie: `__Host-session=${forged}`,
      'x-mintmark': '1',
    }
    const answer = await service.app.inject({
      method,
      url,
      headers,
      ...(method === 'POST' && { payload: {} }),
    })
    t.ok(answer.statusCode >= 400 && answer.statusCode < 500, `${method} ${url}: ${answer.statusCode}`)
    t.equal(answer.headers['set-cookie'], undefined)
  }
})

test('the history is empty at first, then has every key with the time in which it signed, for good', async t => {
  const { service, sql, admin, minted, read } = await world(t)
  const first = await read()
  t.match(first.answer.headers, {
    'content-type': 'application/jwk-set+jwt',
    'access-control-allow-origin': '*',
    'cache-control': 'public, max-age=300, must-revalidate',
  })
  t.same(Object.keys(first.protectedHeader).sort(), ['alg', 'kid', 'typ'])
  t.same(first.keys, [])
  const { token, kid } = await minted()
  const { iat } = JSON.parse(Buffer.from(token.split('.')[1] as string, 'base64url').toString())
  await ageKeys(sql, 7560)
  await admin.post(`${at}/rotate`, {})
  await service.app.inject(history)
  await ageKeys(sql, 3600)
  await admin.post(`${at}/rotate`, { dry_run: true })
  const another = await testService(t, { beside: service })
  const { keys } = await readHistory(another)
  t.equal(keys.length, 1)
  t.same(Object.keys(keys[0]).sort(), ['alg', 'crv', 'exp', 'iat', 'kid', 'kty', 'nbf', 'use', 'x', 'y'])
  t.match(keys[0], { kid, iat: Number, nbf: Number, exp: Number })
  const passed = 7560 + 3600
  t.ok(keys[0].nbf <= iat - passed && iat - passed < keys[0].exp)

  const since = keys[0].nbf + 1
  await admin.post(`${at}/compromise`, { kid, since })
  await admin.post(`${at}/compromise`, { all: true })
  const later = await readHistory(await testService(t, { beside: service }))
  const { revoked, ...same } = later.keys.find(key => key.kid === kid)
  t.same(same, keys[0], 'what it had said stays')
  t.equal(revoked.reason, 'compromised')
  t.equal(revoked.revoked_at, keys[0].iat, 'none of its signatures is believed, by the later mark')
  t.equal(later.keys.length, 3)
  const standby = later.keys.find(key => key.nbf === key.exp)
  t.match(standby, { revoked: { reason: 'compromised' } }, 'one that never signed')
})

test('KY-12: while Postgres is away the list and the history are served from memory, and nothing is signed', async t => {
  const behind = await testService(t)
  const proxy = await postgresProxy(t, behind.database.address)
  const service = await testService(t, { beside: behind, address: proxy.address })
  const me = await person(behind.database.sql)
  const browser = new Browser(service.app, null, me.cookie)
  const list = (await service.app.inject('/.well-known/jwks.json')).body
  await proxy.stop()
  t.equal((await browser.post('/v1/token', { client_id: 'mintmark' })).statusCode, 503)
  const answer = await service.app.inject('/.well-known/jwks.json')
  t.same([answer.statusCode, answer.body], [200, list])
  t.equal((await service.app.inject(history)).statusCode, 200)
})
