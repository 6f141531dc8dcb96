/** The rules of src/accounts/store.ts and src/accounts/users.ts, for every back end. */
import { type Test, test } from 'tap'
import type { LinkPurpose, PasswordChange } from '../../src/accounts/store.js'
import type { EmailAddress } from '../../src/core/email-address.js'
import type { UserId } from '../../src/core/principal.js'
import {
  address,
  byOperator,
  changed,
  context,
  goneOf,
  identityOf,
  liveness,
  newSession,
  type OpenWorld,
  opened,
  person,
  random,
  renewed,
  successor,
  times,
  type World,
} from './world.js'

const nobody = '00000000-0000-4000-8000-000000000000' as UserId

export function accountStoreSuite(backEnd: string, open: OpenWorld): void {
  test(`${backEnd} keeps the contract of an account store`, async t => {
    const world = await open(t)
    await finding(t, world)
    await links(t, world)
    await registering(t, world)
    await resetting(t, world)
    await changing(t, world)
    await rehashing(t, world)
    await failing(t, world)
    await fresh(t, world)
  })
}

async function link(world: World, purpose: LinkPurpose, email: EmailAddress, lifetimeSeconds = 1800) {
  const tokenHash = random(32)
  await world.accounts.saveLink({ purpose, tokenHash, email, lifetimeSeconds })
  return tokenHash
}

/** A password, its version and every session are as they were. */
async function snapshot(world: World, user: UserId, sessions: readonly { id: string }[]) {
  const account = await world.accounts.findById(user)
  const rows = await Promise.all(sessions.map(({ id }) => world.arrange.rowOf(id as never)))
  const live = await Promise.all(sessions.map(({ id }) => liveness(world, id as never)))
  return { account, rows, live }
}

async function finding(t: Test, world: World): Promise<void> {
  await t.test(
    'a person is found by canonical address and by id, with the address as it was typed',
    async t => {
      const email = address('Grace.Hopper@Example.com')
      const { user } = await person(world, email)
      const account = {
        user,
        email: 'Grace.Hopper@Example.com',
        active: true,
        password: { phc: 'phc-1', version: 1, failures: 0 },
      }
      t.strictSame(await world.accounts.findByEmail(email.canonical), account)
      t.strictSame(await world.accounts.findById(user), account)
      t.equal(await world.accounts.findByEmail(address().canonical), undefined)
      t.equal(await world.accounts.findById(nobody), undefined)
    },
  )

  await t.test('a person without a password has none, and a disabled one is not active', async t => {
    const made = await world.users.create({ email: address(), name: undefined, phc: undefined }, byOperator)
    const user = typeof made === 'string' ? nobody : made.id
    t.match(await world.accounts.findById(user), { active: true, password: undefined })
    await world.arrange.disable(user)
    t.match(await world.accounts.findById(user), { active: false })
  })

  await t.test(
    'an address belongs to one person: of many that an operator creates at once one is made',
    async t => {
      const answers = await times(10, i =>
        world.users.create(
          {
            email: address(i % 2 ? 'Same@Example.com' : 'same@example.com'),
            name: undefined,
            phc: `phc-${i}`,
          },
          byOperator,
        ),
      )
      t.equal(answers.filter(answer => answer === 'address-taken').length, 9)
    },
  )
}

async function links(t: Test, world: World): Promise<void> {
  await t.test('looking at a link changes nothing, and shows it only to its purpose', async t => {
    const { email } = await person(world)
    const stranger = address('Stranger@Example.com')
    const [reset, signUp] = [
      await link(world, 'password-reset', email),
      await link(world, 'sign-up', stranger),
    ]
    for (let look = 0; look < 3; look++) {
      t.strictSame(await world.accounts.pendingLink('password-reset', reset), {
        email: email.canonical,
        name: 'Ada Lovelace',
      })
      t.strictSame(await world.accounts.pendingLink('sign-up', signUp), {
        email: 'stranger@example.com',
        name: null,
      })
    }
    t.equal(await world.accounts.pendingLink('sign-up', reset), undefined)
    t.equal(await world.accounts.pendingLink('password-reset', signUp), undefined)
    t.equal(await world.accounts.pendingLink('sign-up', random(32)), undefined)
  })

  await t.test('a link of one purpose completes nothing of the other, and stays', async t => {
    const { user, email } = await person(world)
    const [reset, signUp] = [
      await link(world, 'password-reset', email),
      await link(world, 'sign-up', address()),
    ]
    t.equal(await world.accounts.register(reset, 'phc-x', undefined, context), undefined)
    t.equal(await world.accounts.resetPassword(signUp, 'phc-x', context), undefined)
    t.match(await world.accounts.findById(user), { password: { phc: 'phc-1', version: 1, failures: 0 } })
    t.ok(await world.accounts.pendingLink('password-reset', reset))
    t.ok(await world.accounts.pendingLink('sign-up', signUp))
  })

  await t.test('a link dies at the end of its lifetime, by the clock of the store', async t => {
    const { user, email } = await person(world)
    for (const purpose of ['sign-up', 'password-reset'] as const) {
      const tokenHash = await link(world, purpose, purpose === 'sign-up' ? address() : email, 600)
      await world.arrange.ageLink(tokenHash, 500)
      t.ok(await world.accounts.pendingLink(purpose, tokenHash))
      await world.arrange.ageLink(tokenHash, 100)
      t.equal(await world.accounts.pendingLink(purpose, tokenHash), undefined)
      const late =
        purpose === 'sign-up'
          ? world.accounts.register(tokenHash, 'phc-late', undefined, context)
          : world.accounts.resetPassword(tokenHash, 'phc-late', context)
      t.equal(await late, undefined)
    }
    t.match(await world.accounts.findById(user), { password: { phc: 'phc-1', version: 1, failures: 0 } })
  })

  await t.test('a discarded link opens nothing', async t => {
    const tokenHash = random(32)
    const email = address()
    const discarded = { purpose: 'sign-up', tokenHash, email, lifetimeSeconds: 60, discarded: true } as const
    await world.accounts.saveLink(discarded)
    t.equal(await world.accounts.pendingLink('sign-up', tokenHash), undefined)
    t.equal(await world.accounts.register(tokenHash, 'phc', undefined, context), undefined)
    await world.accounts.saveLink({ ...discarded, discarded: false })
    t.match(await world.accounts.pendingLink('sign-up', tokenHash), { email: email.canonical })
  })

  await t.test('only the hash of a token, all of it, is a link', async t => {
    await t.rejects(
      world.accounts.saveLink({
        purpose: 'sign-up',
        tokenHash: random(31),
        email: address(),
        lifetimeSeconds: 60,
      }),
      'a value that is no SHA-256 cannot be saved',
    )
    const tokenHash = await link(world, 'sign-up', address())
    t.equal(await world.accounts.register(tokenHash.subarray(0, 31), 'phc', undefined, context), undefined)
  })
}

async function registering(t: Test, world: World): Promise<void> {
  await t.test('a sign-up link is worth one account, however many use it at once', async t => {
    const email = address('New.Person@Example.com')
    const tokenHash = await link(world, 'sign-up', email)
    const answers = await times(50, i => world.accounts.register(tokenHash, `phc-${i}`, 'Zoë 🦊', context))
    const winners = answers.flatMap((one, i) => (one ? [{ user: one.user, phc: `phc-${i}`, one }] : []))
    t.equal(winners.length, 1)
    t.match(winners[0]?.one, { passwordVersion: 1, reclaimed: undefined })
    const [winner] = winners
    t.strictSame(await world.accounts.findByEmail(email.canonical), {
      user: winner?.user,
      email: 'New.Person@Example.com',
      active: true,
      password: { phc: winner?.phc, version: 1, failures: 0 },
    })
    const { row } = await world.sessions.read((await opened(world, winner?.user ?? nobody)).id)
    t.equal(row?.user.name, 'Zoë 🦊')
  })

  await t.test('registering ends the other links of that address, and no others', async t => {
    const email = address()
    const [used, other] = [await link(world, 'sign-up', email), await link(world, 'sign-up', email)]
    const reset = await link(world, 'password-reset', email)
    const stranger = await link(world, 'sign-up', address())
    t.ok(await world.accounts.register(used, 'phc', undefined, context))
    t.equal(await world.accounts.pendingLink('sign-up', used), undefined)
    t.equal(await world.accounts.pendingLink('sign-up', other), undefined)
    t.equal(await world.accounts.pendingLink('password-reset', reset), undefined, 'another purpose')
    t.ok(await world.accounts.pendingLink('sign-up', stranger), 'another address')
  })

  await t.test('an address that somebody has by now is not registered again', async t => {
    const email = address('Taken@Example.com')
    const { user } = await person(world, address('taken@example.com'))
    await world.arrange.verify(user)
    const tokenHash = await link(world, 'sign-up', email)
    t.equal(await world.accounts.register(tokenHash, 'phc-attacker', 'Mallory', context), undefined)
    t.match(await world.accounts.findByEmail(email.canonical), {
      user,
      email: 'taken@example.com',
      password: { phc: 'phc-1', version: 1, failures: 0 },
    })
  })

  await t.test(
    'an account that nobody has verified becomes that of who opens the link, once, without what it had',
    async t => {
      const { user } = await person(world, address('Held@Example.com'))
      const session = await opened(world, user)
      const email = address('held@example.com')
      const tokenHash = await link(world, 'sign-up', email)
      const before = (await world.arrange.audited()).length
      const answers = await times(10, i => world.accounts.register(tokenHash, `phc-${i}`, 'Ada', context))
      const winner = answers.findIndex(Boolean)
      const reclaimed = { to: 'held@example.com', password: true, factors: false, providers: [] }
      t.same(answers.filter(Boolean), [{ user, passwordVersion: 2, reclaimed }])
      t.strictSame(await world.accounts.findById(user), {
        user,
        email: 'held@example.com',
        active: true,
        password: { phc: `phc-${winner}`, version: 2, failures: 0 },
      })
      t.equal(await liveness(world, session.id), 'old epoch')
      t.equal(await world.sessions.open(newSession(user)), 'credential-changed', 'nor by the password before')
      const rows = (await world.arrange.audited()).slice(before).map(({ action }) => action)
      t.same(rows, ['account.reclaimed', 'password.reset'])
      const own = await opened(world, user, { identity: identityOf(user, 2) })
      t.equal((await world.sessions.read(own.id)).row?.user.name, 'Ada')
      const second = await link(world, 'sign-up', email)
      t.equal(await world.accounts.register(second, 'phc-x', 'Eve', context), undefined, 'verified by now')
      t.equal(await liveness(world, own.id), 'live')
    },
  )

  await t.test('nobody gets an account that is disabled by a sign-up link', async t => {
    const { user, email } = await person(world)
    await world.arrange.disable(user)
    t.equal(
      await world.accounts.register(await link(world, 'sign-up', email), 'phc-2', 'Eve', context),
      undefined,
    )
    t.match(await world.accounts.findById(user), { password: { phc: 'phc-1', version: 1 } })
  })

  await t.test(
    'a sign-up and a reset of one address at the same time are no outage, and one wins',
    async t => {
      const { user, email } = await person(world)
      const gate = await link(world, 'password-reset', email)
      const [signUp, reset] = [
        await link(world, 'sign-up', email),
        await link(world, 'password-reset', email),
      ]
      const answers = await atOnceBehind<unknown>(world, gate, [signUp, reset], hash =>
        hash === signUp
          ? world.accounts.register(hash, 'phc-2', undefined, context)
          : world.accounts.resetPassword(hash, 'phc-3', context),
      )
      t.type(answers, Array, `one waited for the other and was killed: ${answers}`)
      t.equal([answers].flat().filter(Boolean).length, 1)
      t.equal((await world.accounts.findById(user))?.password?.version, 2)
    },
  )

  await t.test('two links of one address used at the same time make one account and no outage', async t => {
    const email = address()
    const gate = await link(world, 'sign-up', email)
    const both = [await link(world, 'sign-up', email), await link(world, 'sign-up', email)]
    const answers = await atOnceBehind(world, gate, both, hash =>
      world.accounts.register(hash, 'phc', undefined, context),
    )
    t.type(answers, Array, `one waited for the other and was killed: ${answers}`)
    t.equal([answers].flat().filter(Boolean).length, 1)
  })
}

/** Starts both uses while somebody holds the gate, a third link, and lets them go when both wait. */
async function atOnceBehind<T>(
  world: World,
  gate: Buffer,
  hashes: Buffer[],
  use: (hash: Buffer) => Promise<T>,
) {
  let work: Promise<T[]> | undefined
  await world.arrange.whileHeld({ link: gate }, async () => {
    work = Promise.all(hashes.map(use))
    work.catch(() => {})
    await Promise.race([work.catch(() => {}), world.arrange.waiters(hashes.length)])
  })
  return work?.catch((error: Error) => error)
}

async function resetting(t: Test, world: World): Promise<void> {
  await t.test(
    'a reset link sets one password, however many use it at once, and ends every session',
    async t => {
      const { user, email } = await person(world)
      const sessions = [await opened(world, user), await opened(world, user)]
      const stranger = await opened(world, (await person(world)).user)
      const tokenHash = await link(world, 'password-reset', email)
      const answers = await times(50, i => world.accounts.resetPassword(tokenHash, `phc-new-${i}`, context))
      t.match(answers.filter(Boolean), [{ user }])
      t.equal(answers.filter(Boolean).length, 1)
      const phc = `phc-new-${answers.findIndex(Boolean)}`
      t.strictSame((await world.accounts.findById(user))?.password, { phc, version: 2, failures: 0 })
      for (const { id } of sessions) t.equal(await liveness(world, id), 'old epoch')
      t.equal(await liveness(world, stranger.id), 'live')
    },
  )

  await t.test('a reset ends the other links of that address, and no others', async t => {
    const { email } = await person(world)
    const other = address()
    const [used, second, signUp, stranger] = [
      await link(world, 'password-reset', email),
      await link(world, 'password-reset', email),
      await link(world, 'sign-up', email),
      await link(world, 'password-reset', other),
    ]
    t.ok(await world.accounts.resetPassword(used, 'phc-2', context))
    t.equal(await world.accounts.resetPassword(second, 'phc-3', context), undefined)
    t.equal(await world.accounts.pendingLink('sign-up', signUp), undefined)
    t.ok(await world.accounts.pendingLink('password-reset', stranger))
  })

  await t.test('a reset gives a first password to a person who had none', async t => {
    const email = address()
    await world.users.create({ email, name: 'No Password', phc: undefined }, byOperator)
    const reset = await world.accounts.resetPassword(
      await link(world, 'password-reset', email),
      'phc-first',
      context,
    )
    const user = reset?.user ?? nobody
    const password = (await world.accounts.findByEmail(email.canonical))?.password
    t.match(password, { phc: 'phc-first', failures: 0 })
    const own = await opened(world, user, { identity: identityOf(user, password?.version) })
    t.equal(await liveness(world, own.id), 'live')
  })

  await t.test(
    'the first reset says what it ended; a later one, what signs the person in as well',
    async t => {
      const { user, email } = await person(world)
      const reset = async (phc: string) =>
        world.accounts.resetPassword(await link(world, 'password-reset', email), phc, context)
      const whom = { user, email: email.asTyped, providers: [] }
      const had = { to: email.asTyped, password: true, factors: false, providers: [] }
      t.strictSame(await reset('phc-2'), { ...whom, reclaimed: had })
      t.strictSame(await reset('phc-3'), { ...whom, reclaimed: undefined })
      const bare = address()
      await world.users.create({ email: bare, name: undefined, phc: undefined }, byOperator)
      const before = (await world.arrange.audited()).length
      const first = await world.accounts.resetPassword(
        await link(world, 'password-reset', bare),
        'phc-1',
        context,
      )
      t.match(first?.reclaimed, { to: bare.asTyped, password: false, providers: [] })
      const rows = (await world.arrange.audited()).slice(before).map(({ action }) => action)
      t.same(rows, ['password.reset'], 'where there was nothing, nothing is said to have gone')
    },
  )

  await t.test('nobody who is disabled, or unknown, gets a password by a link', async t => {
    const { user, email } = await person(world)
    const tokenHash = await link(world, 'password-reset', email)
    await world.arrange.disable(user)
    t.equal(await world.accounts.resetPassword(tokenHash, 'phc-2', context), undefined)
    t.match(await world.accounts.findById(user), { password: { phc: 'phc-1', version: 1, failures: 0 } })
    t.equal(
      await world.accounts.resetPassword(await link(world, 'password-reset', address()), 'phc-2', context),
      undefined,
    )
  })

  await t.test(
    'two reset links of one person used at the same time: one sets the password, no outage',
    async t => {
      const { user, email } = await person(world)
      const gate = await link(world, 'password-reset', email)
      const both = [await link(world, 'password-reset', email), await link(world, 'password-reset', email)]
      const answers = await atOnceBehind(world, gate, both, hash =>
        world.accounts.resetPassword(hash, 'phc-2', context),
      )
      t.type(answers, Array, `one waited for the other and was killed: ${answers}`)
      t.match([answers].flat().filter(Boolean), [{ user }])
      t.equal((await world.accounts.findById(user))?.password?.version, 2)
    },
  )
}

async function changing(t: Test, world: World): Promise<void> {
  const changeOf = (
    own: { id: string; secretHash: Buffer },
    user: UserId,
    more: Partial<PasswordChange> = {},
  ): PasswordChange => ({
    user,
    context,
    session: own.id as PasswordChange['session'],
    provenSecretHash: own.secretHash,
    next: successor(),
    expectedVersion: 1,
    phc: 'phc-changed',
    ...more,
  })

  await t.test(
    "a changed password carries the caller's session over under a new secret, and no other",
    async t => {
      const { user } = await person(world)
      const [own, other] = [await opened(world, user), await opened(world, user)]
      const stranger = await opened(world, (await person(world)).user)
      await world.arrange.age(own.id, { idle: 500 })
      const changedBefore = await world.arrange.passwordChangedAt(user)
      const change = changeOf(own, user)
      const answer = await world.accounts.changePassword(change)
      if (typeof answer === 'string') throw new Error(answer)

      t.strictSame((await world.accounts.findById(user))?.password, {
        phc: 'phc-changed',
        version: 2,
        failures: 0,
      })
      t.ok((await world.arrange.passwordChangedAt(user)) > changedBefore)
      t.equal(await liveness(world, answer.changed), 'live')
      t.equal(await liveness(world, other.id), 'old epoch')
      t.equal(await liveness(world, stranger.id), 'live')
      const { row, now } = await world.sessions.read(answer.changed)
      t.strictSame(row?.secretHash, change.next.secretHash)
      t.equal(await goneOf(world, own), 'superseded', 'the secret before opens nothing')
      t.equal(row?.endsAt, own.endsAt, 'a proof does not move the absolute end')
      t.ok(row && row.lastSeenAgeSeconds < 60, 'it counts as use')
      t.ok(row?.authTime && row.authTime >= Math.floor(own.now) && row.authTime <= now)
      t.equal(await world.sessions.open({ ...own, secretHash: random(32) }), 'credential-changed')
      await opened(world, user, { identity: identityOf(user, 2) })
    },
  )

  await t.test('of two changes at the same time one changes the password', async t => {
    for (let round = 0; round < 5; round++) {
      const { user } = await person(world)
      const sessions = [await opened(world, user), await opened(world, user)]
      const answers = await Promise.all(
        sessions.map((own, i) =>
          world.accounts.changePassword(changeOf(own, user, { phc: `phc-changed-${i}` })),
        ),
      )
      const winner = answers.findIndex(answer => typeof answer !== 'string')
      t.equal(answers[1 - winner], 'credential-changed')
      const won = answers[winner]
      if (!won || typeof won === 'string') throw new Error(`round ${round}: ${answers}`)
      t.strictSame((await world.accounts.findById(user))?.password, {
        phc: `phc-changed-${winner}`,
        version: 2,
        failures: 0,
      })
      t.equal(await liveness(world, won.changed), 'live')
      t.equal(await liveness(world, sessions[1 - winner]?.id ?? won.changed), 'old epoch')
    }
  })

  await t.test('of ten changes with one cookie at the same time one sets a new one', async t => {
    const { user } = await person(world)
    const own = await opened(world, user)
    const changes = Array.from({ length: 10 }, () => changeOf(own, user))
    const answers = await Promise.all(changes.map(change => world.accounts.changePassword(change)))
    const winner = answers.findIndex(answer => typeof answer !== 'string')
    const won = answers[winner]
    if (!won || typeof won === 'string') throw new Error(String(answers))
    t.equal(answers.filter(answer => typeof answer === 'string').length, 9)
    const { row } = await world.sessions.read(won.changed)
    t.strictSame(row?.secretHash, changes[winner]?.next.secretHash)
    t.equal((await world.accounts.findById(user))?.password?.version, 2)
  })

  await t.test('a change by a session that is not live any more leaves everything untouched', async t => {
    const { user } = await person(world)
    const { user: somebody } = await person(world)
    const [other, before] = [await opened(world, user), await opened(world, user)]
    const dead = {
      superseded: await opened(world, user),
      previous: await renewed(world, before),
      idle: await opened(world, user),
      absolute: await opened(world, user),
      ended: await opened(world, user),
      "somebody else's": await opened(world, somebody),
      'other secret': await opened(world, user),
    }
    await world.arrange.age(dead.idle.id, { idle: 1234 })
    await world.arrange.age(dead.absolute.id, { absolute: 56_789 })
    await world.sessions.end(dead.ended.id, dead.ended.secretHash, 'signed-out', context)
    const proven: Record<string, Buffer> = {
      superseded: random(32),
      previous: before.secretHash,
      'other secret': other.secretHash,
    }
    const all = [other, ...Object.values(dead)]
    const untouched = await snapshot(world, user, all)
    for (const [why, own] of Object.entries(dead)) {
      const change = changeOf(own, user, { provenSecretHash: proven[why] ?? own.secretHash })
      t.equal(await world.accounts.changePassword(change), 'superseded', why)
      t.strictSame(await snapshot(world, user, all), untouched, why)
    }
    t.equal(await changed(world, changeOf(other, user)), 'changed', 'the live one still can')
  })

  await t.test('a change by a session of an older epoch leaves everything untouched', async t => {
    const { user } = await person(world)
    const own = await opened(world, user)
    await world.arrange.replaceUserEpoch(user)
    const young = await opened(world, user)
    const before = await snapshot(world, user, [own, young])
    t.equal(await world.accounts.changePassword(changeOf(own, user)), 'superseded')
    t.strictSame(await snapshot(world, user, [own, young]), before)
    t.equal(await liveness(world, own.id), 'old epoch', 'it was not carried back to life')
  })

  await t.test('a change after another change, or by nobody, leaves everything untouched', async t => {
    const { user } = await person(world)
    const own = await opened(world, user)
    const before = await snapshot(world, user, [own])
    for (const expectedVersion of [0, 2]) {
      t.equal(
        await world.accounts.changePassword(changeOf(own, user, { expectedVersion })),
        'credential-changed',
      )
    }
    t.equal(await world.accounts.changePassword(changeOf(own, nobody)), 'credential-changed')
    t.strictSame(await snapshot(world, user, [own]), before)
    await world.arrange.disable(user)
    t.equal(await world.accounts.changePassword(changeOf(own, user)), 'credential-changed', 'disabled')
    t.match(await world.accounts.findById(user), { password: { phc: 'phc-1', version: 1, failures: 0 } })
  })

  await t.test(
    'a change and a reset at the same time: whichever is last, no session of before survives both',
    async t => {
      for (let round = 0; round < 5; round++) {
        const { user, email } = await person(world)
        const [own, other] = [await opened(world, user), await opened(world, user)]
        const tokenHash = await link(world, 'password-reset', email)
        const [change, reset] = await Promise.all([
          changed(world, changeOf(own, user)),
          world.accounts.resetPassword(tokenHash, 'phc-reset', context),
        ])
        const { password } = (await world.accounts.findById(user)) ?? {}
        if (reset === undefined) {
          t.equal(change, 'changed', 'a link from before the change opens nothing after it')
          t.match(password, { phc: 'phc-changed', version: 2 })
        } else {
          t.match(password, { phc: 'phc-reset', version: change === 'changed' ? 3 : 2 })
          t.equal(await liveness(world, own.id), 'old epoch')
        }
        t.equal(await liveness(world, other.id), 'old epoch')
      }
    },
  )
}

async function rehashing(t: Test, world: World): Promise<void> {
  await t.test('a re-hash keeps the version and every session', async t => {
    const { user } = await person(world)
    const own = await opened(world, user)
    const changedAt = await world.arrange.passwordChangedAt(user)
    await world.accounts.rehash(user, 1, 'phc-1', 'phc-1-stronger')
    t.strictSame((await world.accounts.findById(user))?.password, {
      phc: 'phc-1-stronger',
      version: 1,
      failures: 0,
    })
    t.equal(await liveness(world, own.id), 'live')
    t.equal(await world.arrange.passwordChangedAt(user), changedAt, 'nobody changed their password')
    await opened(world, user)
  })

  await t.test('a re-hash of what has changed meanwhile does nothing', async t => {
    const { user } = await person(world)
    const { user: other } = await person(world)
    await world.accounts.rehash(user, 2, 'phc-1', 'phc-old')
    await world.accounts.rehash(user, 1, 'phc-0', 'phc-old')
    await world.accounts.rehash(nobody, 1, 'phc-1', 'phc-old')
    t.strictSame((await world.accounts.findById(user))?.password, { phc: 'phc-1', version: 1, failures: 0 })
    await world.accounts.rehash(user, 1, 'phc-1', 'phc-1-stronger')
    t.strictSame((await world.accounts.findById(other))?.password, { phc: 'phc-1', version: 1, failures: 0 })
  })

  await t.test('a re-hash and a reset at the same time never bring the old password back', async t => {
    for (let round = 0; round < 5; round++) {
      const { user, email } = await person(world)
      const tokenHash = await link(world, 'password-reset', email)
      await Promise.all([
        world.accounts.rehash(user, 1, 'phc-1', 'phc-1-stronger'),
        world.accounts.resetPassword(tokenHash, 'phc-new', context),
      ])
      t.strictSame((await world.accounts.findById(user))?.password, {
        phc: 'phc-new',
        version: 2,
        failures: 0,
      })
    }
  })
}

async function fresh(t: Test, world: World): Promise<void> {
  const reset = async (email: EmailAddress, lifetimeSeconds = 1800) => {
    const passHash = random(32)
    const from = { passHash, network: '203.0.113.7', lifetimeSeconds }
    const tokenHash = await link(world, 'password-reset', email)
    await world.accounts.resetPassword(tokenHash, 'phc-new', context, from)
    return { passHash, network: '203.0.113.7' }
  }
  const freshOf = async (user: UserId) => (await world.accounts.findById(user))?.password?.freshReset

  await t.test(
    'a reset is fresh for its time, its person and no other, until another one follows',
    async t => {
      const [{ user, email }, { user: other }] = [await person(world), await person(world)]
      t.equal(await freshOf(user), undefined)
      const first = await reset(email)
      t.strictSame(await freshOf(user), first)
      t.strictSame((await world.accounts.findByEmail(email.canonical))?.password?.freshReset, first)
      t.equal(await freshOf(other), undefined)
      t.strictSame(await freshOf(user), first, 'looking changes nothing')
      await world.accounts.recordFailure(user)
      t.strictSame(await freshOf(user), first, 'nor does a wrong password')
      const second = await reset(email)
      t.strictSame(await freshOf(user), second)
      await reset(email, 0)
      t.equal(await freshOf(user), undefined)
    },
  )

  await t.test(
    'a right password ends it, and so does a reset that says nothing of where it came from',
    async t => {
      const { user, email } = await person(world)
      await reset(email)
      await world.accounts.forgetFailures(user)
      t.equal(await freshOf(user), undefined)
      await reset(email)
      await world.accounts.resetPassword(await link(world, 'password-reset', email), 'phc-3', context)
      t.equal(await freshOf(user), undefined)
    },
  )
}

async function failing(t: Test, world: World): Promise<void> {
  const failuresOf = async (user: UserId) => (await world.accounts.findById(user))?.password?.failures
  const fail = (user: UserId, count: number) => times(count, () => world.accounts.recordFailure(user))

  await t.test('every wrong password counts, however many come at once, and for nobody else', async t => {
    const [{ user }, { user: other }] = [await person(world), await person(world)]
    await fail(other, 2)
    await fail(user, 40)
    t.equal(await failuresOf(user), 40)
    t.equal(await failuresOf(other), 2)
    t.match(await world.accounts.findById(user), { password: { phc: 'phc-1', version: 1 } })
  })

  await t.test('a count of failures touches no session, and is not a change of the password', async t => {
    const { user } = await person(world)
    const own = await opened(world, user)
    const changedAt = await world.arrange.passwordChangedAt(user)
    await fail(user, 3)
    await world.accounts.forgetFailures(user)
    t.equal(await liveness(world, own.id), 'live')
    t.equal(await world.arrange.passwordChangedAt(user), changedAt)
    await opened(world, user)
  })

  await t.test('a right password forgets them, of this person alone', async t => {
    const [{ user }, { user: other }] = [await person(world), await person(world)]
    for (const one of [user, other]) await fail(one, 3)
    await world.accounts.forgetFailures(user)
    t.equal(await failuresOf(user), 0)
    t.equal(await failuresOf(other), 3)
  })

  await t.test('a new password forgets them, by a reset and by a change; a re-hash does not', async t => {
    const [{ user: reset, email }, { user: changed }, { user: rehashed }] = [
      await person(world),
      await person(world),
      await person(world),
    ]
    const own = await opened(world, changed)
    for (const user of [reset, changed, rehashed]) await fail(user, 5)
    await world.accounts.resetPassword(await link(world, 'password-reset', email), 'phc-2', context)
    t.equal(await failuresOf(reset), 0)
    const change = {
      user: changed,
      session: own.id,
      provenSecretHash: own.secretHash,
      next: successor(),
      expectedVersion: 1,
      phc: 'phc-2',
      context,
    }
    t.type(await world.accounts.changePassword(change), 'object')
    t.equal(await failuresOf(changed), 0)
    await world.accounts.rehash(rehashed, 1, 'phc-1', 'phc-1-stronger')
    t.equal(await failuresOf(rehashed), 5)
  })

  await t.test(
    'who has no password, or does not exist, has no failures, and counting is no error',
    async t => {
      const made = await world.users.create({ email: address(), name: undefined, phc: undefined }, byOperator)
      const user = typeof made === 'string' ? nobody : made.id
      for (const one of [user, nobody]) {
        await world.accounts.recordFailure(one)
        await world.accounts.forgetFailures(one)
      }
      t.match(await world.accounts.findById(user), { password: undefined })
    },
  )
}
