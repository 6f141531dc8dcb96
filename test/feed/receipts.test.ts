/** RV-11, RV-12: receipts, with several instances and verifiers of all kinds; what is claimed of each is what is true. */
import { type Test, test } from 'tap'
import { administrator, person, serviceKey } from '../harness/world.js'
import { Browser } from '../support/browser.js'
import { ask, verifier } from '../support/feed.js'
import { eventually, issuer, type TestService, testService } from '../support/service.js'

interface Receipt {
  readonly position: string
  readonly confirmed: string[]
  readonly fenced: { verifier: string; refuses_since: number }[]
  readonly waiting: string[]
  readonly unknown_until: number
  readonly effective: string
}

async function world(t: Test) {
  const one = await testService(t, { env: { MINTMARK_FEED_PUBLIC: 'true' } })
  const two = await testService(t, { beside: one })
  const { sql } = one.database
  const keyOf = async (name: string, feedMode: 'required' | 'preferred' = 'preferred') =>
    (await serviceKey(sql, { scopes: ['feed'], name, feedMode })).key
  const me = await administrator(sql)
  const browser = new Browser(one.app, issuer, me.cookie)
  const follows = async (at: TestService, key: string, v: string) => {
    const it = await verifier(at, key, v)
    const following = it.follow()
    t.teardown(async () => {
      it.stop()
      await following
    })
    return it
  }
  return { one, two, sql, keyOf, browser, follows }
}

const headerOf = (answer: { headers: Record<string, unknown> }) =>
  String(answer.headers['mintmark-revocation'])

async function revoke({ sql, browser }: Awaited<ReturnType<typeof world>>) {
  const { id } = await person(sql)
  return headerOf(await browser.delete(`/v1/admin/users/${id}/sessions`))
}

test('a receipt names each verifier as what it is: confirmed, fenced or waiting', async t => {
  const here = await world(t)
  const { one, two, sql, keyOf, browser, follows } = here
  const three = await testService(t, { beside: one })
  await revoke(here)
  await follows(one, await keyOf('orders-api', 'required'), 'a1')
  await follows(two, await keyOf('billing'), 'b1')
  // These stop, and the instance that has seen them, too.
  await verifier(three, await keyOf('stopped', 'required'), 's1')
  await verifier(three, await keyOf('quiet'), 'q1')
  const listed = () => sql<{ name: string }[]>`select name from feed_verifiers order by name`
  await eventually(async () => (await listed()).length === 4)
  await three.close()
  await sql`update feed_verifiers set last_seen_at = last_seen_at - interval '76 seconds'
    where name in ('stopped', 'quiet')`
  // These are in no receipt: a stranger, and a key without the id of a process.
  await ask(one, '')
  await ask(one, '', await keyOf('nameless'))
  const position = await revoke(here)
  const receipt = await eventually(async () => {
    const { body } = await browser.get(`/v1/admin/revocations/${position}`)
    const found: Receipt = JSON.parse(body)
    return found.confirmed.includes('orders-api/a1') ? found : undefined
  })
  const [stopped] = await sql`select floor(extract(epoch from last_seen_at))::int + 75 as since
    from feed_verifiers where name = 'stopped'`
  const [given] = await sql`select extract(epoch from sequenced_at)::float8 as at from revocations
    order by position desc limit 1`
  t.equal(receipt.position, position)
  t.strictSame(receipt.fenced, [{ verifier: 'stopped/s1', refuses_since: stopped?.since }])
  t.ok(receipt.waiting.includes('quiet/q1'), 'it accepts tokens until they expire')
  t.equal(receipt.effective, 'partly')
  t.equal(receipt.unknown_until, Math.ceil(given?.at + 930), 'of any token, and the leeway')
  // The other instance writes what it has seen when somebody waits.
  const { id } = await person(sql)
  const waited = await browser.delete(`/v1/admin/users/${id}/sessions`, { prefer: 'wait=3' })
  t.equal(waited.headers['preference-applied'], 'wait')
  const after: Receipt = (await browser.get(`/v1/admin/revocations/${headerOf(waited)}`)).json()
  t.strictSame(after.confirmed, ['billing/b1', 'orders-api/a1'])
  t.strictSame(after.waiting, ['quiet/q1'])
  t.equal(after.effective, 'partly')
  t.strictSame(
    (await listed()).map(({ name }) => name),
    ['billing', 'orders-api', 'quiet', 'stopped'],
  )
})

test('a verifier in `preferred` that is silent for longer than a token lives is waited for no more', async t => {
  const here = await world(t)
  const { one, sql, keyOf, browser } = here
  const ended = await testService(t, { beside: one })
  await verifier(ended, await keyOf('billing'), 'b1')
  await eventually(async () => (await sql`select from feed_verifiers`).length === 1)
  await ended.close()
  const receipt = async (): Promise<Receipt> =>
    (await browser.get(`/v1/admin/revocations/${await revoke(here)}`)).json()
  const silentFor = (seconds: number) =>
    sql`update feed_verifiers set last_seen_at = now() - ${seconds} * interval '1 second'`
  await silentFor(985)
  t.match(await receipt(), { waiting: ['billing/b1'], effective: 'partly' })
  await silentFor(991)
  const { confirmed, fenced, waiting, effective } = await receipt()
  t.strictSame(
    { confirmed, fenced, waiting, effective },
    {
      ...{ confirmed: [], fenced: [], waiting: [], effective: 'everywhere_known' },
    },
  )
})

test('a verifier that comes while another is being written down is written down, too', async t => {
  const { one, sql, keyOf } = await world(t)
  const [first, second] = [await keyOf('first'), await keyOf('second')]
  const listed = () => sql`select from feed_verifiers`
  const isWaiting = () =>
    sql`select from pg_locks where relation = 'feed_verifiers'::regclass and not granted`
  await sql.begin(async tx => {
    await tx`lock table feed_verifiers in share mode`
    await verifier(one, first, 'f1')
    await eventually(async () => (await isWaiting()).length === 1)
    await verifier(one, second, 's1')
    await new Promise(resolve => setTimeout(resolve, 300))
  })
  await eventually(async () => (await listed()).length === 2)
})

test('RV-12: a verifier that lies about who or where it is confirms nothing for anybody', async t => {
  const here = await world(t)
  const { one, sql, keyOf, browser } = here
  await revoke(here)
  const honest = await verifier(one, await keyOf('orders-api'), 'a1')
  const key = await keyOf('billing')
  const liar = await verifier(one, key, 'a1')
  const position = await revoke(here)
  const [number = 0] = honest.cursor().split('.').map(Number)
  const tag = honest.cursor().split('.')[1]
  for (const after of [`${number + 1}.${tag}`, `${number + 999}.${tag}`, `${number}.AAAAAAAAAAA`])
    t.equal((await ask(one, `?after=${after}&wait=0&v=a1`, key)).status, 409)
  // What it says beside its cursor is not asked for.
  const { status } = await ask(
    one,
    `?after=${liar.cursor()}&wait=0&v=a1&name=orders-api&mode=required&n=1`,
    key,
  )
  t.ok([200, 400].includes(status))
  for (const v of ['', 'a'.repeat(65), 'a/b', 'a b', '%00'])
    t.equal((await ask(one, `?v=${encodeURIComponent(v)}`, key)).status, 400, `v=${v}`)
  t.equal((await ask(one, '?v=a1&jwks=short', key)).status, 400)
  await eventually(async () => (await sql`select from feed_verifiers`).length === 2)
  const receipt: Receipt = (await browser.get(`/v1/admin/revocations/${position}`)).json()
  t.strictSame(receipt.confirmed, [])
  t.strictSame(receipt.waiting, ['billing/a1', 'orders-api/a1'])
  const rows = await sql`select name, mode, max_age_seconds from feed_verifiers order by name`
  t.strictSame(
    rows.map(row => ({ ...row })),
    [
      { name: 'billing', mode: 'preferred', max_age_seconds: 15 },
      { name: 'orders-api', mode: 'preferred', max_age_seconds: 15 },
    ],
  )
})

test('RV-12: who may not end sessions and does not audit gets no receipt; nor does anything that is no position', async t => {
  const here = await world(t)
  const { one, sql, browser } = here
  const position = await revoke(here)
  const [generation = '', number = ''] = position.split('.')
  const ask = async (scopes: readonly string[]) => {
    const { key } = await serviceKey(sql, { scopes, audiences: [] })
    const headers = { authorization: `Bearer ${key}` }
    return (await one.app.inject({ url: `/v1/admin/revocations/${position}`, headers })).statusCode
  }
  for (const scopes of [['sessions:write'], ['audit:read']]) t.equal(await ask(scopes), 200, scopes.join())
  for (const scopes of [['feed'], ['users:write'], ['keys:read']])
    t.equal(await ask(scopes), 403, scopes.join())
  for (const unknown of [`${generation}.${Number(number) + 1}`, `${Number(generation) + 1}.1`])
    t.equal((await browser.get(`/v1/admin/revocations/${unknown}`)).statusCode, 404, unknown)
  for (const none of ['x', '1', '1.', '.1', '01.1', '-1.1', '1.1.1', `1.${'9'.repeat(16)}`])
    t.equal((await browser.get(`/v1/admin/revocations/${none}`)).statusCode, 400, none)
})

test('RV-11: a wait ends when all know it, and no later than its time, which is bounded', async t => {
  const here = await world(t)
  const { two, sql, browser, keyOf, follows } = here
  const end = async (prefer: string) => {
    const { id } = await person(sql)
    const began = performance.now()
    const answer = await browser.delete(`/v1/admin/users/${id}/sessions`, { prefer })
    return { answer, ms: performance.now() - began }
  }
  await follows(two, await keyOf('orders-api'), 'a1')
  await end('wait=1')
  const known = await end('respond-async, wait="9"')
  t.equal(known.answer.statusCode, 200)
  t.equal(known.answer.headers['preference-applied'], 'wait')
  t.ok(known.ms < 3000, `another instance told within ${Math.round(known.ms)} ms`)
  // It never acknowledges.
  await verifier(two, await keyOf('mute'), 'm1')
  await eventually(async () => (await sql`select from feed_verifiers`).length === 2)
  const over = await end('wait=1')
  t.ok(over.ms >= 1000 && over.ms < 3000, `${Math.round(over.ms)} ms`)
  t.equal(over.answer.headers['preference-applied'], 'wait')
  const cut = await end('wait=99999')
  t.equal(cut.answer.statusCode, 200)
  t.ok(cut.ms >= 10_000 && cut.ms < 12_000, `${Math.round(cut.ms)} ms`)
  for (const none of ['wait', 'wait=x', 'wait=-1', 'waiting=3', 'handling=strict']) {
    const { answer, ms } = await end(none)
    t.notOk(answer.headers['preference-applied'], none)
    t.ok(ms < 1000)
  }
})

test('RV-11: only operators wait', async t => {
  const here = await world(t)
  const { one, keyOf } = here
  await verifier(one, await keyOf('mute'), 'm1')
  const { browser } = await one.signUp('ada@example.com')
  const began = performance.now()
  const answer = await browser.delete('/v1/session', { prefer: 'wait=5' })
  t.equal(answer.statusCode, 204)
  t.ok(headerOf(answer))
  t.notOk(answer.headers['preference-applied'])
  t.ok(performance.now() - began < 2000)
})
