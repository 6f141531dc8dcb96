/** The adapters on real servers: the red table at each, where a token may stand, and the answers of RFC 6750 and 9470. */
import { createServer, type RequestListener, request as send } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import fastify from 'fastify'
import { Hono } from 'hono'
import { type Test, test } from 'tap'
import { authenticate } from '../../src/verifier/bearer.js'
import * as forExpress from '../../src/verifier/express.js'
import * as forFastify from '../../src/verifier/fastify.js'
import * as forFetch from '../../src/verifier/fetch.js'
import {
  answerTo,
  createVerifier,
  type Principal,
  type Refused,
  requirePermission,
  requireRole,
  requireStepUp,
  requireTenant,
  type Verifier,
} from '../../src/verifier/index.js'
import * as forNode from '../../src/verifier/node.js'
import { tamperedTokens } from '../red/tokens.js'
import { audience, claimsAt, issuer, start, TestIssuer } from '../support/token-issuer.js'

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly body: string
}
interface Asked {
  readonly path?: string
  readonly method?: string
  /** One header of this name for each. */
  readonly authorization?: readonly string[]
  readonly form?: string
}
type Server = (asked: Asked) => Promise<Answer>

/** `/` tells who calls, `/write` wants a permission, `/tenants/acme` a tenant, `/sudo` a fresh and strong proof. */
const requirements = {
  '/': [],
  '/write': [requirePermission('doc:write')],
  '/tenants/acme': [requireTenant('acme')],
  '/sudo': [requireStepUp({ acr: 'aal2', maxAge: 300 })],
} as const

async function listening(t: Test, listener: RequestListener): Promise<Server> {
  const server = createServer(listener)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => new Promise(resolve => server.close(resolve)))
  const { port } = server.address() as AddressInfo
  return ({ path = '/', method = 'GET', authorization = [], form }) =>
    new Promise((resolve, reject) => {
      const headers = authorization.flatMap(value => ['Authorization', value])
      if (form !== undefined) headers.push('Content-Type', 'application/x-www-form-urlencoded')
      headers.push('Connection', 'close', 'Host', 'localhost')
      const request = send({ host: '127.0.0.1', port, path, method, headers }, response => {
        let body = ''
        response.setEncoding('utf8').on('data', text => {
          body += text
        })
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
        )
      })
      request.on('error', reject).end(form)
    })
}

const adapters: Record<string, (t: Test, verifier: Verifier) => Promise<Server>> = {
  async fastify(t, verifier) {
    const app = fastify()
    const { protectedRoutes, requires } = forFastify
    app.get('/open', async () => 'open')
    app.register(
      protectedRoutes(verifier, async api => {
        api.addContentTypeParser('application/x-www-form-urlencoded', (_request, _payload, done) =>
          done(null),
        )
        for (const [path, needed] of Object.entries(requirements))
          api.route({
            method: ['GET', 'POST'],
            url: path,
            onRequest: requires(verifier, ...needed),
            handler: async request => request.principal,
          })
      }),
    )
    await app.ready()
    t.teardown(() => app.close())
    t.equal((await app.inject('/open')).body, 'open', 'outside of the context nobody is asked for a token')
    return listening(t, (request, response) => app.routing(request, response))
  },
  async express(t, verifier) {
    const app = express()
    app.use(forExpress.protect(verifier))
    app.use(express.urlencoded({ extended: false }))
    for (const [path, needed] of Object.entries(requirements))
      app.all(path, forExpress.requires(verifier, ...needed), (request, response) => {
        const principal: Principal = request.principal
        response.json(principal)
      })
    return listening(t, app)
  },
  async node(t, verifier) {
    const handlers = Object.fromEntries(
      Object.entries(requirements).map(([path, needed]) => [
        path,
        forNode.protect(
          verifier,
          (_request, response, principal) => response.end(JSON.stringify(principal)),
          ...needed,
        ),
      ]),
    )
    return listening(t, (request, response) => {
      const { pathname } = new URL(request.url ?? '/', 'http://localhost')
      void handlers[pathname]?.(request, response)
    })
  },
  async fetch(_t, verifier) {
    return overFetch(async request => {
      const needed = requirements[new URL(request.url).pathname as keyof typeof requirements]
      const handler = (_: Request, principal: Principal) => Response.json(principal)
      return forFetch.protect(verifier, handler, ...needed)(request)
    })
  },
  async hono(_t, verifier) {
    const app = new Hono<{ Variables: { principal: Principal } }>()
    for (const [path, needed] of Object.entries(requirements)) {
      app.use(path, async (context, next) => {
        const answer = await forFetch.authenticate(verifier, context.req.raw, ...needed)
        if (!answer.ok) return answer.response
        context.set('principal', answer.principal)
        return next()
      })
      app.all(path, context => context.json(context.get('principal')))
    }
    return overFetch(async request => app.fetch(request))
  },
}

function overFetch(handler: (request: Request) => Promise<Response>): Server {
  return async ({ path = '/', method = 'GET', authorization = [], form }) => {
    const headers = new Headers()
    for (const value of authorization) headers.append('authorization', value)
    const body = form === undefined ? {} : { body: new URLSearchParams(form) }
    const response = await handler(
      new Request(`https://api.example.com${path}`, { method, headers, ...body }),
    )
    return {
      status: response.status,
      headers: Object.fromEntries(response.headers),
      body: await response.text(),
    }
  }
}

const bearer = (token: string) => [`Bearer ${token}`]
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
  const verifier = createVerifier({ issuer, audience, fetch: world.fetch, clock: world.clock })
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
    const verifier = createVerifier({ issuer, audience, fetch: world.fetch, clock: world.clock })
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
  const verifier = createVerifier({ issuer, audience, fetch: world.fetch, clock: world.clock })
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
