/** The verifier beside the real service, known to it by the issuer's address alone; and the fresh answer, or none. */
import type { InjectOptions } from 'fastify'
import tap, { type Test, test } from 'tap'
import { protect } from '../../packages/verifier/src/fetch.js'
import { createVerifier, fresh, requirePermission } from '../../packages/verifier/src/index.js'
import { headersFrom } from '../harness/routes.js'
import { administrator, application, member, person, serviceKey, tenant } from '../harness/world.js'
import { Browser } from '../support/browser.js'
import { issuer, testService } from '../support/service.js'
import * as simulated from '../support/token-issuer.js'

const service = await testService(tap)
const { sql } = service.database
await application(sql, { clientId: 'spa', audiences: ['api', 'other-api'] })
const { key } = await serviceKey(sql, { scopes: ['introspect'], audiences: ['api'] })

/** As if the service were reached over the network. */
async function fetch(
  url: string,
  { method = 'GET', headers, body }: RequestInit,
  { app } = service,
): Promise<Response> {
  const asked = { method, url: url.slice(issuer.length), headers, payload: body ?? undefined }
  const answer = await app.inject(asked as InjectOptions)
  return new Response(answer.body, {
    status: answer.statusCode,
    headers: answer.headers as Record<string, string>,
  })
}

function verifierOf(t: Test, more: object = {}) {
  const verifier = createVerifier({ issuer, audience: 'api', serviceKey: key, fetch, ...more })
  t.teardown(() => verifier.close())
  return verifier
}

async function worker(...roles: string[]) {
  const me = await person(sql)
  const acme = await tenant(sql)
  await member(sql, me.id, acme, ...roles)
  const answer = await service.app.inject({
    method: 'POST',
    url: '/v1/token',
    headers: headersFrom(null, me.cookie),
    payload: { client_id: 'spa', tenant: acme },
  })
  return { me, acme, token: answer.json().access_token as string }
}

function said(token: string) {
  const [header, payload] = token
    .split('.', 2)
    .map(part => JSON.parse(Buffer.from(part, 'base64url').toString()))
  return { kid: header.kid as string, payload }
}

test('a token of the service verifies from its issuer and the audience alone', async t => {
  const { me, acme, token } = await worker('r1')
  t.match(await verifierOf(t).verify(token), {
    ok: true,
    principal: {
      sub: me.id,
      sid: me.session,
      tenant: acme,
      roles: ['reader'],
      permissions: ['doc:read'],
      clientId: 'spa',
    },
  })
  t.match(await verifierOf(t, { audience: 'other-api' }).verify(token), { ok: false, code: 'audience' })
})

test('introspect answers with the truth of this moment: today’s roles, and no more once the session is over', async t => {
  const { me, token } = await worker('r1')
  const verifier = verifierOf(t)
  const permissions = async () => {
    const verdict = await verifier.introspect(token)
    return verdict.ok ? verdict.principal.permissions : verdict.code
  }
  t.same(await permissions(), ['doc:read'])
  await sql`update memberships set role_ids = '{r1,r2}' where user_id = ${me.id}`
  t.same(await permissions(), ['doc:read', 'doc:write'])
  t.match(
    await verifier.verify(token),
    { principal: { permissions: ['doc:read'] } },
    'the token does not know',
  )
  await sql`update sessions set ended_at = now(), ended_reason = 'signed-out' where id = ${me.session}`
  t.same(await permissions(), 'inactive')
  t.match(await verifier.verify(token), { ok: true }, 'the token does not know')
})

test('JW-28: a route behind `fresh` refuses whoever lost what it needs a moment ago', async t => {
  const { me, token } = await worker('r2')
  const handler = protect(fresh(verifierOf(t)), () => new Response('done'), requirePermission('doc:write'))
  const status = async () =>
    (await handler(new Request('https://api.example', { headers: { authorization: `Bearer ${token}` } })))
      .status
  t.equal(await status(), 200)
  await sql`update memberships set role_ids = '{r1}' where user_id = ${me.id}`
  t.equal(await status(), 401, 'the token is stale: its next one lacks the permission')
  await sql`update users set state = 'disabled' where id = ${me.id}`
  t.equal(await status(), 401)
})

test('KY-06: a leaked key opens nothing now, and in the past what the caller’s own log had before', async t => {
  const { me, token } = await worker('r1')
  const { payload, kid } = said(token)
  const { iat } = payload
  const at = (seconds: number) => new Date(seconds * 1000)
  const before = verifierOf(t)
  t.match(await before.verifyAt(token, at(iat)), { ok: true, principal: { valid: 'then', sub: me.id } })

  const admin = new Browser(service.app, issuer, (await administrator(sql)).cookie)
  const leak = await admin.post('/v1/admin/signing-keys/compromise', { kid, since: iat })
  t.equal(leak.statusCode, 200, leak.body)
  // Another instance, which has looked since: within 30 s they all do.
  const other = await testService(t, { beside: service })
  const after = verifierOf(t, { fetch: (url: string, init: RequestInit) => fetch(url, init, other) })
  t.match(await after.verify(token), { code: 'unknown_key' })
  t.match(await after.verify((await worker('r1')).token), { ok: true }, 'another key signs')
  t.match(await after.verifyAt(token, at(iat)), { code: 'key_compromised' })
  t.match(await after.verifyAt(token, at(iat), { receivedAt: at(iat) }), { code: 'key_compromised' })
  t.match(await after.verifyAt(token, at(iat), { receivedAt: at(iat - 1) }), { ok: true })
})

test('a service key that does not work is an outage of ours, never the caller’s fault', async t => {
  const { token } = await worker('r1')
  const { key: other } = await serviceKey(sql, { scopes: ['users:read'] })
  for (const serviceKey of ['mintmark_sk_wrong', other])
    t.match(await verifierOf(t, { serviceKey }).introspect(token), { code: 'service_key_refused' })
  await t.rejects(
    verifierOf(t, { serviceKey: undefined }).introspect(token),
    TypeError,
    'without one it is a mistake',
  )
})

test('what is refused by its signature is asked about nowhere', async t => {
  const { token } = await worker('r1')
  let asked = 0
  const verifier = verifierOf(t, {
    fetch: (url: string, init: RequestInit) => {
      if (url.endsWith('/introspect')) asked++
      return fetch(url, init)
    },
  })
  t.match(await verifier.introspect(`${token.slice(0, -4)}AAAA`), { code: 'signature' })
  t.match(await verifier.introspect('A'.repeat(100_000)), { code: 'too_long' })
  t.equal(asked, 0)
})

test('an answer that is late, broken or about another token accepts nothing', async t => {
  const world = new simulated.TestIssuer()
  const { issuer, audience, claimsAt, start } = simulated
  const verifier = createVerifier({
    issuer,
    audience,
    serviceKey: 'key',
    ...world.means,
  })
  t.teardown(() => verifier.close())
  const token = world.token()
  const answers: [string, unknown][] = [
    ['another token', { active: true, ...claimsAt(start, { jti: 'another' }) }],
    ['another person', { active: true, ...claimsAt(start, { sub: 'another' }) }],
    ['another audience', { active: true, ...claimsAt(start, { aud: 'another' }) }],
    ['nobody', { active: true }],
    ['text for true', { ...claimsAt(start), active: 'true' }],
    ['no verdict', claimsAt(start)],
    ['a list', [{ active: true, ...claimsAt(start) }]],
  ]
  world.instead.introspection = () => Response.json({ active: true, ...claimsAt(start) })
  t.match(await verifier.introspect(token), { ok: true })
  const responses: [string, () => Response | Promise<Response>][] = [
    ...answers.map(([what, body]): [string, () => Response] => [what, () => Response.json(body)]),
    ['503', () => new Response(null, { status: 503 })],
    [
      'a redirection',
      () => new Response(null, { status: 307, headers: { location: 'https://evil.example' } }),
    ],
    ['1 MB', () => new Response(' '.repeat(1_000_000))],
    ['a closed port', () => Promise.reject(new TypeError('fetch failed'))],
  ]
  for (const [what, response] of responses) {
    world.instead.introspection = response
    t.match(
      await verifier.introspect(token),
      { code: 'introspection_unavailable', retryAfterSeconds: 5 },
      what,
    )
  }
  world.instead.introspection = () => new Promise(() => {})
  const late = verifier.introspect(token)
  await simulated.until(() => world.asked.filter(what => what === 'introspection').length === 13)
  world.clock.advance(5)
  t.match(await late, { code: 'introspection_unavailable' }, 'no answer in five seconds')
  t.equal(world.count('elsewhere'), 0)
  world.instead.introspection = () => Response.json({ active: false })
  t.match(await verifier.introspect(token), { ok: false, code: 'inactive' })
})
