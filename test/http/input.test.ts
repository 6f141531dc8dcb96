/** Every field of every body, as the schemas name them, with what has broken other services. HT of the attack list. */
import { readFileSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import tap, { test } from 'tap'
import { parse } from 'yaml'
import {
  acceptable,
  type BodyMember,
  headersFrom,
  listRoutes,
  pathFor,
  type Route,
} from '../harness/routes.js'
import { administrator, freshAddress, link, type Person, person } from '../harness/world.js'
import { hostile, notText } from '../red/text.js'
import { freshNetworkAddress } from '../support/browser.js'
import { testDatabase } from '../support/database.js'
import { postgresProxy } from '../support/postgres-proxy.js'
import { root } from '../support/project.mjs'
import { goodPassword, issuer, testService } from '../support/service.js'

const service = await testService(tap)
const { app } = service
const { sql } = service.database
const withBody = (await listRoutes()).filter(route => route.body && !route.form)

interface Field {
  readonly route: Route
  /** From the body's root. */
  readonly path: readonly string[]
  readonly member: BodyMember
}
const fields = withBody.flatMap(route => fieldsOf(route, route.body?.properties ?? {}, []))

function fieldsOf(route: Route, members: Record<string, BodyMember>, under: readonly string[]): Field[] {
  return Object.entries(members).flatMap(([name, member]) => {
    const path = [...under, name]
    return [{ route, path, member }, ...fieldsOf(route, member.properties ?? {}, path)]
  })
}
const isText = ({ member }: Field) =>
  member.type === 'string' || member.anyOf?.some(one => one.type === 'string') === true

/** The route's acceptable body with one member replaced. */
async function bodyWith({ route, path }: Field, value: unknown, me: Person) {
  const body = { ...(await acceptable[route.key]?.(sql, me)) } as Record<string, unknown>
  let at = body
  for (const name of path.slice(0, -1)) {
    at[name] = {}
    at = at[name] as Record<string, unknown>
  }
  at[path.at(-1) as string] = value
  return body
}

const somebody = await person(sql)
/** Where there is something to change, once for each route. */
const paths = new Map<string, string>()
for (const route of withBody) paths.set(route.key, await pathFor(sql, route, somebody))

/** A caller without an Origin, so that `client_id` reaches the database too. */
const send = (route: Route, payload: unknown, cookie?: string, origin: string | null = issuer) =>
  app.inject({
    method: route.method as 'POST',
    url: paths.get(route.key) ?? route.url,
    remoteAddress: freshNetworkAddress(),
    headers: { ...headersFrom(origin, cookie), 'content-type': 'application/json' },
    payload: typeof payload === 'string' || Buffer.isBuffer(payload) ? payload : JSON.stringify(payload),
  })

/** A refusal, or a success in which the text was taken for what it is; never a fault of ours. */
const harmless = new Set([200, 201, 202, 204, 400, 401, 403, 404, 409, 413])

test('the schemas name the fields that are tested here', t => {
  t.ok(fields.length >= 15, `${fields.length} fields`)
  t.ok(
    fields.some(field => field.path.join('.') === 'expect.sub'),
    'nested ones too',
  )
  t.end()
})

for (const { id, what, text } of hostile) {
  test(`${id}: ${what}, in every text field: refused or taken as it is, never a 500`, async t => {
    for (const field of fields.filter(isText)) {
      const name = `${field.route.key} ${field.path.join('.')}`
      for (const origin of field.route.url === '/v1/token' ? [issuer, null] : [issuer]) {
        const me = await administrator(sql)
        const answer = await send(field.route, await bodyWith(field, text, me), me.cookie, origin)
        t.ok(harmless.has(answer.statusCode), `${name} from ${origin}: ${answer.statusCode}`)
        // Only a name may come back, by GET /v1/session; a refusal repeats nothing.
        if (answer.statusCode >= 400)
          t.notOk(text.length > 3 && answer.body.includes(text), `${name} is not echoed`)
      }
    }
  })
}

test('HT-15: a name is stored as it was typed, composed or not', async t => {
  for (const name of [
    'Ren\u00e9e \u{1f98a}',
    'Rene\u0301e',
    "O'Brien-Smith; drop",
    '$1',
    '名前',
    '<b>x</b>',
  ]) {
    const browser = service.browser()
    const token = await link(sql, 'sign-up', freshAddress())
    t.equal(
      (await browser.post('/v1/sign-up/verify', { token, password: goodPassword, name })).statusCode,
      201,
      name,
    )
    t.equal((await browser.get('/v1/session')).json().user.name, name)
  }
  for (const name of ['', 'a\0b', 'a\nb', 'a\x1b[2Jb', 'a\ud800b', 'a\u0085b', 'x'.repeat(101)]) {
    const token = await link(sql, 'sign-up', freshAddress())
    const answer = await service.browser().post('/v1/sign-up/verify', { token, password: goodPassword, name })
    t.equal(answer.json().code, 'invalid_request', JSON.stringify(name.slice(0, 9)))
  }
  const longest = '\u{1f98a}'.repeat(100)
  const token = await link(sql, 'sign-up', freshAddress())
  const answer = await service
    .browser()
    .post('/v1/sign-up/verify', { token, password: goodPassword, name: longest })
  t.equal(answer.statusCode, 201, 'the limit counts code points')
})

test('HT-12: what is not text where text is expected is a 400 that says where', async t => {
  const me = await administrator(sql)
  for (const field of fields.filter(isText)) {
    for (const value of notText) {
      const answer = await send(field.route, await bodyWith(field, value, me), me.cookie)
      const name = `${field.route.key} ${field.path.join('.')} = ${JSON.stringify(value)}`
      // A tab may expect to be in no tenant, and a session may leave its own.
      if (value === null && field.member.anyOf?.some(one => one.type === 'null')) continue
      t.equal(answer.statusCode, 400, name)
      t.equal(answer.json().code, 'invalid_request')
      t.equal(answer.json().errors[0].pointer.split('/')[1], field.path[0], name)
    }
  }
})

test('HT-12: a number at the edge of what can be written, wherever one is taken, is never a 500', async t => {
  const numbers = fields.filter(({ member }) => member.type === 'integer' || member.type === 'number')
  t.ok(numbers.length >= 4, `${numbers.length} fields`)
  for (const field of numbers) {
    for (const value of [-1, 0, 1, 2 ** 31, 2 ** 53, 2 ** 63, 1e308, -1e308, 0.5]) {
      const me = await administrator(sql)
      const { statusCode } = await send(field.route, await bodyWith(field, value, me), me.cookie)
      t.ok(harmless.has(statusCode) || statusCode === 404, `${field.route.key} ${field.path} ${value}`)
    }
  }
})

/** What a cursor of any list may look like, at the edges of what Postgres takes for it. */
const session = 'A'.repeat(22)
const cursors = [
  '9223372036854775807',
  '00000000-0000-0000-0000-000000000000',
  'ffffffff-ffff-ffff-ffff-ffffffffffff',
  `9999999999999999 ${session}`,
  `0 ${session}`,
  session,
  'aa',
  '9223372036854775808',
  '9999999999999999999',
  '0',
  '-1',
  '1e3',
  '1\0',
  `99999999999999999 ${session}`,
  `9223372036854775808 ${session}`,
  'ffffffff-ffff-ffff-ffff-fffffffffffg',
  '\u{d7ff}'.repeat(40),
]

test('TN-17: at the edges and beyond, a cursor of every list is a page or a bad request', async t => {
  const { paths: documented } = parse(readFileSync(join(root, 'openapi.yaml'), 'utf8'))
  const lists = Object.keys(documented).filter(path =>
    documented[path].get?.parameters?.some(({ name }: { name: string }) => name === 'cursor'),
  )
  t.ok(lists.length > 8, `${lists.length} lists`)
  const me = await administrator(sql)
  const routes = (await listRoutes()).filter(({ method }) => method === 'GET')
  for (const list of lists) {
    const route = routes.find(({ url }) => url.replaceAll(/:(\w+)/g, '{$1}') === list)
    if (!route) throw new Error(`${list} is not served`)
    const path = await pathFor(sql, route, me)
    const ask = async (id: string) => {
      const cursor = Buffer.from(id).toString('base64url')
      return (await app.inject({ url: `${path}?cursor=${cursor}`, headers: headersFrom(issuer, me.cookie) }))
        .statusCode
    }
    const answers = await Promise.all(cursors.map(ask))
    t.same([...new Set(answers)].sort(), [200, 400], `${list}: ${answers}`)
  }
})

test('a member that is not named is refused, at the root and below', async t => {
  const me = await administrator(sql)
  for (const route of withBody) {
    const body = await acceptable[route.key]?.(sql, me)
    for (const extra of ['role', 'admin', 'user_id', 'email_verified', 'constructor', 'toString', '']) {
      const answer = await send(route, { ...body, [extra]: true }, me.cookie)
      t.equal(answer.statusCode, 400, `${route.key} ${extra}`)
      t.equal(answer.json().errors[0].pointer, `/${extra}`)
    }
    const nested = fields.find(field => field.route === route && field.member.properties)
    if (nested)
      t.equal((await send(route, await bodyWith(nested, { admin: true }, me), me.cookie)).statusCode, 400)
  }
})

test('a body that is not one JSON object in UTF-8 is a 400', async t => {
  const me = await administrator(sql)
  const utf8 = (text: string, ...bytes: number[]) =>
    Buffer.concat([Buffer.from(text), Buffer.from(bytes), Buffer.from('"}')])
  const bodies: [string, string | Buffer][] = [
    ['nothing', ''],
    ['a string', '"x"'],
    ['null', 'null'],
    ['an array', '[]'],
    ['an array of bodies', '[{}]'],
    ['cut', '{"email":'],
    ['two objects', '{}{}'],
    ['a comment', '{/**/}'],
    ['a trailing comma', '{"email":"a@example.com",}'],
    ['single quotes', "{'email':'a@example.com'}"],
    ['NaN', '{"email":NaN}'],
    ['a raw control character', '{"email":"a\n@example.com"}'],
    ['__proto__', '{"__proto__":{"email":"a@example.com"}}'],
    ['an escaped __proto__', '{"__pr\\u006fto__":{"email":"a@example.com"}}'],
    ['constructor.prototype', '{"constructor":{"prototype":{"x":1}}}'],
    ['32 000 arrays deep', '['.repeat(32_000)],
    ['32 000 arrays deep, closed', '['.repeat(32_000) + ']'.repeat(32_000)],
    ['5000 objects deep', `${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}`],
    ['an overlong slash', utf8('{"email":"a', 0xc0, 0xaf)],
    ['a lone continuation byte', utf8('{"email":"a', 0x80)],
    ['a surrogate in UTF-8', utf8('{"email":"a', 0xed, 0xa0, 0x80)],
    ['UTF-16', Buffer.from('{"email":"a@example.com"}', 'utf16le')],
    ['latin1', Buffer.from('{"email":"\u00e9@example.com"}', 'latin1')],
  ]
  for (const route of withBody) {
    for (const [what, body] of bodies) {
      // Every member is optional there, and so is the body.
      if (route.key === 'POST /v1/token' && ['nothing', 'null'].includes(what)) continue
      const answer = await send(route, body, me.cookie)
      t.equal(answer.statusCode, 400, `${route.key}: ${what}`)
      t.equal(answer.json().code, 'invalid_request')
    }
  }
  t.equal(({} as Record<string, unknown>).email, undefined, 'no prototype was touched')
})

test('HT-12: parameters in the query, however spelt, do nothing at any route', async t => {
  const me = await person(sql)
  const query =
    'a=1&a=2&a[]=3&a[b]=4&__proto__[x]=1&constructor=x&access_token=x&%00=%00&email=a%40b.c&tenant=x&'
  for (const { method, url } of await listRoutes()) {
    const plain = await app.inject({ method: method as 'GET', url, headers: headersFrom(issuer) })
    const queried = await app.inject({
      method: method as 'GET',
      url: `${url}?${query}`,
      headers: headersFrom(issuer),
    })
    t.equal(queried.statusCode, plain.statusCode, `${method} ${url}`)
  }
  t.equal(
    (await app.inject({ url: `/v1/session?${query}`, headers: headersFrom(issuer, me.cookie) })).statusCode,
    200,
  )
})

test('HT-10, HT-20: hostile values in every header that is read have no effect', async t => {
  const me = await administrator(sql)
  const read = [
    'user-agent',
    'origin',
    'sec-fetch-site',
    'x-mintmark',
    'content-type',
    'if-none-match',
    'x-forwarded-for',
    'x-forwarded-proto',
    'x-forwarded-host',
    'host',
    'forwarded',
    'accept',
    'authorization',
    'request-id',
    'x-request-id',
    'cookie',
  ]
  const values = [
    "'; drop table sessions; --",
    '%0d%0aSet-Cookie: x=y',
    '"}{"level":60}',
    'x'.repeat(8000),
    '\xff\xfe',
    '%{jndi:ldap://x}',
    '',
    '*',
  ]
  for (const name of read) {
    for (const value of values) {
      const headers = { ...headersFrom(issuer, me.cookie), [name]: value }
      const answer = await app.inject({ method: 'POST', url: '/v1/token', headers, payload: {} })
      t.ok(
        [200, 400, 401, 403, 415].includes(answer.statusCode),
        `${name}: ${value.slice(0, 20)} ${answer.statusCode}`,
      )
      t.notOk(answer.headers['set-cookie'])
      t.match(answer.headers['request-id'], /^[0-9a-f-]{36}$/, 'nobody else names a request')
    }
    const signIn = await app.inject({
      method: 'POST',
      url: '/v1/session',
      headers: { ...headersFrom(issuer), 'user-agent': "\xff'; drop table sessions; --".repeat(100) },
      payload: { email: me.email, password: goodPassword },
    })
    t.equal(signIn.statusCode, 201)
    const [row] = await sql`select user_agent, address from sessions where id = ${signIn.json().session.id}`
    t.equal(row?.user_agent.length, 256, 'cut to size')
    t.equal(row?.address, '127.0.0.1')
  }
})

test('HT-19: a fault of ours says nothing of itself: no stack, SQL, table, path or version', async t => {
  const broken = await testService(t)
  const db = broken.database.sql
  const me = await person(db)
  const token = await link(db, 'sign-up', freshAddress())
  for (const table of ['sessions', 'users', 'mail_links', 'passwords', 'applications']) {
    await db.unsafe(`alter table ${table} rename to ${table}_away`)
    const asks: [string, Promise<Awaited<ReturnType<typeof app.inject>>>][] = []
    const browser = broken.browser()
    browser.cookie = me.cookie
    asks.push(['session', browser.get('/v1/session')], ['token', browser.post('/v1/token', {})])
    asks.push(['sign-in', broken.browser().post('/v1/session', { email: me.email, password: goodPassword })])
    asks.push(['sign-up', broken.browser().post('/v1/sign-up', { email: me.email })])
    asks.push(['verify', broken.browser().post('/v1/sign-up/verify', { token, password: 'short' })])
    let failed = 0
    for (const [what, asked] of asks) {
      const answer = await asked
      t.ok(
        answer.statusCode < 600 && ![401].includes(answer.statusCode),
        `${table}, ${what}: ${answer.statusCode} is not a 401`,
      )
      t.notOk(answer.headers['set-cookie'] && answer.statusCode >= 400)
      if (answer.statusCode < 500) continue
      failed++
      t.equal(answer.headers['content-type'], 'application/problem+json')
      t.same(Object.keys(answer.json()).sort(), ['code', 'request_id', 'status', 'title', 'type'])
      t.notMatch(
        answer.body,
        /select|relation|does not exist|stack|\.ts|node_modules|\/work|postgres|42P01|_away/i,
      )
      const log = broken.logLines.filter(line => line.includes(answer.json().request_id)).join('')
      t.match(log, /"level":50/, 'the detail is in the log, under the same id')
      t.notOk(
        log.includes(me.secret) ||
          log.includes(token) ||
          log.includes(goodPassword) ||
          log.includes(me.email),
      )
      t.notMatch(log, /"(params|query|parameters)"/, 'and holds no parameter')
    }
    t.ok(failed > 0, `${table} was needed`)
    await db.unsafe(`alter table ${table}_away rename to ${table}`)
  }
})

test('P4: a database that lets the service in no more is a 503, and no parameter is logged', async t => {
  const away = await testService(t)
  const me = await person(away.database.sql)
  const { database } = away.database.address
  await sql.unsafe(`alter database ${database} allow_connections false`)
  t.teardown(() => sql.unsafe(`alter database ${database} allow_connections true`))
  await sql`select pg_terminate_backend(pid) from pg_stat_activity where datname = ${database}`
  const browser = away.browser()
  browser.cookie = me.cookie
  const answers = [
    await browser.get('/v1/session'),
    await browser.get('/v1/session'),
    await browser.post('/v1/token', {}),
    await away.browser().post('/v1/session', { email: me.email, password: goodPassword }),
    await away.browser().post('/v1/password/forgot', { email: me.email }),
  ]
  for (const answer of answers) t.equal(answer.statusCode, 503, `${answer.json().code}`)
  const log = away.logLines.join('')
  t.notOk(log.includes(me.email) || log.includes(me.secret))
  t.notMatch(log, /"(params|query|parameters)"/)
})

test('P4: whatever keeps the service from Postgres is a 503, and no parameter is logged', async t => {
  const database = await testDatabase(t)
  const proxy = await postgresProxy(t, database.address)
  const away = await testService(t, { database, address: proxy.address })
  const me = await person(database.sql)
  await proxy.stop()
  // Connecting fails with a code of its own (ENOTDIR), as it may with EACCES, EMFILE or an expired certificate.
  await rm(proxy.address.host, { recursive: true })
  await writeFile(proxy.address.host, '')
  const browser = away.browser()
  browser.cookie = me.cookie
  const answers = [
    await browser.get('/v1/session'),
    await browser.post('/v1/session', { email: me.email, password: goodPassword }),
    await browser.post('/v1/password/forgot', { email: me.email }),
    await browser.delete('/v1/session'),
  ]
  for (const answer of answers) t.equal(answer.statusCode, 503, `${answer.json().code}`)
  const log = away.logLines.join('')
  t.notOk(log.includes(me.email), 'no address')
  t.notMatch(log, /params|"query"/, 'no query and no parameter')
})
