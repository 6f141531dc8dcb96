/** Tokens of each way to a session at each acceptor: all take them, and all say the same of when the person authenticated. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { InjectOptions } from 'fastify'
import { createLocalJWKSet, jwtVerify } from 'jose'
import { type Test, test } from 'tap'
import { createVerifier, fresh, type Gate, type Principal } from '../../packages/verifier/src/index.js'
import type { Visitor } from '../federation/world.js'
import { adapters, bearer, type Server } from '../support/adapters.js'
import { Browser } from '../support/browser.js'
import { root } from '../support/project.mjs'
import { redisServer } from '../support/redis.js'
import { eventually, issuer } from '../support/service.js'
import { listRoutes } from './routes.js'
import { type Authenticated, actsThatOpen, type Way, type WaysWorld, ways, waysWorld } from './ways.js'
import { administrator, member, serviceKey, tenant } from './world.js'

/** The hosted pages mint for this one. */
const audience = 'mintmark'

/** What an acceptor says of a token: whom it speaks for, or how it refused it. */
type Said = { readonly principal: Pick<Principal, 'sub' | 'authTime' | 'acr'> } | { readonly refused: string }

interface Acceptor {
  readonly at: string
  readonly present: (token: string) => Promise<Said>
  /** Whether a demand for an authentication of the last minutes, or of any age at all, is met. */
  readonly recent?: (token: string, within: 'minutes' | 'ever') => Promise<boolean>
}

async function acceptorsOf(t: Test, world: WaysWorld): Promise<Acceptor[]> {
  const { app, database } = world.service
  const { id, key } = await serviceKey(database.sql, { scopes: ['introspect'], audiences: [audience] })
  const fetch = async (url: string, { method = 'GET', headers, body }: RequestInit): Promise<Response> => {
    const asked = { method, url: url.slice(issuer.length), headers, payload: body ?? undefined }
    const answer = await app.inject(asked as InjectOptions)
    return new Response(answer.body, {
      status: answer.statusCode,
      headers: answer.headers as Record<string, string>,
    })
  }
  const verifier = createVerifier({ issuer, audience, serviceKey: key, fetch })
  t.teardown(() => verifier.close())
  const jwks = (await app.inject('/.well-known/jwks.json')).json()
  const offline = createVerifier({ issuer, audience, keys: jwks })

  const verdict = (judge: Gate['verify']) => async (token: string) => {
    const answer = await judge(token)
    return answer.ok ? { principal: answer.principal } : { refused: answer.code }
  }
  const asked = (at: string, ask: Server): Acceptor => ({
    at,
    async present(token) {
      const { status, body } = await ask({ authorization: bearer(token) })
      return status === 200 ? { principal: JSON.parse(body) } : { refused: String(status) }
    },
    async recent(token, within) {
      const path = within === 'minutes' ? '/fresh' : '/recent'
      const { status, headers } = await ask({ path, authorization: bearer(token) })
      const challenged = /insufficient_user_authentication/.test(String(headers['www-authenticate']))
      if (status !== 200 && !challenged) throw new Error(`${at}: ${status}`)
      return status === 200
    },
  })
  const introspection = (at: string, authorization: string): Acceptor => ({
    at,
    async present(token) {
      const headers = { authorization, 'content-type': 'application/x-www-form-urlencoded' }
      const payload = new URLSearchParams({ token }).toString()
      const answer = await app.inject({ method: 'POST', url: '/v1/introspect', headers, payload })
      const { active, sub, auth_time, acr } = answer.json()
      return active ? { principal: { sub, authTime: auth_time, acr } } : { refused: answer.body }
    },
  })
  const behind = Object.entries(adapters).flatMap(([name, serve]) =>
    [verifier, fresh(verifier)].map(async (gate, index) =>
      asked(`${name}${index ? ', asking the issuer' : ''}`, await serve(t, gate)),
    ),
  )
  return [
    { at: 'verifier', present: verdict(verifier.verify) },
    { at: 'verifier, offline', present: verdict(offline.verify) },
    { at: 'verifier, asking the issuer', present: verdict(verifier.introspect) },
    ...(await Promise.all(behind)),
    introspection('introspection, by the key as a bearer', `Bearer ${key}`),
    introspection('introspection, by a client', `Basic ${Buffer.from(`${id}:${key}`).toString('base64')}`),
    {
      at: 'jose, in the words of examples/verify-token.mjs',
      async present(token) {
        const { payload } = await jwtVerify(token, createLocalJWKSet(jwks), joseOptions)
        const { sub, auth_time, acr } = payload
        return { principal: { sub: sub as string, authTime: auth_time as number, acr: acr as string } }
      },
    },
  ]
}

const example = readFileSync(join(root, 'examples/verify-token.mjs'), 'utf8')
const joseOptions = {
  issuer,
  audience,
  typ: 'at+jwt',
  algorithms: ['ES256'],
  clockTolerance: 30,
  requiredClaims: ['sub', 'exp', 'iat', 'client_id', 'sid'],
}

const minted = async (visitor: Visitor, body: object = {}): Promise<string> => {
  const answer = await visitor.scripts.post('/v1/token', { client_id: 'mintmark', ...body })
  if (answer.statusCode !== 200) throw new Error(answer.body)
  return answer.json().access_token
}

function isAs(authenticated: Authenticated, authTime: number | undefined): boolean {
  if (authTime === undefined) return authenticated === 'never'
  const age = Date.now() / 1000 - authTime
  const least = authenticated === 'an hour ago' ? 3600 : -30
  return authenticated !== 'never' && age >= least && age < least + 300
}

async function atEveryAcceptor(t: Test, world: WaysWorld, acceptors: readonly Acceptor[], way: Way) {
  const { sql } = world.service.database
  const visitor = await way.go(world)
  const { session, user } = (await visitor.scripts.get('/v1/session')).json()
  t.ok(isAs(way.authenticated, session.auth_time ?? undefined), `GET /v1/session: ${session.auth_time}`)
  t.equal(session.acr, way.acr ?? 'aal1')
  const acme = await tenant(sql)
  await member(sql, user.id, acme, 'r1')
  const tokens = [await minted(visitor), await minted(visitor, { tenant: acme })]
  t.equal((await visitor.scripts.put('/v1/session/tenant', { tenant: acme })).statusCode, 204)
  tokens.push(await minted(visitor))
  const expected = { sub: user.id, authTime: session.auth_time ?? undefined, acr: session.acr }
  for (const [index, token] of tokens.entries())
    for (const { at, present, recent } of acceptors) {
      // An adapter hands on what the verifier says, of the first one in every detail.
      if (recent && index > 0) continue
      const said = await present(token)
      if ('refused' in said) t.fail(`${at}: ${said.refused}`)
      else {
        const { sub, authTime, acr } = said.principal
        t.same({ sub, authTime, acr }, expected, at)
      }
      if (!recent) continue
      t.equal(await recent(token, 'minutes'), way.authenticated === 'now', `${at}: in the last minutes`)
      t.equal(await recent(token, 'ever'), way.authenticated !== 'never', `${at}: ever`)
    }
  // The service's own demand: there is no such session, which only a recent authentication is told.
  const own = await visitor.scripts.delete(`/v1/sessions/${'A'.repeat(22)}`)
  t.equal(own.statusCode, way.authenticated === 'now' ? 404 : 401, 'the service itself')
}

const stores: [store: string, skip: string | false, env: (t: Test) => Promise<Record<string, string>>][] = [
  ['Postgres', false, async () => ({})],
  [
    'Redis',
    process.env.TEST_REDIS_SERVER === undefined && 'redis-server is not installed',
    async t => {
      const redis = await redisServer(t)
      redis.start()
      await redis.ready()
      return { SESSION_STORE: 'redis', REDIS_URL: redis.url, MINTMARK_SESSION_REDIS_UNSAFE: 'accepted' }
    },
  ],
]
for (const [store, skip, env] of stores)
  test(`sessions in ${store}: tokens of each way to a session are taken by every acceptor`, {
    skip,
  }, async t => {
    const world = await waysWorld(t, { env: await env(t) })
    const all = await acceptorsOf(t, world)
    // An adapter does not know where a session lies.
    const acceptors = store === 'Postgres' ? all : all.filter(({ recent }) => !recent)
    for (const way of ways) {
      if (way.inTable && store === 'Redis') continue
      await t.test(way.way, t => atEveryAcceptor(t, world, acceptors, way))
    }
  })

test('the table is complete: every act that sets a session cookie is a way, every adapter is here, and jose is as shown', t => {
  t.same([...new Set(ways.map(({ act }) => act))].sort(), actsThatOpen())
  t.equal(new Set(ways.map(({ way }) => way)).size, ways.length, 'each has a name of its own')
  const { exports } = JSON.parse(readFileSync(join(root, 'packages/verifier/package.json'), 'utf8'))
  const offered = Object.keys(exports).flatMap(name => (/^\.$|readers/.test(name) ? [] : name.slice(2)))
  t.same(
    offered.filter(name => !(name in adapters)),
    [],
  )
  const { issuer: _, audience: __, ...shown } = joseOptions
  for (const [name, value] of Object.entries(shown))
    t.ok(
      example.includes(`${name}: ${JSON.stringify(value).replaceAll('"', "'").replaceAll(',', ', ')}`),
      name,
    )
  t.end()
})

/** Everything that is signed by the keys of tokens and is no token, as the service publishes it. */
async function documents(t: Test, world: WaysWorld): Promise<Record<string, string>> {
  const { app, database } = world.service
  const admin = new Browser(app, issuer, (await administrator(database.sql)).cookie)
  const published = async () => (await app.inject('/.well-known/jwks.json')).body
  const before = await published()
  const leak = await admin.post('/v1/admin/signing-keys/compromise', { all: true })
  t.equal(leak.statusCode, 200, leak.body)
  // The instance follows the ring after the answer.
  await eventually(async () => (await published()) !== before || undefined)
  const found: Record<string, string> = {}
  for (const { method, url } of await listRoutes()) {
    if (method !== 'GET' || url.includes(':')) continue
    const { key } = await serviceKey(database.sql, { scopes: ['feed'] })
    const headers: Record<string, string> = url === '/v1/feed' ? { authorization: `Bearer ${key}` } : {}
    const body = (await app.inject({ url, headers })).body.trim()
    if (/^[\w-]+\.[\w-]+\.[\w-]+$/.test(body)) found[url] = body
  }
  return found
}

test('every signed document that is published names its own audience, and no acceptor takes it for a token', async t => {
  const world = await waysWorld(t)
  const found = await documents(t, world)
  t.same(Object.keys(found).sort(), ['/.well-known/historical-keys', '/v1/feed'])
  const acceptors = await acceptorsOf(t, world)
  const { app } = world.service
  const keys = createLocalJWKSet((await app.inject('/.well-known/jwks.json')).json())
  for (const [url, document] of Object.entries(found)) {
    const { payload } = await jwtVerify(document, keys, { issuer })
    t.equal(payload.aud, `${issuer}${url}`)
    for (const { at, present } of acceptors) {
      const said = await present(document).catch(error => ({ refused: String(error) }))
      t.ok('refused' in said, at)
    }
    for (const headers of [
      { authorization: `Bearer ${document}` },
      { cookie: `__Host-session=${document}` },
    ] as Record<string, string>[])
      for (const where of ['/v1/session', '/v1/admin/users'])
        t.equal((await app.inject({ url: where, headers })).statusCode, 401, where)
  }
})

test('the documents are complete: what else these keys sign is minted, and nothing is signed around them', t => {
  const signing = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.ts'))
    .filter(name =>
      /\b(signCompact|sign)\(|SignJWT|CompactSign/.test(readFileSync(join(root, 'src', name), 'utf8')),
    )
  t.same(signing.sort(), ['feed/message.ts', 'keys/history.ts', 'keys/signing-key.ts', 'tokens/mint.ts'])
  t.end()
})
