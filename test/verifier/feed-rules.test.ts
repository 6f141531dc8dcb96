/** The rules of docs/feed.md by which a message changes what is known, one after another. RV-01 to RV-04 of the attack list. */
import { test } from 'tap'
import { readMessage } from '../../packages/verifier/src/feed-message.js'
import { FeedState, type Outcome } from '../../packages/verifier/src/feed-state.js'
import { KilledKeys, readPosition } from '../../packages/verifier/src/killed-keys.js'
import { publicKey } from '../../packages/verifier/src/public-key.js'
import { FeedIssuer, firstEight, handle } from '../support/feed-issuer.js'
import { headerOf, issuer, start, testKey } from '../support/token-issuer.js'

/** An issuer that signs, and what a verifier knows of it. */
async function stage(entries = 0) {
  const world = new FeedIssuer()
  world.issuer = issuer
  world.log = Array.from({ length: entries }, handle)
  const killed = new KilledKeys()
  const died: string[] = []
  const state = new FeedState(
    killed,
    () => world.keys.map(({ kid }) => kid),
    handles => died.push(...handles),
  )
  const keyOf = async (kid: string) => {
    const key = world.keys.find(one => one.kid === kid)
    return key && !killed.has(kid) ? publicKey(key.jwk) : undefined
  }
  const read = (line: string) => readMessage(line, issuer, keyOf, world.clock.seconds())
  /** What a line does, sent at a moment of the monotonic clock. */
  const take = async (line: string, sentAt = monotonic()): Promise<Outcome | string> => {
    const message = await read(line)
    return typeof message === 'string' ? message : state.accept(message, sentAt)
  }
  const monotonic = () => world.clock.monotonic?.() ?? 0
  const age = () => state.age(monotonic(), world.clock.now())
  const message = (from: number, to?: number, more?: object) => {
    world.clock.advance(0.001)
    return world.message(from, to, more)
  }
  const known = () => world.log.filter(one => state.isDead(one)).length
  return { world, killed, died, state, read, take, age, message, known, monotonic }
}

test('step 1: RV-01: only the issuer’s keys sign messages, under a type of their own', async t => {
  const { world, read, take, message, state, known } = await stage(2)
  const stranger = testKey()
  const payload = world.payload(0)
  const good = message(0)
  const [header, , signature] = good.split('.') as [string, string, string]
  const altered = Buffer.from(JSON.stringify({ ...payload, dead: [] })).toString('base64url')
  for (const [what, line, fault] of [
    ['altered', `${header}.${altered}.${signature}`, 'signature'],
    [
      'signed by another, in the name of ours',
      world.sign(payload, stranger, headerOf(world.signer(), 'mintmark-feed+jwt')),
      'signature',
    ],
    ['signed by another', world.sign(payload, stranger), 'unknown_key'],
    ['an access token', world.token(), 'message'],
    [
      'a message that says it is an access token',
      world.sign(payload, undefined, headerOf(world.signer())),
      'message',
    ],
    ['a key history', world.sign(payload, undefined, headerOf(world.signer(), 'jwk-set+jwt')), 'message'],
    [
      'no algorithm',
      world.sign(payload, undefined, { ...headerOf(world.signer(), 'mintmark-feed+jwt'), alg: 'none' }),
      'message',
    ],
    [
      'one member of the header more',
      world.sign(payload, undefined, { ...headerOf(world.signer(), 'mintmark-feed+jwt'), crit: [] }),
      'message',
    ],
    ['half of it', good.slice(0, good.length >> 1), 'message'],
    ['nothing', '', 'message'],
    ['HTML', '<html>Sign in to this network</html>', 'message'],
  ] as const)
    t.equal(await read(line), fault, what)
  t.equal(state.entries, 0)
  t.equal(await take(good), 'news')
  t.equal(known(), 2)
})

test('step 2: RV-03, RV-04: each member has its form, the issuer and the audience are ours', async t => {
  const { world, read } = await stage(2)
  const one = handle()
  for (const more of [
    { iss: 'https://other.example' },
    { iss: `${issuer}/` },
    { aud: issuer },
    { aud: [`${issuer}/v1/feed`] },
    { aud: undefined },
    { exp: 'soon' },
    { exp: undefined },
    { gen: '1' },
    { gen: 1.5 },
    { gen: -1 },
    { gen: 2 ** 53 },
    { gen: null },
    { asof: String(start) },
    { asof: null },
    { asof: -1 },
    { from: '0' },
    { from: 0 },
    { from: '00.' },
    { from: `-1.${one}` },
    { from: `1e3.${one}` },
    { from: `9007199254740993.${one}` },
    { from: `NaN.${one}` },
    { from: '1.' },
    { from: `0.${one}` },
    { from: `2.${one}`, to: `1.${one}` },
    { to: undefined },
    { to: `1.${one}A` },
    { to: '1.a' },
    { dead: 'x' },
    { dead: undefined },
    { dead: [one, 7] },
    { dead: [one.slice(1)] },
    { dead: [`${one}A`] },
    { dead: [`${one.slice(0, 10)}B`] },
    { dead: [''] },
    { dead: Array(10_001).fill(one) },
    { more: 'false' },
    { more: undefined },
    { jwks: undefined },
    { jwks: 'x' },
  ])
    t.equal(await read(world.sign(world.payload(0, 2, more))), 'message', JSON.stringify(more).slice(0, 40))
  const text = JSON.stringify(world.payload(0))
  for (const changed of [
    text.replace('{', '{"dead":[],'),
    text.replace('{', '{"gen":1,'),
    text.replace(/"asof":[\d.]+/, '"asof":NaN'),
    text.replace(/"asof":[\d.]+/, '"asof":1e999'),
    `[${text}]`,
  ])
    t.equal(await read(world.sign(changed)), 'message')
  t.type(
    await read(world.sign(world.payload(0, 2, { later: 'release' }))),
    'object',
    'a later release may add some',
  )
  t.type(await read(world.sign(world.payload(0, 2, { dead: Array(10_000).fill(one) }))), 'object')
})

test('step 2: an asof more than a minute ahead is not accepted', async t => {
  const { world, read, take } = await stage()
  const ahead = (seconds: number) => world.message(0, 0, { asof: world.clock.seconds() + seconds })
  t.equal(await read(ahead(60.5)), 'clock')
  t.equal(await take(ahead(59.5)), 'beat')
})

test('step 3: a killed key signs nothing more, and all that is known is loaded again', async t => {
  const { world, killed, state, take, message, age, died } = await stage(3)
  const [leaked, next] = world.keys as [ReturnType<typeof testKey>, ReturnType<typeof testKey>]
  const forged = handle()
  await take(message(0))
  world.clock.advance(0.001)
  const lie = world.payload(3, 3, { to: `9.${forged}`, dead: [forged] })
  t.equal(await take(world.sign(lie)), 'news')
  t.equal(state.isDead(forged), true)
  const highest = world.sign(world.payload(0, 0, { gen: 2 ** 52, asof: world.clock.seconds() + 50 }))
  t.equal(await take(highest), 'beat')
  world.log.push(firstEight(leaked.kid))
  const killing = () => world.sign(world.payload(3), next)
  world.clock.advance(0.001)
  t.equal(await take(killing()), 'reload', 'whatever the generation and the asof that were forged')
  t.equal(killed.has(leaked.kid), true)
  t.ok(died.includes(firstEight(leaked.kid)))
  t.equal(age(), Number.POSITIVE_INFINITY, 'not fresh')
  t.equal(state.after(), '')
  t.equal(await take(message(0)), 'unknown_key', 'its own messages count no more')
  world.clock.advance(0.001)
  t.equal(await take(world.sign(world.payload(0), next)), 'news')
  t.ok(age() < 1)
  t.equal(state.isDead(forged), false, 'what it had told is forgotten')
  t.equal(state.generation, world.generation)
  t.equal(state.entries, 4)
})

test('step 3: a key that kills itself, and a kill in a message of an older generation, are heard', async t => {
  const { world, killed, take, message } = await stage()
  await take(message(0))
  const [first, second] = world.keys as [ReturnType<typeof testKey>, ReturnType<typeof testKey>]
  const old = world.payload(0, 0, {
    gen: world.generation - 1,
    to: `1.${handle()}`,
    dead: [firstEight(second.kid)],
  })
  t.equal(await take(world.sign(old)), 'news', 'everything begins again, with this message')
  t.equal(killed.has(second.kid), true)
  world.log = [firstEight(first.kid)]
  t.equal(await take(message(0)), 'reload')
  t.equal(killed.has(first.kid), true)
})

test('a dead key stays dead, until a list at or after its kill still contains it', async t => {
  const { world, killed, state, take, message } = await stage(5)
  const [, other] = world.keys as [ReturnType<typeof testKey>, ReturnType<typeof testKey>]
  world.log.push(firstEight(other.kid))
  t.equal(await take(message(0)), 'news')
  const kids = [other.kid]
  const at = (text: string | null) => killed.listed(kids, readPosition(text))
  for (const position of [
    null,
    '',
    `${world.generation}`,
    `${world.generation}.5`,
    `${world.generation - 1}.99`,
    '1e12.9',
    `${world.generation}.6 `,
    `${world.generation}.-6`,
  ]) {
    at(position)
    t.equal(killed.has(other.kid), true, String(position))
  }
  killed.listed(['another'], readPosition(`${world.generation}.6`))
  t.equal(killed.has(other.kid), true, 'in a list without it')
  at(`${world.generation}.6`)
  t.equal(killed.has(other.kid), false)
  t.equal(state.isDead(firstEight(other.kid)), false, 'its tokens are good again')
  t.equal(await take(message(0)), 'beat', 'the kill that it survived is not heard again')
  t.equal(killed.has(other.kid), false)
  world.log.push(firstEight(other.kid))
  t.equal(await take(message(6)), 'reload')
  t.equal(killed.has(other.kid), true, 'another kill is')
})

test('a kill by a key that was itself killed can be healed, however high its position', async t => {
  const { world, killed, take, message } = await stage()
  const [thief, honest] = world.keys as [ReturnType<typeof testKey>, ReturnType<typeof testKey>]
  const third = testKey()
  world.keys.push(third)
  await take(message(0))
  await take(
    world.sign(
      world.payload(0, 0, { gen: 2 ** 52, to: `9.${handle()}`, dead: [firstEight(honest.kid)] }),
      thief,
    ),
  )
  world.log = [firstEight(thief.kid)]
  await take(world.sign(world.payload(0), third))
  t.same([killed.has(thief.kid), killed.has(honest.kid)], [true, true])
  killed.listed([honest.kid], readPosition(`${world.generation}.1`))
  t.equal(killed.has(honest.kid), false)
})

test('step 4: RV-03: a lower generation is ignored, a higher one is loaded anew beside what is known', async t => {
  const { world, state, take, message, known, age } = await stage(3)
  await take(message(0))
  t.equal(await take(message(0, 3, { gen: world.generation - 1 })), 'old_generation')
  t.equal(state.generation, world.generation)
  const before = [...world.log]
  world.generation++
  world.log = [handle(), handle()]
  t.equal(await take(message(1)), 'reload', 'from the middle')
  t.equal(state.after(), '')
  t.equal(state.generation, world.generation)
  t.equal(age(), Number.POSITIVE_INFINITY)
  t.ok(
    before.every(one => state.isDead(one)),
    'the old ones until the new ones are complete',
  )
  t.ok(
    before.every(one => state.isDead(one, world.generation - 1) && !state.isDead(one, world.generation)),
    'for tokens of their own generation',
  )
  t.same(
    [0, 1].map(more => state.isUnheard(world.generation + more)),
    [false, true],
  )
  t.equal(await take(message(0, 1)), 'news')
  t.equal(age(), Number.POSITIVE_INFINITY, 'there is more')
  t.equal(await take(message(1)), 'news')
  t.ok(age() < 1)
  t.equal(known(), 2)
  t.ok(!before.some(one => state.isDead(one)))
  world.generation++
  t.equal(await take(message(0)), 'news', 'from the beginning it is the first of the reload')
  t.ok(age() < 1)
})

test('step 5: RV-02: a gap is not accepted, an overlap does no harm', async t => {
  const { world, state, take, message, known, age } = await stage(10)
  t.equal(await take(message(2, 5)), 'gap', 'at the beginning, too')
  t.equal(await take(message(0, 4)), 'news')
  t.equal(await take(message(5, 8)), 'gap')
  t.equal(await take(message(5)), 'gap')
  t.equal(age(), Number.POSITIVE_INFINITY)
  t.equal(state.head, 4)
  t.equal(known(), 4)
  t.equal(await take(message(2, 6)), 'news', 'an overlap')
  t.equal(await take(message(0, 3)), 'gap', 'all of it long known: it ends before the cursor')
  t.equal(state.after(), world.cursor(6))
  t.equal(await take(message(6)), 'news')
  t.equal(known(), 10)
  t.ok(age() < 1)
})

test('step 5: RV-02: in another order and twice, nothing is lost', async t => {
  const { world, take, message, known, state } = await stage(9)
  const [a, b, c] = [message(0, 3), message(3, 6), message(6)]
  const outcomes = []
  for (const line of [c, b, a, c, a, b, b, c, c]) outcomes.push(await take(line))
  t.same(outcomes, ['gap', 'gap', 'news', 'gap', 'beat', 'news', 'beat', 'news', 'replayed'])
  t.equal(known(), 9)
  t.equal(state.after(), world.cursor(9))
})

test('step 6: RV-02: a message that is not later than the last is a replay, and makes nothing fresh', async t => {
  const { world, take, message, age, monotonic } = await stage(1)
  const old = message(0)
  t.equal(await take(old), 'news')
  world.clock.advance(20)
  t.equal(await take(old), 'replayed')
  t.ok(age() >= 20)
  world.log.push(handle())
  t.equal(await take(message(1)), 'news')
  t.equal(await take(old), 'gap')
  world.clock.advance(20)
  t.equal(await take(message(2), monotonic() - 5_000), 'beat')
  t.ok(age() >= 5, 'as old as its request')
})

test('step 7: an entry is kept for 990 seconds of asof at least, and not for ever', async t => {
  const { world, take, message, known, state } = await stage(1)
  await take(message(0))
  const at = async (seconds: number) => {
    world.clock.advance(start + seconds - world.clock.seconds())
    t.equal(await take(message(1)), 'beat')
    return known()
  }
  t.equal(await at(494), 1)
  t.equal(await at(496), 1)
  t.equal(await at(990), 1, 'the longest lifetime, the leeway and a reserve')
  t.equal(await at(993), 1)
  t.equal(await at(1_480), 1)
  t.equal(await at(1_490), 0)
  t.equal(state.entries, 0)
})

test('step 7: an entry that came just before a shift is kept as long', async t => {
  const { world, take, message, state } = await stage()
  await take(message(0))
  world.clock.advance(494)
  const late = handle()
  world.log = [late]
  await take(message(0))
  for (const seconds of [2, 494, 2, 490]) {
    world.clock.advance(seconds)
    await take(message(1))
    t.equal(state.isDead(late), true)
  }
})

test('step 7: our own clock evicts nothing', async t => {
  const { world, take, known, state } = await stage(1)
  const asof = world.clock.seconds()
  await take(world.message(0, 1, { asof }))
  for (let step = 1; step <= 20; step++) {
    world.clock.advance(1_000)
    t.equal(await take(world.message(1, 1, { asof: asof + step })), 'beat')
  }
  t.equal(known(), 1)
  t.equal(state.entries, 1)
})

test('freshness: a page that is not the last makes nothing fresh', async t => {
  const { take, message, age } = await stage(4)
  t.equal(await take(message(0, 2)), 'news')
  t.equal(age(), Number.POSITIVE_INFINITY)
  t.equal(await take(message(2)), 'news')
  t.ok(age() < 1)
})

test('forks: a higher generation is followed, one’s own is not, and what is known is kept', async t => {
  const { world, state, take, message, known, age } = await stage(5)
  await take(message(0))
  state.suspectFork()
  t.equal(state.after(), '')
  t.equal(state.isForked, false)
  const remembered = [...world.log]
  world.log = world.log.slice(0, 2)
  t.equal(await take(message(0)), 'forked')
  t.equal(state.isForked, true)
  t.equal(age(), Number.POSITIVE_INFINITY)
  t.ok(remembered.every(one => state.isDead(one)))
  t.equal(state.after(), '', 'it goes on asking from the beginning')
  t.equal(await take(message(0)), 'forked')
  world.generation++
  world.log = []
  t.equal(await take(message(0)), 'beat', 'recover was run')
  t.equal(state.isForked, false)
  t.ok(age() < 1)
  t.equal(known(), 0)
})

test('forks: the same number with another tag is one', async t => {
  const { world, state, take, message } = await stage(5)
  await take(message(0))
  world.log = [...world.log.slice(0, 4), handle()]
  t.equal(await take(message(4)), 'forked', 'where it ends')
  t.equal(state.after(), '')
  const other = await stage(5)
  await other.take(other.message(0))
  other.world.log = [...other.world.log.slice(0, 4), handle(), handle()]
  t.equal(await other.take(other.message(5)), 'forked', 'where it begins')
})

test('a message that is not accepted changes nothing', async t => {
  const { world, state, take, message } = await stage(5)
  await take(message(0, 3))
  const before = JSON.stringify([state.after(), state.generation, state.entries, state.lastMessage])
  for (const line of [
    message(4),
    message(0, 2),
    message(0, 5, { gen: world.generation - 1 }),
    message(3, 5, { iss: 'https://other.example' }),
    world.sign(world.payload(3), testKey()),
  ])
    await take(line)
  t.equal(JSON.stringify([state.after(), state.generation, state.entries, state.lastMessage]), before)
})
