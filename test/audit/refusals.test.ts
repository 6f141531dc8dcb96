/** Refusals on their way into the audit log: whoever is refused costs nobody else anything, and no row is lost. */
import tap, { test } from 'tap'
import { limits } from '../../src/accounts/throttle.js'
import { person, serviceKey, session, tenant } from '../harness/world.js'
import { Browser } from '../support/browser.js'
import { testDatabase } from '../support/database.js'
import { postgresProxy } from '../support/postgres-proxy.js'
import { eventually, issuer, type TestService, testService } from '../support/service.js'
import { type Answer, many } from '../throttle/world.js'

const service = await testService(tap)
const { sql } = service.database
const { points } = limits['refusals by caller']

const holding = (cookie: string, at: TestService = service) => new Browser(at.app, issuer, cookie)
const nowhere = '00000000-0000-4000-8000-000000000000'
const forbidden = { audience: 'https://elsewhere.example' }

/** The rows of these answers' requests. */
const rowsOf = (answers: readonly { headers: Record<string, unknown> }[], at = service) => {
  const ids = answers.map(({ headers }) => String(headers['request-id']))
  return at.database
    .sql`select action, reason, at from audit_events where request_id in ${at.database.sql(ids)}`
}
const allWritten = (answers: readonly { headers: Record<string, unknown> }[], at = service) =>
  eventually(async () => {
    const rows = await rowsOf(answers, at)
    return rows.length >= answers.length ? rows : undefined
  }, 20)

async function queued(at: TestService): Promise<number> {
  const text = await (await fetch(`${at.addresses.probes}/metrics`)).text()
  return Number(/^mintmark_refusals_queued (\d+)$/m.exec(text)?.[1])
}

test('while no row can be written, the refused are answered and everybody else goes on; then all rows are there', async t => {
  const [attacker, bystander] = [await person(sql), await person(sql)]
  const gate = await sql.reserve()
  t.teardown(() => gate.release())
  await gate`begin`
  await gate`lock table audit_events in share mode`
  const answers = await many(200, () => holding(attacker.cookie).post('/v1/token', forbidden))
  t.ok(answers.every(({ statusCode }) => statusCode === 403))
  t.equal((await holding(bystander.cookie).get('/v1/session')).statusCode, 200)
  t.equal((await holding(bystander.cookie).post('/v1/token', {})).statusCode, 200)
  // Reads by the ordinary connections, all of which a row each would take.
  t.equal((await holding(bystander.cookie).get('/v1/sessions')).statusCode, 200)
  t.equal((await service.browser().get('/sign-in')).statusCode, 200)
  t.equal(await queued(service), 200)
  t.equal((await rowsOf(answers)).length, 0)
  await gate`commit`
  const rows = await allWritten(answers)
  t.equal(rows.length, 200, 'each once')
  t.equal(new Set(rows.map(({ at }) => String(at))).size <= 5, true, 'a few transactions wrote them')
  t.equal(await queued(service), 0)
})

test('a row that Postgres never takes holds up no other, and is counted', async t => {
  const me = await person(sql)
  await sql`alter table audit_events add constraint refuses check (reason <> 'session_changed') not valid`
  const answers = await many(20, index =>
    holding(me.cookie).post('/v1/token', index === 7 ? { expect: { sub: nowhere } } : forbidden),
  )
  t.equal(answers[7]?.json().code, 'session_changed')
  await allWritten(answers.filter((_, index) => index !== 7))
  await eventually(async () => (await queued(service)) === 0 || undefined)
  await sql`alter table audit_events drop constraint refuses`
  const text = await (await fetch(`${service.addresses.probes}/metrics`)).text()
  t.match(text, /^mintmark_background_total\{job="audit",outcome="failed"\} 1$/m)
})

test('a service that has closed has written down whom it refused', async t => {
  const closing = await testService(t, { beside: service })
  const me = await person(sql)
  const answers = await many(150, () => holding(me.cookie, closing).post('/v1/token', forbidden))
  await closing.close()
  t.equal((await rowsOf(answers)).length, 150)
})

test('what was refused before Postgres went away is written down when it is back', async t => {
  const database = await testDatabase(t)
  const proxy = await postgresProxy(t, database.address)
  const behind = await testService(t, { database, address: proxy.address })
  const me = await person(database.sql)
  const gate = await database.sql.reserve()
  t.teardown(() => gate.release())
  await gate`begin`
  await gate`lock table audit_events in share mode`
  const answers = await many(100, () => holding(me.cookie, behind).post('/v1/token', forbidden))
  t.ok(answers.every(({ statusCode }) => statusCode === 403))
  await proxy.stop()
  await gate`rollback`
  // Nobody is asked for these, and they are written down all the same.
  const malformed = await many(10, () => behind.browser().post('/v1/session', { email: 'x', password: 'y' }))
  t.ok(malformed.every(({ statusCode }) => statusCode === 401))
  await proxy.resume()
  const rows = await allWritten([...answers, ...malformed], behind)
  t.equal(rows.length, 110, 'each once')
})

test('every kind of refusal is limited by caller, and over the limit there is no row', async t => {
  const kinds: Record<string, () => Promise<() => Promise<Answer>>> = {
    'a token': async () => {
      const { cookie } = await person(sql)
      return () => holding(cookie).post('/v1/token', forbidden)
    },
    'a tenant': async () => {
      const { cookie } = await person(sql)
      const other = await tenant(sql)
      return () => holding(cookie).put('/v1/session/tenant', { tenant: other })
    },
    'a stale proof': async () => {
      const me = await person(sql)
      await sql`update sessions set auth_time = now() - interval '1 hour' where id = ${me.session}`
      return () => holding(me.cookie).delete(`/v1/sessions/${me.session}`)
    },
    'an old secret': async () => {
      const me = await person(sql)
      await sql`update sessions set previous_secret_hash = secret_hash,
        secret_hash = decode(repeat('ab', 32), 'hex'), secret_changed_at = now() - interval '1 hour'
        where id = ${me.session}`
      return () => holding(me.cookie).get('/v1/session')
    },
    'a malformed sign-in': async () => {
      const browser = service.browser()
      return () => browser.post('/v1/session', { email: 'nobody', password: 'x' })
    },
    'the admin API to a person': async () => {
      const { cookie } = await person(sql)
      return () => holding(cookie).get('/v1/admin/users')
    },
    'the admin API to a service key': async () => {
      const { key } = await serviceKey(sql, { scopes: ['introspect'] })
      const by = service.browser(null)
      return () => by.get('/v1/admin/users', { authorization: `Bearer ${key}` })
    },
  }
  for (const [kind, prepare] of Object.entries(kinds)) {
    const attempt = await prepare()
    const first = await attempt()
    t.ok([401, 403].includes(first.statusCode), `${kind}: ${first.statusCode}`)
    const answers = await many(points + 39, attempt)
    const over = answers.filter(({ statusCode }) => statusCode === 429)
    t.equal(over.length, 40, kind)
    t.equal(answers.filter(({ statusCode }) => statusCode === first.statusCode).length, points - 1, kind)
    const rows = await allWritten(answers.filter(({ statusCode }) => statusCode !== 429))
    t.equal(rows.length, points - 1, kind)
    t.equal((await rowsOf(over)).length, 0, kind)
  }
})

test('whose account it was does not pay for the refusals of others', async t => {
  const victim = await person(sql)
  await many(points - 50, () => holding(victim.cookie).post('/v1/token', forbidden))
  await many(90, () =>
    service.browser().post('/v1/session', { email: victim.email, password: 'not this one' }),
  )
  const answers = await many(60, () => holding(victim.cookie).post('/v1/token', forbidden))
  t.equal(answers.filter(({ statusCode }) => statusCode === 403).length, 50)
  t.equal((await holding((await session(sql, victim.id)).cookie).delete('/v1/session')).statusCode, 204)
})
