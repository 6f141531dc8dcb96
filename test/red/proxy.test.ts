/** Request smuggling through a real proxy: what the proxy and the service take for a request is the same. HT-01 of the attack list. */
import tap, { test } from 'tap'
import { person } from '../harness/world.js'
import { haproxy, skipWithoutHaproxy as skip } from '../support/haproxy.js'
import { eventually, testService } from '../support/service.js'
import { smuggled } from './smuggling.js'
import { answersIn, exchange, untilSilence } from './socket.js'

const service = await testService(tap, {
  env: { ISSUER: 'https://id.example.com', MINTMARK_TRUSTED_PROXIES: '127.0.0.1' },
})
const { sql } = service.database
const proxy = skip ? undefined : await haproxy(tap, service.addresses.main)
const url = proxy?.url ?? ''
let connections = 0
service.app.server.on('connection', () => {
  connections++
})

/** The ids of all that the service answered, from the log line that each answer has. A proxy that hangs up in the middle of a body is no request. */
function answered(from: number): string[] {
  return service.logLines
    .slice(from)
    .map(line => JSON.parse(line))
    .filter(({ msg }) => msg === 'request' || msg === 'request rejected by the parser')
    .filter(({ parser }) => parser !== 'HPE_INVALID_EOF_STATE')
    .map(({ requestId }) => requestId)
    .sort()
}

/** What both saw from now on. */
function watch() {
  const [ours, theirs] = [service.logLines.length, proxy?.requests.length ?? 0]
  const both = () => {
    const passed = (proxy?.requests ?? []).slice(theirs).map(({ id }) => id)
    return { answered: answered(ours), passed: passed.filter(id => id !== '-').sort() }
  }
  return {
    /** Once the answer with this id is known to both, and so is all that came before it. */
    async until(id: string) {
      const equal = () => {
        const { answered, passed } = both()
        return (answered.includes(id) && String(answered) === String(passed)) || undefined
      }
      await eventually(equal, 3).catch(() => {})
      return both()
    },
  }
}

const ask = (cookie: string, more = '') =>
  `GET /v1/session HTTP/1.1\r\nHost: id.example.com\r\nCookie: __Host-session=${cookie}\r\n${more}\r\n`
const close = 'Connection: close\r\n'
const idOf = (head = '') => /^request-id: (\S+)$/im.exec(head)?.[1] ?? ''

test('two people share the proxy’s connection, and each gets their own answer', { skip }, async t => {
  const people = [await person(sql), await person(sql)]
  const seen = watch()
  const before = connections
  let last = ''
  for (const { id, cookie } of [...people, ...people]) {
    const [answer] = answersIn(await exchange(url, ask(cookie, close)))
    t.equal(JSON.parse(answer?.body ?? '{}').user?.id, id)
    last = idOf(answer?.head)
  }
  const { answered, passed } = await seen.until(last)
  t.equal(answered.length, 4)
  t.same(passed, answered)
  t.ok(connections - before <= 1, 'otherwise an answer too many would reach nobody')
})

test('what a client sends behind its first request is one for both', { skip }, async t => {
  const { id, cookie } = await person(sql)
  const seen = watch()
  const answers = answersIn(await exchange(url, ask(cookie) + ask(cookie, close)))
  t.same(
    answers.map(({ body }) => JSON.parse(body).user.id),
    [id, id],
  )
  const { answered, passed } = await seen.until(idOf(answers[1]?.head))
  t.equal(answered.length, 2)
  t.same(passed, answered)
})

/** So that the service reads the body, and does not refuse before it. */
const admitted = (bytes: string) =>
  bytes.replace(/^(POST .*\r\nHost: x\r\n)/, '$1X-Mintmark: 1\r\nContent-Type: application/json\r\n')

/** Where HAProxy ends the first request before the hidden one, says so to the service, and passes on two. */
const twoForTheProxy = new Set([
  'a length over 64 bits',
  'a folded Transfer-Encoding',
  'a chunk ended by a bare LF',
])

for (const { what, bytes } of smuggled) {
  test(`HT-01: ${what}, through a proxy: no request but those that the proxy saw, and the next client gets its own answer`, {
    skip,
  }, async t => {
    const victim = await person(sql)
    for (const attack of new Set([bytes, admitted(bytes)])) {
      const seen = watch()
      const received = await untilSilence(url, attack, 1000)
      const [answer] = answersIn(await exchange(url, ask(victim.cookie, close)))
      t.equal(JSON.parse(answer?.body ?? '{}').user?.id, victim.id, 'the next client')
      t.notMatch(received, victim.id)
      const { answered, passed } = await seen.until(idOf(answer?.head))
      t.same(passed, answered, 'both saw the same requests')
      t.ok(answered.length <= (twoForTheProxy.has(what) ? 3 : 2), `no second request: ${answered.length}`)
    }
  })
}
