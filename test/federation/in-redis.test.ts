/** Providers where sessions lie in Redis: a session takes a new id at each proof, and its provider still ends it. */
import { type Test, test } from 'tap'
import { redisServer, skipWithoutRedis as skip } from '../support/redis.js'
import { endsAllOf } from './ending.js'
import { buttonOf, federationWorld, type Visitor } from './world.js'

const status = async (who: Visitor) => (await who.scripts.get('/v1/session')).statusCode
const idOf = (who: Visitor) => who.cookies.get('__Host-session')?.split('.')[0]

async function worldInRedis(t: Test) {
  const redis = await redisServer(t)
  redis.start()
  await redis.ready()
  const env = { SESSION_STORE: 'redis', REDIS_URL: redis.url, MINTMARK_SESSION_REDIS_UNSAFE: 'accepted' }
  return federationWorld(t, { countsAsProof: true }, 'openid', { env })
}

test('a provider opens, renews, and ends sessions that lie in Redis', { skip }, async t => {
  const world = await worldInRedis(t)
  const { provider, service } = world
  const { sql } = service.database
  const logOut = async (claims: Record<string, unknown>) => {
    const payload = new URLSearchParams({ logout_token: await provider.logoutToken(claims) }).toString()
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const url = '/v1/federation/acme/back-channel-logout'
    return (await service.app.inject({ method: 'POST', url, headers, payload })).statusCode
  }

  const laptop = world.visitor()
  t.equal((await laptop.signIn()).statusCode, 303)
  t.equal(await status(laptop), 200)
  t.same(await sql`select from sessions`, [], 'the table has none')
  const { session } = (await laptop.scripts.get('/v1/session')).json()
  t.ok(session.auth_time > 0)

  const before = idOf(laptop)
  const on = await laptop.submit('/step-up/provider', { provider: 'acme' })
  t.equal((await laptop.comeBack(buttonOf(on))).statusCode, 303)
  t.not(idOf(laptop), before, 'a new proof is a new id')
  const renewed = provider.sid
  t.same(
    (await sql`select session_id from federated_sessions`).map(({ session_id: id }) => id),
    [idOf(laptop)],
    'what the provider said has followed it',
  )

  const phone = world.visitor()
  await phone.signIn()
  t.equal(await logOut({ sub: undefined, sid: renewed }), 200)
  t.equal(await status(laptop), 401, 'ended by the name that the provider knows it by')
  t.equal(await status(phone), 200, 'and no other')

  await phone.scripts.put('/v1/session/tenant', { tenant: null })
  const tablet = world.visitor()
  await tablet.signIn()
  await sql`insert into passwords (user_id, phc) select id, 'none' from users`
  const [own] = (await phone.scripts.get('/v1/identities')).json().identities
  t.equal((await phone.scripts.delete(`/v1/identities/${own.id}`)).statusCode, 204)
  t.equal(await status(phone), 200, 'who unlinks goes on')
  t.equal(await status(tablet), 401, 'what it had opened elsewhere ends')
})

test('an operator ends all of a provider’s sessions in Redis, also those of a second proof', {
  skip,
}, async t => {
  const world = await worldInRedis(t)
  await endsAllOf(t, world)
})
