/** The relay before a real service: what it serves is what the issuer signed, and it can delay, not lie. */
import type { AddressInfo } from 'node:net'
import { type Test, test } from 'tap'
import { Chain, readLink } from '../../src/relay/chain.js'
import { createRelay } from '../../src/relay/relay.js'
import { codeOf, followedService, following } from '../support/followed.js'
import { eventually } from '../support/service.js'

async function relayed(t: Test, upstream: string, serviceKey?: string, mostReaders = 100) {
  const problems: (string | undefined)[] = []
  const relay = createRelay({ upstream, serviceKey, mostReaders, failing: problem => problems.push(problem) })
  await new Promise<void>(resolve => relay.server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => relay.close())
  const url = `http://127.0.0.1:${(relay.server.address() as AddressInfo).port}`
  return { url, problems, relay }
}

const refusedBy = (verifier: ReturnType<typeof following>, token: string) =>
  eventually(async () => (codeOf(await verifier.verify(token)) === 'stale_token' ? true : undefined), 10)

test('through two relays a sign-out reaches a verifier that has no key', async t => {
  const { service, key, mint } = await followedService(t)
  const first = await relayed(t, service.addresses.main, key)
  const second = await relayed(t, first.url)
  const verifier = following(t, service, { mode: 'required', url: `${second.url}/v1/feed` })
  t.match((await verifier.ready()).revocation, { state: 'fresh' })
  const { browser, token } = await mint('ada@example.com')
  t.equal(codeOf(await verifier.verify(token)), 'ok')
  await browser.delete('/v1/session')
  await refusedBy(verifier, token)
  t.match((await verifier.ready()).revocation, { state: 'fresh' })
})

test('who comes late gets everything, and a new generation passes through', async t => {
  const { service, sql, key, mint } = await followedService(t)
  const relay = await relayed(t, service.addresses.main, key)
  const { browser, token } = await mint('ada@example.com')
  await browser.delete('/v1/session')
  await sql`insert into revocations (handle, kind) select random_handle(), 'session' from generate_series(1, 12000)`
  const verifier = following(t, service, { mode: 'required', url: `${relay.url}/v1/feed` })
  await verifier.ready()
  await refusedBy(verifier, token)
  const { token: other } = await mint('bob@example.com')
  t.equal(codeOf(await verifier.verify(other)), 'ok')
  await sql`update service set generation = generation + 1`
  await refusedBy(verifier, other)
  const { token: next } = await mint('eve@example.com')
  await eventually(async () => (codeOf(await verifier.verify(next)) === 'ok' ? true : undefined), 10)
})

test('a relay whose issuer is away says so, and serves nothing that is old', async t => {
  const { service, key } = await followedService(t)
  const { url, problems } = await relayed(t, service.addresses.main, key)
  const ask = (query: string) => fetch(`${url}/v1/feed${query}`)
  t.equal((await ask('')).status, 200)
  t.equal((await fetch(`${url}/healthz`)).status, 200)
  for (const [query, status] of [
    ['?after=x', 400],
    ['?after=99.AAAAAAAAAAA', 409],
  ] as const)
    t.equal((await ask(query)).status, status, query)
  t.equal((await fetch(`${url}/v1/token`)).status, 404)
  t.equal((await fetch(`${url}/v1/feed/fork`, { method: 'POST', body: '{"message":"none"}' })).status, 204)
  await service.close()
  t.equal((await ask('')).status, 503)
  t.ok(problems.length > 0)
})

test('a relay without a key, or with more readers than it may have, refuses in words', async t => {
  const { service, key } = await followedService(t)
  const { url, problems } = await relayed(t, service.addresses.main)
  t.equal((await fetch(`${url}/v1/feed`)).status, 503)
  t.strictSame(problems, ['the answer was 401'])
  const crowded = await relayed(t, service.addresses.main, key, 1)
  const answers = await Promise.all([1, 2, 3].map(() => fetch(`${crowded.url}/v1/feed`)))
  t.strictSame(answers.map(({ status }) => status).sort(), [200, 503, 503])
})

test('a chain takes what goes on from it, in one generation, and hides no gap', t => {
  const link = (from: string, to: string, more: { gen?: number; dead?: string[] } = {}) => {
    const { gen = 1, dead = ['x'] } = more
    const payload = Buffer.from(JSON.stringify({ gen, from, to, more: false, dead })).toString('base64url')
    const read = readLink(`h.${payload}.${from}${to}`)
    if (!read) throw new Error('it is a message')
    return read
  }
  const [a, b, c] = ['1.AAAAAAAAAAA', '2.BBBBBBBBBBA', '3.CCCCCCCCCCA'] as const
  const chain = new Chain()
  t.notOk(chain.add(link(a, b)), 'it does not begin at the beginning')
  t.ok(chain.add(link('0.', a)))
  t.notOk(chain.add(link(b, c)), 'a gap')
  t.notOk(chain.add(link(a, b, { gen: 2 })), 'another generation')
  t.ok(chain.add(link(a, b)))
  t.ok(chain.add(link(b, b, { dead: [] })))
  t.ok(chain.add(link(b, c)), 'in place of the heartbeat')
  t.equal(chain.length, 3)
  t.equal(chain.after({ position: 2, tag: 'BBBBBBBBBBA' as never }).length, 1)
  t.equal(chain.after({ position: 2, tag: 'CCCCCCCCCCA' as never }), 'forked')
  t.equal(chain.after({ position: 4, tag: 'CCCCCCCCCCA' as never }), 'forked')
  t.equal(chain.after(undefined).length, 3)
  for (const line of ['', 'x', 'a.b.c', `a.${Buffer.from('{"gen":1}').toString('base64url')}.c`])
    t.equal(readLink(line), undefined, line)
  t.end()
})
