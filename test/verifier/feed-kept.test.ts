/** What is kept of the feed between two starts, and that following it keeps no process alive. */
import { spawn } from 'node:child_process'
import { test } from 'tap'
import { createVerifier } from '../../packages/verifier/src/index.js'
import { FeedIssuer, feedStage, firstEight, handle } from '../support/feed-issuer.js'
import { rootUrl } from '../support/project.mjs'
import { audience, memory, type TestKey, until } from '../support/token-issuer.js'

const feedOf = (store: { text: string | undefined }) => JSON.parse(store.text ?? '{}').feed

test('a start during an outage still rejects what was known, and is not fresh', async t => {
  const store = memory()
  const { world, verifier, waits, becomes } = await feedStage(t, { store })
  world.log = [handle(), handle()]
  await verifier.ready()
  await waits()
  await becomes(() => feedOf(store)?.cursor === world.cursor(2))
  verifier.close()
  const [dead] = world.log as [string]
  const cut = (response: { destroy: () => unknown }) => response.destroy()
  world.instead = cut
  const after = await feedStage(t, { world, store })
  t.equal(await after.code(world.token({ rev: world.rev(dead) })), 'stale_token')
  t.equal(await after.code(world.token({ rev: [world.generation - 1, handle()] })), 'stale_token')
  t.equal(await after.code(), 'accepted')
  t.match(after.health(), { entries: 2, ageSeconds: undefined, head: 2 })
  const required = await feedStage(t, { world, store, revocation: 'required' })
  t.equal(await required.code(), 'revocation_unknown')
  world.instead = undefined
  await required.waits()
  t.equal(world.asked.at(-1)?.after, world.cursor(2), 'it goes on where it was')
  t.equal(await required.code(), 'accepted')
})

test('killed keys are kept, and the ages of entries go on', async t => {
  const store = memory()
  const { world, verifier, waits, becomes, code } = await feedStage(t, { store })
  world.position = undefined
  const [, second] = world.keys as [TestKey, TestKey]
  world.log = [firstEight(second.kid)]
  await verifier.ready()
  await waits()
  await becomes(() => feedOf(store)?.killed.length === 1, 120)
  t.equal(await code(world.token({}, second)), 'stale_token')
  verifier.close()
  for (let turn = 0; turn < 3; turn++) {
    world.clock.advance(496)
    const next = await feedStage(t, { world, store })
    await next.verifier.ready()
    await next.waits()
    await next.becomes(() => feedOf(store)?.asof > world.clock.seconds() - 60)
    t.equal(next.health().entries, turn < 2 ? 1 : 0)
    t.equal(await next.code(world.token({}, second)), 'stale_token')
    next.verifier.close()
  }
})

test('it is saved at most every five seconds, and without news once in a minute', async t => {
  const store = memory()
  const { world, verifier, waits, pass, becomes } = await feedStage(t, { store })
  await verifier.ready()
  await waits()
  await pass(1)
  const before = store.saves
  for (let turn = 0; turn < 10; turn++) {
    world.kill(handle())
    await becomes(() => verifier.health().revocation.head === turn + 1)
    await pass(1)
    await waits()
  }
  t.ok(store.saves - before >= 2 && store.saves - before <= 4, `${store.saves - before} in some ten seconds`)
  await pass(6)
  t.equal(feedOf(store).cursor, world.cursor(10))
})

test('a text of an earlier release loads, and one that was changed is not written over', async t => {
  const old = memory()
  const { world, verifier, waits, becomes } = await feedStage(t, { store: old })
  await verifier.ready()
  await waits()
  await becomes(() => feedOf(old) !== undefined)
  const { feed, ...rest } = JSON.parse(old.text ?? '{}')
  const earlier = await feedStage(t, { world, store: memory(JSON.stringify(rest)) })
  t.equal(await earlier.code(), 'accepted')
  t.equal(earlier.verifier.health().storeFailures, 0)
  for (const wrong of [
    7,
    {},
    { ...feed, generation: '1' },
    { ...feed, cursor: 'x' },
    { ...feed, asof: null },
    { ...feed, sets: ['', ''] },
    { ...feed, sets: ['', '', 'short'] },
    { ...feed, killed: [{}] },
    { ...feed, killed: [{ kid: 'x', by: 'x', at: {} }] },
    { ...feed, message: 1 },
  ]) {
    const store = memory(JSON.stringify({ ...rest, feed: wrong }))
    const broken = await feedStage(t, { world, store })
    t.equal(await broken.code(), 'accepted')
    t.equal(broken.verifier.health().storeFailures, 1, JSON.stringify(wrong).slice(0, 40))
    t.equal(store.saves, 0)
    broken.verifier.close()
  }
})

/** Runs a program with a verifier of this issuer; its output, and for how many milliseconds it ran. */
async function run(world: FeedIssuer, program: string) {
  const module = new URL('packages/verifier/dist/index.js', rootUrl).href
  const code = `import { createVerifier } from '${module}'
const verifier = createVerifier({ issuer: '${world.issuer}', audience: '${audience}' })
${program}`
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.on('data', text => {
    output += text
  })
  const began = performance.now()
  const status = await new Promise(resolve => child.on('close', resolve))
  return { output, status, took: performance.now() - began }
}

test('a question that waits for news keeps no process alive', async t => {
  const world = new FeedIssuer()
  await world.listen(t)
  world.clock.set(Date.now() / 1000)
  world.instead = (response, asked) => {
    if (asked.wait === '0') world.answer(response, asked)
  }
  const program = `const verdict = await verifier.verify('${world.token()}')
const { revocation } = await verifier.ready()
await new Promise(resolve => setTimeout(resolve, 500))
console.log(verdict.ok, revocation.state)`
  const { output, status, took } = await run(world, program)
  t.equal(output, 'true fresh\n')
  t.equal(status, 0)
  t.equal(world.asked.at(-1)?.wait, '3', 'it was waiting')
  t.ok(took < 6_500, `${took} ms`)
})

test('but a program that waits in ready is not ended', async t => {
  const world = new FeedIssuer()
  await world.listen(t)
  world.clock.set(Date.now() / 1000)
  let times = 0
  world.instead = (response, asked) => {
    if (++times === 1) response.writeHead(500).end()
    else setTimeout(() => world.answer(response, asked), 300)
  }
  const { output, status } = await run(world, 'console.log((await verifier.ready()).revocation.state)')
  t.equal(output, 'fresh\n')
  t.equal(status, 0)
})

test('a platform that stops requests without a word does not stop the feed for ever', async t => {
  const world = new FeedIssuer()
  await world.listen(t)
  let stopped = true
  const fetch = (url: string, init: RequestInit) =>
    stopped && url.includes('/v1/feed') ? new Promise<Response>(() => {}) : globalThis.fetch(url, init)
  // Its timers stop with it.
  const clock = {
    now: world.clock.now,
    monotonic: () => world.clock.monotonic?.() ?? 0,
    after: (milliseconds: number, work: () => void) =>
      world.clock.after(milliseconds, () => {
        if (!stopped) work()
      }),
  }
  const verifier = createVerifier({ issuer: world.issuer, audience, fetch, clock })
  t.teardown(() => verifier.close())
  await verifier.verify(world.token())
  world.clock.advance(25)
  stopped = false
  t.match(await verifier.verify(world.token()), { ok: true })
  await until(() => verifier.health().revocation.state === 'fresh')
})
