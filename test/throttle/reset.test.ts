/** A reset by mail lets its person in, whoever guesses meanwhile, and gives no guesser an attempt more. PW-11. */
import { type Test, test } from 'tap'
import { limits } from '../../src/accounts/throttle.js'
import { link, type Person, person } from '../harness/world.js'
import { type Browser, freshNetworkAddress } from '../support/browser.js'
import { skipWithoutRedis } from '../support/redis.js'
import { eventually, goodPassword, testService } from '../support/service.js'
import { type Answer, alone, many, signIn, statuses, threeOnRedis, type World, worldOf } from './world.js'

const newPassword = 'quite other words now'
const home = '203.0.113.77'
const perPair = limits['sign-in by account and address'].points
const perAccount = limits['sign-in by account'].points
const perAddress = limits['sign-in by address'].points

/** Instances that count together, or so many counters of their own. */
interface Counting extends World {
  readonly counters: number
}

const one = async (t: Test): Promise<Counting> => ({ ...(await alone(t)), counters: 1 })
const threeTogether = async (t: Test): Promise<Counting> => ({ ...(await threeOnRedis(t)), counters: 1 })

/** Three instances that count each by itself. */
async function threeAlone(t: Test): Promise<Counting> {
  const first = await testService(t)
  const others = [await testService(t, { beside: first }), await testService(t, { beside: first })]
  return { ...worldOf([first, ...others]), counters: 3 }
}

const worlds = [
  ['on one instance', false, one],
  ['on three instances without Redis', false, threeAlone],
  ['on three instances with Redis', skipWithoutRedis, threeTogether],
] as const

/** The same person's browser, in front of the next instance. */
function carriedOver(world: World, browser: Browser): Browser {
  const next = world.at(browser.address, browser.cookie)
  next.resetPass = browser.resetPass
  return next
}

/** At the next instance each time. */
async function reset(world: World, me: Person, browser: Browser): Promise<Browser> {
  const token = await link(world.sql, 'password-reset', me.email)
  const there = carriedOver(world, browser)
  const answer = await there.post('/v1/password/reset', { token, password: newPassword })
  if (answer.statusCode !== 204) throw new Error(answer.body)
  return there
}

/** At every instance, so that no counter is left that lacks them. */
const guesses = (world: Counting, me: Person, count: number, from: () => string) =>
  many(count * world.counters, () => signIn(world.at(from()), me.email))

/** What a guesser does before the reset, and goes on doing between it and the sign-in. */
const guessers: Readonly<Record<string, (world: Counting, me: Person) => Promise<unknown>>> = {
  'a rotating one, with another address for each guess': (world, me) =>
    guesses(world, me, perAccount + 10, freshNetworkAddress),
  'a fixed one elsewhere': (world, me) => guesses(world, me, perPair + 5, () => '198.51.100.9'),
  'a fixed one behind the same address': (world, me) => guesses(world, me, perPair + 5, () => home),
  'one behind the same address who tries every account': world =>
    many((perAddress + 5) * world.counters, index => signIn(world.at(home), `nobody-${index}@example.com`)),
  'all of these at once': async (world, me) => {
    const others = Object.keys(guessers).filter(name => name !== 'all of these at once')
    for (const name of others) await guessers[name]?.(world, me)
  },
}

for (const [where, skip, open] of worlds) {
  for (const [guesser, guess] of Object.entries(guessers)) {
    if ((guesser === 'all of these at once') === (open === one)) continue
    test(`PW-11: whoever resets is in ${where}, while there guesses ${guesser}`, { skip }, async t => {
      const world = await open(t)
      const me = await person(world.sql)
      await guesses(world, me, perPair, () => home)
      const browser = await reset(world, me, world.at(home))
      await guess(world, me)
      for (const _ of world.instances) {
        const typo = await signIn(carriedOver(world, browser), me.email)
        t.equal(typo.statusCode, 401, 'a typo is one: it uses nothing up')
      }
      const answer = await signIn(carriedOver(world, browser), me.email, newPassword)
      t.equal(answer.statusCode, 201, answer.body)
      t.same(
        answer.cookies.map(({ name }) => name),
        ['__Host-session'],
      )
    })
  }

  test(`PW-11: a slow guesser who has locked the password itself does not keep its person out ${where}`, {
    skip,
  }, async t => {
    const world = await open(t)
    const me = await person(world.sql)
    const failures = (count: number) =>
      world.sql`update passwords set failures = ${count} where user_id = ${me.id}`
    await failures(100)
    t.equal((await signIn(world.at(home), me.email, goodPassword)).statusCode, 401)
    const browser = await reset(world, me, world.at(home))
    // One guess every few minutes, below every limit, until the person comes to type the new password.
    await failures(100)
    t.equal((await signIn(world.at(), me.email, newPassword)).statusCode, 401, 'elsewhere it is locked again')
    const moved = carriedOver(world, browser)
    moved.address = freshNetworkAddress()
    t.equal((await signIn(moved, me.email, newPassword)).statusCode, 201, 'in its browser, wherever that is')
    await eventually(async () => {
      const [row] = await world.sql`select failures from passwords where user_id = ${me.id}`
      return row?.failures === 0 || undefined
    })
  })

  test(`ten typos, a reset, the right new password: in at once, from anywhere ${where}`, {
    skip,
  }, async t => {
    const world = await open(t)
    const me = await person(world.sql)
    const guess = (address: string) => guesses(world, me, perPair + 2, () => address)
    await guess(home)
    await guess('198.51.100.20')
    await reset(world, me, world.at(home))
    t.equal((await signIn(world.at(home), me.email, newPassword)).statusCode, 201, 'without any cookie')
    t.equal((await signIn(world.at('198.51.100.20'), me.email, newPassword)).statusCode, 201, 'elsewhere')
  })

  test(`from the address of the reset its person is in without a cookie, while others rotate ${where}`, {
    skip,
  }, async t => {
    const world = await open(t)
    const me = await person(world.sql)
    await reset(world, me, world.at(home))
    await guesses(world, me, perAccount + 10, freshNetworkAddress)
    t.equal((await signIn(world.at(), me.email, newPassword)).statusCode, 429, 'elsewhere it is throttled')
    t.equal((await signIn(world.at(home), me.email, newPassword)).statusCode, 201)
    await spent(world, me)
    t.equal((await signIn(world.at(home), me.email, newPassword)).statusCode, 429, 'one sign-in, not two')
  })
}

/** A sign-in has used up the reset; it is written after its answer. */
const spent = ({ sql }: World, { id }: Person) =>
  eventually(async () => {
    const [row] = await sql`select reset_pass_hash from passwords where user_id = ${id}`
    return row?.reset_pass_hash === null || undefined
  })

const judged = (answers: readonly Answer[]) => statuses(answers)[401] ?? 0

test('a reset gives a guesser no attempt more: not elsewhere, not behind the same address, not without the pass', async t => {
  const world = await one(t)
  const me = await person(world.sql)
  await guesses(world, me, perAccount, freshNetworkAddress)
  const browser = await reset(world, me, world.at(home))
  t.equal(judged(await guesses(world, me, perAccount + 50, freshNetworkAddress)), perAccount, 'elsewhere')
  t.equal(judged(await guesses(world, me, 50, () => home)), perPair, 'behind the same address')
  const forged = ['A'.repeat(43), browser.resetPass?.replace(/^./, 'x') ?? '', 'x', '']
  for (const value of forged) {
    const guesser = world.at()
    guesser.resetPass = value
    t.equal((await signIn(guesser, me.email)).statusCode, 429, 'with a pass that is none')
  }
  const other = await person(world.sql)
  const guesser = await reset(world, other, world.at())
  t.equal((await signIn(guesser, me.email)).statusCode, 429, 'with a pass of their own account')
  t.equal((await signIn(carriedOver(world, browser), me.email, newPassword)).statusCode, 201)
})

test('a pass is for ten tries, half an hour and one sign-in, and the next reset ends it', async t => {
  const world = await one(t)
  const me = await person(world.sql)
  const lock = () => guesses(world, me, perAccount + 10, freshNetworkAddress)
  const elsewhere = (browser: Browser) => {
    const moved = carriedOver(world, browser)
    moved.address = freshNetworkAddress()
    return moved
  }
  const right = (browser: Browser) => signIn(elsewhere(browser), me.email, newPassword)

  const tried = await reset(world, me, world.at(home))
  await lock()
  const tries = await many(perPair + 5, () => signIn(elsewhere(tried), me.email))
  t.same(statuses(tries), { 401: perPair, 429: 5 })
  t.equal((await right(tried)).statusCode, 429)

  const old = await reset(world, me, world.at(home))
  await lock()
  await world.sql`update passwords set reset_fresh_until = now() where user_id = ${me.id}`
  t.equal((await right(old)).statusCode, 429, 'half an hour later')
  t.equal((await signIn(world.at(home), me.email, newPassword)).statusCode, 429)

  const [first, second] = [await reset(world, me, world.at(home)), await reset(world, me, world.at(home))]
  await lock()
  t.equal((await right(first)).statusCode, 429, 'the next reset')
  t.equal((await right(second)).statusCode, 201)
  await spent(world, me)
  t.equal((await right(second)).statusCode, 429, 'a second sign-in')

  const changed = await reset(world, me, world.at(home))
  const signedIn = carriedOver(world, changed)
  t.equal((await signIn(signedIn, me.email, newPassword)).statusCode, 201)
  const change = { current_password: newPassword, new_password: 'other words again, and more' }
  t.equal((await signedIn.put('/v1/password', change)).statusCode, 204)
  t.same(
    await world.sql`select reset_pass_hash, reset_network, reset_fresh_until from passwords
    where user_id = ${me.id}`,
    [{ reset_pass_hash: null, reset_network: null, reset_fresh_until: null }],
  )
})

test('a wrong pass is a link that is not accepted: from one address so many are looked up, and no more', async t => {
  const world = await one(t)
  const me = await person(world.sql)
  await many(perAddress, () => signIn(world.at(home), 'nobody@example.com'))
  const { points } = limits['link by address']
  const wrong = () => {
    const guesser = world.at(home)
    guesser.resetPass = 'A'.repeat(43)
    return signIn(guesser, me.email)
  }
  await many(perAddress + points + 5, wrong)
  const token = await link(world.sql, 'password-reset', me.email)
  const refused = await world.at(home).post('/v1/password/reset', { token, password: newPassword })
  t.equal(refused.statusCode, 429, 'they have used up the links of that address')
})

test('the hosted page gives the pass as well, and its sign-in page takes it', async t => {
  const world = await one(t)
  const [service] = world.instances
  const me = await person(world.sql)
  const form = (url: string, fields: Record<string, string>, cookie = '') =>
    service?.app.inject({
      method: 'POST',
      url,
      remoteAddress: home,
      headers: {
        origin: 'http://localhost:4000',
        'content-type': 'application/x-www-form-urlencoded',
        ...(cookie && { cookie }),
      },
      payload: new URLSearchParams(fields).toString(),
    }) as Promise<Answer>
  const token = await link(world.sql, 'password-reset', me.email)
  const done = await form('/password/reset', { token, password: newPassword })
  t.equal(done.statusCode, 200)
  const [pass] = done.cookies
  t.match(
    done.headers['set-cookie'],
    /^__Host-reset=[\w-]{43}; Max-Age=1800; Path=\/; HttpOnly; Secure; SameSite=Lax$/,
  )
  await guesses(world, me, perPair, () => home)
  const sign = (cookie?: string) => form('/sign-in', { email: me.email, password: newPassword }, cookie)
  t.equal((await sign()).statusCode, 429)
  t.equal((await sign(`__Host-reset=${pass?.value}`)).statusCode, 303)
})
