/** The canary: a journey with unique markers for all that is secret, and none of them where somebody might read it. */
import { createHash } from 'node:crypto'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { LightMyRequestResponse } from 'fastify'
import { test } from 'tap'
import { openSealedKey } from '../../src/keys/signing-key.js'
import type { SealedKey } from '../../src/keys/store.js'
import { loadKeyEncryptionKeys } from '../../src/sealing/key-encryption-keys.js'
import { Database } from '../../src/store/postgres/database.js'
import { postgresKeyRingStore } from '../../src/store/postgres/keys/key-ring-store.js'
import { serviceKey } from '../harness/world.js'
import { exchange } from '../red/socket.js'
import { Browser } from '../support/browser.js'
import { eventually, issuer, type TestService, testService, tokenIn } from '../support/service.js'

const email = 'Canary.Quux+tag@Example.com'
const [first, next, last, wrong] = [
  'CANARY "zebra" \\ gravel ümbrella',
  'CANARY violet trumpet engine',
  'CANARY copper lantern harbour',
  'CANARY wrong but plausible one',
]
const name = 'Zephyrine CANARY'

/** What must be nowhere, by what it is. */
class Markers {
  readonly #named = new Map<string, string>()

  /** `plain`: an address or a name: it could be guessed, so its hash is nothing to look for. */
  add(what: string, ...values: (string | undefined)[]) {
    for (const value of values) if (value) this.#named.set(value, what)
  }

  get count() {
    return this.#named.size
  }

  /** The kinds of markers in a text, in any form that a careless line might have given them. */
  in(text: string, except: readonly string[] = []): string[] {
    const found = [...this.#named].filter(
      ([value, what]) => !except.includes(what) && forms(value).some(form => text.includes(form)),
    )
    return found.map(([, what]) => what)
  }
}

function forms(value: string): string[] {
  const bytes = Buffer.from(value)
  const decoded = /^[A-Za-z0-9_-]{43,}$/.test(value) ? [Buffer.from(value, 'base64url')] : []
  return [
    value,
    value.toLowerCase(),
    encodeURIComponent(value),
    new URLSearchParams([['', value]]).toString().slice(1),
    JSON.stringify(value).slice(1, -1),
    JSON.stringify(JSON.stringify(value)).slice(3, -3),
    // Of the hash of a secret a row is found: it has no place in a log either.
    ...decoded.flatMap(raw => bytesForms(createHash('sha256').update(raw).digest())),
    ...[bytes, ...decoded].flatMap(bytesForms),
  ]
}

const bytesForms = (bytes: Buffer) => [
  bytes.toString('hex'),
  bytes.toString('base64').replace(/=+$/, ''),
  bytes.toString('base64url'),
  [...bytes].join(','),
]

/** A browser that remembers every answer. */
class Recorder extends Browser {
  readonly answers: { asked: string; answer: LightMyRequestResponse }[] = []

  override async send(...sent: Parameters<Browser['send']>) {
    const answer = await super.send(...sent)
    this.answers.push({ asked: `${sent[0]} ${String(sent[1]).split(/[?#]/)[0]}`, answer })
    return answer
  }
}

/** The private halves and what they are sealed under, as they are read from the database and the folder. */
async function keyMaterial(service: TestService, markers: Markers) {
  const database = new Database(service.database.address, { connections: 1 })
  const { keys: keks } = await loadKeyEncryptionKeys(join(service.folder, 'keys'))
  const { keys } = await postgresKeyRingStore(database).read()
  await database.close()
  for (const row of keys) {
    const key = row as SealedKey
    const { private: half } = await openSealedKey(issuer, key, keks)
    markers.add('private key', half.export({ format: 'jwk' }).d)
    markers.add('sealed key', key.sealed.toString('base64url'))
  }
  const kek = await readFile(join(service.folder, 'keys', 'first.kek'), 'utf8')
  markers.add('key-encryption key', kek.trim(), Buffer.from(kek.trim(), 'base64').toString('base64url'))
}

/** Everything that a person does, and everything that goes wrong, in the order of a life. */
async function live(service: TestService, browser: Recorder, markers: Markers, wire: string[]) {
  const { sql } = service.database
  const keep = () => markers.add('cookie', browser.cookie, browser.cookie?.split('.')[1])
  const keepLink = async () => {
    const mail = await service.mailTo(email)
    const token = tokenIn(mail)
    markers.add('link', mail.link, token)
    return token
  }
  const keepToken = async () => {
    const { access_token: token } = (await browser.post('/v1/token', {})).json()
    markers.add('token', token, String(token).split('.')[2])
    return String(token)
  }

  await browser.post('/v1/sign-up', { email })
  const signUp = await keepLink()
  await browser.get(`/sign-up/verify?token=${signUp}&email=${encodeURIComponent(email)}`)
  await browser.post('/v1/sign-up/verify', { token: signUp, password: 'short' })
  await browser.post('/v1/sign-up/verify', { token: signUp, password: email })
  await browser.post('/v1/sign-up/verify', { token: signUp, password: first, name })
  keep()
  await browser.get('/v1/session')
  const token = await keepToken()
  await browser.post('/v1/token', { audience: 'elsewhere' })
  await browser.post('/v1/token', { client_id: token.slice(0, 60) })
  await browser.put('/v1/password', { current_password: wrong, new_password: next })
  await browser.put('/v1/password', { current_password: first, new_password: 'short' })
  const old = `__Host-session=${browser.cookie}`
  await browser.put('/v1/password', { current_password: first, new_password: next })
  keep()
  await service.mailTo(email)
  await keepToken()
  await browser.get('/v1/session', { cookie: old })
  await browser.delete('/v1/session')
  for (const password of [wrong, first, next]) await browser.post('/v1/session', { email, password })
  keep()

  // Where no secret belongs, and somebody puts one.
  const { cookie = '' } = browser
  await browser.get('/v1/session', { authorization: `Bearer ${token}`, 'user-agent': `agent ${cookie}` })
  await browser.get(`/nothing/${token}?access_token=${cookie}&password=${encodeURIComponent(next)}`)
  await browser.get(`/${encodeURIComponent(email)}/${cookie}`)
  await browser.post('/v1/session', { email: first, password: email })
  await browser.post('/v1/session', { email, password: next, extra: { password: last } })
  await browser.post('/v1/session', [email, next])
  for (const type of ['application/json', 'text/plain', 'application/x-www-form-urlencoded'])
    await browser.post('/v1/session', `{"email":"${email}","password":"${last}`, { 'content-type': type })
  await browser.post('/v1/session', { email, password: last.repeat(3000) })
  await browser.post('/v1/session', { email, password: next }, { origin: 'https://evil.example' })
  for (const head of [
    `GET /${cookie} HTTP/1.1\r\nHost: x\r\nCookie: __Host-session=${cookie}\r\nBad Header: ${next}`,
    `GET /%zz${cookie} HTTP/1.1\r\nHost: x\r\nConnection: close`,
    `${token} / HTTP/1.1\r\nHost: x`,
    `GET /v1/session HTTP/1.1\r\nHost: x\r\nHost: ${cookie}`,
  ])
    wire.push(await exchange(service.addresses.main, `${head}\r\n\r\n`))

  // A forgotten password, with its failures.
  await browser.post('/v1/password/forgot', { email })
  const reset = await keepLink()
  await browser.post('/v1/sign-up/verify', { token: reset, password: last })
  await browser.post('/v1/password/reset', { token: reset, password: 'short' })
  await browser.post('/v1/password/reset', { token: reset, password: last })
  await browser.post('/v1/password/reset', { token: reset, password: last })
  await service.mailTo(email)
  await browser.get('/v1/session')
  await browser.post('/v1/session', { email, password: last })
  keep()
  await browser.post('/v1/sign-up', { email })
  await service.mailTo(email)

  // A service key: used, revoked, mangled, and put where it does not belong.
  const { id, key } = await serviceKey(sql, { audiences: ['mintmark'] })
  markers.add('service key', key, key.slice(-43))
  const introspected = await keepToken()
  const byKey = async (
    method: 'GET' | 'POST',
    url: string,
    headers: Record<string, string>,
    payload?: string,
  ) =>
    browser.answers.push({
      asked: `${method} ${url.split('?')[0]}`,
      answer: await service.app.inject({ method, url, headers, ...(payload !== undefined && { payload }) }),
    })
  const form = { 'content-type': 'application/x-www-form-urlencoded' }
  for (const authorization of [`Bearer ${key}`, `Bearer ${key}x`, `Basic ${key}`, key]) {
    await byKey('GET', '/v1/admin/service-keys', { authorization })
    await byKey(
      'POST',
      '/v1/introspect',
      { authorization, ...form },
      `token=${introspected}&token_type_hint=${key}`,
    )
    await byKey('POST', '/v1/introspect', { authorization, ...form }, `token=${key}&extra=${introspected}`)
  }
  await byKey('GET', `/v1/admin/service-keys/${id}?access_token=${key}`, {})
  await byKey('GET', `/v1/admin/service-keys/${key}`, { authorization: `Bearer ${key}` })
  await sql`alter table service_keys rename to away`
  await byKey('POST', '/v1/introspect', { authorization: `Bearer ${key}`, ...form }, `token=${introspected}`)
  await byKey('GET', '/v1/admin/service-keys', { authorization: `Bearer ${key}` })
  await sql`alter table away rename to service_keys`
  await sql`update service_keys set revoked_at = now() where id = ${id}`
  await byKey('GET', '/v1/admin/service-keys', { authorization: `Bearer ${key}` })

  // Guesses, until they are too many.
  const guesser = new Recorder(service.app, issuer)
  for (let i = 0; i < 12; i++) await guesser.post('/v1/session', { email, password: wrong })
  browser.answers.push(...guesser.answers)

  // What it stands on fails: tables away, a row that breaks a statement half-way, a folder that takes no mail.
  for (const table of ['users', 'sessions', 'passwords', 'mail_links', 'audit_events']) {
    await sql`alter table ${sql(table)} rename to away`
    await browser.get('/v1/session')
    await browser.post('/v1/token', {})
    await browser.post('/v1/session', { email, password: last })
    await browser.put('/v1/password', { current_password: last, new_password: next })
    await browser.post('/v1/password/forgot', { email })
    await browser.post('/v1/password/reset', { token: reset, password: next })
    await browser.delete('/v1/session', { cookie: `__Host-session=${'A'.repeat(22)}.${'A'.repeat(43)}` })
    await sql`alter table away rename to ${sql(table)}`
  }
  await sql`alter table sessions add constraint refuses check (user_agent <> 'CANARY agent') not valid`
  await browser.post('/v1/session', { email, password: last }, { 'user-agent': 'CANARY agent' })
  await sql`alter table users add constraint refuses check (email !~ 'newcomer') not valid`
  await browser.post('/v1/sign-up', { email: 'newcomer.canary@example.com' })
  const newcomer = tokenIn(await service.mailTo('newcomer.canary@example.com'))
  markers.add('link', newcomer)
  await browser.post('/v1/sign-up/verify', { token: newcomer, password: next, name })
  await rm(join(service.folder, 'outbox'), { recursive: true })
  await browser.post('/v1/sign-up', { email: 'late.canary@example.com' })
  await eventually(() => service.logLines.find(line => line.includes('background work failed')))
}

test('no marker of a whole life, with all that goes wrong in it, is in a log line, a metric, an audit row or an answer', async t => {
  const service = await testService(t)
  const wire: string[] = []
  const markers = new Markers()
  markers.add('password', first, next, last, wrong)
  markers.add('address', email, 'newcomer.canary@example.com', 'late.canary@example.com')
  markers.add('name', name)
  await keyMaterial(service, markers)
  const browser = new Recorder(service.app, issuer)
  await live(service, browser, markers, wire)
  t.ok(markers.count >= 25, `${markers.count} markers`)

  const statuses = new Set(browser.answers.map(({ answer }) => answer.statusCode))
  for (const status of [200, 201, 202, 204, 400, 401, 403, 404, 413, 415, 429, 500])
    t.ok(statuses.has(status), `the journey met a ${status}`)

  t.ok(service.logLines.length > 100, `${service.logLines.length} lines`)
  t.ok(service.logLines.some(line => line.includes('"level":50')))
  for (const line of service.logLines) {
    const found = markers.in(line)
    if (found.length > 0) t.fail(`a log line holds a ${found}: ${line.slice(0, 400)}`)
  }

  const metrics = await (await fetch(`${service.addresses.probes}/metrics`)).text()
  t.match(metrics, /mintmark_throttled_total\{/)
  t.same(markers.in(metrics), [], 'metrics')

  const rows = await service.database.sql<{ row: string }[]>`select e::text as row from audit_events e`
  t.ok(rows.length > 20, `${rows.length} audit rows`)
  for (const { row } of rows) t.same(markers.in(row), [], row)

  for (const { asked, answer } of browser.answers) {
    const { 'set-cookie': _, ...headers } = answer.headers
    // Two answers give back what is the person's own; nothing else does, and no refusal at all.
    const own: Record<string, string[]> = {
      'POST /v1/token': ['token'],
      'GET /v1/session': ['address', 'name'],
    }
    const except = answer.statusCode === 200 ? own[asked] : []
    t.same(
      markers.in(`${JSON.stringify(headers)} ${answer.body}`, except),
      [],
      `${asked} ${answer.statusCode}`,
    )
    if (answer.statusCode >= 400) t.notOk(answer.headers['set-cookie'], asked)
    t.notMatch(answer.body, /\bat .*\.[jt]s:\d|node_modules|select |insert |relation|constraint/i, asked)
  }
  for (const answer of wire) t.same(markers.in(answer), [], answer.slice(0, 80))
})

test('the search finds a marker in each of its forms', t => {
  const markers = new Markers()
  const secret = Buffer.alloc(32, 9).toString('base64url')
  markers.add('secret', secret)
  markers.add('password', first)
  const bytes = Buffer.from(secret, 'base64url')
  for (const text of [
    secret,
    bytes.toString('hex'),
    bytes.toString('base64'),
    JSON.stringify(bytes),
    JSON.stringify({ parameters: [createHash('sha256').update(bytes).digest()] }),
    JSON.stringify(new Uint8Array(bytes).join()),
  ])
    t.same(markers.in(`line ${text} line`), ['secret'], text)
  for (const text of [
    first,
    encodeURIComponent(first),
    JSON.stringify({ first }),
    JSON.stringify(JSON.stringify(first)),
  ])
    t.same(markers.in(`line ${text} line`), ['password'], text)
  t.same(markers.in('canary without a secret'), [])
  t.end()
})

test('a key file that cannot be used is refused without a word of what it holds', async t => {
  const service = await testService(t)
  const folder = join(service.folder, 'keys')
  const marker = 'CANARYcanaryCANARYcanaryCANARYcanaryCANARYcanary'
  await writeFile(join(folder, 'broken.kek'), marker, { mode: 0o600 })
  await writeFile(join(folder, 'open.kek'), marker.slice(0, 43), { mode: 0o666 })
  const { faults, warnings } = await loadKeyEncryptionKeys(folder)
  t.ok(faults.length > 0)
  t.notMatch([...faults, ...warnings].join(), /CANARY/)
})
