/** What is built on the feed: signals for open connections, routes that want it fresh, and the answers of the adapters. */
import { getEventListeners } from 'node:events'
import { test } from 'tap'
import { authenticate } from '../../packages/verifier/src/bearer.js'
import { answerTo, fresh, type Refused, requireFresh } from '../../packages/verifier/src/index.js'
import { adapters, bearer } from '../support/adapters.js'
import { FeedIssuer, feedStage, firstEight, handle } from '../support/feed-issuer.js'
import { until } from '../support/token-issuer.js'

test('a signal is aborted as soon as a handle dies, with what verify would answer', async t => {
  const { world, verifier, principal, waits } = await feedStage(t)
  await verifier.ready()
  await waits()
  const dead = handle()
  const [one, other] = [await principal(world.token({ rev: world.rev(handle(), dead) })), await principal()]
  const [watched, spared] = [verifier.signal(one), verifier.signal(other)]
  t.same([watched.aborted, spared.aborted], [false, false])
  world.kill(handle(), dead)
  await until(() => watched.aborted)
  t.same(watched.reason, { ok: false, code: 'stale_token' })
  t.equal(spared.aborted, false)
  t.equal(verifier.signal(one).aborted, true, 'who comes later is told at once')
})

test('a signal is aborted when the session, the key or the generation goes', async t => {
  const { world, verifier, principal, waits, becomes } = await feedStage(t)
  await verifier.ready()
  await waits()
  const sid = 'c2Vzc2lvbi1vZi10aGlzLQ'
  const [, second] = world.keys
  const ofSession = verifier.signal(await principal(world.token({ sid, rev: undefined })))
  const ofKey = verifier.signal(await principal(world.token({}, second)))
  const ofGeneration = verifier.signal(await principal())
  world.kill(firstEight(sid))
  await until(() => ofSession.aborted)
  t.equal(ofKey.aborted, false)
  world.kill(firstEight(second?.kid ?? ''))
  await becomes(() => ofKey.aborted)
  t.equal(ofGeneration.aborted, false, 'a reload ends no other')
  await waits()
  world.generation++
  world.log = []
  world.beat()
  await becomes(() => ofGeneration.aborted)
  t.match(ofGeneration.reason, { code: 'stale_token' })
})

test('a generation that is not heard of yet: the list of before says nothing of its tokens, but of their key', async t => {
  const preferred = await feedStage(t)
  const required = await feedStage(t, { revocation: 'required' })
  for (const { world, verifier, principal, waits, becomes } of [preferred, required]) {
    const [dead, later] = [handle(), handle()]
    const [, second] = world.keys
    world.log = [dead]
    await verifier.ready()
    await waits()
    world.instead = () => {}
    const token = (...handles: string[]) =>
      world.token(
        { rev: [world.generation + 1, handle(), ...handles] },
        handles.length > 1 ? second : undefined,
      )
    if (verifier === required.verifier) {
      t.match(await verifier.verify(token(dead)), { code: 'revocation_unknown' }, 'it may be over there')
      continue
    }
    const who = await principal(token(dead))
    t.match(verifier.check(who, requireFresh(5)), { code: 'revocation_unknown' }, 'nothing is known of it')
    const [ofHandle, ofKey] = [verifier.signal(who), verifier.signal(await principal(token(later, later)))]
    world.instead = undefined
    world.kill(dead, later)
    await waits()
    t.same([ofHandle.aborted, ofKey.aborted], [false, false], 'what dies in the generation before is another')
    world.kill(firstEight(second?.kid ?? ''))
    await becomes(() => ofKey.aborted)
    t.equal(ofHandle.aborted, false)
  }
})

test('where the feed is required a signal ends with its age; else it goes on', async t => {
  const required = await feedStage(t, { revocation: 'required' })
  const preferred = await feedStage(t)
  for (const { world, verifier, principal, waits, pass, becomes } of [required, preferred]) {
    await verifier.ready()
    await waits()
    const signal = verifier.signal(await principal())
    await pass(10)
    t.equal(signal.aborted, false)
    world.down = true
    world.beat()
    if (verifier !== required.verifier) {
      await pass(60)
      t.equal(signal.aborted, false)
      continue
    }
    const began = world.clock.seconds()
    await becomes(() => signal.aborted)
    t.ok(world.clock.seconds() - began < 16)
    t.match(signal.reason, { ok: false, code: 'revocation_unknown', retryAfterSeconds: Number })
  }
})

test('nothing is left of a signal that nobody needs any more', async t => {
  const { world, verifier, principal, waits } = await feedStage(t, { revocation: 'required' })
  await verifier.ready()
  await waits()
  const dead = handle()
  const who = await principal(world.token({ rev: world.rev(dead) }))
  const gone = new AbortController()
  const stays = new AbortController()
  const [first, second] = [verifier.signal(who, gone.signal), verifier.signal(who, stays.signal)]
  t.equal(getEventListeners(stays.signal, 'abort').length, 1)
  gone.abort()
  t.equal(verifier.signal(who, gone.signal).aborted, false, 'it was over before')
  world.kill(dead)
  await until(() => second.aborted)
  t.equal(first.aborted, false, 'it is told no more')
  t.equal(getEventListeners(stays.signal, 'abort').length, 0)
})

test('a principal of somebody else’s is a mistake of the program', async t => {
  const { verifier, principal } = await feedStage(t)
  const other = await feedStage(t)
  const who = await principal()
  t.throws(() => verifier.signal({ ...who }), TypeError)
  t.throws(() => other.verifier.signal(who), TypeError)
  t.equal(verifier.signal(who).aborted, false)
})

test('requireFresh: a route that wants a young feed gets one, or answers 503', async t => {
  for (const seconds of [0, 4, 7.5, Number.NaN, '10'])
    t.throws(() => requireFresh(seconds as never), TypeError)
  const { world, verifier, principal, waits, pass } = await feedStage(t)
  await verifier.ready()
  await waits()
  const who = await principal()
  t.match(verifier.check(who, requireFresh(5)), { ok: true })
  world.instead = () => {}
  world.clock.advance(5.5)
  const lack = verifier.check(who, requireFresh(5))
  t.match(lack, { ok: false, code: 'revocation_unknown' })
  t.match(answerTo(lack as Refused), { status: 503, headers: { 'retry-after': '1' } })
  world.instead = undefined
  await waits()
  await pass(2)
  t.equal(world.asked.at(-1)?.wait, '1', 'from now on it waits no longer for news than the route may')
  t.match(verifier.health().refused, { revocation_unknown: 1 })
  const off = await feedStage(t, { revocation: 'off' })
  t.match(off.verifier.check(await off.principal(), requireFresh(5)), { code: 'revocation_unknown' })
})

for (const [name, serve] of Object.entries(adapters)) {
  test(`${name}: a stale token is 401 invalid_token, and an unknown state 503 with a time to wait`, async t => {
    const stage = await feedStage(t, { revocation: 'required' })
    const { world, verifier, waits } = stage
    const ask = await serve(t, verifier)
    const dead = handle()
    world.log = [dead]
    await verifier.ready()
    await waits()
    t.equal((await ask({ authorization: bearer(world.token()) })).status, 200)
    const stale = await ask({ authorization: bearer(world.token({ rev: world.rev(dead) })) })
    t.equal(stale.status, 401)
    t.equal(stale.headers['www-authenticate'], 'Bearer error="invalid_token"')
    t.match(JSON.parse(stale.body), { status: 401, code: 'stale_token' })
    world.instead = () => {}
    world.clock.advance(50)
    const unknown = await ask({ authorization: bearer(world.token()) })
    t.equal(unknown.status, 503)
    t.match(unknown.headers['retry-after'], /^\d+$/)
    t.equal(unknown.headers['www-authenticate'], undefined)
    t.match(JSON.parse(unknown.body), { status: 503, code: 'revocation_unknown' })
  })
}

test('fresh(verifier) asks the issuer, whatever the feed does', async t => {
  const world = new FeedIssuer()
  const { verifier } = await feedStage(t, { world, revocation: 'required', serviceKey: 'key' })
  world.instead = response => response.writeHead(500).end()
  world.introspection = () => ({ active: false })
  t.match(await authenticate(fresh(verifier), bearer(world.token())), { code: 'inactive' })
})
