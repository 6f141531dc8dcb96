/** A sign-in under way: bound to one browser, one provider, one answer, ten minutes; and what its request says. */
import { test } from 'tap'
import { testDatabase } from '../support/database.js'
import { postgresProxy } from '../support/postgres-proxy.js'
import { goodPassword, issuer, testService } from '../support/service.js'
import { expectRefusal, made } from './witness.js'
import { callbackFrom, codeOf, type FederationWorld, federationWorld, type Visitor } from './world.js'

type Move = (world: FederationWorld, ada: Visitor, callback: string) => Promise<[who: Visitor, where: string]>

const misused: Record<string, Move> = {
  'without the cookie': async (world, _ada, callback) => [world.visitor(), callback],
  'by another browser with a flow of its own': async (world, _ada, callback) => {
    const eve = world.visitor()
    await eve.go()
    return [eve, callback]
  },
  'by another browser with a flow of its own, and its state': async (world, _ada, callback) => {
    const eve = world.visitor()
    const { searchParams } = new URL(await eve.go())
    const url = new URL(callback, issuer)
    url.searchParams.set('state', String(searchParams.get('state')))
    return [eve, url.pathname + url.search]
  },
  'with the cookie of nobody': async (_world, ada, callback) => {
    ada.cookies.set('__Host-federation', 'A'.repeat(43))
    return [ada, callback]
  },
  'with a cookie cut short': async (_world, ada, callback) => {
    ada.cookies.set('__Host-federation', String(ada.cookies.get('__Host-federation')).slice(0, 42))
    return [ada, callback]
  },
  'with two cookies, as one that was tossed in': async (_world, ada, callback) => {
    ada.cookies.set(
      '__Host-federation',
      `${ada.cookies.get('__Host-federation')}; __Host-federation=${'A'.repeat(43)}`,
    )
    return [ada, callback]
  },
  'after it is over': async (world, ada, callback) => {
    await world.service.database.sql`update federation_flows set expires_at = now()`
    return [ada, callback]
  },
  'after it is gone': async (world, ada, callback) => {
    await world.service.database.sql`delete from federation_flows`
    return [ada, callback]
  },
  'with two states': async (_world, ada, callback) => [ada, `${callback}&state=${'A'.repeat(43)}`],
  'with its state twice': async (_world, ada, callback) => [
    ada,
    `${callback}&${/state=[\w-]+/.exec(callback)?.[0]}`,
  ],
  'with two codes': async (_world, ada, callback) => [ada, `${callback}&code=another`],
  'with the state of its own as a list': async (_world, ada, callback) => [
    ada,
    callback.replace('state=', 'state[]='),
  ],
  'with the state in another case': async (_world, ada, callback) => [
    ada,
    callback.replace('state=', 'STATE='),
  ],
  'with no query': async (_world, ada) => [ada, '/v1/federation/acme/callback'],
  'with a query of 20 kB': async (_world, ada, callback) => [
    ada,
    `${callback.replace('state=', 'x=')}&y=${'y'.repeat(20_000)}`,
  ],
}

test('FD-01: an answer is taken once, from the browser that asked, within ten minutes', async t => {
  const world = await federationWorld(t)
  for (const [what, move] of Object.entries(misused)) {
    const before = await made(world)
    const ada = world.visitor()
    const [who, where] = await move(world, ada, await callbackFrom(await ada.go()))
    expectRefusal(t, await who.open(where), 'federation_failed', what)
    t.same(await made(world), before, what)
  }
  const ada = world.visitor()
  const callback = await callbackFrom(await ada.go())
  t.equal((await ada.open(callback)).statusCode, 303)
  const before = await made(world)
  expectRefusal(t, await ada.open(callback), 'federation_failed', 'again')
  t.same(await made(world), before)
  t.equal((await ada.scripts.get('/v1/session')).statusCode, 200, 'who is signed in stays so')
})

test('FD-01: two tabs of one browser each have their own, in any order', async t => {
  const world = await federationWorld(t)
  const ada = world.visitor()
  const tabs = [await ada.go(), await ada.go(), await ada.go()]
  t.equal(new Set(tabs.map(tab => new URL(tab).searchParams.get('state'))).size, 3)
  for (const tab of tabs.reverse()) t.equal((await ada.comeBack(tab)).statusCode, 303)
  t.equal((await made(world)).users, 1)
  const { length } = await world.service.database.sql`select from sessions where ended_at is null`
  t.equal(length, 1, 'each ended the one before it')
})

test('FD-05: each request has a state, nonce and verifier of its own, of 256 bits, and S256 whatever the provider offers', async t => {
  const world = await federationWorld(t)
  const { provider } = world
  const seen = { state: new Set(), nonce: new Set(), code_challenge: new Set(), code_verifier: new Set() }
  for (const offered of [['S256'], ['plain'], [], undefined, 'plain', null, ['plain', 'S256', 7]])
    for (let round = 0; round < 3; round++) {
      provider.lies = {
        discovery: answer => ({
          ...answer,
          body: { ...(answer.body as object), code_challenge_methods_supported: offered },
        }),
      }
      await world.change({})
      const ada = world.visitor()
      const { searchParams } = new URL(await ada.go())
      t.same([...searchParams.keys()].sort(), [...new Set(searchParams.keys())].sort(), 'each parameter once')
      t.equal(searchParams.get('code_challenge_method'), 'S256')
      for (const name of ['state', 'nonce', 'code_challenge'] as const) {
        t.match(searchParams.get(name), /^[\w-]{43}$/)
        seen[name].add(searchParams.get(name))
      }
      t.equal(searchParams.get('response_type'), 'code')
      t.notOk(searchParams.get('response_mode'))
      t.equal((await ada.comeBack(`${provider.at('authorize')}?${searchParams}`)).statusCode, 303)
      const verifier = String(
        provider.requests.findLast(({ endpoint }) => endpoint === 'token')?.parameters.code_verifier,
      )
      t.match(verifier, /^[\w-]{43,128}$/)
      seen.code_verifier.add(verifier)
    }
  const all = Object.values(seen).flatMap(values => [...values])
  t.equal(new Set(all).size, 4 * 21, 'no two are the same')
})

test('FD-14: a provider that is disabled or deleted meanwhile lets nobody in, wherever they are on the way', async t => {
  const world = await federationWorld(t)
  const { provider, service } = world
  const by = { user: undefined, context: { requestId: undefined, address: undefined } }
  const disable = () => world.change({ state: 'disabled' })
  const remove = async () => void (await world.store.remove('acme', by))
  for (const [what, off] of Object.entries({ disabled: disable, deleted: remove })) {
    for (const endpoint of ['token', 'jwks', 'userinfo'] as const) {
      const before = await made(world)
      provider.person = {
        sub: `${what} ${endpoint}`,
        email: `${what}.${endpoint}@example.com`,
        email_verified: true,
      }
      const ada = world.visitor()
      const address = await ada.go()
      provider.lies = {
        claims: ({ name: _, ...claims }) => claims,
        [endpoint]: async (answer: unknown) => {
          await off()
          return answer
        },
      }
      expectRefusal(t, await ada.comeBack(address), 'federation_failed', `${what} while ${endpoint} answers`)
      t.same(await made(world), before, `${what} while ${endpoint} answers`)
      provider.lies = {}
      if (what === 'deleted') await world.add({ id: 'acme', issuer: provider.issuer })
      else await world.change({ state: 'enabled' })
    }
    provider.lies = {
      discovery: async answer => {
        await off()
        return answer
      },
    }
    await world.change({})
    const page = await world.visitor().open('/v1/federation/acme')
    t.ok([303, 404].includes(page.statusCode), `${what} while its document is read: ${page.statusCode}`)
    provider.lies = {}
    if (what === 'deleted') await world.add({ id: 'acme', issuer: provider.issuer })
    else await world.change({ state: 'enabled' })
  }
  t.equal(service.logLines.filter(line => line.includes('"level":50')).length, 0)
})

test('FD-18: a callback 20 times at once, on two instances, is one session and one question to the provider', async t => {
  const world = await federationWorld(t)
  const other = await world.beside()
  const ada = world.visitor()
  const callback = await callbackFrom(await ada.go())
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, index) => ada.at(index % 2 ? other : world.service).open(callback)),
  )
  t.same(answers.map(({ statusCode }) => statusCode).sort(), [303, ...Array(19).fill(400)])
  t.equal(world.provider.count('token'), 1)
  t.same(await made(world), { users: 1, identities: 1, sessions: 1 })
})

test('FD-20: an answer by a form is refused in words that say why, with and without the cookie', async t => {
  const world = await federationWorld(t)
  world.provider.lies = { formPost: true }
  for (const withCookie of [false, true]) {
    const ada = world.visitor()
    const page = await (await fetch(await ada.go())).text()
    const fields = Object.fromEntries(
      [...page.matchAll(/name="(\w+)" value="([^"]*)"/g)].map(([, name, value]) => [name, String(value)]),
    ) as Record<string, string>
    t.ok(fields.code && fields.state)
    const answer = await world.service.app.inject({
      method: 'POST',
      url: '/v1/federation/acme/callback',
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        origin: world.provider.url,
        'sec-fetch-site': 'cross-site',
        ...(withCookie && { cookie: `__Host-federation=${ada.cookies.get('__Host-federation')}` }),
      },
      payload: new URLSearchParams(fields).toString(),
    })
    t.equal(answer.statusCode, 400)
    t.match(answer.headers['content-type'], 'text/html')
    t.match(answer.body, /data-code="federation_failed"/)
    t.match(answer.body, /response_mode=query/)
    t.notOk(answer.headers['set-cookie'])
  }
  t.same(await made(world), { users: 0, identities: 0, sessions: 0 })
  t.equal(world.provider.count('token'), 0)
})

test('signing in over a session ends it: nobody is fixed to one that was known before', async t => {
  const world = await federationWorld(t)
  await world.service.signUp('eve@example.com')
  const ada = world.visitor()
  await ada.submit('/sign-in', { email: 'eve@example.com', password: goodPassword })
  const fixed = ada.at(world.service)
  t.equal((await fixed.scripts.get('/v1/session')).statusCode, 200)
  await ada.signIn()
  t.not(ada.cookies.get('__Host-session'), fixed.cookies.get('__Host-session'))
  t.equal((await fixed.scripts.get('/v1/session')).statusCode, 401)
  t.equal(codeOf(await ada.open('/')), undefined)
})

test('Postgres away: a callback is 503, uses nothing up, and works afterwards', async t => {
  const database = await testDatabase(t)
  const proxy = await postgresProxy(t, database.address)
  const world = await federationWorld(t, {}, 'openid', { database })
  const behind = await testService(t, { beside: world.service, address: proxy.address })
  const ada = world.visitor(behind)
  const callback = await callbackFrom(await ada.go())
  await proxy.stop()
  for (const url of [callback, '/v1/federation/acme'])
    expectRefusal(t, await ada.open(url), 'unavailable', url)
  await proxy.resume()
  t.equal(world.provider.count('token'), 0)
  t.equal((await ada.open(callback)).statusCode, 303)
})
