/** What is measured of a journey, and what no metric ever names. LG-08 of the attack list. */
import tap, { type Test, test } from 'tap'
import { limits } from '../../src/accounts/throttle.js'
import { errorCodes } from '../../src/http/middleware/problem.js'
import { headersFrom, listRoutes } from '../harness/routes.js'
import { freshAddress, person, session } from '../harness/world.js'
import { exchange } from '../red/socket.js'
import type { TestService } from '../support/service.js'
import {
  appOrigin,
  eventually,
  goodPassword,
  issuer,
  productionArgon2,
  testService,
  tokenIn,
} from '../support/service.js'
import { forwarded } from '../support/tcp.js'

const service = await testService(tap, { argon2: productionArgon2 })
const { sql } = service.database
const wrongPassword = 'a wrong password, long enough'
const nowhere = '00000000-0000-4000-8000-000000000000'

interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

async function text(of: TestService = service): Promise<string> {
  const answer = await fetch(`${of.addresses.probes}/metrics`)
  if (answer.status !== 200) throw new Error(`/metrics answered ${answer.status}`)
  return answer.text()
}

function samplesIn(text: string): Sample[] {
  return text
    .split('\n')
    .filter(line => line !== '' && !line.startsWith('#'))
    .map(line => {
      const [, name = '', labels = '', value = ''] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? []
      const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key, one]) => [key, one])
      return { name, labels: Object.fromEntries(pairs), value: Number(value) }
    })
}

/** The sum of the samples of this name whose labels include these. */
async function value(name: string, labels: Record<string, string> = {}, of = service): Promise<number> {
  return samplesIn(await text(of))
    .filter(sample => sample.name === `mintmark_${name}`)
    .filter(sample => Object.entries(labels).every(([key, one]) => sample.labels[key] === one))
    .reduce((sum, sample) => sum + sample.value, 0)
}

/** By how much a counter rose, once it has risen at all: some count after the answer. */
async function rise(name: string, labels: Record<string, string>, work: () => Promise<unknown>) {
  const [before, all] = [await value(name, labels), await value(name)]
  await work()
  const after = await eventually(async () => {
    const now = await value(name, labels)
    return now > before ? now : undefined
  })
  return { own: after - before, all: (await value(name)) - all }
}

const once = { own: 1, all: 1 }

test('sign-ins are counted by their outcome, one each', async t => {
  const [me, disabled, locked, bare] = [
    await person(sql),
    await person(sql),
    await person(sql),
    await person(sql),
  ]
  await sql`update users set state = 'disabled' where id = ${disabled.id}`
  await sql`update passwords set failures = 100 where user_id = ${locked.id}`
  await sql`delete from passwords where user_id = ${bare.id}`
  const attempts: [string, string, string][] = [
    ['opened', me.email, goodPassword],
    ['wrong-password', me.email, wrongPassword],
    ['unknown-address', freshAddress(), goodPassword],
    ['disabled', disabled.email, goodPassword],
    ['too-many-failures', locked.email, goodPassword],
    ['no-password', bare.email, goodPassword],
    ['malformed', 'nobody', goodPassword],
  ]
  for (const [outcome, email, password] of attempts) {
    const signIn = () => service.browser().post('/v1/session', { email, password })
    t.same(await rise('sign_ins_total', { outcome }, signIn), once, outcome)
  }
})

test('a sign-in whose credential changed while it was proved is counted as refused', async t => {
  const me = await person(sql)
  // What the store sees when the password changes between its proof and the opening: no row is inserted.
  await sql`create function change() returns trigger language plpgsql as $$ begin return null; end $$`
  await sql`create trigger change before insert on sessions for each row execute function change()`
  const signIn = async () => {
    const answer = await service.browser().post('/v1/session', { email: me.email, password: goodPassword })
    t.equal(answer.statusCode, 401)
  }
  t.same(await rise('sign_ins_total', { outcome: 'credential-changed' }, signIn), once)
  await sql`drop trigger change on sessions`
})

test('tokens are counted: minted, or why not', async t => {
  const me = await person(sql)
  const ask =
    (body: object, origin: string | null = issuer) =>
    () => {
      const browser = service.browser(origin)
      browser.cookie = me.cookie
      return browser.post('/v1/token', body)
    }
  const asked: [string, () => Promise<unknown>][] = [
    ['minted', ask({})],
    ['audience_forbidden', ask({ audience: 'https://elsewhere.example' })],
    ['tenant_forbidden', ask({ tenant: nowhere })],
    ['session_changed', ask({ expect: { sub: nowhere } })],
    ['unknown_client', ask({ client_id: 'nobody' }, null)],
  ]
  for (const [outcome, work] of asked) t.same(await rise('mints_total', { outcome }, work), once, outcome)
})

test('cookies that open nothing are counted by their reason, at a check and at a mint alike', async t => {
  const me = await person(sql)
  const { id: other } = await person(sql)
  const of = async (change: (id: string) => Promise<unknown>, user = me.id) => {
    const own = await session(sql, user)
    await change(own.session)
    return own.cookie
  }
  const superseded = await session(sql, me.id)
  const unchanged = async () => {}
  const cookies: [string, string][] = [
    ['unknown', `${'A'.repeat(22)}.${'A'.repeat(43)}`],
    ['forged', `${me.session}.${'A'.repeat(43)}`],
    ['superseded', superseded.cookie],
    [
      'revoked',
      await of(id => sql`update sessions set ended_at = now(), ended_reason = 'signed-out' where id = ${id}`),
    ],
    ['disabled', await of(unchanged, other)],
    ['absolute', await of(id => sql`update sessions set ends_at = now() where id = ${id}`)],
    [
      'idle',
      await of(id => sql`update sessions set last_seen_at = now() - interval '8 days' where id = ${id}`),
    ],
  ]
  await sql`update sessions set previous_secret_hash = secret_hash, secret_hash = sha256('next')
    where id = ${superseded.session}`
  await sql`update users set state = 'disabled' where id = ${other}`
  for (const [reason, cookie] of cookies) {
    const headers = headersFrom(issuer, cookie)
    const check = () => service.app.inject({ url: '/v1/session', headers })
    const mint = () => service.app.inject({ method: 'POST', url: '/v1/token', headers, payload: {} })
    t.same(await rise('sessions_refused_total', { reason }, check), once, `${reason}: check`)
    t.same(await rise('sessions_refused_total', { reason }, mint), once, `${reason}: mint`)
  }
  const before = await value('sessions_refused_total')
  await service.browser().get('/v1/session')
  t.equal(await value('sessions_refused_total'), before, 'no cookie is no refused one')
})

test('attempts over a limit are counted by the limit', async t => {
  const me = await person(sql)
  const browser = service.browser()
  const signIn = () => browser.post('/v1/session', { email: me.email, password: wrongPassword })
  const limit = 'sign-in by account and address'
  for (let i = 0; i < limits[limit].points; i++) t.equal((await signIn()).statusCode, 401)
  t.same(await rise('throttled_total', { limit }, signIn), once)
  t.same(await rise('throttled_total', { limit }, signIn), once)
  const mail = service.browser()
  const forgot = () => mail.post('/v1/password/forgot', { email: freshAddress() })
  for (let i = 0; i < limits['mail by address'].points; i++) await forgot()
  t.same(await rise('throttled_total', { limit: 'mail by address' }, forgot), once)
})

test('work after an answer is counted by job and outcome', async t => {
  const me = await person(sql)
  const ask = (path: string, body: object) => () => service.browser().post(path, body)
  const jobs: [string, () => Promise<unknown>][] = [
    ['sign-up mail', ask('/v1/sign-up', { email: freshAddress() })],
    ['password reset mail', ask('/v1/password/forgot', { email: me.email })],
    ['audit', ask('/v1/session', { email: 'nobody', password: 'x' })],
    ['password failure', ask('/v1/session', { email: me.email, password: wrongPassword })],
    ['password success', ask('/v1/session', { email: me.email, password: goodPassword })],
  ]
  for (const [job, work] of jobs)
    t.equal((await rise('background_total', { job, outcome: 'done' }, work)).own, 1, job)
  await sql`alter table audit_events rename to elsewhere`
  const refused = ask('/v1/session', { email: 'nobody', password: 'x' })
  t.equal((await rise('background_total', { job: 'audit', outcome: 'failed' }, refused)).own, 1)
  await sql`alter table elsewhere rename to audit_events`
})

test('every request is counted and timed by route, method and status', async t => {
  const me = await person(sql)
  const own = headersFrom(issuer, me.cookie)
  const asks: [object, Record<string, string>][] = [
    [
      { url: '/v1/session?secret=1', headers: own },
      { route: '/v1/session', method: 'GET', status: '200' },
    ],
    [{ url: '/v1/session' }, { route: '/v1/session', method: 'GET', status: '401' }],
    [
      { method: 'POST', url: '/v1/session' },
      { route: '/v1/session', method: 'POST', status: '403' },
    ],
    [{ url: `/v1/${me.email}` }, { route: 'none', method: 'GET', status: '404' }],
    [
      { method: 'PATCH', url: '/v1/session' },
      { route: 'none', method: 'PATCH', status: '405' },
    ],
    [{ url: '/sign-up/verify?token=x' }, { route: '/sign-up/verify', method: 'GET', status: '200' }],
  ]
  for (const [sent, labels] of asks) {
    const work = () => service.app.inject({ method: 'GET', ...sent })
    t.same(await rise('request_duration_seconds_count', labels, work), once, JSON.stringify(labels))
  }
  const sum = await value('request_duration_seconds_sum', { route: '/v1/session', status: '200' })
  t.ok(sum > 0 && sum < 60, `${sum} s`)
})

test('the gauges tell what waits, how old the key is, and nothing about a Redis that is not configured', async t => {
  t.equal(await value('hashes_queued'), 0)
  await eventually(async () => (await value('statements_pending')) === 0 || undefined)
  const age = await value('signing_key_age_seconds')
  t.ok(age >= 0 && age < 300, `${age} s`)
  t.notMatch(await text(), /^mintmark_redis_connected/m)

  const [me, gate] = [await person(sql), await sql.reserve()]
  t.teardown(() => gate.release())
  await gate`begin`
  await gate`lock table passwords in access exclusive mode`
  const waiting = service.browser().post('/v1/password/forgot', { email: me.email })
  await eventually(async () => ((await value('statements_pending')) >= 1 ? true : undefined), 2)
  await gate`commit`
  t.equal((await waiting).statusCode, 202)

  const many = Array.from({ length: 30 }, () =>
    service.browser().post('/v1/session', { email: freshAddress(), password: goodPassword }),
  )
  const queued = await eventually(async () => (await value('hashes_queued')) || undefined)
  t.ok(queued > 0 && queued <= 30, `${queued}`)
  await Promise.all(many)
  t.equal(await value('hashes_queued'), 0)
})

test('the gauge of Redis is 0 while it is away', async t => {
  const away = await testService(t, { beside: service, env: { REDIS_URL: 'redis://127.0.0.1:1' } })
  t.match(await text(away), /^mintmark_redis_connected 0$/m)
})

test('LG-08: metrics are on the listener of the probes alone, also in the form of production', async t => {
  const inProduction = await production(t)
  for (const at of [service, inProduction]) {
    for (const path of [
      '/metrics',
      '/metrics/',
      '/METRICS',
      '//metrics',
      '/v1/metrics',
      '/metrics?x',
      '/%6detrics',
    ]) {
      const answer = await fetch(`${at.addresses.main}${path}`)
      t.equal(answer.status, 404, path)
      t.notMatch(await answer.text(), /mintmark_/)
    }
    const answer = await fetch(`${at.addresses.probes}/metrics`)
    t.equal(answer.status, 200)
    t.match(answer.headers.get('content-type'), /^text\/plain; version=/)
  }
  t.notOk((await listRoutes()).some(route => route.url.includes('metrics')))
})

/** Postgres by an address, as in production: there the main listener has no probes either. */
async function production(t: Test): Promise<TestService> {
  const { user, password, database } = service.database.address
  const url = `postgres://${user}:${password}@127.0.0.1:${await forwarded(t)}/${database}`
  return testService(t, { beside: service, address: { url } as never })
}

const words = (values: readonly string[]) => new Set(values)
/** All that a label may say, whatever clients send. */
const closed: Record<string, (value: string) => boolean> = {
  outcome: value =>
    words([
      ...[
        'opened',
        'unknown-address',
        'no-password',
        'wrong-password',
        'too-many-failures',
        'disabled',
        'malformed',
        'credential-changed',
      ],
      ...['minted', 'done', 'failed'],
      ...errorCodes,
    ]).has(value),
  reason: value =>
    words(['unknown', 'forged', 'superseded', 'revoked', 'disabled', 'absolute', 'idle']).has(value),
  limit: value => value in limits,
  mode: value => words(['required', 'preferred']).has(value),
  state: value => words(['confirmed', 'fenced', 'waiting', 'silent']).has(value),
  job: value =>
    words([
      ...['audit', 'sign-up mail', 'password reset mail', 'password changed mail'],
      ...['password failure', 'password success'],
    ]).has(value),
  method: value => /^(GET|HEAD|POST|PUT|DELETE|PATCH|OPTIONS|TRACE|PROPFIND|QUERY|SEARCH)$/.test(value),
  status: value => /^[2-5]\d\d$/.test(value),
  le: value => value === '+Inf' || /^[\d.]+$/.test(value),
}

test('LG-08: after a whole journey every label value comes from a closed list, and nothing of a person is in the text', async t => {
  const email = 'zephyrine.quux@example.com'
  const { browser, user } = await service.signUp(email)
  const secrets = [
    email,
    'zephyrine',
    user,
    browser.address,
    '127.0.0.1',
    String(browser.cookie?.split('.')[0]),
  ]
  secrets.push(String(browser.cookie?.split('.')[1]))
  secrets.push((await browser.post('/v1/token', {})).json().access_token)
  await browser.put('/v1/password', { current_password: goodPassword, new_password: 'quite other words now' })
  secrets.push(String(browser.cookie?.split('.')[1]))
  await browser.delete('/v1/session')
  await browser.post('/v1/password/forgot', { email })
  await service.mailTo(email)
  secrets.push(tokenIn(await service.mailTo(email)))
  for (const odd of [email, user, '../../etc', '%00', 'a"b', "1' or 1", '{{7*7}}', 'mintmark_fake{x="1"} 1'])
    await browser.get(`/${encodeURIComponent(odd)}?${encodeURIComponent(odd)}`)
  for (const origin of ['https://evil.example', appOrigin]) {
    secrets.push(origin)
    await service.browser(origin).post('/v1/session', { email, password: wrongPassword })
    await service.app.inject({ method: 'OPTIONS', url: `/${email}`, headers: { origin } })
  }
  await browser.post('/v1/token', { client_id: 'app-of-mallory', audience: 'aud-of-mallory' })
  secrets.push('app-of-mallory', 'aud-of-mallory', 'etc', 'mintmark_fake')
  for (const method of ['BREW', 'PROPFIND', 'TRACE', 'get'])
    await exchange(
      service.addresses.main,
      `${method} /${email} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
    )
  await exchange(service.addresses.main, `GET /%zz${email} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
  const all = await text()
  for (const secret of secrets) t.notOk(all.includes(secret), secret)
  t.notMatch(all, /@|\b\d+\.\d+\.\d+\.\d+\b|[0-9a-f]{8}-[0-9a-f]{4}/, 'no address and no id of any kind')

  const routes = new Set(['none', '*', ...(await listRoutes()).map(route => route.url)])
  const own = samplesIn(all).filter(({ name }) => name.startsWith('mintmark_'))
  t.ok(own.length > 50)
  for (const { name, labels } of own) {
    for (const [label, value] of Object.entries(labels)) {
      const known = label === 'route' ? routes.has(value) : closed[label]?.(value)
      if (!known) t.fail(`${name}{${label}="${value}"} is in no list`)
    }
  }
})

test('LG-08: a thousand different paths, methods and cookies make no new series', async t => {
  // The client library's own count kinds of garbage collection as they come.
  const count = async () => samplesIn(await text()).filter(({ name }) => name.startsWith('mintmark_')).length
  const knock = async (from: number) => {
    for (let i = from; i < from + 250; i++) {
      await service.app.inject({ url: `/path-${i}?q=${i}`, headers: { 'user-agent': `agent ${i}` } })
      const cookie = `__Host-session=${String(i).padStart(21, 'x')}A.${'A'.repeat(43)}`
      await service.app.inject({ url: '/v1/session', headers: { cookie } })
    }
  }
  await knock(0)
  const before = await count()
  await knock(250)
  t.equal(await count(), before)
})
