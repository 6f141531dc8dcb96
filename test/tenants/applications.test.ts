/** Which applications and origins can be registered, and what the registry in memory remembers of them. */
import { test } from 'tap'
import { Outage } from '../../src/core/errors.js'
import type { ClientId } from '../../src/core/principal.js'
import {
  faultsOf,
  type NewApplication,
  type OriginOwner,
  originFault,
} from '../../src/tenants/applications.js'
import { openOriginRegistry } from '../../src/tenants/origins.js'

const sound: NewApplication = {
  clientId: 'shop',
  name: 'Größe & Söhne 🛒',
  origins: ['https://app.example.com'],
  returnAddresses: ['https://app.example.com/', 'https://app.example.com/signed-in?from=id'],
  audiences: ['https://api.example.com', 'shop-api'],
  tokenLifetimeSeconds: 300,
}

test('a sound application has no faults', t => {
  t.strictSame(faultsOf(sound, 'https://id.example.com'), [])
  t.strictSame(
    faultsOf(
      { ...sound, origins: [], returnAddresses: [], tokenLifetimeSeconds: 60 },
      'https://id.example.com',
    ),
    [],
  )
  t.strictSame(
    faultsOf({ ...sound, clientId: 'a1', tokenLifetimeSeconds: 900 }, 'https://id.example.com'),
    [],
  )
  t.end()
})

test('each fault is told with its remedy, all of them at once', t => {
  const wrong: [Partial<NewApplication>, RegExp][] = [
    ...['', 'a', 'A1', '-a', '.a', 'a b', 'a/b', 'ä1', 'a'.repeat(65), 'a1\n', 'a1\0'].map(
      clientId => [{ clientId }, /client id must be 2 to 64/] as [Partial<NewApplication>, RegExp],
    ),
    ...['', '  ', 'x'.repeat(101), 'a\nb', 'a\0b', 'a\u0085b'].map(
      name => [{ name }, /name must be 1 to 100 printable/] as [Partial<NewApplication>, RegExp],
    ),
    ...[0, 59, 901, 300.5, Number.NaN, Number.POSITIVE_INFINITY, -300].map(
      tokenLifetimeSeconds =>
        [{ tokenLifetimeSeconds }, /whole number of seconds from 60 to 900/] as [
          Partial<NewApplication>,
          RegExp,
        ],
    ),
    [{ audiences: [] }, /--audience/],
    ...['', 'a b', ' a', 'a\n', 'ä', 'x'.repeat(201)].map(
      audience =>
        [{ audiences: ['fine', audience] }, /white space or is too long/] as [
          Partial<NewApplication>,
          RegExp,
        ],
    ),
    [{ origins: ['https://app.example.com/'], returnAddresses: [] }, /is not an origin: write it/],
    ...[
      ...['', '/', 'https://app.example.com', 'HTTPS://app.example.com/', 'https://app.example.com/#'],
      ...['https://app.example.com/#a', 'https://app.example.com:443/', 'https://app.example.com/a b'],
      ...['https://app.example.com/a/../b', 'javascript:alert', ' https://app.example.com/'],
    ].map(
      address =>
        [{ returnAddresses: [address] }, /write it in full|add null/] as [Partial<NewApplication>, RegExp],
    ),
    ...['https://evil.example/', 'https://app.example.com.evil.example/', 'http://app.example.com/'].map(
      address =>
        [{ returnAddresses: [address] }, /not at one of the application's origins/] as [
          Partial<NewApplication>,
          RegExp,
        ],
    ),
    [{ returnAddresses: ['https://ada:secret@app.example.com/'] }, /write it in full/],
  ]
  for (const [more, remedy] of wrong) {
    const faults = faultsOf({ ...sound, ...more }, 'https://id.example.com')
    t.equal(faults.length, 1, `${JSON.stringify(more)}: ${faults}`)
    t.match(faults[0], remedy)
  }
  const all = {
    ...sound,
    clientId: '',
    name: '',
    returnAddresses: [],
    origins: ['x', 'y'],
    audiences: ['', ' '],
    tokenLifetimeSeconds: 1,
  }
  t.equal(faultsOf(all, 'https://id.example.com').length, 7)
  t.end()
})

test('an origin is registered only when its browser would send it the cookie', t => {
  const table: [
    issuer: string,
    origin: string,
    expected: 'fine' | 'not an origin' | 'not same-site' | 'issuer',
  ][] = [
    ['https://id.example.com', 'https://app.example.com', 'fine'],
    ['https://id.example.com', 'https://example.com', 'fine'],
    ['https://id.example.com', 'https://a.b.c.example.com:8443', 'fine'],
    ['https://example.com', 'https://app.example.com', 'fine'],
    ['https://id.example.co.uk', 'https://app.example.co.uk', 'fine'],
    ['https://id.xn--bcher-kva.example', 'https://app.xn--bcher-kva.example', 'fine'],
    ['http://localhost:4000', 'http://localhost:5173', 'fine'],
    ['http://localhost:4000', 'http://localhost', 'fine'],
    ['http://127.0.0.1:4000', 'http://127.0.0.1:5173', 'fine'],
    ['http://[::1]:4000', 'http://[::1]:5173', 'fine'],
    ['https://192.0.2.1', 'https://192.0.2.1:8443', 'fine'],

    ['https://id.example.com', 'http://app.example.com', 'not same-site'],
    ['http://localhost:4000', 'https://localhost:5173', 'not same-site'],
    ['https://id.example.com', 'https://app.example.org', 'not same-site'],
    ['https://id.example.com', 'https://example.com.evil.example', 'not same-site'],
    ['https://id.example.com', 'https://notexample.com', 'not same-site'],
    ['https://id.example.co.uk', 'https://other.co.uk', 'not same-site'],
    ['https://id.github.io', 'https://app.github.io', 'not same-site'],
    ['https://me.github.io', 'https://app.me.github.io', 'fine'],
    ['https://id.example.com', 'https://com', 'not same-site'],
    ['https://192.0.2.1', 'https://192.0.2.2', 'not same-site'],
    ['http://127.0.0.1:4000', 'http://127.0.0.2:5173', 'not same-site'],
    ['http://127.0.0.1:4000', 'http://localhost:5173', 'not same-site'],
    ['http://localhost:4000', 'http://127.0.0.1:5173', 'not same-site'],
    ['http://[::1]:4000', 'http://[::2]:5173', 'not same-site'],

    ['https://id.example.com', 'https://id.example.com', 'issuer'],
    ['http://localhost:4000', 'http://localhost:4000', 'issuer'],

    ['https://id.example.com', 'https://app.example.com/', 'not an origin'],
    ['https://id.example.com', 'https://app.example.com/path', 'not an origin'],
    ['https://id.example.com', 'https://app.example.com?', 'not an origin'],
    ['https://id.example.com', 'https://app.example.com#', 'not an origin'],
    ['https://id.example.com', 'https://user@app.example.com', 'not an origin'],
    ['https://id.example.com', 'https://APP.example.com', 'not an origin'],
    ['https://id.example.com', 'HTTPS://app.example.com', 'not an origin'],
    ['https://id.example.com', 'https://app.example.com:443', 'not an origin'],
    ['http://localhost:4000', 'http://localhost:80', 'not an origin'],
    ['http://localhost:4000', 'http://127.1:5173', 'not an origin'],
    ['http://localhost:4000', 'http://2130706433', 'not an origin'],
    ['https://id.example.com', 'https://*.example.com', 'not same-site'],
    ['https://id.example.com', 'https://app.example.com.', 'not same-site'],
    ['https://id.example.com', 'https://id.example.com.', 'not same-site'],
    ['https://id.example.com', 'https://bücher.example.com', 'not an origin'],
    ['https://id.example.com', ' https://app.example.com', 'not an origin'],
    ['https://id.example.com', 'https://app.example.com\n', 'not an origin'],
    ['https://id.example.com', 'app.example.com', 'not an origin'],
    ['https://id.example.com', '//app.example.com', 'not an origin'],
    ['https://id.example.com', 'https://', 'not an origin'],
    ['https://id.example.com', 'null', 'not an origin'],
    ['https://id.example.com', '*', 'not an origin'],
    ['https://id.example.com', '', 'not an origin'],
    ['https://id.example.com', 'wss://app.example.com', 'not an origin'],
    ['https://id.example.com', 'ftp://app.example.com', 'not an origin'],
    ['https://id.example.com', 'file://', 'not an origin'],
    ['https://id.example.com', 'blob:https://app.example.com', 'not an origin'],
    ['https://id.example.com', 'chrome-extension://abcdef', 'not an origin'],
  ]
  const words = {
    'not an origin': /is not an origin/,
    'not same-site': /not same-site/,
    issuer: /is the issuer's origin/,
  }
  for (const [issuer, origin, expected] of table) {
    const fault = originFault(origin, issuer)
    const what = `${JSON.stringify(origin)} at ${issuer}`
    if (expected === 'fine') t.equal(fault, undefined, what)
    else t.match(fault, words[expected], what)
  }
  t.end()
})

const owner = (clientId: string): OriginOwner => ({
  ...{ clientId: clientId as ClientId, name: clientId },
  ...{ grants: [], returnAddresses: [] },
})
const known = 'https://app.example.com'

/** A store whose answers the test decides, and a clock that only the test moves. */
function fake() {
  const state = { reads: 0, uptime: 50_000, list: new Map([[known, owner('app')]]), down: false }
  const gates: Promise<unknown>[] = []
  const store = {
    async origins() {
      state.reads++
      const answer = new Map(state.list)
      if (state.down) throw new Outage('nothing', 'away')
      await gates.shift()
      return answer
    },
  }
  return { state, gates, open: () => openOriginRegistry(store, () => state.uptime) }
}

test('a known origin costs no read, and an unknown one a read a second at most', async t => {
  const { state, open } = fake()
  const registry = await open()
  t.equal(state.reads, 1)
  for (let i = 0; i < 100; i++) t.strictSame(await registry.ownerOf(known), owner('app'))
  t.equal(state.reads, 1)
  for (let i = 0; i < 100; i++) t.equal(await registry.ownerOf(`https://evil${i}.example`), undefined)
  t.equal(state.reads, 1, 'the list was read a moment ago')
  for (let second = 1; second <= 5; second++) {
    state.uptime += 1000
    await Promise.all(Array.from({ length: 100 }, (_, i) => registry.ownerOf(`https://evil${i}.example`)))
    t.equal(state.reads, 1 + second, 'all of them together')
    state.uptime += 999
    await registry.ownerOf('https://evil.example')
    t.equal(state.reads, 1 + second)
    state.uptime -= 999
  }
})

test('an origin that was registered a moment ago is found', async t => {
  const { state, open } = fake()
  const registry = await open()
  state.list.set('https://new.example.com', owner('new'))
  t.equal(await registry.ownerOf('https://new.example.com'), undefined, 'the list was read just now')
  state.uptime += 1000
  t.strictSame(await registry.ownerOf('https://new.example.com'), owner('new'))
  for (const name of ['__proto__', 'constructor', 'toString'])
    t.equal(await registry.ownerOf(name), undefined)
})

test('an origin that was removed is forgotten by a refresh, and a refresh that fails keeps the last list', async t => {
  const { state, open } = fake()
  const registry = await open()
  state.list.set('https://new.example.com', owner('new'))
  await registry.refresh()
  state.list.delete(known)
  state.down = true
  await t.rejects(registry.refresh(), Outage)
  t.strictSame(await registry.ownerOf(known), owner('app'))
  t.strictSame(await registry.ownerOf('https://new.example.com'), owner('new'))
  state.uptime += 1000
  await t.rejects(
    registry.ownerOf('https://unknown.example'),
    Outage,
    'it cannot be told who that is: 503, not 403',
  )
  state.down = false
  await registry.refresh()
  t.equal(await registry.ownerOf(known), undefined)
})

test('an earlier list that arrives late never replaces a later one', async t => {
  const { state, gates, open } = fake()
  const registry = await open()
  let release = () => {}
  gates.push(
    new Promise<void>(resolve => {
      release = resolve
    }),
  )
  const late = registry.refresh()
  state.uptime += 1000
  state.list = new Map([['https://new.example.com', owner('new')]])
  await registry.refresh()
  release()
  await late
  t.equal(await registry.ownerOf(known), undefined, 'it was removed')
  t.strictSame(await registry.ownerOf('https://new.example.com'), owner('new'))
})

test('a new application that asks twice at once is found both times', async t => {
  const { state, gates, open } = fake()
  const registry = await open()
  state.list.set('https://new.example.com', owner('new'))
  state.uptime += 1000
  let release = () => {}
  gates.push(
    new Promise<void>(resolve => {
      release = resolve
    }),
  )
  const both = [registry.ownerOf('https://new.example.com'), registry.ownerOf('https://new.example.com')]
  release()
  t.strictSame(await Promise.all(both), [owner('new'), owner('new')])
  t.equal(state.reads, 2, 'by one read')
})
