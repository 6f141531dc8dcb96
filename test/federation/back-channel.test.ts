/** OpenID Connect Back-Channel Logout: exactly what is named ends, on every instance, before the answer. */
import { test } from 'tap'
import { logoutLies } from '../red/logout-tokens.js'
import { testDatabase } from '../support/database.js'
import { body, hang, html } from '../support/hostile-lies.js'
import { startHostileProvider } from '../support/hostile-provider.js'
import { postgresProxy } from '../support/postgres-proxy.js'
import { goodPassword, testService } from '../support/service.js'
import { logOut, statusOf } from './witness.js'
import { callbackFrom, clientId, clientSecret, type FederationWorld, federationWorld } from './world.js'

const event = 'http://schemas.openid.net/event/backchannel-logout'

async function signedIn(world: FederationWorld, person?: Record<string, unknown>, provider = 'acme') {
  if (person) world.provider.person = { ...world.provider.person, ...person }
  const visitor = world.visitor()
  const answer = await visitor.signIn(provider)
  if (answer.statusCode !== 303) throw new Error(answer.body)
  return { visitor, sid: String(world.provider.sid) }
}

test('a logout ends exactly the sessions that it names, on two instances at once', async t => {
  const world = await federationWorld(t)
  const beside = await world.beside()
  const other = await startHostileProvider({ clientId, clientSecret })
  t.teardown(() => other.close())
  await world.add({ id: 'other', issuer: other.issuer })
  other.person = { sub: '583231', email: 'same-subject@example.com', email_verified: true }
  await world.service.signUp('ada@example.com')
  const { sql } = world.service.database
  const named = {
    'by sid': { sub: undefined },
    'by sub': { sid: undefined },
    'by both': {},
  }
  for (const [what, left] of Object.entries(named)) {
    await sql`delete from federated_identities`
    await sql`delete from provider_logouts`
    await sql`delete from users where canonical_email <> 'ada@example.com'`
    const grace = { sub: '1', email: 'grace@example.com', email_verified: true }
    const ada = { sub: '583231', email: 'countess@example.com', email_verified: true }
    const first = await signedIn(world, ada)
    const second = await signedIn(world, ada)
    const third = await signedIn(world, grace)
    const password = world.visitor()
    await password.submit('/sign-in', { email: 'ada@example.com', password: goodPassword })
    const elsewhere = await signedIn(world, {}, 'other')
    const token = await world.provider.logoutToken({ sub: '583231', sid: first.sid, ...left })
    const answers = await Promise.all([
      logOut(world.service, token),
      logOut(beside, token),
      logOut(beside, token),
    ])
    t.same(
      answers.map(({ statusCode }) => statusCode),
      [200, 200, 200],
      what,
    )
    t.equal(await statusOf(first.visitor), 401, what)
    t.equal(await statusOf(first.visitor.at(beside)), 401, `${what}, on the other instance`)
    t.equal(
      await statusOf(second.visitor),
      what === 'by sub' ? 401 : 200,
      `${what}: another of the same subject`,
    )
    for (const visitor of [third.visitor, password, elsewhere.visitor])
      t.equal(await statusOf(visitor), 200, `${what}: another’s, by password, of another provider`)
    const events = await sql`select from audit_events where action = 'provider.logout'`
    t.equal(events.length, 1, 'it is taken once')
    await sql`truncate audit_events`
    // A proof of the same second could be from before it.
    await sql`update provider_logouts set issued_at = issued_at - interval '2 seconds'`
    const again = await signedIn(world, ada)
    t.equal((await logOut(beside, token)).statusCode, 200, 'the same token again')
    t.equal(await statusOf(again.visitor), 200, 'a sign-in after the logout stays')
  }
})

test('a session that the same person opened by password stays', async t => {
  const world = await federationWorld(t, { authoritativeFor: ['example.com'] })
  await world.service.signUp('ada@example.com')
  const linked = await signedIn(world)
  const password = world.visitor()
  await password.submit('/sign-in', { email: 'ada@example.com', password: goodPassword })
  const token = await world.provider.logoutToken({ sid: undefined })
  t.equal((await logOut(world.service, token)).statusCode, 200)
  t.equal(await statusOf(linked.visitor), 401)
  t.equal(await statusOf(password), 200)
})

test('no token but a logout token of this provider, for this client, of now, ends anything', async t => {
  const world = await federationWorld(t)
  const { provider, service } = world
  const other = await startHostileProvider({ clientId, clientSecret })
  t.teardown(() => other.close())
  await world.add({ id: 'other', issuer: other.issuer })
  let idToken = ''
  provider.lies = {
    token: answer => {
      idToken = String((answer.body as Record<string, unknown>).id_token)
      return answer
    },
  }
  const { visitor, sid } = await signedIn(world)
  const lies = [
    ...logoutLies,
    { what: 'an ID token', token: () => idToken },
    { what: 'another provider’s', token: () => other.logoutToken({ sub: '583231', sid }) },
    {
      what: 'another provider’s, in the name of this one',
      token: () => other.logoutToken({ iss: provider.issuer, sub: '583231', sid }),
    },
  ]
  for (const { what, token } of lies) {
    const text = await token(provider)
    const answer = await logOut(service, text)
    t.equal(answer.statusCode, 400, what)
    t.match(answer.json().code, /^(logout_token_invalid|invalid_request)$/, what)
    t.equal(answer.headers['cache-control'], 'no-store', what)
    t.equal(await statusOf(visitor), 200, what)
  }
  const ours = await provider.logoutToken({ sub: '583231', sid })
  t.equal((await logOut(service, ours, 'other')).statusCode, 400, 'at another provider’s address')
  t.equal(await statusOf(visitor), 200)
  const log = service.logLines.join('')
  t.notOk(log.includes(ours) || log.includes(idToken), 'no token is in the log')
  t.same(
    service.logLines.filter(line => line.includes('"level":50')),
    [],
  )
  for (const typ of ['logout+jwt', 'application/logout+jwt', 'LOGOUT+JWT', 'JWT', undefined]) {
    const token = await provider.logoutToken({ sid: 'of nobody' }, { typ })
    t.equal((await logOut(service, token)).statusCode, 200, `typ ${typ}`)
  }
  t.equal(await statusOf(visitor), 200, 'sid and sub must both be its')
  const idLike = await provider.logoutToken({ sub: '583231', sid, events: { [event]: {}, other: {} } })
  t.equal((await logOut(service, idLike)).statusCode, 200, 'other events beside it are no matter')
  t.equal(await statusOf(visitor), 401)
})

test('what is not a form with one token is refused', async t => {
  const world = await federationWorld(t)
  const token = await world.provider.logoutToken()
  const send = async (payload: string, type?: string) => {
    const { statusCode } = await world.service.app.inject({
      method: 'POST',
      url: '/v1/federation/acme/back-channel-logout',
      headers: type === undefined ? {} : { 'content-type': type },
      payload,
    })
    return statusCode
  }
  const form = 'application/x-www-form-urlencoded'
  t.equal(await send(JSON.stringify({ logout_token: token }), 'application/json'), 415)
  t.equal(await send(`logout_token=${token}`, 'text/plain'), 415)
  t.equal(await send(token, 'application/logout+jwt'), 415)
  t.equal(await send(`logout_token=${token}`, 'multipart/form-data; boundary=x'), 415)
  t.equal(await send(`logout_token=${token}`), 415)
  t.equal(await send('', form), 400)
  t.equal(await send('logout_token=', form), 400)
  t.equal(await send(`logout_token=${token}&logout_token=${token}`, form), 400)
  t.equal(await send(`logout_token[]=${token}`, form), 400)
  t.equal(await send(`logout_token=${'x'.repeat(2_000_000)}`, form), 413)
  t.equal(await send(`logout_token=${token}&x=1`, `${form}; charset=utf-8`), 200, 'more fields are no matter')
  const get = await world.service.app.inject(`/v1/federation/acme/back-channel-logout?logout_token=${token}`)
  t.equal(get.statusCode, 405)
})

test('what was proved before a logout is not live after its answer, whoever was faster', async t => {
  const world = await federationWorld(t)
  const beside = await world.beside()
  for (let round = 0; round < 6; round++) {
    const bySid = round % 2 === 0
    world.provider.person = { sub: `s${round}`, email: `p${round}@example.com`, email_verified: true }
    if (round > 2) await signedIn(world)
    const sid = `session ${round}`
    let loggedOut = () => {}
    const logout = new Promise<void>(resolve => {
      loggedOut = resolve
    })
    let tokens = 0
    world.provider.lies = {
      claims: claims => ({ ...claims, sid }),
      // Every second proof is made before the logout, and comes here after it.
      token: async answer => {
        if (tokens++ % 2) await logout
        return answer
      },
    }
    const tabs = await Promise.all(
      Array.from({ length: 20 }, async (_, index) => {
        const visitor = world.visitor(index % 2 ? beside : world.service)
        return { visitor, callback: await callbackFrom(await visitor.go()) }
      }),
    )
    // Later than each proof, also where this machine takes seconds for them.
    const iat = Math.floor(Date.now() / 1000) + 20
    const token = await world.provider.logoutToken(
      bySid ? { sub: undefined, sid, iat } : { sid: undefined, iat },
    )
    const coming = tabs.map(({ visitor, callback }) => visitor.open(callback))
    await Promise.race(coming)
    t.equal((await logOut(beside, token)).statusCode, 200)
    const { sql } = world.service.database
    const live = () => sql`select s.id from sessions s join federated_sessions f on f.session_id = s.id
      where s.ended_at is null and f.subject = ${`s${round}`} and (${!bySid} or f.provider_session = ${sid})`
    t.same(await live(), [], 'when it is answered')
    loggedOut()
    await Promise.all(coming)
    t.same(await live(), [], 'and afterwards')
    const codes = await Promise.all(tabs.map(({ visitor }) => statusOf(visitor)))
    t.same(new Set(codes), new Set([401]))
    world.provider.lies = {}
  }
  t.same(
    world.service.logLines.filter(line => line.includes('"level":50')),
    [],
  )
})

test('404 where there is no such provider, or none any more; 503 where it cannot be known', async t => {
  const database = await testDatabase(t)
  const proxy = await postgresProxy(t, database.address)
  const world = await federationWorld(t, {}, 'openid', { database })
  const behind = await testService(t, { beside: world.service, address: proxy.address })
  const { visitor, sid } = await signedIn(world)
  const token = () => world.provider.logoutToken({ sid })
  for (const lie of [hang, html, body({}, 404), body({}, 500), body({}, 302, { location: '/' }), body('{')]) {
    world.provider.lies = { jwks: lie }
    await world.change({})
    const answer = await logOut(behind, await token())
    t.equal(answer.statusCode, 503)
    t.equal(answer.json().code, 'provider_unavailable')
    t.ok(answer.headers['retry-after'], 'the provider may send it again')
  }
  world.provider.lies = {}
  await proxy.stop()
  const away = await logOut(behind, await token())
  t.equal(away.statusCode, 503)
  t.equal(away.json().code, 'unavailable')
  await proxy.resume()
  await world.change({ state: 'disabled' })
  t.equal((await logOut(world.service, await token())).statusCode, 404)
  t.equal((await logOut(world.service, await token(), 'nobody')).statusCode, 404)
  t.equal(await statusOf(visitor), 200)
  await world.change({ state: 'enabled' })
  t.equal((await logOut(world.service, await token())).statusCode, 200)
  t.equal(await statusOf(visitor), 401)
})
