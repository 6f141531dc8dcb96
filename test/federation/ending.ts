/** What a provider's word had opened or proved ends when an operator says so, however many there are, in either store. */
import { randomBytes } from 'node:crypto'
import type { Test } from 'tap'
import { startHostileProvider } from '../support/hostile-provider.js'
import {
  buttonOf,
  clientId,
  clientSecret,
  codeOf,
  type FederationWorld,
  operator,
  type Visitor,
} from './world.js'

const status = async (who: Visitor) => (await who.scripts.get('/v1/session')).statusCode

/** The world's provider counts as a proof. */
export async function endsAllOf(t: Test, world: FederationWorld): Promise<void> {
  const { sql } = world.service.database
  const other = await startHostileProvider({ clientId, clientSecret, kind: 'openid' })
  t.teardown(() => other.close())
  other.person = { ...other.person, sub: 'the-same-person-elsewhere' }
  await world.add({ id: 'other', issuer: other.issuer, name: 'Other', countsAsProof: true })

  const [ada, bob] = [world.visitor(), world.visitor()]
  for (const one of [ada, bob]) {
    t.equal((await one.signIn()).statusCode, 303)
    const linking = buttonOf(await one.submit('/sign-in-methods/link', { provider: 'other' }))
    t.equal(codeOf(await one.comeBack(linking)), undefined)
    const proving = buttonOf(await one.submit('/step-up/provider', { provider: 'other' }))
    t.equal((await one.comeBack(proving)).statusCode, 303, 'proved at the other one')
  }
  const passer = world.visitor()
  t.equal((await passer.signIn()).statusCode, 303)

  t.equal(await world.store.endSessions('other', operator), 2, 'what the second one had proved')
  t.same([await status(ada), await status(bob), await status(passer)], [401, 401, 200])
  t.equal(await world.store.endSessions('other', operator), 0)

  const ids = Array.from({ length: 2500 }, () => `${randomBytes(16).toString('base64url').slice(0, 21)}A`)
  await sql`
    insert into sessions (id, user_id, secret_hash, secret_changed_at, service_epoch, user_epoch, auth_time, amr, acr,
      ends_at, idle_seconds, user_agent, address)
    select given.id, u.id, sha256(given.id::bytea), now(), g.epoch, u.epoch, now(), '{fed}', 'aal1',
      now() + interval '1 day', 86400, '', '192.0.2.1'
    from users u, service g, unnest(${ids}::text[]) given (id) limit ${ids.length}`
  await sql`
    insert into federated_sessions (session_id, identity_id, provider_id, issuer, subject, ends_at)
    select given.id, f.id, f.provider_id, f.issuer, f.subject, now() + interval '1 day'
    from federated_identities f, unnest(${ids}::text[]) given (id)
    where f.provider_id = 'acme' limit ${ids.length}`
  t.equal(
    await world.store.endSessions('acme', operator),
    ids.length + 1,
    'more than one transaction has time for',
  )
  t.equal(await status(passer), 401)
  const [left] = await sql`select count(*)::int as count from sessions where ended_at is null`
  t.equal(left?.count, 0)
  const [told] = await sql`select count(*)::int as count from audit_events where action = 'session.ended'`
  t.equal(told?.count, ids.length + 3)
}
