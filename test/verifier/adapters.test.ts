/** The adapters on real servers: the red table at each, where a token may stand, and the answers of RFC 6750 and 9470. */
import { type Test, test } from 'tap'
import { authenticate } from '../../packages/verifier/src/bearer.js'
import {
  answerTo,
  createVerifier,
  type Refused,
  requirePermission,
  requireRole,
  requireStepUp,
} from '../../packages/verifier/src/index.js'
import { tamperedTokens } from '../red/tokens.js'
import { adapters, bearer } from '../support/adapters.js'
import { audience, claimsAt, issuer, start, TestIssuer } from '../support/token-issuer.js'

const inTenant = { tenant: 'acme', roles: ['editor'], permissions: ['doc:write', 'doc:read'] }

/** The table of attacks, but for what no header can carry or no server takes. */
function fitting(world: TestIssuer) {
  return tamperedTokens({
    token: world.token(),
    private: world.signer().private,
    issuer,
    audience,
    canary: 'https://canary.example',
  }).filter(({ token }) => token.length <= 15_000 && !/[^\t\x20-\x7e]/.test(token))
}

test('every tampered token of the table is refused where all adapters ask, and none is repeated', async t => {
  const world = new TestIssuer()
  const verifier = createVerifier({
    issuer,
    audience,
    ...world.means,
  })
  t.teardown(() => verifier.close())
  const table = fitting(world)
  t.ok(table.length > 150, `${table.length} attacks`)
  for (const { attack, token } of table) {
    const answer = await authenticate(verifier, bearer(token))
    const { status, headers, body } = answerTo(answer as Refused)
    t.equal(answer.ok, false, attack)
    t.equal(status, 401, attack)
    t.match(headers['www-authenticate'], /^Bearer( error="invalid_token")?$/, attack)
    t.equal(token !== '' && body.includes(token), false, attack)
  }
  t.equal(world.count('elsewhere'), 0)
})

for (const [name, serve] of Object.entries(adapters)) {
  const stage = async (t: Test) => {
    const world = new TestIssuer()
    const verifier = createVerifier({
      issuer,
      audience,
      ...world.means,
    })
    t.teardown(() => verifier.close())
    return { world, verifier, ask: await serve(t, verifier) }
  }

  test(`${name}: a token is taken from the header, and its principal reaches the handler`, async t => {
    const { world, ask } = await stage(t)
    const { status, body } = await ask({ authorization: bearer(world.token()) })
    t.equal(status, 200)
    t.match(JSON.parse(body), { valid: 'now', clientId: 'app', sub: claimsAt(0).sub })
    t.equal((await ask({ authorization: [`bearer ${world.token()}`] })).status, 200, 'the scheme in any case')
    t.equal((await ask({ path: '/write', authorization: bearer(world.token(inTenant)) })).status, 200)
  })

  test(`${name}: tampered tokens are refused with 401, and none is repeated`, async t => {
    const { world, ask } = await stage(t)
    const table = fitting(world)
    const every = Math.floor(table.length / 10)
    const ten = table.filter((_, at) => at % every === 0).slice(0, 10)
    t.equal(ten.length, 10)
    for (const { attack, token } of ten) {
      const { status, headers, body } = await ask({ authorization: bearer(token) })
      t.equal(status, 401, attack)
      t.match(headers['www-authenticate'], /^Bearer( error="invalid_token")?$/, attack)
      t.equal(token !== '' && body.includes(token), false, attack)
    }
    t.equal(world.count('elsewhere'), 0)
  })

  test(`${name}: JW-30: a token in the address or in a form is not looked for, and two headers are one too many`, async t => {
    const { world, ask } = await stage(t)
    const token = world.token()
    for (const asked of [
      {},
      { path: `/?access_token=${token}` },
      { method: 'POST', form: `access_token=${token}` },
      { authorization: [`Basic ${token}`] },
      { authorization: [token] },
    ]) {
      const { status, headers, body } = await ask(asked)
      t.equal(status, 401, JSON.stringify(asked).slice(0, 40))
      t.equal(headers['www-authenticate'], 'Bearer', 'no error is named to who sent no token')
      t.equal(JSON.parse(body).code, 'no_token')
    }
    const two = await ask({ authorization: [`Bearer ${token}`, `Bearer ${token}`] })
    t.equal(two.status, 400)
    t.equal(two.headers['www-authenticate'], 'Bearer error="invalid_request"')
  })

  test(`${name}: JW-26, JW-27: what a route asks for is compared exactly, and its lack is answered by the RFCs`, async t => {
    const { world, ask } = await stage(t)
    const said = async (path: string, more: object) => {
      const { status, headers } = await ask({ path, authorization: bearer(world.token(more)) })
      return `${status} ${headers['www-authenticate'] ?? ''}`.trim()
    }
    const scope = '403 Bearer error="insufficient_scope"'
    t.equal(
      await said('/write', { ...inTenant, permissions: ['doc:write-own', 'doc'] }),
      `${scope}, scope="doc:write"`,
    )
    t.equal(await said('/write', {}), `${scope}, scope="doc:write"`)
    t.equal(await said('/tenants/acme', inTenant), '200')
    for (const tenant of ['acme2', 'acm', 'ACME', undefined])
      t.equal(await said('/tenants/acme', tenant ? { ...inTenant, tenant } : {}), scope, String(tenant))
    const stepUp = '401 Bearer error="insufficient_user_authentication", acr_values="aal2", max_age="300"'
    t.equal(await said('/sudo', { acr: 'aal2', auth_time: start - 300 }), '200')
    t.equal(await said('/sudo', { acr: 'aal2', auth_time: start - 301 }), stepUp)
    t.equal(await said('/sudo', { acr: 'aal1', auth_time: start }), stepUp)
    t.equal(await said('/sudo', { acr: 'gold', auth_time: start }), stepUp)
    t.equal(await said('/', { auth_time: undefined }), '200', 'nobody vouches for a time')
    t.equal(await said('/sudo', { acr: 'aal2', auth_time: undefined }), stepUp, 'so none is recent enough')
    t.equal(await said('/recent', { auth_time: start - 86_400 }), '200')
    t.match(await said('/recent', { auth_time: undefined }), /^401 .*insufficient_user_authentication/)
    for (const auth_time of [0, -1, 1.5, null, String(start)])
      t.equal(await said('/', { auth_time }), '401 Bearer error="invalid_token"', JSON.stringify(auth_time))
  })

  test(`${name}: P4: without keys the answer is 503 with a time to wait, never 401`, async t => {
    const { world, ask } = await stage(t)
    world.down = true
    const { status, headers, body } = await ask({ authorization: bearer(world.token()) })
    t.equal(status, 503)
    t.match(headers['retry-after'], /^\d+$/)
    t.match(headers['content-type'], /^application\/problem\+json/)
    t.equal(headers['www-authenticate'], undefined)
    t.match(JSON.parse(body), { status: 503, code: 'unavailable' })
    t.equal((await ask({})).status, 401, 'who sent no token is told so all the same')
  })
}

test('a requirement that cannot be held, or asks for nothing, is refused where it is written', async t => {
  for (const demand of [{}, { maxAge: 0 }, { maxAge: 1.5 }, { maxAge: Number.NaN }, { acr: 'gold' }])
    t.throws(() => requireStepUp(demand as never), TypeError, JSON.stringify(demand))
})

test('check takes requirements in their order, and answers with the first that is not met', async t => {
  const world = new TestIssuer()
  const verifier = createVerifier({
    issuer,
    audience,
    ...world.means,
  })
  t.teardown(() => verifier.close())
  const verdict = await verifier.verify(world.token(inTenant))
  if (!verdict.ok) throw new Error(verdict.code)
  const { principal } = verdict
  t.same(verifier.check(principal, requireRole('editor'), requirePermission('doc:read')), {
    ok: true,
    principal,
  })
  t.match(verifier.check(principal, requireRole('edit')), { ok: false, code: 'insufficient_scope' })
  t.match(verifier.check(principal, requireStepUp({ maxAge: 60 }), requireRole('x')), {
    code: 'insufficient_scope',
  })
  t.match(verifier.check(principal, requireStepUp({ maxAge: 59 }), requireRole('x')), {
    code: 'insufficient_user_authentication',
    maxAge: 59,
  })
  t.match(verifier.health().refused, { insufficient_scope: 2, insufficient_user_authentication: 1 })
})

test('what cannot stand in a challenge is left out of it', async t => {
  const { headers } = answerTo({ ok: false, code: 'insufficient_scope', permission: 'a"\r\nX-Evil: 1' })
  t.equal(headers['www-authenticate'], 'Bearer error="insufficient_scope"')
})
