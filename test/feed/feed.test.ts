/** The feed as a reader sees it, over HTTP, from a real service: what ends is in it before a second has passed. */
import { type Test, test } from 'tap'
import { application, serviceKey } from '../harness/world.js'
import { type Answer, ask, follower } from '../support/feed.js'
import { eventually, testService } from '../support/service.js'

async function world(t: Test, env: Record<string, string> = {}) {
  const service = await testService(t, { env })
  const { sql } = service.database
  const { key } = await serviceKey(sql, { scopes: ['feed'] })
  await application(sql, { clientId: 'spa', audiences: ['api'] })
  return { service, sql, key }
}

const claimsOf = (token: string) => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
const message = ({ messages }: Answer) => messages.at(-1) as NonNullable<Answer['messages'][0]>

test('a sign-out is in the next answer, as the handles that its token carries', async t => {
  const { service, key } = await world(t)
  const { browser } = await service.signUp('ada@example.com')
  const minted = await browser.post('/v1/token', {})
  const { rev, sid } = claimsOf(minted.json().access_token)
  const reader = await follower(service, key)
  const held = reader.next()
  await browser.delete('/v1/session')
  const told = message(await held)
  t.strictSame(told.dead, [Buffer.from(sid, 'base64url').subarray(0, 8).toString('base64url')])
  t.equal(told.dead[0], rev[1])
  t.equal(told.gen, rev[0])
  t.equal(told.more, false)
  t.equal(told.exp, Math.floor(told.asof) + 60)
})

test('without news the answer comes when the wait is over, and says as of when', async t => {
  const { service, key } = await world(t)
  const reader = await follower(service, key)
  const first = message(await reader.next(1))
  const second = message(await reader.next(1))
  t.strictSame([first.dead, second.dead], [[], []])
  t.equal(second.from, second.to)
  t.ok(second.asof > first.asof, 'a heartbeat is newer than the one before')
})

test('another instance publishes what this one changed, and so does plain SQL', async t => {
  const { service, sql, key } = await world(t)
  const beside = await testService(t, { beside: service })
  const { browser, user } = await service.signUp('ada@example.com')
  const reader = await follower(beside, key)
  const held = reader.next(5)
  await browser.delete('/v1/session')
  t.equal(message(await held).dead.length, 1)
  const [before] = await sql`select epoch from users where id = ${user}`
  const next = reader.next(5)
  await sql`update users set state = 'disabled' where id = ${user}`
  const epoch = Buffer.alloc(8)
  epoch.writeBigInt64BE(BigInt(before?.epoch))
  t.strictSame(message(await next).dead, [epoch.toString('base64url')])
})

test('who may read: a key with the scope, and strangers only where the operator says so', async t => {
  const { service, sql, key } = await world(t)
  const { key: other } = await serviceKey(sql, { scopes: ['users:read'] })
  const codes = [
    await ask(service, ''),
    await ask(service, '', other),
    await ask(service, '', `${key.slice(0, -3)}AAA`),
  ]
  t.strictSame(
    codes.map(({ status, code }) => [status, code]),
    [
      [401, 'invalid_service_key'],
      [403, 'forbidden'],
      [401, 'invalid_service_key'],
    ],
  )
  const open = await testService(t, { beside: service, env: { MINTMARK_FEED_PUBLIC: 'true' } })
  t.equal((await ask(open, '')).status, 200)
  t.equal((await ask(open, '', other)).status, 403, 'a key is judged where there is one')
})

test('a key that was revoked reads no further', async t => {
  const { service, sql } = await world(t)
  const { id, key } = await serviceKey(sql, { scopes: ['feed'] })
  const reader = await follower(service, key)
  await sql`update service_keys set revoked_at = now() where id = ${id}`
  t.equal((await reader.next(0)).status, 401)
})

test('a cursor that this database does not know is a fork; one that it has forgotten begins anew', async t => {
  const { service, sql, key } = await world(t)
  for (let at = 0; at < 3; at++) await sql`update service set epoch = random_handle()`
  const told = message(await ask(service, '', key))
  const [number = '', tag = ''] = told.to.split('.')
  const wrong = tag.startsWith('A') ? `B${tag.slice(1)}` : `A${tag.slice(1)}`
  for (const cursor of [`${Number(number) + 1}.${tag}`, `${number}.${wrong}`, `1.${wrong}`]) {
    const answer = await ask(service, `?after=${cursor}&wait=0`, key)
    t.strictSame([answer.status, answer.code], [409, 'feed_forked'], cursor)
  }
  t.equal((await ask(service, `?after=${told.to}&wait=0`, key)).status, 200)
  for (const cursor of [
    '1',
    '-1.AAAAAAAAAAA',
    '01.AAAAAAAAAAA',
    '1.AAAAAAAAAAAA',
    '1e3.AAAAAAAAAAA',
    '1.AAAAAAAAAAB',
  ])
    t.equal((await ask(service, `?after=${cursor}`, key)).status, 400, cursor)
  for (const wait of ['6', '99999', '-1', '1.5', ''])
    t.equal((await ask(service, `?wait=${wait}`, key)).status, 400, `wait=${wait}`)
})

test('what was published is shown back after a restored backup: the alarm is raised, and by nothing else', async t => {
  const { service, sql, key } = await world(t)
  await sql`update service set epoch = random_handle()`
  const published = (await ask(service, '', key)).lines[0] ?? ''
  const show = async (message: string, at = service) => {
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
    const body = JSON.stringify({ message })
    return (await fetch(`${at.addresses.main}/v1/feed/fork`, { method: 'POST', headers, body })).status
  }
  const alarms = async () => (await sql`select from audit_events where action = 'feed.forked'`).length
  t.equal(await show(published), 204)
  t.equal(await show('nothing'), 204)
  t.equal(await show(`${published.slice(0, -4)}AAAA`), 204)
  t.equal(await show('x'.repeat(60_001)), 400)
  t.equal(await alarms(), 0, 'this database knows it, or nobody signed it')
  // As a copy from before would be.
  await sql`delete from revocations`
  await sql`update revocation_feed set head = 0`
  const beside = await testService(t, { beside: service })
  t.equal((await ask(beside, `?after=${claimsOf(published).to}&wait=0`, key)).status, 409)
  t.equal(await show(published, beside), 204)
  t.equal(await alarms(), 1)
  const { key: operator } = await serviceKey(sql, { scopes: ['keys:read'] })
  const doctor = async () =>
    (
      await service.app.inject({
        url: '/v1/admin/signing-keys/doctor',
        headers: { authorization: `Bearer ${operator}` },
      })
    ).body
  t.match(await doctor(), /remembers revocations .* run `mintmark recover`/)
  await sql`insert into audit_events (action, outcome) values ('service.recovered', 'done')`
  t.match(await doctor(), /no verifier remembers/)
  t.ok(beside.logLines.some(line => line.includes('remembers revocations')))
})

test('a new generation is told at once to who has nothing to learn', async t => {
  const { service, sql, key } = await world(t)
  const reader = await follower(service, key)
  t.equal(reader.cursor(), '0.')
  const held = reader.next(5)
  await eventually(async () => (service.logLines.length > 0 ? true : undefined))
  const began = performance.now()
  await sql`update service set generation = generation + 1`
  const told = message(await held)
  const [row] = await sql`select generation from service`
  t.equal(told.gen, Number(row?.generation))
  t.ok(performance.now() - began < 4000, 'it was not the end of the wait')
})

test('pages of ten thousand: complete, in order, without a gap, from any position', async t => {
  const { service, sql, key } = await world(t)
  await sql`insert into revocations (handle, kind) select random_handle(), 'session' from generate_series(1, 25000)`
  const seen: string[] = []
  let cursor = ''
  let pages = 0
  for (let more = true; more; pages++) {
    const told = message(await ask(service, `?after=${cursor}&wait=0`, key))
    if (cursor !== '') t.equal(told.from, cursor)
    t.ok(told.dead.length <= 10_000)
    seen.push(...told.dead)
    cursor = told.to
    more = told.more
  }
  t.equal(pages, 3)
  const rows = await sql<{ handle: string }[]>`select handle from revocations order by position`
  const handles = rows.map(({ handle }) => {
    const bytes = Buffer.alloc(8)
    bytes.writeBigInt64BE(BigInt(handle))
    return bytes.toString('base64url')
  })
  t.strictSame(seen, handles)
  for (const position of [1, 249, 250, 9_999, 10_000, 10_001, 24_999]) {
    const told = message(await ask(service, `?after=${position}.${handles[position - 1]}&wait=0`, key))
    const from = Number(told.from.split('.')[0])
    t.ok(
      from <= position && Number(told.to.split('.')[0]) > position,
      `${told.from} to ${told.to} covers ${position}`,
    )
    t.strictSame(told.dead, handles.slice(from, Number(told.to.split('.')[0])))
  }
})

test('readers over the limit are sent away with a time to come again; strangers have a share of their own', async t => {
  const { service, key } = await world(t, { MINTMARK_FEED_CONNECTIONS: '10', MINTMARK_FEED_PUBLIC: 'true' })
  const asked = (wait: number, reader?: string) => ask(service, `?after=0.&wait=${wait}`, reader)
  const turnedAway = () =>
    eventually(async () => {
      const answer = await asked(0)
      return answer.status === 503 ? answer : undefined
    })
  const stranger = asked(5)
  const second = await turnedAway()
  t.equal(second.code, 'busy')
  t.match(second.headers.get('retry-after'), /^[1-6]$/)
  t.equal((await stranger).status, 200)
  const keyed = await Promise.all(Array.from({ length: 15 }, () => asked(3, key)))
  t.strictSame(keyed.map(({ status }) => status).sort(), [...Array(10).fill(200), ...Array(5).fill(503)])
  t.equal((await asked(0, key)).status, 200, 'and their places are free again')
})
