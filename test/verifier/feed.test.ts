/** The feed of revocations, followed over real connections: what it ends, how old it may be, and how it is asked. */
import { test } from 'tap'
import { createVerifier } from '../../packages/verifier/src/index.js'
import { FeedIssuer, feedStage, firstEight, generation, handle } from '../support/feed-issuer.js'
import { audience, claimsAt, headerOf, signed, start, testKey, until } from '../support/token-issuer.js'

test('a token dies with any of its handles, and no other token does', async t => {
  const { world, code, waits, verifier, health } = await feedStage(t)
  await verifier.ready()
  await waits()
  const sid = 'c2Vzc2lvbi1vZi10aGlzLQ'
  const handles = [handle(), handle(), handle(), handle()]
  const tokens = handles.map((_, at) =>
    world.token({ rev: world.rev(...handles.slice(at, at + 1), handle()) }),
  )
  const ofSession = [world.token({ sid }), world.token({ sid, rev: undefined })]
  const other = world.token()
  for (const token of [...tokens, ...ofSession, other]) t.equal(await code(token), 'accepted')
  world.kill(...handles, firstEight(sid))
  await until(() => health().entries === 5)
  for (const token of [...tokens, ...ofSession]) t.equal(await code(token), 'stale_token')
  t.equal(await code(other), 'accepted')
  t.match(verifier.health().refused, { stale_token: 6 })
})

test('a revocation is known as soon as the issuer tells it, without any clock', async t => {
  const { world, verifier, code, waits, health } = await feedStage(t)
  const dead = handle()
  const token = world.token({ rev: world.rev(handle(), dead) })
  await verifier.ready()
  await waits()
  t.equal(await code(token), 'accepted')
  world.kill(dead)
  await until(() => health().entries === 1)
  t.equal(await code(token), 'stale_token')
  t.equal(await code(), 'accepted')
  t.match(health(), { mode: 'preferred', state: 'fresh', entries: 1, generation, head: 1, fault: undefined })
})

test('the handle of the key: tokens that a killed key signed die with it, also when they say nothing', async t => {
  const { world, verifier, code, waits } = await feedStage(t)
  await verifier.ready()
  await waits()
  const [leaked, other] = world.keys as [ReturnType<typeof testKey>, ReturnType<typeof testKey>]
  const token = world.token({}, leaked)
  t.equal(await code(token), 'accepted')
  world.keys = [other]
  world.kill(firstEight(leaked.kid))
  await until(() => verifier.health().revocation.entries === 1)
  t.equal(await code(token), 'stale_token')
  t.equal(await code(world.token({ rev: undefined }, leaked)), 'stale_token')
  t.equal(await code(world.token({}, other)), 'accepted')
})

test('the claim rev has one form', async t => {
  const { world, verifier, code } = await feedStage(t)
  await verifier.ready()
  const good = handle()
  t.equal(await code(world.token({ rev: [0, good] })), 'stale_token', 'the lowest generation')
  t.equal(await code(world.token({ rev: [generation, ...Array(16).fill(good)] })), 'accepted')
  t.equal(await code(world.token({ rev: undefined })), 'accepted', 'an earlier release minted none')
  for (const rev of [
    null,
    'text',
    {},
    [],
    [generation],
    [good],
    [String(generation), good],
    [generation + 0.5, good],
    [-1, good],
    [2 ** 53, good],
    [null, good],
    [generation, ...Array(17).fill(good)],
    [generation, good, 7],
    [generation, `${good}A`],
    [generation, good.slice(1)],
    [generation, `${good.slice(0, 10)}B`],
    [generation, `${good.slice(0, 10)}=`],
    [generation, `+${good.slice(1)}`],
    [generation, [good]],
  ])
    t.equal(await code(world.token({ rev })), 'claims', JSON.stringify(rev)?.slice(0, 50))
})

test('the order: signature, claims and time come before the feed', async t => {
  const { world, verifier, code, waits } = await feedStage(t)
  const dead = handle()
  world.log = [dead]
  await verifier.ready()
  await waits()
  const rev = world.rev(dead)
  const iss = world.issuer
  t.equal(await code(world.token({ rev })), 'stale_token')
  t.equal(await code(world.token({ rev, aud: 'another' })), 'audience')
  t.equal(
    await code(world.token({ rev, auth_time: undefined, iat: start - 400, exp: start - 100 })),
    'expired',
  )
  const stranger = testKey()
  const forged = signed(stranger, claimsAt(start, { iss, rev }), headerOf(world.signer()))
  t.equal(await code(forged), 'signature')
})

test('generations: a token of a lower one is stale; a higher one is accepted, and asked for at once', async t => {
  const { world, verifier, code, waits, health, becomes } = await feedStage(t)
  await verifier.ready()
  await waits()
  t.equal(await code(world.token({ rev: [generation - 1, handle()] })), 'stale_token')
  const asked = world.asked.length
  world.generation = generation + 1
  t.equal(await code(world.token()), 'accepted')
  await becomes(() => health().generation === generation + 1 && health().state === 'fresh')
  t.ok(world.asked.length > asked)
  t.equal(await code(world.token({ rev: [generation, handle()] })), 'stale_token')
})

test('required: rejects what it cannot know, before the first load and when the feed is silent', async t => {
  const { world, verifier, code, waits, becomes } = await feedStage(t, { revocation: 'required' })
  world.down = true
  const early = await verifier.verify(world.token())
  t.match(early, { ok: false, code: 'keys_unavailable' })
  world.down = false
  world.clock.advance(30)
  world.instead = response => response.writeHead(500).end()
  const unknown = await verifier.verify(world.token())
  t.match(unknown, { ok: false, code: 'revocation_unknown', retryAfterSeconds: Number })
  world.instead = undefined
  const dead = handle()
  world.log = [dead]
  await becomes(() => verifier.health().revocation.state === 'fresh')
  t.equal(await code(), 'accepted')
  t.equal(await code(world.token({ rev: undefined })), 'stale_token', 'an earlier release minted it')
  await waits()
  world.instead = () => {}
  world.beat()
  const asked = world.asked.length
  await becomes(() => world.asked.length > asked)
  world.clock.advance(14.5)
  t.equal(await code(), 'accepted', 'up to N')
  world.clock.advance(0.6)
  t.equal(await code(), 'revocation_unknown')
  t.equal(await code(world.token({ rev: world.rev(dead) })), 'stale_token', 'dead wins over unknown')
  t.match(verifier.health().refused, { revocation_unknown: 2, stale_token: 2 })
  t.match(verifier.health().revocation, { state: 'stale', mode: 'required' })
})

test('preferred: accepts by lifetime when the feed is silent, still rejects what it knows, and says so', async t => {
  const { world, verifier, code, waits, pass } = await feedStage(t)
  const dead = handle()
  world.log = [dead]
  await verifier.ready()
  await waits()
  world.down = true
  world.beat()
  await pass(40)
  t.match(verifier.health().revocation, { state: 'stale', fault: 'network', entries: 1 })
  t.equal(await code(), 'accepted')
  t.equal(await code(world.token({ rev: world.rev(dead) })), 'stale_token')
})

test('off: nothing is asked, nothing is stale, and the health says so', async t => {
  const { world, verifier, code } = await feedStage(t, { revocation: 'off' })
  await verifier.ready()
  world.log = [handle()]
  t.equal(await code(world.token({ rev: world.rev(...world.log) })), 'accepted')
  t.equal(await code(world.token({ rev: 'x' })), 'claims', 'its form is looked at all the same')
  t.same(world.asked, [])
  t.match(verifier.health().revocation, { mode: 'off', state: 'off', entries: 0 })
  t.throws(() => verifier.signal({} as never), TypeError)
})

test('keys as data: the feed is off', async t => {
  const world = new FeedIssuer()
  await world.listen(t)
  const keys = { keys: world.keys.map(({ jwk }) => jwk) }
  const verifier = createVerifier({
    issuer: world.issuer,
    audience,
    clock: world.clock,
    keys,
    revocation: 'off',
  })
  t.match(await verifier.verify(world.token()), { ok: true })
  t.match(verifier.health().revocation, { state: 'off' })
})

test('age: counted from when the request was sent, not from when its answer came', async t => {
  const { world, verifier, code, waits, becomes } = await feedStage(t, { revocation: 'required' })
  await verifier.ready()
  await waits()
  // The answer comes 7 s after its question, and is the last.
  world.clock.advance(7)
  world.beat()
  world.instead = () => {}
  const asked = world.asked.length
  await becomes(() => world.asked.length > asked)
  t.ok((verifier.health().revocation.ageSeconds ?? 0) >= 7)
  world.clock.advance(7.5)
  t.equal(await code(), 'accepted')
  world.clock.advance(0.6)
  t.equal(await code(), 'revocation_unknown')
})

test('age: a wall clock that is set changes nothing within half a minute, and bounds what a relay repeats', async t => {
  const { world, verifier, waits } = await feedStage(t)
  await verifier.ready()
  await waits()
  const age = () => verifier.health().revocation.ageSeconds ?? Number.POSITIVE_INFINITY
  world.clock.set(world.clock.seconds() + 29)
  t.ok(age() < 1)
  world.clock.set(world.clock.seconds() + 11)
  t.ok(age() > 9 && age() < 11, 'asof is 40 s old')
  world.clock.set(world.clock.seconds() - 3_600)
  t.ok(age() < 1, 'the other term needs no clock')
})

test('a verifier whose clock is an hour slow takes nothing, and says that a clock is wrong', async t => {
  const { world, verifier, code, health, becomes } = await feedStage(t, { revocation: 'required' })
  const asof = () => world.clock.seconds() + 61
  world.instead = response => response.end(`${world.message(0, 0, { asof: asof() })}\n`)
  await verifier.verify(world.token())
  await becomes(() => health().fault === 'clock')
  t.equal(await code(), 'revocation_unknown')
  world.instead = response => response.end(`${world.message(0, 0, { asof: asof() - 2 })}\n`)
  await becomes(() => health().state === 'fresh')
})

test('the request: the cursor, the wait, one process, the list of keys and the service key', async t => {
  const { world, verifier, waits, health, becomes } = await feedStage(t, { serviceKey: 'mintmark_sk_a' })
  world.log = [handle(), handle()]
  await verifier.ready()
  await waits()
  world.kill(handle())
  await becomes(() => health().head === 3 && world.waiting === 1)
  const [first, ...rest] = world.asked
  t.match(first, { after: '', authorization: 'Bearer mintmark_sk_a', jwks: world.digest() })
  t.same(
    rest.map(({ after, wait }) => [after, wait]),
    [
      [world.cursor(2), '3'],
      [world.cursor(3), '3'],
    ],
  )
  t.equal(new Set(world.asked.map(({ v }) => v)).size, 1)
  t.match(first?.v, /^[A-Za-z0-9_-]{1,64}$/)
})

test('pages: more entries are asked for at once, and it is fresh with the last of them', async t => {
  const world = new FeedIssuer()
  world.log = Array.from({ length: 25 }, handle)
  world.pageSize = 10
  const { verifier, health, code } = await feedStage(t, { world })
  const before = world.clock.seconds()
  await verifier.ready()
  t.match(health(), { state: 'fresh', entries: 25, head: 25 })
  t.same(
    world.asked.slice(0, 3).map(({ after }) => after),
    ['', world.cursor(10), world.cursor(20)],
  )
  t.ok(world.clock.seconds() - before < 1, 'nothing was waited for')
  t.equal(await code(world.token({ rev: world.rev(world.log[3] as string) })), 'stale_token')
})

test('ready waits for the first load, no longer than eight seconds, and not for a feed that is not there', async t => {
  for (const status of [401, 403, 404]) {
    const { world, verifier, health } = await feedStage(t)
    world.instead = response => response.writeHead(status).end()
    await verifier.ready()
    t.match(health(), { state: 'stale', fault: status === 404 ? 'status' : 'service_key_refused' })
  }
  const { world, verifier, pass } = await feedStage(t)
  world.instead = () => {}
  let ready = false
  const waiting = verifier.ready().then(() => {
    ready = true
  })
  await until(() => world.asked.length === 1)
  await pass(7.5)
  t.equal(ready, false)
  await pass(1)
  await waiting
  t.match(verifier.health().revocation, { ageSeconds: undefined })
})

test('without permission it asks once in a minute', async t => {
  const { world, verifier, pass, health } = await feedStage(t)
  world.instead = response => response.writeHead(403).end()
  await verifier.ready()
  await pass(59)
  t.equal(world.asked.length, 1)
  await pass(2)
  t.equal(world.asked.length, 2)
  t.match(health(), { state: 'stale', fault: 'service_key_refused' })
})

test('errors: it backs off to ten seconds, obeys Retry-After, and comes back', async t => {
  const { world, verifier, pass, becomes, health } = await feedStage(t)
  world.instead = response => response.writeHead(500).end()
  void verifier.ready()
  await until(() => world.asked.length === 1)
  await pass(120)
  t.ok(world.asked.length > 12 && world.asked.length < 50, `${world.asked.length} requests in two minutes`)
  world.instead = response => response.writeHead(503, { 'retry-after': '20' }).end()
  const before = world.asked.length
  await becomes(() => health().fault === 'unavailable')
  await pass(19)
  t.equal(world.asked.length, before + 1)
  await pass(2.5)
  t.equal(world.asked.length, before + 2)
  world.instead = undefined
  await becomes(() => health().state === 'fresh')
  t.equal(health().fault, undefined)
})

test('answers without news are no faster than four a second', async t => {
  const { world, verifier, pass } = await feedStage(t)
  world.instead = response => {
    world.clock.advance(0.001)
    response.end(world.message(0))
  }
  await verifier.ready()
  const before = world.asked.length
  await pass(10, 0.05)
  t.ok(world.asked.length - before <= 41, `${world.asked.length - before} in ten seconds`)
  t.ok(world.asked.length - before >= 20)
})

test('one request at a time, and close ends it at once', async t => {
  const { world, verifier, waits, code } = await feedStage(t)
  await Promise.all([verifier.ready(), verifier.ready(), code(), code()])
  await waits()
  t.equal(world.waiting, 1)
  verifier.close()
  await until(() => world.waiting === 0)
  t.equal(world.clock.timers(), 0)
  const { length } = world.asked
  t.equal(await code(), 'accepted')
  t.equal(world.asked.length, length)
})

test('nothing is asked before somebody verifies', async t => {
  const { world, code } = await feedStage(t)
  t.same(world.asked, [])
  t.equal(await code('no token'), 'malformed')
  t.same(world.asked, [])
  await code()
  await until(() => world.asked.length > 0)
})

test('a relay is asked in place of the issuer', async t => {
  const world = new FeedIssuer()
  await world.listen(t)
  const relay = new FeedIssuer()
  await relay.listen(t)
  relay.instead = (response, asked) => world.answer(response, asked)
  const url = `${relay.issuer}/v1/feed`
  const { verifier, health } = await feedStage(t, { world, revocation: { mode: 'required', url } })
  world.log = [handle()]
  await verifier.ready()
  t.match(health(), { state: 'fresh', entries: 1 })
  t.same(world.asked, [])
})

test('by a fetch of the caller’s own, too', async t => {
  const world = new FeedIssuer()
  await world.listen(t)
  const urls: string[] = []
  const fetch = (url: string, init: RequestInit) => {
    urls.push(url)
    return globalThis.fetch(url, init)
  }
  const { verifier, waits, health } = await feedStage(t, { world, fetch })
  await verifier.ready()
  await waits()
  world.kill(handle())
  await until(() => health().entries === 1)
  t.ok(urls.some(url => url.includes('/v1/feed?after=')))
})

test('verifyAt does not ask the feed', async t => {
  const { world, verifier, waits } = await feedStage(t)
  const dead = handle()
  world.log = [dead]
  await verifier.ready()
  await waits()
  const verdict = await verifier.verifyAt(world.token({ rev: world.rev(dead) }), new Date(world.clock.now()))
  t.not(verdict.ok ? '' : verdict.code, 'stale_token')
})

test('introspection goes on while the feed is silent, and is not asked about what is dead', async t => {
  const stage = await feedStage(t, { revocation: 'required', serviceKey: 'key' })
  const { world, verifier, becomes } = stage
  world.instead = response => response.writeHead(500).end()
  const claims = claimsAt(start, { iss: world.issuer })
  let asked = 0
  world.introspection = () => {
    asked++
    return { active: true, ...claims }
  }
  const verdict = await verifier.introspect(world.token())
  t.match(verdict, { ok: true })
  t.match(await verifier.verify(world.token()), { code: 'revocation_unknown' })
  const dead = handle()
  world.log = [dead]
  world.instead = undefined
  await becomes(() => verifier.health().revocation.state === 'fresh')
  t.match(await verifier.introspect(world.token({ rev: world.rev(dead) })), { code: 'stale_token' })
  t.equal(asked, 1)
  if (verdict.ok) t.equal(verifier.signal(verdict.principal).aborted, false, 'its principal can be watched')
})
