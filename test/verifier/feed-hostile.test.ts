/** The feed in bad hands: relays, broken proxies, thieves with a key, and databases that forgot. RV-01 to RV-05 of the attack list. */
import { test } from 'tap'
import { FeedIssuer, feedStage, firstEight, handle } from '../support/feed-issuer.js'
import { type TestKey, until } from '../support/token-issuer.js'

test('RV-05: whatever comes instead of an answer is a fault, never a yes, and what was known stays known', async t => {
  const stage = await feedStage(t, { revocation: 'required' })
  const { world, verifier, code, waits, pass, becomes, health } = stage
  const dead = handle()
  world.log = [dead]
  await verifier.ready()
  await waits()
  const stale = () => world.token({ rev: world.rev(dead) })
  for (const [what, instead, fault] of [
    [
      'HTML',
      response => response.setHeader('content-type', 'text/html').end('<html>Hotel</html>'),
      'message',
    ],
    ['nothing', response => response.end(), 'message'],
    ['an empty line', response => response.end('\n'), 'message'],
    ['JSON', response => response.end(JSON.stringify(world.payload(1))), 'message'],
    ['half a message', response => response.end(world.message(1).slice(0, 200)), 'message'],
    [
      'an answer that is cut off',
      response => {
        const text = world.message(1)
        response.writeHead(200, { 'content-length': text.length })
        response.write(text.slice(0, 200))
        setImmediate(() => response.destroy())
      },
      'network',
    ],
    [
      'chunks that are cut off',
      response => {
        response.write(`${world.message(1)}\n`)
        setImmediate(() => response.destroy())
      },
      'network',
    ],
    [
      'a redirection',
      response => response.writeHead(302, { location: `${world.issuer}/v1/feed?after=` }).end(),
      'status',
    ],
    ['no content', response => response.writeHead(204).end(), 'status'],
    ['an access token', response => response.end(world.token()), 'message'],
    ['a key list', response => response.end(JSON.stringify({ keys: [] })), 'message'],
  ] as [string, NonNullable<FeedIssuer['instead']>, string][]) {
    world.instead = instead
    world.beat()
    await becomes(() => health().fault === fault)
    await pass(46)
    t.match(health(), { state: 'stale', fault, entries: 1 }, what)
    t.equal(await code(), 'revocation_unknown', what)
    t.equal(await code(stale()), 'stale_token', what)
    world.instead = undefined
    await waits()
    t.equal(await code(), 'accepted', what)
  }
})

test('RV-05: a proxy that buffers is given up after eight seconds', async t => {
  const { world, verifier, waits, pass, health, code } = await feedStage(t, { revocation: 'required' })
  await verifier.ready()
  await waits()
  let given = 0
  world.instead = response => {
    response.writeHead(200).write(world.message(0).slice(0, 40))
    response.on('close', () => given++)
  }
  world.beat()
  await pass(20)
  t.ok(given >= 1)
  t.match(health(), { state: 'stale', fault: 'timeout' })
  t.equal(await code(), 'revocation_unknown')
})

test('RV-04: an answer of a hundred megabytes is cut off', async t => {
  const { world, verifier, becomes, health } = await feedStage(t)
  let sent = 0
  let closed = false
  world.instead = response => {
    response.on('close', () => {
      closed = true
    })
    const more = () => {
      while (!closed && sent < 100_000_000 && response.write('x'.repeat(65_536))) sent += 65_536
    }
    response.on('drain', more)
    more()
  }
  const waiting = verifier.ready()
  await becomes(() => health().fault === 'too_large')
  await until(() => closed)
  t.ok(sent < 50_000_000, `${sent} bytes`)
  world.instead = undefined
  await becomes(() => health().state === 'fresh')
  await waiting
})

test('RV-04: an answer of very many messages is read no further than a thousand', async t => {
  const world = new FeedIssuer()
  world.log = [handle()]
  const { verifier, health, becomes } = await feedStage(t, { world })
  world.instead = response => response.end(`${'x\n'.repeat(1_000)}${world.message(0)}`)
  const waiting = verifier.ready()
  await becomes(() => health().fault === 'message')
  t.equal(health().entries, 0)
  world.instead = undefined
  await becomes(() => health().state === 'fresh')
  await waiting
})

test('RV-05: a cache that answers from an hour ago makes nothing fresh', async t => {
  const { world, verifier, code, waits, pass, health } = await feedStage(t, { revocation: 'required' })
  await verifier.ready()
  await waits()
  const old = world.message(0)
  world.instead = response => response.end(old)
  world.beat()
  await pass(20)
  t.match(health(), { state: 'stale', fault: 'replayed' })
  t.equal(await code(), 'revocation_unknown')
  t.ok(world.asked.length < 40, 'and is not asked all the time')
})

test('RV-05: a relay that delays every message is fresh by its answers for half a minute, and then no more', async t => {
  const { world, verifier, waits, pass, becomes, health } = await feedStage(t, { revocation: 'required' })
  await verifier.ready()
  await waits()
  const began = world.clock.seconds()
  // From now on time passes at a tenth of its speed in what the relay tells.
  world.instead = response =>
    response.end(world.message(0, 0, { asof: began + (world.clock.seconds() - began) / 10 }))
  world.beat()
  await pass(30)
  t.equal(health().state, 'fresh')
  await becomes(() => health().state !== 'fresh')
  t.ok(world.clock.seconds() - began < 15 + 60, 'N and a minute at most')
})

test('RV-03: the feed of another issuer is not ours, whoever serves it', async t => {
  const world = new FeedIssuer()
  const { verifier, health, becomes } = await feedStage(t, { world })
  const foreign = { iss: 'https://other.example', aud: 'https://other.example/v1/feed' }
  world.instead = response => response.end(world.message(0, 0, foreign))
  const waiting = verifier.ready()
  await becomes(() => health().fault === 'message')
  world.instead = undefined
  await becomes(() => health().state === 'fresh')
  await waiting
})

test('RV-03: after recover the generation is higher: 409, and everything is loaded anew', async t => {
  const { world, verifier, code, waits, becomes, health } = await feedStage(t)
  const dead = handle()
  world.log = [handle(), dead]
  await verifier.ready()
  await waits()
  const before = world.token()
  world.generation++
  world.log = []
  world.instead = (response, asked) => {
    world.instead = undefined
    t.not(asked.after, '')
    response.writeHead(409).end('{"code":"feed_forked"}')
  }
  world.beat()
  await becomes(() => health().generation === world.generation && health().state === 'fresh')
  t.match(health(), { entries: 0, head: 0 })
  t.equal(await code(before), 'stale_token')
  t.equal(await code(), 'accepted')
  t.same(world.forks, [])
})

test('RV-03: a restored copy of the same generation: stale, nothing forgotten, and told once with a signed message', async t => {
  const { world, verifier, code, waits, pass, becomes, health } = await feedStage(t, { serviceKey: 'key' })
  world.log = [handle(), handle(), handle()]
  await verifier.ready()
  await waits()
  const dead = world.log[2] as string
  const held = world.token({ rev: world.rev(dead) })
  world.log = world.log.slice(0, 1)
  world.instead = (response, asked) => world.answer(response, asked)
  world.clock.advance(8.5)
  await becomes(() => health().fault === 'forked')
  await pass(60)
  t.match(health(), { state: 'stale', entries: 3, head: 3 })
  t.equal(await code(held), 'stale_token')
  t.equal(world.forks.length, 1)
  t.match(JSON.parse(Buffer.from(world.forks[0]?.split('.')[1] ?? '', 'base64url').toString()), {
    gen: world.generation,
  })
  const last = world.asked.slice(-6).map(({ after }) => after)
  t.ok(last.includes(''), 'from the beginning')
  t.ok(last.includes(`3.${dead}`), 'and with the cursor, should the answer have been wrong')
  t.ok(world.asked.length < 45, 'it is not asked all the time')
  world.generation++
  await becomes(() => health().state === 'fresh')
  t.equal(health().entries, 1)
})

test('a relay that answers 409 in error does no lasting harm', async t => {
  const { world, verifier, code, waits, becomes, health } = await feedStage(t, { revocation: 'required' })
  world.log = [handle(), handle()]
  await verifier.ready()
  await waits()
  world.instead = response => {
    world.instead = undefined
    response.writeHead(409).end()
  }
  world.beat()
  await becomes(() => health().fault === 'forked')
  t.equal(await code(), 'revocation_unknown')
  await becomes(() => health().state === 'fresh', 15)
  t.match(health(), { entries: 2, head: 2, fault: undefined })
  t.equal(await code(), 'accepted')
})

test('an issuer that answers 409 to an empty cursor, too, is not asked all the time', async t => {
  const { world, verifier, waits, pass, health } = await feedStage(t)
  world.log = [handle()]
  await verifier.ready()
  await waits()
  world.instead = response => response.writeHead(409).end()
  world.clock.advance(8.5)
  const before = world.asked.length
  await pass(60)
  t.ok(world.asked.length - before < 40, `${world.asked.length - before} in a minute`)
  t.match(health(), { state: 'stale', fault: 'status' })
})

test('RV-01: a stolen key is dead at once, and what it had told is forgotten', async t => {
  const { world, verifier, code, waits, becomes, health } = await feedStage(t, { revocation: 'required' })
  const [stolen, next] = world.keys as [TestKey, TestKey]
  await verifier.ready()
  await waits()
  const victim = handle()
  const token = world.token({ rev: world.rev(victim) }, next)
  const lie = () => world.sign(world.payload(0, 0, { to: `1.${victim}`, dead: [victim] }), stolen)
  world.instead = response => response.end(lie())
  world.beat()
  await becomes(() => health().entries === 1)
  t.equal(await code(token), 'stale_token')
  world.keys = [next]
  world.log = [firstEight(stolen.kid)]
  world.instead = undefined
  await becomes(
    () => health().state === 'fresh' && health().head === 1 && !verifier.health().keys.includes(stolen.kid),
    120,
  )
  t.equal(await code(token), 'accepted')
  t.equal(await code(world.token({}, stolen)), 'unknown_key', 'it is not listed any more')
})

test('a key that was killed in error is good again with the next list, without a restart', async t => {
  const { world, verifier, code, waits, becomes, health, pass } = await feedStage(t)
  const [, second] = world.keys as [TestKey, TestKey]
  await verifier.ready()
  await waits()
  await pass(11)
  await waits()
  const fetched = world.keysFetched
  world.kill(firstEight(second.kid))
  await until(() => health().head === 1)
  const token = world.token({}, second)
  await becomes(() => world.keysFetched > fetched)
  let last = ''
  for (let turn = 0; turn < 100 && last !== 'accepted'; turn++) {
    await pass(0.25)
    last = await code(token)
  }
  t.equal(last, 'accepted')
  t.equal(health().state, 'fresh')
  t.ok(world.keysFetched <= fetched + 3, `${world.keysFetched - fetched} fetches`)
})

test('a key that was killed before it was listed is dead in an old list, and alive in a new one', async t => {
  const world = new FeedIssuer()
  const [first, second] = world.keys as [TestKey, TestKey]
  world.keys = [first]
  const { verifier, code, waits, becomes, health, pass } = await feedStage(t, { world })
  await verifier.ready()
  await waits()
  world.kill(firstEight(second.kid))
  await until(() => health().head === 1)
  await waits()
  await pass(11)
  world.keys = [first, second]
  world.position = () => `${world.generation}.0`
  t.equal(await code(world.token({}, second)), 'stale_token')
  t.equal(verifier.health().keys.length, 2)
  world.instead = response => response.end(world.sign(world.payload(1), second))
  world.beat()
  await becomes(() => health().fault === 'unknown_key')
  world.instead = undefined
  world.position = () => `${world.generation}.1`
  await pass(300)
  t.equal(await code(world.token({}, second)), 'accepted')
})

test('a list that does not say where it was read revives nothing', async t => {
  const { world, verifier, code, waits, health, pass } = await feedStage(t)
  world.position = () => undefined
  const [, second] = world.keys as [TestKey, TestKey]
  await verifier.ready()
  await waits()
  world.kill(firstEight(second.kid))
  await until(() => health().head === 1)
  const before = world.keysFetched
  await pass(120)
  t.ok(world.keysFetched > before && world.keysFetched <= before + 4, `${world.keysFetched - before} fetches`)
  t.equal(await code(world.token({}, second)), 'stale_token')
})

test('another list of keys is fetched when a message names it, within ten seconds and no more often', async t => {
  const { world, verifier, waits, pass, becomes, code } = await feedStage(t)
  await verifier.ready()
  await waits()
  await pass(11)
  await waits()
  const before = world.keysFetched
  const [first] = world.keys as [TestKey]
  world.keys = [first, new FeedIssuer().signer()]
  world.instead = response => {
    world.clock.advance(0.001)
    response.end(world.message(0))
  }
  world.beat()
  await becomes(() => world.keysFetched === before + 1, 15)
  t.equal(await code(world.token({}, world.keys[1])), 'accepted')
  await pass(30)
  t.equal(world.keysFetched, before + 1, 'once it is known')
  world.instead = response => {
    world.clock.advance(0.001)
    response.end(world.message(0, 0, { jwks: 'A'.repeat(43) }))
  }
  await pass(60)
  t.ok(world.keysFetched <= before + 8, `${world.keysFetched - before} in a minute`)
})

test('a message of an unknown key has the list fetched, once in ten seconds', async t => {
  const { world, verifier, waits, pass, health } = await feedStage(t)
  await verifier.ready()
  await waits()
  await pass(11)
  await waits()
  const before = world.keysFetched
  const stranger = new FeedIssuer().signer()
  world.instead = response => response.end(world.sign(world.payload(0), stranger))
  world.beat()
  await pass(60)
  t.match(health(), { state: 'stale', fault: 'unknown_key' })
  t.ok(world.keysFetched > before && world.keysFetched <= before + 7, `${world.keysFetched - before}`)
})
