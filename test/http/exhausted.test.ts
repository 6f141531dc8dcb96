/** Every ordinary connection to Postgres taken, or waiting: what revokes goes on, and every request is answered. */
import { type Test, test } from 'tap'
import { platformPermissions } from '../../src/core/authority.js'
import { headersFrom } from '../harness/routes.js'
import { administrator, type Person, person, serviceKey } from '../harness/world.js'
import { eventually, issuer, type TestService, testService } from '../support/service.js'

/** More than the pool can serve before those who wait for it give up. */
const many = 60

/** Rows that somebody else holds, until what is returned is called. */
async function lock({ database: { sql } }: TestService, sessions: readonly string[]) {
  const held = await sql.reserve()
  await held`begin`
  await held`select from sessions where id = any(${[...sessions]}) for update`
  return async () => {
    await held`rollback`
    held.release()
  }
}

const waiting = ({ database: { sql } }: TestService, count: number) =>
  eventually(async () => {
    const [row] = await sql`select count(*)::int as waiting from pg_stat_activity
      where datname = current_database() and application_name = 'mintmark' and wait_event_type = 'Lock'`
    return row?.waiting >= count || undefined
  }, 20)

const leaveTenant = ({ app }: TestService, { cookie }: Person) =>
  app.inject({
    method: 'PUT',
    url: '/v1/session/tenant',
    headers: headersFrom(issuer, cookie),
    payload: { tenant: null },
  })

/** Until the test ends, each of many people waits for a row with a connection, or for a connection. */
async function exhausted(t: Test): Promise<TestService> {
  const service = await testService(t)
  const people = await Promise.all(Array.from({ length: many }, () => person(service.database.sql)))
  const release = await lock(
    service,
    people.map(({ session }) => session),
  )
  let over = false
  const loops = people.map(async one => {
    while (!over) await leaveTenant(service, one)
  })
  t.teardown(async () => {
    over = true
    await release()
    await Promise.all(loops)
  })
  await waiting(service, 10)
  return service
}

test('an administrator, and a service key, revoke while every ordinary connection is taken', async t => {
  const service = await exhausted(t)
  const { app, database } = service
  const { sql } = database
  const { cookie } = await administrator(sql)
  const { key } = await serviceKey(sql, { scopes: platformPermissions })
  for (const headers of [headersFrom(issuer, cookie), { authorization: `Bearer ${key}` }]) {
    const [one, all, stopped, gone, boss] = [
      await person(sql),
      await person(sql),
      await person(sql),
      await person(sql),
      await administrator(sql),
    ]
    const { id } = await serviceKey(sql)
    const revocations = [
      ['DELETE', `/v1/admin/sessions/${one.session}`],
      ['DELETE', `/v1/admin/users/${all.id}/sessions`],
      ['PATCH', `/v1/admin/users/${stopped.id}`, { state: 'disabled' }],
      ['PATCH', `/v1/admin/users/${boss.id}`, { platform_roles: [] }],
      ['DELETE', `/v1/admin/users/${gone.id}`],
      ['DELETE', `/v1/admin/service-keys/${id}`],
      ['POST', '/v1/admin/signing-keys/compromise', { all: true }],
    ] as const
    for (const [method, url, payload] of revocations) {
      const { statusCode, body } = await app.inject({ method, url, headers, ...(payload && { payload }) })
      t.ok(statusCode < 300, `${method} ${url}: ${statusCode} ${body}`)
    }
  }
  await waiting(service, 10)
})

test('a request is answered at its deadline, however long its parts wait: a change as not confirmed', async t => {
  const service = await testService(t, { answerWithinMs: 300 })
  const me = await person(service.database.sql)
  const release = await lock(service, [me.session])
  const answer = await leaveTenant(service, me)
  t.same([answer.statusCode, answer.json().code], [503, 'not_confirmed'])
  t.equal(answer.headers['retry-after'], '1')
  await release()
  const again = await leaveTenant(service, me)
  t.ok([200, 204].includes(again.statusCode), 'and it can be repeated')
})
