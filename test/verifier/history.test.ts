/** Delayed verification: a token as of the moment something happened, against a history of keys that only grows. */
import { type Test, test } from 'tap'
import {
  createVerifier,
  type PastVerdict,
  type Principal,
  type Store,
} from '../../packages/verifier/src/index.js'
import {
  audience,
  claimsAt,
  headerOf,
  issuer,
  signed,
  start,
  TestIssuer,
  testKey,
  until,
} from '../support/token-issuer.js'

const at = (seconds: number) => new Date(seconds * 1000)

/** A key that signed for a month until an hour ago, and the one that signs since. */
function stage(t: Test, { store }: { store?: Store } = {}) {
  const world = new TestIssuer()
  const old = testKey()
  const stopped = start - 3_600
  world.history = [world.entry(old, stopped - 30 * 86_400, stopped)]
  const verifier = createVerifier({
    issuer,
    audience,
    ...world.means,
    ...(store && { store }),
  })
  t.teardown(() => verifier.close())
  const code = async (token: string, when: number, receivedAt?: number) => {
    const options = receivedAt === undefined ? {} : { receivedAt: at(receivedAt) }
    const verdict = await verifier.verifyAt(token, at(when), options)
    return verdict.ok ? 'accepted' : verdict.code
  }
  const minted = (iat: number, key = old) => signed(key, claimsAt(iat), headerOf(key))
  return { world, old, stopped, verifier, code, minted }
}

test('a token was valid from its issue until before its end, with no leeway', async t => {
  const { code, minted, stopped, verifier } = stage(t)
  const iat = stopped - 1_000
  for (const [when, expected] of [
    [iat - 1, 'outside_lifetime'],
    [iat, 'accepted'],
    [iat + 299, 'accepted'],
    [iat + 299.999, 'accepted'],
    [iat + 300, 'outside_lifetime'],
    [Number.NaN, 'outside_lifetime'],
  ] as const)
    t.equal(await code(minted(iat), when), expected, String(when))
  t.match(await verifier.verifyAt(minted(iat), at(iat + 1)), {
    ok: true,
    principal: { valid: 'then', at: iat + 1, historyIssuedAt: start, sub: claimsAt(0).sub },
  })
})

test('“was valid then” is another type than “is valid now”', async t => {
  const { verifier, minted, stopped } = stage(t)
  const verdict: PastVerdict = await verifier.verifyAt(minted(stopped - 10), at(stopped - 5))
  if (!verdict.ok) throw new Error(verdict.code)
  // @ts-expect-error: what was valid then opens nothing now.
  const principal: Principal = verdict.principal
  t.equal(principal.valid, 'then')
})

test('nothing was valid in the future', async t => {
  const { world, code } = stage(t)
  t.equal(await code(world.token(), start + 31), 'outside_lifetime')
  t.equal(await code(world.token(), start + 30), 'accepted')
})

test('a key counts for the time in which it signed', async t => {
  const { code, minted, stopped, world } = stage(t)
  const began = stopped - 30 * 86_400
  for (const [iat, expected] of [
    [began - 1, 'key_not_signing'],
    [began, 'accepted'],
    [stopped - 1, 'accepted'],
    [stopped, 'key_not_signing'],
    [stopped + 1, 'key_not_signing'],
  ] as const)
    t.equal(await code(minted(iat), iat), expected, String(iat))
  const standby = testKey()
  world.history.push(world.entry(standby, start - 50, start - 50))
  world.clock.advance(300)
  t.equal(await code(minted(start - 50, standby), start - 50), 'key_not_signing', 'one that never signed')
})

test('the key that signs now is in no history yet', async t => {
  const { world, code, minted } = stage(t)
  t.equal(await code(world.token(), start + 10), 'accepted')
  t.equal(await code(minted(start - 7_000, world.signer()), start - 7_000), 'accepted')
  t.equal(await code(minted(start, testKey()), start), 'unknown_key')
})

test('a leaked key’s tokens are refused, unless the caller’s own log had them before the operator’s `since`', async t => {
  const { world, old, stopped, code, minted } = stage(t)
  const since = stopped - 7_200
  world.history = [
    world.entry(old, stopped - 86_400, stopped, { revoked: { revoked_at: since, reason: 'compromised' } }),
  ]
  const before = since - 100
  t.equal(await code(minted(before), before), 'key_compromised', 'whoever holds the key writes any iat')
  t.equal(await code(minted(before), before, since), 'key_compromised')
  t.equal(await code(minted(before), before, since + 1), 'key_compromised')
  t.equal(await code(minted(before), before, since - 1), 'accepted')
  t.equal(
    await code(minted(before), before, before - 31),
    'outside_lifetime',
    'received before it was issued',
  )
  t.equal(await code(minted(before), before, Number.NaN), 'outside_lifetime')
  t.equal(await code(minted(stopped + 1), stopped + 1, since - 1), 'outside_lifetime')
  t.equal(await code(minted(stopped - 90_000), stopped - 90_000, since - 1), 'key_not_signing')
})

test('all that is wrong with a token is wrong in the past, too', async t => {
  const { world, old, code, minted, stopped } = stage(t)
  const iat = stopped - 100
  const claims = claimsAt(iat)
  for (const [token, expected] of [
    [signed(old, claims, { ...headerOf(old), alg: 'none' }), 'algorithm'],
    [signed({ ...testKey(), kid: old.kid }, claims), 'signature'],
    [signed(old, { ...claims, aud: 'other' }), 'audience'],
    [signed(old, { ...claims, exp: iat + 901 }), 'lifetime'],
    [signed(old, '[]'), 'payload'],
    [`${minted(iat)}=`, 'malformed'],
  ] as const)
    t.equal(await code(token, iat), expected)
  t.equal(world.count('history'), 1)
})

test('the history is asked for when it is needed, and at most every five minutes', async t => {
  const { world, verifier, code, minted, stopped } = stage(t)
  await verifier.verify(world.token())
  t.equal(world.count('history'), 0)
  for (const seconds of [0, 0, 299]) {
    world.clock.set(start + seconds)
    await code(minted(stopped - 1), stopped - 1)
  }
  t.equal(world.count('history'), 1)
  world.clock.advance(1)
  await Promise.all(Array.from({ length: 50 }, () => code(minted(stopped - 1), stopped - 1)))
  t.equal(world.count('history'), 2)
  world.instead.history = () => new Response(null, { status: 500 })
  world.clock.advance(300)
  for (let times = 0; times < 50; times++) t.equal(await code(minted(stopped - 1), stopped - 1), 'accepted')
  t.equal(world.count('history'), 3, 'one that cannot be had is not asked for again at once')
  t.equal(verifier.health().historyFault, 'status')
})

type Change = [
  what: string,
  fault: string | undefined,
  change: (world: TestIssuer, entry: Record<string, unknown>) => void,
]
const revoked = (revoked_at: number, reason = 'compromised') => ({ revoked_at, reason })
const changes: Change[] = [
  ['the same', undefined, () => {}],
  ['an entry more', undefined, world => world.history.push(world.entry(testKey(), start - 100, start - 50))],
  ['another order', undefined, world => world.history.reverse()],
  ['a key is marked', undefined, (_, entry) => Object.assign(entry, { revoked: revoked(start - 5_000) })],
  ['a dropped entry', 'history_rewritten', world => world.history.shift()],
  ['no entry at all', 'history_rewritten', world => world.history.splice(0)],
  ['a later end', 'history_rewritten', (_, entry) => Object.assign(entry, { exp: start })],
  ['an earlier end', 'history_rewritten', (_, entry) => Object.assign(entry, { exp: start - 9_000 })],
  ['an earlier beginning', 'history_rewritten', (_, entry) => Object.assign(entry, { nbf: 1 })],
  ['another publication', 'history_rewritten', (_, entry) => Object.assign(entry, { iat: 1 })],
]

test('an answer that drops or changes an entry is refused whole, and what was known stays', async t => {
  for (const [what, fault, change] of changes) {
    const { world, verifier, code, minted, stopped } = stage(t)
    world.history.push(world.entry(testKey(), start - 90 * 86_400, start - 60 * 86_400))
    t.equal(await code(minted(stopped - 1), stopped - 1), 'accepted')
    world.clock.advance(300)
    change(world, world.history[0] as Record<string, unknown>)
    const expected = what === 'a key is marked' ? 'key_compromised' : 'accepted'
    t.equal(await code(minted(stopped - 1), stopped - 1), expected, what)
    t.equal(verifier.health().historyFault, fault, what)
  }
})

test('a mark stays: its time moves to an earlier one alone', async t => {
  const since = start - 5_000
  for (const [what, mark, fault] of [
    ['the same', revoked(since), undefined],
    ['earlier', revoked(since - 10), undefined],
    ['later', revoked(since + 10), 'history_rewritten'],
    ['gone', undefined, 'history_rewritten'],
    ['for another reason', revoked(since, 'superseded'), 'history_rewritten'],
  ] as const) {
    const { world, old, verifier, code, minted, stopped } = stage(t)
    world.history = [world.entry(old, stopped - 86_400, stopped, { revoked: revoked(since) })]
    t.equal(await code(minted(stopped - 1), stopped - 1), 'key_compromised')
    world.clock.advance(300)
    world.history = [world.entry(old, stopped - 86_400, stopped, { revoked: mark })]
    t.equal(await code(minted(stopped - 1), stopped - 1), 'key_compromised', what)
    t.equal(verifier.health().historyFault, fault, what)
  }
})

const strangeEntries: [what: string, more: object][] = [
  ['without a beginning', { nbf: undefined }],
  ['that ends before it begins', { nbf: start, exp: start - 1 }],
  ['with text for a time', { exp: String(start) }],
  ['with a fraction', { nbf: start - 0.5 }],
  ['of another kind', { kty: 'RSA' }],
  ['for encryption', { use: 'enc' }],
  ['under another kid', { kid: 'A'.repeat(43) }],
  ['with its private half', { d: 'x' }],
  ['marked without a time', { revoked: { reason: 'compromised' } }],
  ['marked without a reason', { revoked: { revoked_at: start } }],
  ['marked with text', { revoked: 'yes' }],
]
test('a history that is not right is refused, and without one nothing is known of the past', async t => {
  const histories: [string, string, (world: TestIssuer) => string][] = [
    ['HTML', 'history', () => '<!doctype html>'],
    ['nothing', 'history', () => ''],
    ['an access token', 'history', world => world.token()],
    ['of another issuer', 'history', world => world.historyJws({ iss: 'https://evil.example' })],
    ['for another audience', 'history', world => world.historyJws({ aud: audience })],
    ['for several', 'history', world => world.historyJws({ aud: [`${issuer}/.well-known/historical-keys`] })],
    ['from the future', 'history', world => world.historyJws({ iat: start + 61 })],
    ['without a time', 'history', world => world.historyJws({ iat: undefined })],
    ['without keys', 'history', world => world.historyJws({ keys: undefined })],
    ['signed by nobody that we know', 'history_signature', world => world.historyJws({}, testKey())],
    [
      'under a foreign signature',
      'history_signature',
      world => world.historyJws({}, { ...testKey(), kid: world.signer().kid }),
    ],
    [
      'with a key twice',
      'history',
      world => world.historyJws({ keys: [world.history[0], world.history[0]] }),
    ],
    ['of 2 MB', 'too_large', () => 'A'.repeat(2_000_000)],
    ...strangeEntries.map(([what, more]): [string, string, (world: TestIssuer) => string] => [
      `with a key ${what}`,
      'history',
      world => world.historyJws({ keys: [{ ...world.history[0], ...more }] }),
    ]),
  ]
  for (const [what, fault, make] of histories) {
    const { world, verifier, code, minted, stopped } = stage(t)
    world.instead.history = () => new Response(make(world))
    t.equal(await code(minted(stopped - 1), stopped - 1), 'keys_unavailable', what)
    t.equal(verifier.health().historyFault, fault, what)
  }
})

test('an older history does not replace a newer one', async t => {
  const { world, verifier, code, minted, stopped } = stage(t)
  const before = world.historyJws()
  world.clock.advance(10)
  t.equal(await code(minted(stopped - 1), stopped - 1), 'accepted')
  world.instead.history = () => new Response(before)
  world.clock.advance(300)
  t.equal(await code(minted(stopped - 1), stopped - 1), 'accepted')
  t.equal(verifier.health().historyFault, 'old_document')
})

function memory() {
  const store = {
    text: undefined as string | undefined,
    load: async () => store.text,
    save: async (text: string) => {
      store.text = text
    },
  }
  return store
}

test('a device that was online once judges the past for ever, and the present for an hour', async t => {
  const store = memory()
  const first = stage(t, { store })
  t.equal(await first.code(first.world.token(), start), 'accepted')
  await until(() => store.text?.includes('"history"') === true)

  const device = new TestIssuer()
  device.down = true
  device.clock.set(start + 30 * 86_400)
  const verifier = createVerifier({
    issuer,
    audience,
    fetch: device.fetch,
    clock: device.clock,
    revocation: 'off',
    store,
  })
  t.teardown(() => verifier.close())
  const past = (token: string, when: number) => verifier.verifyAt(token, at(when))
  t.match(await past(first.minted(first.stopped - 1), first.stopped - 1), {
    ok: true,
    principal: { historyIssuedAt: start },
  })
  const ofSigner = (iat: number) => first.minted(iat, first.world.signer())
  t.match(
    await past(ofSigner(start), start),
    { ok: true },
    'a key that had not stopped when it was last heard of',
  )
  t.match(await past(ofSigner(start + 3_600), start + 3_600), { ok: true })
  t.match(
    await past(ofSigner(start + 3_601), start + 3_601),
    { code: 'keys_unavailable' },
    'nobody knows if it still signed',
  )
  t.match(await verifier.verify(ofSigner(start + 30 * 86_400)), { code: 'keys_unavailable' })

  // It comes back online, and the issuer of today cannot change what it knows.
  device.down = false
  device.keys = first.world.keys
  device.history = []
  device.clock.advance(300)
  t.match(await past(first.minted(first.stopped - 1), first.stopped - 1), { ok: true })
  t.equal(verifier.health().historyFault, 'history_rewritten')
})

test('keys and history given as data: nothing is fetched', async t => {
  const { world, minted, stopped } = stage(t)
  const keys = { keys: [world.signer().jwk] }
  const given = { issuer, audience, clock: world.clock, keys }
  const verifier = createVerifier({ ...given, history: world.historyJws() })
  t.match(await verifier.verifyAt(minted(stopped - 1), at(stopped - 1)), { ok: true })
  t.match(await verifier.verifyAt(world.token(), at(start)), { ok: true })
  const older = createVerifier({ ...given, history: world.historyJws({ aud: undefined }) })
  t.match(
    await older.verifyAt(minted(stopped - 1), at(stopped - 1)),
    { ok: true },
    'kept from before it had an aud',
  )
  const without = createVerifier(given)
  t.match(await without.verifyAt(minted(stopped - 1), at(stopped - 1)), { code: 'keys_unavailable' })
  const foreign = createVerifier({ ...given, history: world.historyJws({}, testKey()) })
  t.match(await foreign.verifyAt(minted(stopped - 1), at(stopped - 1)), { code: 'keys_unavailable' })
  t.same(world.asked, [])
})
