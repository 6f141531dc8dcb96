/** Introspection: today's answer about a token, exactly `{"active":false}` for all that does not count, and who may ask. */
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { join } from 'node:path'
import { calculateJwkThumbprint } from 'jose'
import tap, { type Test, test } from 'tap'
import type { TenantId } from '../../src/core/principal.js'
import { signerOf } from '../../src/keys/schedule.js'
import { openSealedKey } from '../../src/keys/signing-key.js'
import type { SealedKey } from '../../src/keys/store.js'
import { loadKeyEncryptionKeys } from '../../src/sealing/key-encryption-keys.js'
import { Database } from '../../src/store/postgres/database.js'
import { postgresKeyRingStore } from '../../src/store/postgres/keys/key-ring-store.js'
import { mint } from '../../src/tokens/mint.js'
import { readToken } from '../../src/tokens/read.js'
import { headersFrom } from '../harness/routes.js'
import { application, member, type Person, person, serviceKey, tenant } from '../harness/world.js'
import { tamperedTokens } from '../red/tokens.js'
import { testDatabase } from '../support/database.js'
import { ageKeys, unguarded } from '../support/keys.js'
import { postgresProxy } from '../support/postgres-proxy.js'
import { basis, principal, tenantId, testRing } from '../support/ring.js'
import { eventually, issuer, type TestService, testService } from '../support/service.js'

const service = await testService(tap)
const { sql } = service.database
await application(sql, { clientId: 'spa', audiences: ['api', 'other-api'] })
const asker = (await serviceKey(sql, { scopes: ['introspect'], audiences: ['api', 'second-api'] })).key

interface Asked {
  readonly key?: string
  readonly at?: TestService
  readonly headers?: Record<string, string>
  readonly body?: string
}
function ask(token: string, { key = asker, at = service, headers = {}, body }: Asked = {}) {
  return at.app.inject({
    method: 'POST',
    url: '/v1/introspect',
    headers: {
      authorization: `Bearer ${key}`,
      'content-type': 'application/x-www-form-urlencoded',
      ...headers,
    },
    payload: body ?? new URLSearchParams({ token, token_type_hint: 'access_token' }).toString(),
  })
}

async function isInactive(t: Test, what: string, token: string, asked: Asked = {}) {
  const answer = await ask(token, asked)
  t.equal(answer.statusCode, 200, what)
  t.equal(answer.body, '{"active":false}', what)
}
const isActive = async (token: string, asked: Asked = {}) => (await ask(token, asked)).json().active

/** The reason that the last introspection logged. */
const reason = () =>
  service.logLines.map(line => /"inactive":"([^"]+)"/.exec(line)?.[1]).findLast(found => found !== undefined)

async function minted(me: Person, body: object = {}, at = service): Promise<string> {
  const answer = await at.app.inject({
    method: 'POST',
    url: '/v1/token',
    headers: headersFrom(null, me.cookie),
    payload: { client_id: 'spa', ...body },
  })
  if (answer.statusCode !== 200) throw new Error(answer.body)
  return answer.json().access_token
}

async function worker(...roles: string[]) {
  const me = await person(sql)
  const acme = await tenant(sql)
  await member(sql, me.id, acme, ...roles)
  return { me, acme, token: await minted(me, { tenant: acme }) }
}

const claimsOf = (token: string) =>
  JSON.parse(Buffer.from(String(token.split('.')[1]), 'base64url').toString())

/** What the service signs with, to sign what it never would. */
async function signer(): Promise<{ kid: string; key: KeyObject }> {
  const database = new Database(service.database.address, { connections: 1 })
  const { keys } = await loadKeyEncryptionKeys(join(service.folder, 'keys'))
  const ring = await postgresKeyRingStore(database).read()
  await database.close()
  const row = signerOf(ring.keys, ring.now) as SealedKey
  return { kid: row.kid, key: (await openSealedKey(issuer, row, keys)).private }
}
/** What the answer repeats: all but what the token rests on. */
function answered(token: string) {
  const { rev: _, ...claims } = claimsOf(token)
  return claims
}

function signed(kid: string, key: KeyObject, claims: object): string {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const input = `${encode({ alg: 'ES256', typ: 'at+jwt', kid })}.${encode(claims)}`
  return `${input}.${sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
}

test('the answer about a live token is exactly what it says, with today’s roles and permissions', async t => {
  const { acme, token } = await worker('r1', 'r2')
  const { roles: _, permissions: __, ...claims } = answered(token)
  const answer = await ask(token)
  t.equal(answer.statusCode, 200)
  t.match(answer.headers, { 'content-type': /^application\/json/, 'cache-control': 'no-store' })
  t.same(answer.json(), {
    ...claims,
    active: true,
    token_type: 'Bearer',
    tenant: acme,
    roles: ['reader', 'writer'],
    permissions: ['doc:read', 'doc:write'],
  })

  const alone = await minted(await person(sql))
  t.same((await ask(alone)).json(), { ...answered(alone), active: true, token_type: 'Bearer' })
})

test('P3: a role that is given, or that permits more, is in the next answer; one that is taken ends the token', async t => {
  const { me, acme, token } = await worker('r1')
  const today = async () => {
    const { active, permissions } = (await ask(token)).json()
    return active ? permissions : 'inactive'
  }
  t.same(await today(), ['doc:read'])
  await sql`update memberships set role_ids = '{r1,r2}' where user_id = ${me.id}`
  t.same(await today(), ['doc:read', 'doc:write'])
  const more = { r1: { name: 'reader', permissions: ['doc:read', 'doc:see'] } }
  await sql`update tenants set roles = roles || ${sql.json(more)} where id = ${acme}`
  t.same(await today(), ['doc:read', 'doc:see', 'doc:write'])
  await sql`update memberships set role_ids = '{r1}' where user_id = ${me.id}`
  t.equal(await today(), 'inactive', 'its next token says what is left')
  const other = await worker('r1')
  const less = { r1: { name: 'reader', permissions: [] } }
  await sql`update tenants set roles = roles || ${sql.json(less)} where id = ${other.acme}`
  t.same((await ask(other.token)).json(), { active: false })
})

test('the tenant is the token’s, whatever tenant the session is in by now', async t => {
  const { me, acme, token } = await worker('r1')
  const other = await tenant(sql)
  await member(sql, me.id, other, 'r2')
  await sql`update sessions set tenant_id = ${other} where id = ${me.session}`
  t.match((await ask(token)).json(), { tenant: acme, roles: ['reader'] })
})

const ways: [
  what: string,
  reason: string,
  does: (about: { me: Person; acme: string }) => PromiseLike<unknown>,
][] = [
  [
    'the session was ended',
    'session-revoked',
    ({ me }) =>
      sql`update sessions set ended_at = now(), ended_reason = 'signed-out' where id = ${me.session}`,
  ],
  ['the session is gone', 'session-unknown', ({ me }) => sql`delete from sessions where id = ${me.session}`],
  [
    'all sessions of the person were ended',
    'session-revoked',
    ({ me }) => sql`update users set epoch = epoch + 1 where id = ${me.id}`,
  ],
  [
    'the session is past its absolute end',
    'session-absolute',
    ({ me }) => sql`update sessions set ends_at = now() where id = ${me.session}`,
  ],
  [
    'the session is past its idle limit',
    'session-idle',
    ({ me }) => sql`update sessions set last_seen_at = now() - interval '8 days' where id = ${me.session}`,
  ],
  [
    'the person is disabled',
    'session-disabled',
    ({ me }) => sql`update users set state = 'disabled' where id = ${me.id}`,
  ],
  ['the person is deleted', 'session-unknown', ({ me }) => sql`delete from users where id = ${me.id}`],
  [
    'the person is no member any more',
    'tenant-lost',
    ({ me }) => sql`delete from memberships where user_id = ${me.id}`,
  ],
  [
    'the membership is suspended',
    'tenant-lost',
    ({ me }) => sql`update memberships set state = 'suspended' where user_id = ${me.id}`,
  ],
  [
    'the tenant is suspended',
    'tenant-lost',
    ({ acme }) => sql`update tenants set state = 'suspended' where id = ${acme}`,
  ],
  ['the tenant is deleted', 'tenant-lost', ({ acme }) => sql`delete from tenants where id = ${acme}`],
]
for (const [what, why, does] of ways) {
  test(`JW-28, JW-35: a token is not active when ${what}`, async t => {
    const { me, acme, token } = await worker('r1')
    t.equal(await isActive(token), true)
    await does({ me, acme })
    await isInactive(t, what, token)
    t.equal(reason(), why)
  })
}

test('JW-35: a token is not active once its application is disabled, removed, or not for its audience any more', async t => {
  await application(sql, { clientId: 'leaving', audiences: ['api'] })
  const token = await minted(await person(sql), { client_id: 'leaving' })
  t.equal(await isActive(token), true)
  for (const change of [
    sql`update applications set state = 'disabled' where client_id = 'leaving'`,
    sql`update applications set state = 'enabled', audiences = '{other-api}' where client_id = 'leaving'`,
    sql`delete from applications where client_id = 'leaving'`,
  ]) {
    await change
    await isInactive(t, 'application', token)
    t.equal(reason(), 'application')
  }
})

test('JW-35: everybody’s sessions ended: no token is active', async t => {
  const token = await minted(await person(sql))
  await sql`update service set epoch = epoch + 1`
  await isInactive(t, 'service epoch', token)
})

test('JW-35: a token for an audience that is none of the key’s is not active for it', async t => {
  const token = await minted(await person(sql), { audience: 'other-api' })
  await isInactive(t, 'audience', token)
  t.equal(reason(), 'audience')
  const { key } = await serviceKey(sql, { scopes: ['introspect'], audiences: ['other-api'] })
  t.equal(await isActive(token, { key }), true)
})

test('JW-35: a key of one tenant learns nothing of another’s tokens, nor of those in no tenant', async t => {
  const [here, there] = [await worker('r1'), await worker('r1')]
  const { key } = await serviceKey(sql, { scopes: ['introspect'], tenant: here.acme })
  t.equal(await isActive(here.token, { key }), true)
  for (const token of [there.token, await minted(here.me)]) {
    await isInactive(t, 'other tenant', token, { key })
    t.equal(reason(), 'other-tenant')
  }
})

test('JW-35: garbage, a wrong hint and an unknown one make no difference but what they are', async t => {
  const token = await minted(await person(sql))
  for (const hint of ['refresh_token', 'nonsense', '', 'id_token'])
    t.equal(
      await isActive(token, { body: new URLSearchParams({ token, token_type_hint: hint }).toString() }),
      true,
    )
  t.equal(await isActive(token, { body: `token=${token}` }), true)
  for (const garbage of [
    '',
    'x',
    '..',
    '...',
    'a.b.c',
    asker,
    '\0',
    `${token}.`,
    token.slice(1),
    'x'.repeat(60_000),
  ])
    await isInactive(t, garbage.slice(0, 20), garbage)
  t.equal(reason(), 'too-long')
  const { me } = await worker()
  await isInactive(t, 'a cookie', me.cookie)
})

test('exp is judged by the clock of the database, without leeway, and so is a token from the future', async t => {
  const { kid, key } = await signer()
  const claims = claimsOf(await minted(await person(sql)))
  const [row] = await sql`select floor(extract(epoch from now()))::int as now`
  const now = row?.now as number
  t.equal(await isActive(signed(kid, key, { ...claims, exp: now + 30 })), true)
  t.equal(await isActive(signed(kid, key, { ...claims, auth_time: undefined, added_later: true })), true)
  await ageKeys(sql, 3600)
  const early = { iat: now - 60, auth_time: now - 100 }
  for (const [more, why] of [
    [{ ...early, exp: now }, 'expired'],
    [{ ...early, exp: now - 1 }, 'expired'],
    [{ iat: now + 120, exp: now + 300 }, 'not-yet'],
    [{ iat: now + 45, exp: now + 300 }, 'not-yet'],
    [{ exp: now + 315_360_000 }, 'lifetime'],
    [{ ...early, auth_time: now }, 'lifetime'],
    [{ auth_time: 0 }, 'claims'],
    [{ sid: '\0'.repeat(22) }, 'claims'],
    [{ client_id: "'; drop table users" }, 'claims'],
    [{ tenant: 'acme', roles: [], permissions: [] }, 'claims'],
    [{ jti: '\ud800' }, 'payload'],
    [{ added_later: '\ud800' }, 'payload'],
    [{ iss: 'https://elsewhere.example' }, 'issuer'],
    [{ aud: ['api'] }, 'claims'],
    [{ nbf: now - 10 }, 'claims'],
    [{ sub: '00000000-0000-4000-8000-000000000000' }, 'session-of-another'],
    [{ tenant: '00000000-0000-4000-8000-000000000000' }, 'claims'],
    [{ tenant: '00000000-0000-4000-8000-000000000000', roles: [], permissions: [] }, 'tenant-lost'],
    [{ client_id: 'nobody' }, 'application'],
  ] as const) {
    await isInactive(t, JSON.stringify(more), signed(kid, key, { ...claims, ...more }))
    t.equal(reason(), why, JSON.stringify(more))
  }
})

test('JW-35: a key that signs no more but verifies still counts; one that was withdrawn, or is unknown, does not', async t => {
  const withdrawn = await testService(t)
  const mine = withdrawn.database.sql
  await application(mine, { clientId: 'spa' })
  const { key } = await serviceKey(mine, { scopes: ['introspect'] })
  const me = await person(mine)
  const token = await minted(me, {}, withdrawn)
  const there = { at: withdrawn, key }
  const { kid } = JSON.parse(Buffer.from(String(token.split('.')[0]), 'base64url').toString())
  await mine`update signing_keys set signs_from = now(), exempt = 'compromise' where kid <> ${kid}`
  await mine`update signing_keys set signs_until = now(), unpublished_at = now() + interval '2 hours' where kid = ${kid}`
  const next = await minted(me, {}, withdrawn)
  t.not(next.split('.')[0], token.split('.')[0], 'another key signs')
  t.equal(await isActive(token, there), true)
  t.equal(await isActive(next, there), true)
  await unguarded(
    mine,
    tx => tx`update signing_keys set published_at = published_at - interval '3 hours',
    signs_from = signs_from - interval '3 hours', signs_until = now() - interval '2 hours', unpublished_at = now()
    where kid = ${kid}`,
  )
  await isInactive(t, 'withdrawn', token, there)
  t.equal(await isActive(next, there), true)

  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const { x = '', y = '' } = pair.publicKey.export({ format: 'jwk' })
  const strange = await calculateJwkThumbprint({ kty: 'EC', crv: 'P-256', x, y })
  await isInactive(t, 'unknown kid', signed(strange, pair.privateKey, claimsOf(next)), there)
  await isInactive(t, 'foreign key', signed(kid, pair.privateKey, claimsOf(next)), there)
})

test('a published key that is not what its kid says verifies nothing: that is an error of ours, not an answer', async t => {
  const at = await testService(t)
  await application(at.database.sql, { clientId: 'spa' })
  const { key } = await serviceKey(at.database.sql, { scopes: ['introspect'] })
  const token = await minted(await person(at.database.sql), {}, at)
  const { kid } = JSON.parse(Buffer.from(String(token.split('.')[0]), 'base64url').toString())
  const { x = '', y = '' } = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({
    format: 'jwk',
  })
  const other = at.database.sql.json({ x, y })
  await unguarded(
    at.database.sql,
    tx => tx`update signing_keys set public_jwk = public_jwk || ${other} where kid = ${kid}`,
  )
  t.equal((await ask(token, { at, key })).statusCode, 500)
})

test('every tampered token of the table is inactive, and the untouched one is not', async t => {
  const { key } = await signer()
  const token = await minted(await person(sql))
  const table = tamperedTokens({ token, private: key, issuer, audience: 'api', canary: 'http://127.0.0.1:9' })
  t.ok(table.length > 150, `${table.length} attacks`)
  for (const { attack, token: tampered } of table) {
    const answer = await ask(tampered)
    // A body over the limit is not read at all.
    if (tampered.length > 60_000) t.equal(answer.statusCode, 413, attack)
    else t.same([answer.statusCode, answer.body], [200, '{"active":false}'], attack)
  }
  t.equal(await isActive(token), true)
})

test('JW-35: whoever has no key that may ask is told 401 or 403, and nothing of the token', async t => {
  const me = await person(sql)
  const token = await minted(me)
  const revoked = await serviceKey(sql, { scopes: ['introspect'] })
  await sql`update service_keys set revoked_at = now() where id = ${revoked.id}`
  const expired = await serviceKey(sql, { scopes: ['introspect'] })
  await sql`update service_keys set expires_at = now() where id = ${expired.id}`
  const forged = `${asker.slice(0, -43)}${revoked.key.slice(-43)}`
  const form = { 'content-type': 'application/x-www-form-urlencoded' }
  for (const [what, headers] of Object.entries<Record<string, string>>({
    'no key': {},
    'a cookie': { cookie: `__Host-session=${me.cookie}`, 'x-mintmark': '1' },
    'another scheme': { authorization: `Digest username="${asker}"` },
  })) {
    const payload = `token=${token}`
    const sent = { method: 'POST', url: '/v1/introspect', headers: { ...form, ...headers }, payload } as const
    const answer = await service.app.inject(sent)
    t.same([answer.statusCode, answer.json().code], [401, 'invalid_service_key'], what)
    t.equal(answer.headers['www-authenticate'], 'Bearer', what)
  }
  for (const [what, key] of Object.entries({
    'the access token': token,
    'a revoked key': revoked.key,
    'an expired key': expired.key,
    'a forged key': forged,
    'an unknown key': `mintmark_sk_${'A'.repeat(22)}_${'A'.repeat(43)}`,
  }))
    for (const asked of [token, 'garbage']) {
      const answer = await ask(asked, { key })
      t.same([answer.statusCode, answer.json().code], [401, 'invalid_service_key'], what)
      t.equal(answer.headers['www-authenticate'], 'Bearer error="invalid_token"', what)
    }
  const without = await serviceKey(sql, { scopes: ['users:read'] })
  for (const asked of [token, 'garbage']) {
    const answer = await ask(asked, { key: without.key })
    t.same([answer.statusCode, answer.json().code], [403, 'forbidden'])
    t.equal(answer.headers['www-authenticate'], 'Bearer error="insufficient_scope"')
  }
  t.equal((await ask(token, { headers: { origin: issuer } })).json().code, 'wrong_origin')
  const query = await ask(token, { headers: { authorization: '' }, body: `token=${token}&key=${asker}` })
  t.equal(query.statusCode, 401)
})

test('an OAuth client asks with the id of a key and the key, as RFC 6749 writes them into Basic', async t => {
  const { id, key } = await serviceKey(sql, { scopes: ['introspect'] })
  const other = await serviceKey(sql, { scopes: ['introspect'] })
  const revoked = await serviceKey(sql, { scopes: ['introspect'] })
  await sql`update service_keys set revoked_at = now() where id = ${revoked.id}`
  const without = await serviceKey(sql, { scopes: ['users:read'] })
  const token = await minted(await person(sql))
  const encode = (text: string) => Buffer.from(text).toString('base64')
  const by = (authorization: string) => ask(token, { headers: { authorization } })
  const everyByte = (text: string) => [...text].map(c => `%${c.charCodeAt(0).toString(16)}`).join('')
  for (const sent of [
    `Basic ${encode(`${id}:${key}`)}`,
    `basic  ${encode(`${id}:${key}`)}`,
    `BASIC ${encode(`${id}:${key}`).replace(/=+$/, '')}`,
    // Some clients escape what need not be.
    `Basic ${encode(`${everyByte(id)}:${everyByte(key)}`)}`,
  ])
    t.equal((await by(sent)).json().active, true, sent.slice(0, 8))
  const refused: Record<string, string> = {
    'no secret': encode(id),
    'an empty secret': encode(`${id}:`),
    'the secret half': encode(`${id}:${key.slice(-43)}`),
    'no client': encode(`:${key}`),
    'another client': encode(`${other.id}:${key}`),
    'a client in another case': encode(`${id.toLowerCase()}X:${key}`),
    'the key for the client': encode(`${key}:${key}`),
    'more behind it': encode(`${id}:${key}:`),
    'a line break': encode(`${id}:${key}\n`),
    'a space': encode(`${id}:+${key}`),
    'half an escape': encode(`${id}:%${key}`),
    'bytes of no text': Buffer.from([0xff, 0x3a, 0xff]).toString('base64'),
    nothing: '',
    'two of it': `${encode(`${id}:${key}`)} ${encode(`${id}:${key}`)}`,
    'a list': `${encode(`${id}:${key}`)}, Bearer ${key}`,
    base64url: '_-_-',
    'a revoked key': encode(`${revoked.id}:${revoked.key}`),
    'a forged key': encode(`${id}:${key.slice(0, -43)}${other.key.slice(-43)}`),
    'an access token': encode(`${id}:${token}`),
  }
  for (const [what, pair] of Object.entries(refused)) {
    const answer = await by(`Basic ${pair}`)
    t.same([answer.statusCode, answer.json().code], [401, 'invalid_service_key'], what)
    t.equal(answer.headers['www-authenticate'], 'Basic realm="introspection"', what)
  }
  const authorization = `Basic ${encode(`${id}:${key}`)}`
  const weaker = await by(`Basic ${encode(`${without.id}:${without.key}`)}`)
  t.same([weaker.statusCode, weaker.json().code], [403, 'forbidden'])
  for (const more of [{ origin: issuer }, { 'sec-fetch-site': 'none' }])
    t.equal((await ask(token, { headers: { authorization, ...more } })).json().code, 'wrong_origin')
  const cookie = `__Host-session=${(await person(sql)).cookie}`
  t.equal((await ask(token, { headers: { authorization, cookie } })).json().code, 'invalid_request')
  const admin = await service.app.inject({ url: '/v1/admin/users', headers: { authorization } })
  t.equal(admin.statusCode, 401, 'it is for introspection alone')
  t.notMatch(service.logLines.join(''), key)
  t.notMatch(service.logLines.join(''), encode(`${id}:${key}`))
})

test('JW-35: what a published key did not sign in its own time is not active: a standby, or a key that ended', async t => {
  const at = await testService(t)
  const mine = at.database.sql
  await application(mine, { clientId: 'spa' })
  const { key } = await serviceKey(mine, { scopes: ['introspect'] })
  const there = { at, key }
  const database = new Database(at.database.address, { connections: 1 })
  t.teardown(() => database.close())
  const { keys: keks } = await loadKeyEncryptionKeys(join(at.folder, 'keys'))
  const { keys: ring, now: readAt } = await postgresKeyRingStore(database).read()
  const signing = signerOf(ring, readAt) as SealedKey
  const standby = ring.find(one => one.kid !== signing.kid) as unknown as SealedKey
  const privateOf = async (row: SealedKey) => (await openSealedKey(issuer, row, keks)).private
  const [first, next] = [await privateOf(signing), await privateOf(standby)]
  const claims = claimsOf(await minted(await person(mine), {}, at))
  t.equal(await isActive(signed(signing.kid, first, claims), there), true)
  const refused = async (what: string, token: string) => {
    await isInactive(t, what, token, there)
    const said = at.logLines.map(line => /"inactive":"([^"]+)"/.exec(line)?.[1]).filter(Boolean)
    t.equal(said.at(-1), 'key-not-signing', what)
  }
  await refused('a standby', signed(standby.kid, next, claims))
  await refused(
    'before it began',
    signed(signing.kid, first, { ...claims, iat: claims.iat - 200, auth_time: 1 }),
  )
  await ageKeys(mine, 3600)
  await mine`update signing_keys set signs_from = now(), exempt = 'compromise' where kid = ${standby.kid}`
  await mine`update signing_keys set signs_until = now(), unpublished_at = now() + interval '2 hours'
    where kid = ${signing.kid}`
  const [row] = await mine`select ceil(extract(epoch from now()))::int as now`
  const late = { ...claims, iat: row?.now as number, exp: row?.now + 300 }
  await refused('after it ended', signed(signing.kid, first, late))
  t.equal(await isActive(signed(signing.kid, first, { ...claims, iat: claims.iat - 5 }), there), true)
  t.equal(await isActive(signed(standby.kid, next, late), there), true, 'its successor')
})

test('JW-30: only a form in the body is read: no GET, no query, no JSON, no second token', async t => {
  const token = await minted(await person(sql))
  const get = await service.app.inject({ method: 'GET', url: `/v1/introspect?token=${token}` })
  t.same([get.statusCode, get.headers.allow], [405, 'POST'])
  const json = { headers: { 'content-type': 'application/json' }, body: JSON.stringify({ token }) }
  t.equal((await ask(token, json)).statusCode, 415)
  for (const body of [
    '',
    'token_type_hint=access_token',
    `token=${token}&token=${token}`,
    `token=${token}&extra=1`,
  ])
    t.equal((await ask(token, { body })).json().code, 'invalid_request', body.slice(0, 20))
  t.notMatch(service.logLines.join(''), token)
})

test('asking counts as use of the key, and not as use of the session', async t => {
  const { id, key } = await serviceKey(sql, { scopes: ['introspect'] })
  const me = await person(sql)
  const token = await minted(me)
  await sql`update sessions set last_seen_at = now() - interval '2 days' where id = ${me.session}`
  t.equal(await isActive(token, { key }), true)
  await eventually(async () => {
    const [row] = await sql`select last_used_at from service_keys where id = ${id}`
    return row?.last_used_at ?? undefined
  })
  const [row] =
    await sql`select now() - last_seen_at > interval '1 day' as old from sessions where id = ${me.session}`
  t.equal(row?.old, true)
})

test('P4: where Postgres cannot be asked the answer is 503, never inactive', async t => {
  const database = await testDatabase(t)
  const proxy = await postgresProxy(t, database.address)
  const at = await testService(t, { database, address: proxy.address })
  await application(database.sql, { clientId: 'spa' })
  const { key } = await serviceKey(database.sql, { scopes: ['introspect'] })
  const token = await minted(await person(database.sql), {}, at)
  t.equal(await isActive(token, { at, key }), true)
  await proxy.stop()
  for (const asked of [token, 'garbage']) {
    const answer = await ask(asked, { at, key })
    t.same([answer.statusCode, answer.json().code], [503, 'unavailable'])
    t.notOk(answer.headers['www-authenticate'])
  }
  await proxy.resume()
  await eventually(async () => (await isActive(token, { at, key })) || undefined, 10)
})

test('both metadata documents lead to it, and name a way that stock clients have first', async t => {
  const read = async (name: string) =>
    (await service.app.inject({ method: 'GET', url: `/.well-known/${name}` })).json()
  for (const document of ['oauth-authorization-server', 'openid-configuration'])
    t.match(await read(document), {
      introspection_endpoint: `${issuer}/v1/introspect`,
      introspection_endpoint_auth_methods_supported: ['client_secret_basic', 'Bearer'],
    })
})

test('what is minted is read, with and without a tenant; each reason for not reading has its name', async t => {
  const { signer, now } = await testRing(t, issuer)
  const order = { issuer, basis, audience: 'api', clientId: 'spa' as never, lifetimeSeconds: 300 }
  const held = { roles: ['reader'], permissions: ['doc:read'] }
  for (const more of [{}, { tenant: { id: tenantId as TenantId, name: 'Acme', ...held } }]) {
    const { token } = mint({ ...order, principal: principal(now, more) }, signer, now)
    const read = readToken(token, issuer)
    if ('unreadable' in read) throw new Error(read.unreadable)
    const { sub, sid, jti } = claimsOf(token)
    const within = 'tenant' in more ? { tenant: tenantId, ...held } : { roles: [], permissions: [] }
    t.match(read, { kid: signer.kid, claims: { sub, sid, jti, issuer, authTime: now - 60, ...within } })
    t.same(readToken(token, `${issuer}/`), { unreadable: 'issuer' })
  }
  const { token } = mint({ ...order, principal: principal(now) }, signer, now)
  const [header, payload, signature] = token.split('.')
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const own = { alg: 'ES256', typ: 'at+jwt', kid: signer.kid }
  const claims = claimsOf(token)
  for (const [text, unreadable] of [
    [`${token}${'A'.repeat(17_000)}`, 'too-long'],
    [`${header}.${payload}`, 'malformed'],
    [`${header}.${payload}.${signature}=`, 'malformed'],
    [`${part({ ...own, crit: ['exp'] })}.${payload}.${signature}`, 'header'],
    [`${part({ ...own, alg: 'none' })}.${payload}.${signature}`, 'algorithm'],
    [`${part({ ...own, typ: 'jwk-set+jwt' })}.${payload}.${signature}`, 'type'],
    [`${header}.${part([])}.${signature}`, 'payload'],
    [`${header}.${part({})}.${signature}`, 'claims'],
    [`${header}.${part({ ...claims, exp: claims.iat + 901 })}.${signature}`, 'lifetime'],
  ] as const)
    t.same(readToken(text, issuer), { unreadable })
})
