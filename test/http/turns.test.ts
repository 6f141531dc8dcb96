/** Requests of one caller wait for each other: their locks and connections are not what others wait for. */
import tap, { test } from 'tap'
import { member, person, tenant } from '../harness/world.js'
import { Browser } from '../support/browser.js'
import { eventually, goodPassword, issuer, testService } from '../support/service.js'

const service = await testService(tap)
const { sql } = service.database
const holding = (cookie: string) => new Browser(service.app, issuer, cookie)

async function waiting(): Promise<number> {
  const [row] = await sql`select count(*)::int as count from pg_stat_activity
    where datname = current_database() and application_name = 'mintmark' and wait_event_type = 'Lock'`
  return row?.count
}

test('while forty changes of one person wait for a lock, four connections wait with them, and others go on', async t => {
  const [me, bystander] = [await person(sql), await person(sql)]
  const place = await tenant(sql)
  await member(sql, me.id, place, 'owner')
  const gate = await sql.reserve()
  t.teardown(() => gate.release())
  await gate`begin`
  await gate`select from sessions where id = ${me.session} for update`
  const changes = Array.from({ length: 40 }, (_, index) =>
    holding(me.cookie).put('/v1/session/tenant', { tenant: index % 2 ? place : null }),
  )
  await eventually(async () => (await waiting()) >= 4 || undefined)
  const signIn = await service
    .browser()
    .post('/v1/session', { email: bystander.email, password: goodPassword })
  t.equal(signIn.statusCode, 201)
  t.equal((await holding(bystander.cookie).put('/v1/session/tenant', { tenant: null })).statusCode, 204)
  t.ok((await waiting()) <= 4, 'no more, whenever one is looked for')
  await gate`commit`
  // On a slow machine a lock is waited for too long, and the change can be repeated.
  t.notOk(
    (await Promise.all(changes)).some(({ body }) => body.includes('busy')),
    'none is turned away',
  )
})

test('more than a hundred that wait are turned away, and afterwards there is a place again', async t => {
  const me = await person(sql)
  const gate = await sql.reserve()
  t.teardown(() => gate.release())
  await gate`begin`
  await gate`select from sessions where id = ${me.session} for update`
  const ask = () => holding(me.cookie).put('/v1/session/tenant', { tenant: null })
  const changes = Array.from({ length: 104 }, ask)
  await eventually(async () => (await waiting()) >= 4 || undefined)
  const more = await ask()
  t.equal(more.statusCode, 503)
  t.equal(more.json().code, 'busy')
  t.ok(more.headers['retry-after'])
  await gate`commit`
  t.notOk((await Promise.all(changes)).some(({ body }) => body.includes('busy')))
  t.equal((await ask()).statusCode, 204)
})

test('a refused request gives its place back like any other', async t => {
  const me = await person(sql)
  const nowhere = '00000000-0000-4000-8000-000000000000'
  for (let index = 0; index < 12; index++)
    t.equal((await holding(me.cookie).put('/v1/session/tenant', { tenant: nowhere })).statusCode, 403)
  t.equal((await holding(me.cookie).put('/v1/session/tenant', { tenant: null })).statusCode, 204)
})

test('whoever hangs up while their request waits takes no place with them', async t => {
  const me = await person(sql)
  const gate = await sql.reserve()
  t.teardown(() => gate.release())
  await gate`begin`
  await gate`select from sessions where id = ${me.session} for update`
  const hangUp = new AbortController()
  const ask = (signal?: AbortSignal) =>
    fetch(`${service.addresses.main}/v1/session/tenant`, {
      method: 'PUT',
      headers: {
        cookie: `__Host-session=${me.cookie}`,
        'x-mintmark': '1',
        'content-type': 'application/json',
      },
      body: '{"tenant":null}',
      ...(signal && { signal }),
    })
  const left = Array.from({ length: 30 }, () => ask(hangUp.signal).catch(() => 'left'))
  await eventually(async () => (await waiting()) >= 4 || undefined)
  hangUp.abort()
  t.same(new Set(await Promise.all(left)), new Set(['left']))
  await gate`commit`
  for (let index = 0; index < 8; index++) t.equal((await ask()).status, 204)
})

test('the sign-in page needs none of the connections that changes wait with', async t => {
  const people = [await person(sql), await person(sql), await person(sql)]
  const gate = await sql.reserve()
  t.teardown(() => gate.release())
  await gate`begin`
  await gate`select from sessions where id in ${sql(people.map(({ session }) => session))} for update`
  let settled = 0
  const changes = people.flatMap(({ cookie }) =>
    Array.from({ length: 4 }, () =>
      holding(cookie)
        .put('/v1/session/tenant', { tenant: null })
        .then(() => settled++),
    ),
  )
  await eventually(async () => (await waiting()) === 10 || undefined)
  const before = settled
  const [page, list] = await Promise.all([
    service.browser().get('/sign-in'),
    service.browser().get('/v1/federation'),
  ])
  t.equal(settled, before, 'nobody had to give one back')
  t.same([page.statusCode, list.statusCode], [200, 200])
  await gate`commit`
  await Promise.all(changes)
})
