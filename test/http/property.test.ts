/** Requests that nobody would think of, made from the route schemas: none is answered with a 500, and each refusal is one of the catalogue. */
import { randomInt } from 'node:crypto'
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import tap, { type Test, test } from 'tap'
import { parse } from 'yaml'
import { catalogue } from '../../src/http/middleware/problem.js'
import { headersFrom } from '../harness/routes.js'
import { link, person, session } from '../harness/world.js'
import { answersIn, exchange } from '../red/socket.js'
import { rootUrl } from '../support/project.mjs'
import { appOrigin, goodPassword, issuer, testService } from '../support/service.js'

/** `FC_SEED=<seed from a failed run>` makes the same requests again. */
const seed = Number(process.env.FC_SEED ?? randomInt(2 ** 31))

interface Schema {
  readonly type?: string | readonly string[]
  readonly properties?: Record<string, Schema>
  readonly required?: readonly string[]
  readonly anyOf?: readonly Schema[]
  readonly maxLength?: number
  readonly minLength?: number
  readonly format?: string
  readonly pattern?: string
}
interface Operation {
  readonly requestBody?: { readonly content: Record<string, { readonly schema: Schema }> }
  readonly responses: Record<
    string,
    { readonly description: string; readonly content?: Record<string, unknown> }
  >
}

const written = parse(readFileSync(new URL('openapi.yaml', rootUrl), 'utf8'))
/** With every named schema at the places that refer to it. */
function resolved(node: unknown): unknown {
  if (typeof node !== 'object' || node === null) return node
  if (Array.isArray(node)) return node.map(resolved)
  if ('$ref' in node) return resolved(written.components.schemas[String(node.$ref).split('/').at(-1) ?? ''])
  return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, resolved(value)]))
}
const document = { paths: resolved(written.paths) as Record<string, Record<string, Operation>> }
const operations = Object.entries(document.paths).flatMap(([url, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), url, operation })),
)

const service = await testService(tap)
const { sql } = service.database
const me = await person(sql)

/** What is really there: without it every request would end at the first look. */
const known = {
  email: me.email,
  password: goodPassword,
  current_password: goodPassword,
  client_id: 'mintmark',
  audience: 'mintmark',
  sub: me.id,
} as Record<string, string>

const oddities = [
  '',
  ' ',
  '\0',
  '\ud800',
  '\udc00x',
  'é',
  'e\u0301',
  '🦊'.repeat(30),
  '__proto__',
  "'; --",
  '\u202e',
  '\r\nX: y',
]
const texts = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 60 }),
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.string({ unit: 'binary-ascii', maxLength: 400 }),
  fc.constantFrom(...oddities),
)

/** Bodies that the schema takes, as far as it says so, with what is known mixed in. */
function valid(schema: Schema, name = ''): fc.Arbitrary<unknown> {
  if (schema.anyOf) return fc.oneof(...schema.anyOf.map(one => valid(one, name)))
  if (schema.type === 'null') return fc.constant(null)
  if (Array.isArray(schema.type))
    return fc.oneof(...schema.type.map(type => valid({ ...schema, type }, name)))
  if (schema.type === 'object') {
    const members = Object.entries(schema.properties ?? {}).map(
      ([key, one]) => [key, valid(one, key)] as const,
    )
    return fc.record(Object.fromEntries(members), { requiredKeys: [...(schema.required ?? [])] })
  }
  if (schema.format === 'uuid') return fc.oneof(fc.uuid(), fc.constant(me.id))
  const { minLength = 0, maxLength = 200 } = schema
  const free = fc.string({ unit: 'grapheme', minLength, maxLength: Math.min(maxLength, 200) })
  const own = known[name]
  const address = fc.emailAddress()
  return fc.oneof(free, address, ...(own === undefined ? [] : [fc.constant(own)]))
}

/** Bodies that are nearly right: a member replaced, left out, added, or of another type. */
function nearly(schema: Schema): fc.Arbitrary<unknown> {
  const names = Object.keys(schema.properties ?? {})
  const key = fc.oneof(fc.constantFrom(...names, '__proto__', 'constructor', 'toString'), texts)
  const anything = fc.oneof(texts, fc.jsonValue({ maxDepth: 4, noUnicodeString: false } as never))
  return fc
    .tuple(valid(schema), fc.array(fc.tuple(key, anything), { minLength: 1, maxLength: 3 }))
    .map(([body, changes]) => Object.fromEntries([...Object.entries(body as object), ...changes]))
}

const deep = fc.integer({ min: 1, max: 3000 }).map(depth => '['.repeat(depth) + ']'.repeat(depth))
const raw = fc.oneof(
  fc.json({ maxDepth: 5 }),
  deep,
  texts,
  fc.uint8Array({ maxLength: 300 }).map(bytes => Buffer.from(bytes)),
  fc.constantFrom('', '{', 'null', '""', '{"a":1,"a":2}', '\ufeff{}', '{"__proto__":{"x":1}}', '1e999'),
)

const printable = fc.string({
  unit: fc.integer({ min: 0x20, max: 0x7e }).map(code => String.fromCharCode(code)),
  maxLength: 80,
})
const headers = fc.dictionary(
  fc.constantFrom(
    ...[
      'accept',
      'accept-language',
      'authorization',
      'content-encoding',
      'content-type',
      'forwarded',
      'if-none-match',
    ],
    ...[
      'origin',
      'range',
      'referer',
      'sec-fetch-site',
      'te',
      'user-agent',
      'x-forwarded-for',
      'x-forwarded-proto',
    ],
    ...['x-http-method-override', 'x-mintmark', 'x-request-id'],
  ),
  fc.oneof(
    printable,
    fc.constantFrom('1', 'null', '*', issuer, appOrigin, 'application/json', 'same-origin', 'gzip'),
  ),
  { maxKeys: 3 },
)
const cookies = fc.oneof(
  { weight: 3, arbitrary: fc.constant('live' as const) },
  { weight: 1, arbitrary: fc.constant(undefined) },
  { weight: 1, arbitrary: printable },
  {
    weight: 1,
    arbitrary: printable.map(text => `__Host-session=${text}`),
  },
)

interface Sent {
  readonly body: unknown
  readonly headers: Record<string, string>
  readonly cookie: 'live' | string | undefined
  readonly address: string
}

function requests(operation: Operation): fc.Arbitrary<Sent> {
  const schema = operation.requestBody?.content['application/json']?.schema
  const asText = (one: fc.Arbitrary<unknown>) => one.map(value => JSON.stringify(value))
  const bodies = schema
    ? fc.oneof(asText(valid(schema)), asText(nearly(schema)), raw)
    : fc.option(raw, { nil: undefined })
  const few = fc.oneof({ weight: 2, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: headers })
  return fc.record({ body: bodies, headers: few, cookie: cookies, address: fc.ipV4() })
}

async function send(method: string, url: string, { body, headers, cookie, address }: Sent) {
  const live = cookie === 'live' ? (await session(sql, me.id)).cookie : undefined
  const { cookie: _, ...base } = headersFrom(issuer)
  return service.app.inject({
    method: method as 'POST',
    url,
    remoteAddress: address,
    headers: {
      ...base,
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...(live !== undefined && { cookie: `a=b; __Host-session=${live}` }),
      ...(live === undefined && cookie !== undefined && { cookie }),
      ...headers,
    },
    ...(body !== undefined && { payload: body as string }),
  })
}

interface Answer {
  readonly statusCode: number
  readonly body: string
  readonly headers: Record<string, unknown>
}

/** What is wrong with an answer; nothing with most. */
function fault(answer: Answer, documented?: Operation['responses']): string | undefined {
  const { statusCode, body } = answer
  if (statusCode >= 500) return `${statusCode}: ${body}`
  if (documented && !documented[statusCode] && ![404, 405].includes(statusCode))
    return `${statusCode} is not in openapi.yaml: ${body}`
  if (statusCode < 400) return undefined
  const types = documented?.[statusCode]?.content ?? {}
  const isPage = String(answer.headers['content-type']).startsWith('text/html')
  if (documented && types['text/html'] && isPage) return pageFault(answer, documented)
  if (documented?.[statusCode] && !types['application/problem+json'])
    return `${answer.headers['content-type']} is not in openapi.yaml: ${body}`
  if (answer.headers['content-type'] !== 'application/problem+json')
    return `${answer.headers['content-type']}`
  const problem = JSON.parse(body)
  const entry = catalogue[problem.code as keyof typeof catalogue]
  if (!entry || entry[0] !== statusCode || problem.status !== statusCode) return `code and status: ${body}`
  if (problem.title !== entry[1] || problem.type !== `urn:mintmark:problem:${problem.code}`) return body
  if (problem.request_id !== answer.headers['request-id']) return `request id: ${body}`
  if (documented && !documented[statusCode]?.description.includes(`\`${problem.code}\``))
    return `not documented: ${body}`
  return answer.headers['set-cookie'] ? 'a refusal sets a cookie' : undefined
}

/** Of a navigation: a page that names the code. */
function pageFault({ statusCode, body, headers }: Answer, documented: NonNullable<Operation['responses']>) {
  if (headers['content-type'] !== 'text/html; charset=utf-8') return `${headers['content-type']}`
  const code = /<main data-code="([a-z_]+)"/.exec(body)?.[1] ?? ''
  if (catalogue[code as keyof typeof catalogue]?.[0] !== statusCode) return `code and status: ${body}`
  if (!documented[statusCode]?.description.includes(`\`${code}\``)) return `not documented: ${body}`
  return headers['set-cookie'] ? 'a refusal sets a cookie' : undefined
}

/** Of each route; many more with `TEST_RUNS=10000`, which takes a minute a route. */
const numRuns = Number(process.env.TEST_RUNS ?? 40)

async function holds<T>(t: Test, arbitrary: fc.Arbitrary<T>, ask: (value: T) => Promise<string | undefined>) {
  let asked = 0
  const property = fc.asyncProperty(arbitrary, async value => {
    asked++
    const wrong = await ask(value)
    if (wrong !== undefined) throw new Error(wrong)
  })
  const result = await fc.check(property, { seed, numRuns })
  t.equal(
    result.failed,
    false,
    `seed ${seed}, after ${asked}: ${fc.defaultReportMessage(result)} ${(result.errorInstance as Error)?.message}`,
  )
}

for (const { method, url, operation } of operations) {
  test(`${method} ${url}: whatever is sent is answered as documented, and never with a 500 (seed ${seed})`, async t => {
    await holds(t, requests(operation), async sent =>
      fault(await send(method, url, sent), operation.responses),
    )
  })
}

test(`any address, with any query, is answered with a page, an answer or a problem (seed ${seed})`, async t => {
  const part = fc.oneof(
    fc.constantFrom(
      'v1',
      'session',
      'sign-up',
      'verify',
      '..',
      '.',
      '%2e%2e',
      '%00',
      '%zz',
      '',
      '.well-known',
      'jwks.json',
    ),
    texts.map(text => encodeURIComponent(text.toWellFormed())),
    printable.map(text => text.replace(/[ #?]/g, '-')),
  )
  const address = fc.tuple(
    fc.array(part, { maxLength: 5 }),
    fc.option(fc.webQueryParameters(), { nil: undefined }),
  )
  await holds(t, address, async ([parts, query]) => {
    const url = `/${parts.join('/')}${query === undefined ? '' : `?${query}`}`
    // On the wire: a client library would mend the address, or refuse it itself.
    const received = await exchange(
      service.addresses.main,
      `GET ${url} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
    )
    const [answer, ...more] = answersIn(received)
    if (!answer || more.length > 0) return `${1 + more.length} answers: ${received.slice(0, 300)}`
    const header = (name: string) => new RegExp(`^${name}: (.*?)\r?$`, 'im').exec(answer.head)?.[1]
    const headers = { 'content-type': header('content-type'), 'request-id': header('request-id') }
    return fault({ statusCode: answer.status, body: answer.body, headers })
  })
})

test(`a link and a sign-in with all that is right still work after that (seed ${seed})`, async t => {
  const token = await link(sql, 'password-reset', me.email)
  const browser = service.browser()
  t.equal((await browser.post('/v1/password/reset', { token, password: goodPassword })).statusCode, 204)
  t.equal((await browser.post('/v1/session', { email: me.email, password: goodPassword })).statusCode, 201)
  t.equal((await browser.post('/v1/token', {})).statusCode, 200)
  t.notOk(
    service.logLines.some(line => JSON.parse(line).level >= 50),
    'nothing was logged as a fault',
  )
})
