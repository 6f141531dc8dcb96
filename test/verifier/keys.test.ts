/** The issuer's keys through rotations, outages, floods and bad answers. JW-09, JW-11, KY-07 of the attack list. */
import { randomBytes } from 'node:crypto'
import { type Test, test } from 'tap'
import { Attempts } from '../../packages/verifier/src/attempts.js'
import { createVerifier, type Store } from '../../packages/verifier/src/index.js'
import {
  audience,
  claimsAt,
  handClock,
  headerOf,
  issuer,
  memory,
  signed,
  start,
  TestIssuer,
  testKey,
  until,
} from '../support/token-issuer.js'

function stage(
  t: Test,
  { world = new TestIssuer(), ...options }: { world?: TestIssuer; store?: Store } = {},
) {
  const verifier = createVerifier({
    issuer,
    audience,
    ...world.means,
    ...options,
  })
  t.teardown(() => verifier.close())
  const code = async (token = world.token()) => {
    const verdict = await verifier.verify(token)
    return verdict.ok ? 'accepted' : verdict.code
  }
  /** The attempts that were begun have ended. */
  const settled = () => until(() => !verifier.health().fetching)
  /** Time passes in steps of a quarter of a minute, as it does for a service that is asked all the time. */
  const pass = async (seconds: number, each: (second: number) => Promise<void> = async () => {}) => {
    for (let second = 15; second <= seconds; second += 15) {
      world.clock.advance(15)
      await settled()
      await each(second)
    }
  }
  return { world, verifier, code, pass, settled }
}
const stranger = testKey()
const withKid = (kid: string) => signed(stranger, claimsAt(start), { alg: 'ES256', typ: 'at+jwt', kid })
const randomKid = () => randomBytes(32).toString('base64url')

test('keys are found from the issuer alone, at the first need, with two requests', async t => {
  const { world, verifier, code } = stage(t)
  t.same(world.asked, [], 'nothing before')
  t.equal(await code(), 'accepted')
  t.same(world.asked, ['metadata', 'keys'])
  t.match(verifier.health(), {
    usable: true,
    keys: [world.signer().kid],
    fetches: 1,
    failures: 0,
    accepted: 1,
  })
})

test('many first tokens at once are one attempt', async t => {
  const { world, code } = stage(t)
  t.same(new Set(await Promise.all(Array.from({ length: 100 }, () => code()))), new Set(['accepted']))
  t.same(world.asked, ['metadata', 'keys'])
})

test('ready waits for keys, and says when there are none', async t => {
  const { world, verifier } = stage(t)
  t.match(await verifier.ready(), { usable: true, fault: undefined })
  t.same(world.asked, ['metadata', 'keys'])
  const away = stage(t)
  away.world.down = true
  t.match(await away.verifier.ready(), { usable: false, failures: 1, fault: 'network' })
})

test('keys are refreshed in the background before they are five minutes old, with and without traffic', async t => {
  const { world, verifier, code, settled } = stage(t)
  await verifier.ready()
  const moments = new Set<number>()
  for (let round = 1; round <= 12; round++) {
    let second = 0
    while (verifier.health().fetches === round && second < 400) {
      second++
      world.clock.advance(1)
    }
    moments.add(second)
    t.ok(second >= 180 && second <= 270, `after ${second} s`)
    await settled()
  }
  t.ok(moments.size > 1, 'not always after the same time')
  t.equal(world.count('metadata'), 1, 'the metadata are not asked for each time')

  // A slow answer keeps nobody waiting: the keys are here.
  let answer = (_: Response) => {}
  world.instead.keys = () =>
    new Promise(resolve => {
      answer = resolve
    })
  world.clock.advance(280)
  t.equal(await code(), 'accepted')
  answer(world.answer('keys'))
})

test('P5: through ten rotations every token verifies for its whole life, though nothing is fetched but in the background', async t => {
  const { world, verifier, code, pass } = stage(t)
  await verifier.ready()
  for (let rotation = 0; rotation < 10; rotation++) {
    const next = testKey()
    const old = world.signer()
    const last = world.token({ exp: Math.floor(world.clock.seconds()) + 900 })
    world.keys.push(next)
    await pass(3_900)
    world.keys = [next, old]
    t.equal(await code(), 'accepted', 'the first token of the new key')
    t.equal(await code(last), 'expired')
    const lastOfOld = world.token({ exp: Math.floor(world.clock.seconds()) + 900 }, old)
    await pass(900)
    t.equal(await code(lastOfOld), 'accepted', 'the last token of the old key, at its end')
    world.keys = [next]
  }
  t.same(verifier.health().refused, { expired: 10 })
})

test('a key that nobody announced is found at once, and five seconds after the last attempt at the latest', async t => {
  const { world, verifier, code } = stage(t)
  await verifier.ready()
  world.keys = [testKey()]
  t.equal(await code(), 'unknown_key', 'in the second of the first fetch')
  world.clock.advance(5)
  t.equal(await code(), 'accepted')
  t.equal(world.count('keys'), 2)
  world.clock.advance(60)
  world.keys = [testKey()]
  t.equal(await code(), 'accepted', 'without a flood before it, the first one is not refused')
})

test('KY-07: a key that was withdrawn is refused within five minutes, and an hour after an outage began', async t => {
  const { world, verifier, code, settled } = stage(t)
  await verifier.ready()
  const leaked = world.signer()
  world.keys = [testKey()]
  world.clock.advance(270)
  await settled()
  t.equal(await code(world.token({}, leaked)), 'unknown_key')
  t.equal(await code(), 'accepted')

  world.down = true
  const second = world.signer()
  world.clock.advance(3_599)
  t.equal(await code(world.token({}, second)), 'accepted')
  world.clock.advance(1)
  t.equal(await code(world.token({}, second)), 'keys_unavailable')
})

test('JW-09: 10 000 tokens with random kids in 10 s cost one fetch in five seconds; valid tokens keep verifying; nothing is remembered', async t => {
  const { world, verifier, code } = stage(t)
  await verifier.ready()
  const before = world.count('keys')
  for (let second = 0; second < 10; second++) {
    world.clock.advance(1)
    const answers = await Promise.all(Array.from({ length: 1_000 }, () => code(withKid(randomKid()))))
    t.same(new Set(answers), new Set(['unknown_key']))
    t.equal(await code(), 'accepted')
  }
  t.ok(world.count('keys') - before <= 2, `${world.count('keys') - before} fetches`)
  t.equal(world.count('metadata'), 1)
  t.match(verifier.health(), { keys: [world.signer().kid], refused: { unknown_key: 10_000 }, accepted: 10 })
})

test('JW-09: the cooldown counts from the last attempt, failed or not, and grows with each that fails', async t => {
  const { world, verifier, code, settled } = stage(t)
  await verifier.ready()
  world.down = true
  const attempts: number[] = []
  for (let second = 1; second <= 300; second++) {
    const before = verifier.health().fetches
    world.clock.advance(1)
    await settled()
    const answer = await code(withKid(randomKid()))
    if (second > 5) t.equal(answer, 'keys_unavailable', 'nobody knows whether it is a key by now')
    if (verifier.health().fetches > before) attempts.push(second)
  }
  t.same(attempts, [5, 10, 20, 40, 80, 140, 200, 260])
  t.equal(await code(), 'accepted', 'known keys keep working')
  world.down = false
  world.clock.advance(60)
  await settled()
  t.equal(await code(withKid(randomKid())), 'unknown_key')
})

for (const [what, minutes] of [
  ['20 minutes', 20],
  ['2 hours', 120],
] as const) {
  test(`JW-11: an outage of ${what}: valid tokens verify for an hour, then a refusal of its own; afterwards all is well`, async t => {
    const { world, verifier, code, pass } = stage(t)
    await verifier.ready()
    world.down = true
    await pass(minutes * 60, async second => {
      const expected = (verifier.health().ageSeconds ?? 0) < 3_600 ? 'accepted' : 'keys_unavailable'
      t.equal(await code(), expected, `${second} s`)
    })
    t.equal(verifier.health().usable, minutes < 60)
    t.ok(
      verifier.health().failures >= minutes - 5 && verifier.health().failures <= minutes + 5,
      'about once a minute',
    )
    const verdict = await verifier.verify(world.token())
    if (minutes > 60 && !verdict.ok) t.ok((verdict.retryAfterSeconds ?? 0) >= 1, 'it says when to ask again')
    world.down = false
    await pass(60)
    t.equal(verifier.health().fault, undefined)
    t.equal(await code(), 'accepted')
  })
}

const garbage = '<!doctype html><title>Maintenance</title>'
const endless = () =>
  new Response(
    new ReadableStream({
      pull: controller => controller.enqueue(new Uint8Array(65_536).fill(0x20)),
    }),
  )
const badAnswers: [what: string, fault: string, answer: (world: TestIssuer) => Response][] = [
  ['HTML', 'key_set', () => new Response(garbage)],
  ['nothing', 'key_set', () => new Response('')],
  ['no list', 'key_set', () => Response.json({ keys: {} })],
  ['an empty list', 'key_set', () => Response.json({ keys: [] })],
  [
    'half a document',
    'key_set',
    world => new Response(JSON.stringify({ keys: [world.signer().jwk] }).slice(0, -2)),
  ],
  ['5 MB', 'too_large', () => new Response('x'.repeat(5_000_000))],
  ['a body without an end', 'too_large', endless],
  ['10 000 keys', 'too_large', world => Response.json({ keys: Array(10_000).fill(world.signer().jwk) })],
  ['51 keys', 'key_set', () => Response.json({ keys: Array.from({ length: 51 }, () => testKey().jwk) })],
  ['a key twice', 'key_set', world => Response.json({ keys: [world.signer().jwk, world.signer().jwk] })],
  [
    'symmetric keys',
    'key_set',
    world => Response.json({ keys: [{ kty: 'oct', k: 'x', kid: world.signer().kid }] }),
  ],
  [
    'a key under another’s kid',
    'key_set',
    world => Response.json({ keys: [{ ...testKey().jwk, kid: world.signer().kid }] }),
  ],
  ['a private key', 'key_set', world => Response.json({ keys: [{ ...world.signer().jwk, d: 'x' }] })],
  [
    'a key for encryption',
    'key_set',
    world => Response.json({ keys: [{ ...world.signer().jwk, use: 'enc' }] }),
  ],
  [
    'keys twice',
    'key_set',
    world => new Response(`{"keys":[],"keys":[${JSON.stringify(world.signer().jwk)}]}`),
  ],
  ['500', 'status', () => new Response(null, { status: 500 })],
  ['404', 'status', () => new Response(null, { status: 404 })],
  [
    'a redirection',
    'status',
    () => new Response(null, { status: 302, headers: { location: 'https://evil.example' } }),
  ],
  [
    'an old document, by its Age',
    'old_document',
    () => Response.json({ keys: [testKey().jwk] }, { headers: { age: '7200' } }),
  ],
  [
    'an old document, by its Date',
    'old_document',
    () =>
      Response.json(
        { keys: [testKey().jwk] },
        { headers: { date: new Date((start - 300) * 1000).toUTCString() } },
      ),
  ],
]

test('a bad answer changes nothing: the last good keys keep working, and its fault is named', async t => {
  for (const [what, fault, answer] of badAnswers) {
    const { world, verifier, code, settled } = stage(t)
    await verifier.ready()
    world.instead.keys = () => answer(world)
    world.clock.advance(270)
    await settled()
    t.match(verifier.health(), { fault, failures: 1, usable: true }, what)
    t.equal(await code(), 'accepted', what)
    t.equal(world.count('elsewhere'), 0, what)
  }
})

test('an answer that drips, or never comes, is given up after five seconds', async t => {
  const drips = () =>
    new Response(new ReadableStream({ start: controller => controller.enqueue(new Uint8Array([0x7b])) }))
  for (const [what, answer] of [
    ['drips', drips],
    ['never comes', () => new Promise<Response>(() => {})],
  ] as const) {
    const { world, verifier, code, settled } = stage(t)
    await verifier.ready()
    world.instead.keys = answer
    world.clock.advance(270)
    await until(() => world.count('keys') === 2)
    world.clock.advance(5)
    await settled()
    t.match(verifier.health(), { fault: 'timeout', failures: 1 }, what)
    t.equal(await code(), 'accepted', what)
  }
})

test('who waits for an attempt that never ends is answered all the same', async t => {
  const { world, verifier, code } = stage(t)
  // The platform stops the first request without a word: neither its answer nor its timers come.
  const { after } = world.clock
  world.clock.after = () => () => {}
  world.instead.metadata = () => new Promise(() => {})
  void verifier.verify(world.token())
  await until(() => world.count('metadata') === 1)
  world.clock.after = after
  world.instead = {}
  const waiting = code()
  await until(() => world.clock.timers() === 1)
  world.clock.advance(15)
  t.equal(await waiting, 'keys_unavailable')
  t.equal(await code(), 'accepted')
})

test('an older answer that comes late never replaces a newer one', async t => {
  const clock = handClock()
  const applied: string[] = []
  const open: ((fault?: string) => void)[] = []
  const attempts = new Attempts<string>(clock, async isNewest => {
    const name = `attempt ${open.length + 1}`
    const fault = await new Promise<string | undefined>(resolve => open.push(resolve))
    if (isNewest()) applied.push(name)
    return fault
  })
  const first = attempts.make()
  clock.advance(15)
  const second = attempts.make()
  t.equal(open.length, 2, 'the first one is given up')
  open[1]?.()
  await second
  t.same(applied, ['attempt 2'])
  open[0]?.('late')
  await first
  t.same(applied, ['attempt 2'])
  t.match(attempts, { fault: undefined, failures: 0, pending: false })
})

test('a cache in front of the issuer makes keys no younger than they are', async t => {
  const world = new TestIssuer()
  world.instead.keys = () => Response.json({ keys: [world.signer().jwk] }, { headers: { age: '3000' } })
  const { verifier, code } = stage(t, { world })
  t.equal(await code(), 'accepted')
  t.equal(verifier.health().ageSeconds, 3_000)
  world.down = true
  world.clock.advance(600)
  t.equal(await code(), 'keys_unavailable')
})

test('a clock that is set to the right time again, by days, ends in fresh keys', async t => {
  for (const days of [-3, 3]) {
    const { world, verifier, code } = stage(t)
    await verifier.ready()
    world.clock.set(start + days * 86_400)
    t.equal(await code(), 'accepted', `${days} days`)
    t.equal(world.count('keys'), 2)
    t.ok((verifier.health().ageSeconds ?? 999) < 1)
  }
  const { world, verifier, code } = stage(t)
  await verifier.ready()
  world.clock.set(start - 20)
  t.equal(await code(), 'accepted', 'a small step back costs nothing')
  t.equal(world.count('keys'), 1)
})

const metadata = (more: object) => () =>
  Response.json({ issuer, jwks_uri: `${issuer}/.well-known/jwks.json`, ...more })
test('JW-36: the issuer is compared byte for byte, and its keys lie at its own origin', async t => {
  for (const [what, more, fault] of [
    ['another issuer', { issuer: 'https://evil.example' }, 'issuer'],
    ['a slash more', { issuer: `${issuer}/` }, 'issuer'],
    ['in capitals', { issuer: issuer.toUpperCase() }, 'issuer'],
    ['no issuer', { issuer: undefined }, 'issuer'],
    ['keys elsewhere', { jwks_uri: 'https://evil.example/jwks.json' }, 'metadata'],
    ['keys at plain http', { jwks_uri: 'http://id.example.com/jwks.json' }, 'metadata'],
    ['keys at another port', { jwks_uri: `${issuer}:8443/jwks.json` }, 'metadata'],
    ['keys behind a password', { jwks_uri: 'https://a:b@id.example.com/jwks.json' }, 'metadata'],
    ['keys in a file', { jwks_uri: 'file:///etc/jwks.json' }, 'metadata'],
    ['no keys', { jwks_uri: undefined }, 'metadata'],
  ] as const) {
    const { world, verifier } = stage(t)
    world.instead.metadata = metadata(more)
    t.match(await verifier.ready(), { usable: false, fault }, what)
    t.same(world.asked, ['metadata'], what)
  }
})

test('JW-36: the well-known path stands before the issuer’s own', async t => {
  const asked: string[] = []
  const fetch = async (url: string) => {
    asked.push(url)
    return new Response(null, { status: 404 })
  }
  for (const name of ['https://id.example.com/a/b', 'https://id.example.com/a/', 'http://localhost:4000']) {
    const verifier = createVerifier({ issuer: name, audience, fetch, revocation: 'off' })
    await verifier.ready()
    verifier.close()
  }
  t.same(asked, [
    'https://id.example.com/.well-known/oauth-authorization-server/a/b',
    'https://id.example.com/.well-known/oauth-authorization-server/a',
    'http://localhost:4000/.well-known/oauth-authorization-server',
  ])
})

test('an issuer that moves its keys is followed after an attempt that failed', async t => {
  const { world, verifier, code } = stage(t)
  await verifier.ready()
  world.instead.keys = () => new Response(null, { status: 404 })
  world.clock.advance(270)
  await until(() => verifier.health().failures === 1)
  world.instead = {
    metadata: metadata({ jwks_uri: `${issuer}/keys` }),
    elsewhere: () => world.answer('keys'),
  }
  world.keys = [testKey()]
  world.clock.advance(5)
  t.equal(await code(), 'accepted')
})

test('what the caller keeps lets a service start during an outage, for an hour', async t => {
  const store = memory()
  const first = stage(t, { store })
  await first.verifier.ready()
  await until(() => store.saves === 1)
  for (const [seconds, expected] of [
    [3_000, 'accepted'],
    [3_600, 'keys_unavailable'],
  ] as const) {
    const { world, code } = stage(t, { store })
    world.keys = first.world.keys
    world.down = true
    world.clock.set(start + seconds)
    t.equal(await code(), expected)
  }
  const back = stage(t, { store })
  back.world.clock.set(start + 86_400)
  t.equal(await back.code(), 'accepted', 'afterwards new keys are fetched and kept')
  await until(() => store.saves === 2)
})

test('a store that cannot be read costs nothing but itself, and is not written over', async t => {
  const broken = { ...memory(), load: () => Promise.reject(new Error('disk')) }
  const texts = ['', '{', '[]', '{"issuer":"https://other.example"}', `{"issuer":"${issuer}","keys":7}`]
  const wrong = `{"issuer":"${issuer}","history":{"issuedAt":1,"entries":[{}]}}`
  for (const store of [broken, ...[...texts, wrong].map(memory)]) {
    const { verifier, code } = stage(t, { store })
    t.equal(await code(), 'accepted')
    t.equal(verifier.health().storeFailures, 1)
    t.equal(store.saves, 0, String(store.text))
  }
})

test('a store that cannot be written costs nothing but itself', async t => {
  const { verifier, code } = stage(t, {
    store: { ...memory(), save: () => Promise.reject(new Error('disk')) },
  })
  t.equal(await code(), 'accepted')
  await until(() => verifier.health().storeFailures === 1)
})

test('keys given as data: nothing is fetched, and they do not grow old', async t => {
  const world = new TestIssuer()
  const verifier = createVerifier({
    issuer,
    audience,
    clock: world.clock,
    keys: { keys: [world.signer().jwk] },
  })
  world.clock.set(start + 10 * 86_400)
  t.match(await verifier.verify(world.token()), { ok: true })
  t.match(await verifier.verify(signed(testKey(), claimsAt(start), headerOf(testKey()))), {
    code: 'unknown_key',
  })
  t.match(await verifier.ready(), { usable: true, ageSeconds: undefined, fetches: 0 })
  const nothing = createVerifier({ issuer, audience, clock: world.clock, keys: { keys: [] } })
  t.match(await nothing.verify(world.token()), { code: 'keys_unavailable' })
})

test('close ends the refreshing', async t => {
  const { world, verifier, code } = stage(t)
  await verifier.ready()
  verifier.close()
  t.equal(world.clock.timers(), 0)
  t.equal(await code(), 'accepted')
})
