/** What a verifier learns from the issuer alone: the keys, and the metadata that leads to them. */
import { request } from 'node:http'
import { calculateJwkThumbprint, createRemoteJWKSet, type JWK, jwtVerify } from 'jose'
import { test } from 'tap'
import { Outage } from '../../src/core/errors.js'
import type { Kid } from '../../src/core/principal.js'
import { openKeyRing } from '../../src/keys/key-ring.js'
import { Database } from '../../src/store/postgres/database.js'
import { postgresKeyRingStore } from '../../src/store/postgres/keys/key-ring-store.js'
import { testDatabase } from '../support/database.js'
import { postgresProxy } from '../support/postgres-proxy.js'
import { ringParts } from '../support/ring.js'
import { issuer, testService } from '../support/service.js'

const jwks = '/.well-known/jwks.json'
const metadata = ['/.well-known/oauth-authorization-server', '/.well-known/openid-configuration']

test('the key set holds exactly the public members of both keys', async t => {
  const { app, database } = await testService(t)
  const answer = await app.inject(jwks)
  t.equal(answer.statusCode, 200)
  t.match(answer.headers['content-type'], /^application\/json\b/)
  t.strictSame(Object.keys(answer.json()), ['keys'])
  const { keys } = answer.json() as { keys: JWK[] }
  t.equal(keys.length, 2)
  for (const key of keys) {
    t.strictSame(Object.keys(key).sort(), ['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y'])
    t.match(key, { kty: 'EC', crv: 'P-256', alg: 'ES256', use: 'sig', x: /^[\w-]{43}$/, y: /^[\w-]{43}$/ })
    t.equal(key.kid, await calculateJwkThumbprint(key))
  }
  t.strictSame(
    keys.map(key => key.kid).sort(),
    (await database.sql`select kid from signing_keys`).map(row => row.kid).sort(),
  )
})

test('nothing private is in the key set, the metadata or the log', async t => {
  const { app, database, logLines, signUp } = await testService(t)
  const { browser } = await signUp('ada@example.com')
  t.equal((await browser.post('/v1/token', {})).statusCode, 200)
  const texts = [...logLines]
  for (const url of [jwks, ...metadata]) {
    const answer = await app.inject(url)
    texts.push(answer.body, JSON.stringify(answer.headers))
  }
  const rows = await database.sql`select sealed, kek_id from signing_keys`
  const secrets = rows.flatMap(({ sealed }) => [
    sealed.toString('base64').slice(0, 40),
    sealed.toString('hex'),
  ])
  for (const secret of [...secrets, '"d":', 'PRIVATE', 'sealed', 'kek'])
    t.notOk(
      texts.some(text => text.includes(secret)),
      secret.slice(0, 12),
    )
})

test('the key set may be kept for 300 s, read by any page, and is the same for everybody', async t => {
  const { app, signUp } = await testService(t)
  const { browser } = await signUp('ada@example.com')
  const plain = await app.inject(jwks)
  const answers = [
    await app.inject({ url: jwks, headers: { origin: 'https://anywhere.example' } }),
    await app.inject({ url: jwks, headers: { origin: 'null', host: 'evil.example' } }),
    await browser.get(jwks),
    await app.inject({ url: jwks, headers: { accept: 'text/html' } }),
  ]
  for (const answer of [plain, ...answers]) {
    t.equal(answer.statusCode, 200)
    t.equal(answer.body, plain.body, 'the same bytes, so the same order')
    t.equal(answer.headers.etag, plain.headers.etag)
    t.equal(answer.headers['cache-control'], 'public, max-age=300, must-revalidate')
    t.equal(answer.headers['access-control-allow-origin'], '*')
    t.notOk(answer.headers['access-control-allow-credentials'])
    t.notOk(answer.headers['set-cookie'])
    t.notMatch(answer.headers.vary, /cookie/i)
  }
})

test('who has the key set is told so in no bytes, and HEAD tells what GET would', async t => {
  const { app } = await testService(t)
  const full = await app.inject(jwks)
  const etag = String(full.headers.etag)
  t.match(etag, /^"[^"]+"$/)
  for (const known of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
    const answer = await app.inject({ url: jwks, headers: { 'if-none-match': known } })
    t.equal(answer.statusCode, 304, known)
    t.equal(answer.body, '')
    t.equal(answer.headers.etag, etag)
    t.equal(answer.headers['cache-control'], full.headers['cache-control'], 'a 304 renews what it stands for')
    t.equal(answer.headers['access-control-allow-origin'], '*')
  }
  for (const other of ['"other"', etag.slice(1, -1), '']) {
    const answer = await app.inject({ url: jwks, headers: { 'if-none-match': other } })
    t.equal(answer.statusCode, 200, other)
    t.equal(answer.body, full.body)
  }
  const head = await app.inject({ method: 'HEAD', url: jwks })
  t.equal(head.statusCode, 200)
  t.equal(head.body, '')
  for (const name of [
    'etag',
    'content-type',
    'content-length',
    'cache-control',
    'access-control-allow-origin',
  ])
    t.equal(head.headers[name], full.headers[name], name)
  for (const method of ['POST', 'PUT', 'DELETE'] as const) {
    const { statusCode } = await app.inject({ method, url: jwks, headers: { 'x-mintmark': '1' } })
    t.ok(statusCode === 404 || statusCode === 405, `${method}: ${statusCode}`)
  }
})

test('the metadata names the issuer to the letter, and only what exists', async t => {
  const { app } = await testService(t)
  for (const url of metadata) {
    const answer = await app.inject(url)
    t.equal(answer.statusCode, 200)
    const document = answer.json()
    t.equal(document.issuer, issuer)
    t.equal(document.jwks_uri, `${issuer}${jwks}`)
    t.equal(new URL(document.jwks_uri).origin, document.issuer)
    t.notMatch(answer.body, /none/i, 'no algorithm none')
    t.notMatch(answer.body, /HS\d/, 'no shared secrets')
    for (const name of Object.keys(document).filter(name => /_(endpoint|uri)$/.test(name))) {
      const { statusCode, headers } = await app.inject(new URL(document[name]).pathname)
      if (name === 'introspection_endpoint') t.same([statusCode, headers.allow], [405, 'POST'])
      else t.equal(statusCode, 200, `${name} is there`)
    }
    t.equal(answer.headers['access-control-allow-origin'], '*')
    t.notOk(answer.headers['set-cookie'])
  }
  const [, openid] = await Promise.all(metadata.map(async url => (await app.inject(url)).json()))
  t.strictSame(openid.id_token_signing_alg_values_supported, ['ES256'])
  for (const elsewhere of [
    `/x${metadata[0]}`,
    `${metadata[0]}/`,
    `${metadata[0]}/x`,
    String(metadata[1]).toUpperCase(),
  ])
    t.equal((await app.inject(elsewhere)).statusCode, 404, elsewhere)
})

test('no header of a request changes the metadata, and every instance says the same', async t => {
  const one = await testService(t)
  const two = await testService(t, { beside: one })
  const { hostname, port } = new URL(one.addresses.main)
  const lies = {
    host: 'evil.example',
    'x-forwarded-host': 'evil.example',
    'x-forwarded-proto': 'https',
    'x-forwarded-port': '444',
    forwarded: 'host=evil.example;proto=https',
    'x-original-url': '/evil',
    'x-rewrite-url': '/evil',
  }
  for (const url of [jwks, ...metadata]) {
    const plain = (await one.app.inject(url)).body
    t.equal((await two.app.inject(url)).body, plain, `${url}: identical on two instances`)
    t.equal((await two.app.inject(url)).headers.etag, (await one.app.inject(url)).headers.etag)
    const lied = await new Promise<string>((resolve, reject) => {
      const asked = request({ hostname, port, path: url, headers: lies }, response => {
        let body = ''
        response.on('data', chunk => {
          body += chunk
        })
        response.on('end', () => resolve(body))
      })
      asked.on('error', reject).end()
    })
    t.equal(lied, plain, url)
  }
})

test('a verifier that knows only the address verifies a token of either instance', async t => {
  const one = await testService(t)
  const two = await testService(t, { beside: one })
  const { browser } = await one.signUp('ada@example.com')
  const token = (await browser.post('/v1/token', {})).json().access_token
  const beside = (await browser.at(two.app).post('/v1/token', {})).json().access_token
  for (const { addresses } of [one, two]) {
    const keys = createRemoteJWKSet(new URL(`${addresses.main}${jwks}`))
    for (const minted of [token, beside])
      t.equal((await jwtVerify(minted, keys, { issuer, typ: 'at+jwt' })).payload.client_id, 'mintmark')
  }
})

test('ten instances on an empty ring publish the same two keys', async t => {
  const database = await testDatabase(t)
  const { keks } = await ringParts(t, database)
  const rings = await Promise.all(
    Array.from({ length: 10 }, () => {
      const own = new Database(database.address, { connections: 1 })
      t.teardown(() => own.close())
      return openKeyRing(postgresKeyRingStore(own), keks, issuer)
    }),
  )
  t.equal(new Set(rings.map(ring => ring.published().body)).size, 1)
  t.equal(JSON.parse(rings[0]?.published().body ?? '').keys.length, 2)
  const rows = await database.sql`select kid, signs_from from signing_keys`
  t.equal(rows.length, 2)
  const signer = rows.find(row => row.signs_from !== null)?.kid
  t.equal(rows.filter(row => row.signs_from !== null).length, 1)
  for (const ring of rings) t.equal((await ring.signer(signer)).kid, signer, 'each of them can sign with it')
})

test('the key set is served from memory while Postgres is away, and refused when it is too old to trust', async t => {
  const database = await testDatabase(t)
  const proxy = await postgresProxy(t, database.address)
  const { store, keks } = await ringParts(t, { ...database, address: proxy.address })
  let uptime = 1000
  const ring = await openKeyRing(store, keks, issuer, () => uptime)
  const known = ring.published()
  await proxy.stop()
  uptime += 3600_000
  await t.rejects(ring.refresh(), Outage)
  t.strictSame(ring.published(), known, 'an hour old: still served')
  uptime += 1
  t.throws(() => ring.published(), Outage)
  await proxy.resume()
  await ring.refresh()
  t.strictSame(ring.published(), known, 'read again: served again')
  uptime += 3600_001
  t.throws(() => ring.published(), Outage, 'its age counts from that reading')
})

test('a list that was asked for later is never replaced by an earlier one that arrives late', async t => {
  const { store, keks } = await ringParts(t)
  let uptime = 0
  let late: { answered: () => void; release: Promise<void> } | undefined
  const gated = {
    ...store,
    async read() {
      const gate = late
      late = undefined
      const ring = await store.read()
      if (!gate) return ring
      gate.answered()
      await gate.release
      return { ...ring, keys: ring.keys.slice(0, 1) }
    },
  }
  const ring = await openKeyRing(gated, keks, issuer, () => ++uptime)
  const { body } = ring.published()
  let release = () => {}
  const held = new Promise<void>(resolve => {
    release = resolve
  })
  let earlier: Promise<void> | undefined
  await new Promise<void>(answered => {
    late = { answered, release: held }
    earlier = ring.refresh()
  })
  await ring.refresh()
  release()
  await earlier
  t.equal(ring.published().body, body)
})

test('a key that another instance made is published after a refresh, and signs as soon as a statement names it', async t => {
  const { store, keks, sql } = await ringParts(t)
  const ring = await openKeyRing(store, keks, issuer)
  const [{ kid: first } = { kid: '' }] = await sql`select kid from signing_keys where signs_from is not null`
  const elsewhere = await ringParts(t)
  await openKeyRing(elsewhere.store, keks, issuer)
  const [made] = await elsewhere.sql`select * from signing_keys where signs_from is not null`
  const row = { ...made, exempt: 'compromise', signs_from: new Date(Date.now() + 1000) }
  await sql`insert into signing_keys ${sql(row as never, 'kid', 'public_jwk', 'sealed', 'kek_id', 'signs_from', 'exempt', 'least_lead', 'least_tail')}`
  t.notMatch(ring.published().body, made?.kid)
  t.equal((await ring.signer(made?.kid)).kid, made?.kid, 'loaded when it was named')
  t.match(ring.published().body, made?.kid, 'and what signs is published')
  t.equal((await ring.signer(first as Kid)).kid, first)
})

test('a kid that is not in the ring signs nothing: an outage, not a refusal', async t => {
  const { store, keks, sql } = await ringParts(t)
  const ring = await openKeyRing(store, keks, issuer)
  await t.rejects(ring.signer(undefined), Outage)
  await t.rejects(ring.signer('A'.repeat(43) as Kid), Outage)
  const [signer] = await sql`select kid from signing_keys where signs_from is not null`
  await ring.signer(signer?.kid)
  await sql`update signing_keys set compromised_at = now(), unpublished_at = now(), signs_until = now(), sealed = null,
    kek_id = null where kid = ${signer?.kid}`
  await ring.refresh()
  await t.rejects(ring.signer(signer?.kid), Outage, 'a key that was taken back is forgotten')
  t.notMatch(ring.published().body, signer?.kid)
})
