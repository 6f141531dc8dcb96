/** Tokens of every shape, minted by us and read back by jose. */
import { createLocalJWKSet, decodeProtectedHeader, type JWTPayload, jwtVerify } from 'jose'
import { type Test, test } from 'tap'
import { createVerifier } from '../../packages/verifier/src/index.js'
import type { ClientId, Principal } from '../../src/core/principal.js'
import { type MintOrder, mint } from '../../src/tokens/mint.js'
import { basis, principal, tenantId, testRing } from '../support/ring.js'
import { goodPassword, testService } from '../support/service.js'

const issuer = 'https://id.example.com'
const audience = 'https://api.example.com'

const order = (principal: Principal, more: Partial<MintOrder> = {}): MintOrder => ({
  issuer,
  principal,
  audience,
  basis,
  clientId: 'app-1' as ClientId,
  lifetimeSeconds: 300,
  ...more,
})

const claimsOf = (token: string): JWTPayload =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())

/** Compact form and header to the letter, then jose. */
const strictly = (t: Test, published: string, kid: string) => async (token: string, now: number) => {
  t.match(
    token,
    /^[\w-]+\.[\w-]+\.[\w-]{86}$/,
    'three parts of base64url without padding; a signature of 64 bytes',
  )
  const [header = '', payload = '', signature = ''] = token.split('.')
  for (const part of [header, payload, signature])
    t.equal(Buffer.from(part, 'base64url').toString('base64url'), part, 'each part has one spelling')
  t.equal(Buffer.from(header, 'base64url').toString(), JSON.stringify({ alg: 'ES256', typ: 'at+jwt', kid }))
  const { payload: claims } = await jwtVerify(token, createLocalJWKSet(JSON.parse(published)), {
    issuer,
    audience,
    typ: 'at+jwt',
    algorithms: ['ES256'],
    currentDate: new Date(now * 1000),
  })
  return claims
}

test('every shape of token verifies, with exactly the claims of RFC 9068 and ours', async t => {
  const { ring, signer, kid, now } = await testRing(t, issuer)
  const verified = strictly(t, ring.published().body, kid)
  const contexts: Record<string, Principal['tenant']> = {
    'no tenant': 'none',
    'a tenant without roles': { id: tenantId, name: 'Acme', roles: [], permissions: [] },
    'a role': { id: tenantId, name: 'Acme', roles: ['viewer'], permissions: ['documents:read'] },
    'roles in any script': {
      id: tenantId,
      name: 'Acme',
      roles: ['Büro "Chef" \\ 所長', '🦊', 'a,b', '</script>', '\u2028', '\ud800'],
      permissions: ['ü:write', '*', "x'y"],
    },
    'many roles': {
      id: tenantId,
      name: 'Acme',
      roles: Array.from({ length: 200 }, (_, i) => `role-${i}`),
      permissions: Array.from({ length: 500 }, (_, i) => `permission:${i}`),
    },
  }
  for (const [shape, tenant] of Object.entries(contexts)) {
    for (const lifetimeSeconds of [60, 300, 900]) {
      const who = principal(now, { tenant })
      const { token, expiresIn } = mint(order(who, { lifetimeSeconds }), signer, now)
      const { jti, ...claims } = await verified(token, now)
      t.strictSame(
        claims,
        {
          iss: issuer,
          sub: who.user,
          aud: audience,
          exp: now + lifetimeSeconds,
          iat: now,
          client_id: 'app-1',
          sid: who.session,
          auth_time: now - 60,
          acr: 'aal1',
          amr: ['pwd'],
          ...(typeof tenant === 'object' && {
            tenant: tenant.id,
            roles: tenant.roles,
            permissions: tenant.permissions,
          }),
          rev: [basis.generation, 'AAECAwQFBgc', ...basis.handles],
        },
        `${shape}, ${lifetimeSeconds} s`,
      )
      t.match(jti, /^[\w-]{22}$/)
      t.equal(expiresIn, lifetimeSeconds)
      if (shape !== 'many roles') t.ok(token.length < 1024, `${shape}: ${token.length} bytes`)
    }
  }
})

test('what was proved is what the token says', async t => {
  const { ring, signer, kid, now } = await testRing(t, issuer)
  const who = principal(now, { acr: 'aal2', amr: ['pwd', 'pwd'], authTime: now - 5000 })
  const { token } = mint(order(who, { clientId: 'a.b_c-9' as ClientId, audience }), signer, now)
  t.match(await strictly(t, ring.published().body, kid)(token, now), {
    acr: 'aal2',
    amr: ['pwd', 'pwd'],
    auth_time: now - 5000,
    client_id: 'a.b_c-9',
  })
})

test('where nobody vouches for a time there is none, and a clock that was set back makes none of the future', async t => {
  const { ring, signer, kid, now } = await testRing(t, issuer)
  const keys = JSON.parse(ring.published().body)
  const clock = { now: () => now * 1000, after: () => () => {} }
  const verifier = createVerifier({ issuer, audience, keys, clock })
  for (const [authTime, expected] of [
    [undefined, undefined],
    [now - 5000, now - 5000],
    [now, now],
    [now + 5000, now],
  ] as const) {
    const { token } = mint(order(principal(now, { authTime })), signer, now)
    const claims = await strictly(t, ring.published().body, kid)(token, now)
    t.equal(claims.auth_time, expected)
    t.equal('auth_time' in claims, expected !== undefined)
    const verdict = await verifier.verify(token)
    t.ok(verdict.ok && verdict.principal.authTime === expected, String(authTime))
  }
})

test('no token outlives its session', async t => {
  const { signer, now } = await testRing(t, issuer)
  for (const [left, lifetime, expected] of [
    [3600, 900, 900],
    [900, 900, 900],
    [899, 900, 899],
    [61, 300, 61],
    [1, 60, 1],
    [0, 60, 0],
  ] as const) {
    const who = principal(now, { endsAt: now + left })
    const minted = mint(order(who, { lifetimeSeconds: lifetime }), signer, now)
    t.equal(minted.expiresIn, expected, `${left} s left, ${lifetime} s asked`)
    t.equal(claimsOf(minted.token).exp, now + expected)
  }
})

test('times are whole seconds, rounded so that a token is never younger or longer than the database says', async t => {
  const { signer, now } = await testRing(t, issuer)
  for (const fraction of [0, 0.000001, 0.5, 0.999999]) {
    const { token, expiresIn } = mint(order(principal(now)), signer, now + fraction)
    t.match(claimsOf(token), { iat: now, exp: now + 300 })
    t.equal(expiresIn, 300)
  }
})

test('of 200 tokens each verifies, and no two have an id in common', async t => {
  // A signature has a zero byte first in r or s once in 128: over 200 that is missing once in five runs, so more.
  const { ring, signer, now } = await testRing(t, issuer)
  const keys = createLocalJWKSet(JSON.parse(ring.published().body))
  const tokens = Array.from({ length: 200 }, () => mint(order(principal(now)), signer, now).token)
  let short = 0
  for (let extra = 0; short === 0 && extra < 5000; extra++) {
    const { token } = mint(order(principal(now)), signer, now)
    const raw = Buffer.from(token.split('.')[2] ?? '', 'base64url')
    if (raw[0] !== 0 && raw[32] !== 0) continue
    short++
    tokens.push(token)
  }
  t.equal(short, 1, 'one of them has a leading zero in r or s')
  const verified = await Promise.all(
    tokens.map(token => jwtVerify(token, keys, { issuer, audience, currentDate: new Date(now * 1000) })),
  )
  t.equal(new Set(verified.map(({ payload }) => payload.jti)).size, tokens.length)
  t.equal(new Set(tokens.map(token => token.split('.')[2])).size, tokens.length)
})

test('a token of either key of the ring verifies, and under no other key', async t => {
  const { ring, sql, kid, signer, now } = await testRing(t, issuer)
  const standby = JSON.parse(ring.published().body).keys.find((key: { kid: string }) => key.kid !== kid).kid
  await sql`update signing_keys set signs_from = now(), exempt = 'compromise' where kid = ${standby}`
  const next = await ring.signer(standby)
  t.equal(next.kid, standby)
  const all = JSON.parse(ring.published().body).keys
  for (const key of [signer, next]) {
    const { token } = mint(order(principal(now)), key, now)
    await strictly(t, ring.published().body, key.kid)(token, now)
    const others = { keys: all.filter((other: { kid: string }) => other.kid !== key.kid) }
    t.equal(others.keys.length, 1)
    await t.rejects(jwtVerify(token, createLocalJWKSet(others), { currentDate: new Date(now * 1000) }))
    const disguised = { keys: others.keys.map((other: object) => ({ ...other, kid: key.kid })) }
    await t.rejects(jwtVerify(token, createLocalJWKSet(disguised), { currentDate: new Date(now * 1000) }))
  }
})

test('a tenant of the session, with the roles of this moment, stands in the minted token', async t => {
  const service = await testService(t)
  const { sql } = service.database
  const { browser, user } = await service.signUp('ada@example.com')
  const { session } = (await browser.get('/v1/session')).json()
  const roles = { r1: { name: '所長 "A"', permissions: ['b', 'a'] }, r2: { name: 'Ä', permissions: ['a'] } }
  const [tenant] = await sql`insert into tenants (name, roles) values ('T', ${sql.json(roles)}) returning id`
  await sql`insert into memberships (user_id, tenant_id, role_ids) values (${user}, ${tenant?.id}, '{r2,r1,gone}')`
  const keys = createLocalJWKSet((await browser.get('/.well-known/jwks.json')).json())
  const minted = await browser.post('/v1/token', { tenant: tenant?.id })
  t.equal(minted.statusCode, 200)
  const { access_token, ...answer } = minted.json()
  t.strictSame(answer, {
    token_type: 'Bearer',
    expires_in: 300,
    sub: user,
    sid: session.id,
    tenant: tenant?.id,
  })
  const { payload } = await jwtVerify(access_token, keys, { typ: 'at+jwt', audience: 'mintmark' })
  t.match(payload, { tenant: tenant?.id, roles: ['Ä', '所長 "A"'].sort(), permissions: ['a', 'b'] })
  const without = (await browser.post('/v1/token', {})).json()
  t.equal(without.tenant, null)
  const plain = claimsOf(without.access_token)
  t.strictSame(
    ['tenant', 'roles', 'permissions'].filter(name => Object.hasOwn(plain, name)),
    [],
  )
  t.equal(decodeProtectedHeader(access_token).typ, 'at+jwt')
})

test('a client id that no application can have is an unknown client, whatever its characters', async t => {
  const service = await testService(t)
  await service.signUp('ada@example.com')
  const program = service.browser(null)
  await program.post('/v1/session', { email: 'ada@example.com', password: goodPassword })
  for (const client_id of ['nobody', '', 'a\u0000b', '\ud800', '%00', "'"]) {
    const answer = await program.post('/v1/token', { client_id })
    t.equal(answer.statusCode, 400, `${JSON.stringify(client_id)}: ${answer.body}`)
  }
  t.equal((await program.post('/v1/token', { client_id: 'mintmark' })).statusCode, 200)
})
