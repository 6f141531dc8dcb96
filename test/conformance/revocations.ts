/** The rules of src/sessions/revocations.ts, for every back end. Each test has people and sessions of its own. */
import { type Test, test } from 'tap'
import type { SessionId, UserId } from '../../src/core/principal.js'
import type { OwnSession } from '../../src/sessions/revocations.js'
import {
  byOperator,
  byPerson,
  context,
  count,
  goesOn,
  goneOf,
  identityOf,
  listOf,
  liveness,
  newSession,
  type OpenWorld,
  opened,
  person,
  random,
  sessionId,
  successor,
  times,
  type World,
} from './world.js'

const nobody = '00000000-0000-4000-8000-000000000000' as UserId
type Opened = Awaited<ReturnType<typeof opened>>
const ownOf = (session: Opened): OwnSession => ({
  user: session.identity.user,
  id: session.id,
  provenSecretHash: session.secretHash,
  next: successor(),
})

export function revocationsSuite(backEnd: string, open: OpenWorld): void {
  test(`${backEnd} ends sessions as the contract says`, async t => {
    const world = await open(t)
    await listing(t, world)
    await inPages(t, world)
    await one(t, world)
    await withCauses(t, world)
    await others(t, world)
    await racing(t, world)
    await all(t, world)
    await auditing(t, world)
  })
}

async function listing(t: Test, world: World): Promise<void> {
  await t.test('the list holds the live sessions of this person, the latest used first', async t => {
    const { user } = await person(world)
    await opened(world, (await person(world)).user)
    const [first, second, over, idle] = (await times(4, () => opened(world, user))) as [
      Opened,
      Opened,
      Opened,
      Opened,
    ]
    await world.arrange.age(first.id, { idle: 500 })
    await world.sessions.end(over.id, over.secretHash, 'signed-out', context)
    await world.arrange.age(idle.id, { idle: idle.idleSeconds })
    const listed = await listOf(world, user)
    t.same(
      listed.map(({ id }) => id),
      [second.id, first.id],
    )
    t.strictSame(listed[0], {
      id: second.id,
      userAgent: second.device.userAgent,
      address: second.device.address,
      createdAt: Math.floor(second.now),
      lastSeenAt: Math.floor(second.now),
      endsAt: second.endsAt,
    })
    await world.revocations.endAllOf(user, byOperator)
    t.same(await listOf(world, user), [])
    t.same(await listOf(world, nobody), [])
  })
}

async function inPages(t: Test, world: World): Promise<void> {
  await t.test(
    'the list comes in pages: each session once, the latest used first, one person’s alone',
    async t => {
      const { user } = await person(world)
      await opened(world, (await person(world)).user)
      const sessions = await times(7, () => opened(world, user))
      for (const [index, { id }] of sessions.entries()) await world.arrange.age(id, { idle: index * 10 })
      const seen: string[] = []
      let after: string | undefined
      for (let pages = 1; ; pages++) {
        const page = await world.revocations.list(user, { limit: 3, after })
        seen.push(...page.items.map(({ id }) => id))
        after = page.next
        if (after !== undefined) continue
        t.equal(pages, 3)
        break
      }
      t.same(
        seen,
        sessions.map(({ id }) => id),
      )
      const whole = await world.revocations.list(user, { limit: 7, after: undefined })
      t.equal(whole.next, undefined, 'a page that holds all is the last one')
    },
  )
}

async function one(t: Test, world: World): Promise<void> {
  await t.test('ending one session ends that one, and again is no error', async t => {
    const { user } = await person(world)
    const [a, b] = [await opened(world, user), await opened(world, user)]
    t.equal(await world.revocations.endOne(a.id, user, byPerson(user)), 'ended')
    t.equal(await liveness(world, a.id), 'ended')
    t.equal(await world.arrange.endOf(a.id), 'by-person')
    const row = await world.arrange.rowOf(a.id)
    t.equal(await world.revocations.endOne(a.id, user, byPerson(user)), 'ended')
    t.equal(await world.arrange.rowOf(a.id), row, 'the first end is kept')
    t.equal(await liveness(world, b.id), 'live')
    t.equal(await world.revocations.endOne(b.id, 'anyone', byOperator), 'ended')
    t.equal(await world.arrange.endOf(b.id), 'by-operator')
  })

  await t.test("SS-18: another's session is as unknown as one that never was", async t => {
    const [mine, theirs] = [
      await opened(world, (await person(world)).user),
      await opened(world, (await person(world)).user),
    ]
    const { user } = mine.identity
    for (const id of [theirs.id, sessionId(), '' as SessionId])
      t.equal(await world.revocations.endOne(id, user, byPerson(user)), 'unknown')
    t.equal(await liveness(world, theirs.id), 'live')
  })
}

async function withCauses(t: Test, world: World): Promise<void> {
  await t.test('sessions end with their cause: in its transaction, and not without it', async t => {
    const { user } = await person(world)
    const [a, b, c] = [await opened(world, user), await opened(world, user), await opened(world, user)]
    await world.transaction(tx => world.within.end(tx, [a.id, b.id, sessionId()], 'by-provider', byOperator))
    for (const { id } of [a, b]) {
      t.equal(await liveness(world, id), 'ended')
      t.equal(await world.arrange.endOf(id), 'by-provider')
    }
    await t.rejects(
      world.transaction(async tx => {
        await world.within.end(tx, [c.id], 'by-provider', byOperator)
        throw new Error('the cause failed')
      }),
    )
    t.equal(await liveness(world, c.id), 'live')
  })
}

async function others(t: Test, world: World): Promise<void> {
  await t.test('SS-12: all others end, the caller goes on, nobody else is touched', async t => {
    const { user } = await person(world)
    const stranger = await opened(world, (await person(world)).user)
    const own = await opened(world, user)
    const rest = await times(3, () => opened(world, user))
    const ending = ownOf(own)
    const answer = await world.revocations.endOthers(ending, byPerson(user))
    if (typeof answer === 'string') throw new Error(answer)
    const { renewed, ...ended } = answer
    t.same(ended, count(world, 3))
    for (const { id } of rest) t.equal(await liveness(world, id), 'old epoch')
    const after = renewed === undefined ? own : goesOn(own, ending.next, renewed)
    t.equal(await goneOf(world, after), 'live', 'under its secret, or a new one that it was given')
    if (renewed !== undefined) t.equal(await goneOf(world, own), 'superseded')
    t.equal((await world.sessions.read(after.id)).row?.authTime, Math.floor(own.now), 'it is no proof')
    t.equal(await liveness(world, stranger.id), 'live')
    t.match(
      await world.revocations.endOthers(ownOf(after), byPerson(user)),
      count(world, 0),
      'again: nothing',
    )
    t.equal(await liveness(world, (await opened(world, user)).id), 'live', 'later ones may come')
  })

  await t.test('a caller whose own session is over ends nothing', async t => {
    const { user } = await person(world)
    const other = await opened(world, user)
    const over: Record<string, (own: Opened) => Promise<unknown>> = {
      ended: own => world.sessions.end(own.id, own.secretHash, 'signed-out', context),
      idle: own => world.arrange.age(own.id, { idle: own.idleSeconds }),
      expired: own => world.arrange.age(own.id, { absolute: own.absoluteSeconds }),
    }
    for (const [what, end] of Object.entries(over)) {
      const own = await opened(world, user)
      await end(own)
      t.equal(await world.revocations.endOthers(ownOf(own), byPerson(user)), 'gone', what)
    }
    const unknown = { ...ownOf(other), id: sessionId() }
    t.equal(await world.revocations.endOthers(unknown, byPerson(user)), 'gone')
    const foreign = { ...ownOf(other), user: (await person(world)).user }
    t.equal(await world.revocations.endOthers(foreign, byPerson(user)), 'gone')
    const stale = { ...ownOf(other), provenSecretHash: random(32) }
    t.equal(await world.revocations.endOthers(stale, byPerson(user)), 'superseded')
    t.equal(await liveness(world, other.id), 'live')
  })
}

async function racing(t: Test, world: World): Promise<void> {
  await t.test('of two devices that end each other at once one stays', async t => {
    for (let round = 0; round < 10; round++) {
      const { user } = await person(world)
      const devices = await times(4, () => opened(world, user))
      const answers = await Promise.all(
        devices.map(device => world.revocations.endOthers(ownOf(device), byPerson(user))),
      )
      t.equal(answers.filter(answer => answer === 'gone').length, 3, `round ${round}`)
      const listed = (await listOf(world, user)).map(({ id }) => id)
      const winner = answers.findIndex(answer => answer !== 'gone')
      const won = answers[winner]
      const { renewed } = typeof won === 'object' ? won : {}
      t.same(listed, [renewed ?? devices[winner]?.id], 'the one that was answered so')
    }
  })

  await t.test('who waits for the lock while all sessions are ended carries none over', async t => {
    const { user } = await person(world)
    const own = await opened(world, user)
    let all: Promise<unknown> | undefined
    let rest: Promise<unknown> | undefined
    await world.arrange.whileHeld({ user }, async () => {
      all = world.revocations.endAllOf(user, byOperator)
      await world.arrange.waiters(1)
      rest = world.revocations.endOthers(ownOf(own), byPerson(user))
      await world.arrange.waiters(2)
    })
    t.same(await all, count(world, 1))
    t.equal(await rest, 'gone')
    t.equal(await liveness(world, own.id), 'old epoch')
  })

  await t.test(
    'a session that opens while all are ended is over when the call has returned, or opened after it',
    async t => {
      const { user } = await person(world)
      const late = newSession(user, { identity: identityOf(user) })
      let all: Promise<unknown> | undefined
      await world.arrange.whileHeld({ user }, async () => {
        all = world.revocations.endAllOf(user, byOperator)
        await world.arrange.waiters(1)
        const opening = world.sessions.open(late)
        await Promise.race([opening, world.arrange.waiters(2)])
      })
      await all
      t.match(await liveness(world, late.id), /^(old epoch|none)$/)
    },
  )
}

async function all(t: Test, world: World): Promise<void> {
  await t.test('all of a person end, and of nobody else', async t => {
    const { user } = await person(world)
    const stranger = await opened(world, (await person(world)).user)
    const sessions = await times(3, () => opened(world, user))
    t.same(await world.revocations.endAllOf(user, byPerson(user)), count(world, 3))
    for (const { id } of sessions) t.equal(await liveness(world, id), 'old epoch')
    t.equal(await liveness(world, stranger.id), 'live')
    t.same(await world.revocations.endAllOf(user, byPerson(user)), count(world, 0))
    t.equal(await world.revocations.endAllOf(nobody, byOperator), 'unknown')
  })

  await t.test("everybody's end, and whoever signs in again lives", async t => {
    const sessions = await times(3, async () => opened(world, (await person(world)).user))
    const { ended } = await world.revocations.endAll(byOperator)
    t.ok(ended === undefined || ended >= 3)
    for (const { id } of sessions) t.equal(await liveness(world, id), 'old epoch')
    t.same(await world.revocations.endAll(byOperator), count(world, 0))
    t.equal(await liveness(world, (await opened(world, (await person(world)).user)).id), 'live')
  })
}

async function auditing(t: Test, world: World): Promise<void> {
  await t.test('each is one row in the audit log, in its transaction', async t => {
    const { user } = await person(world)
    const own = await opened(world, user)
    const works: Record<string, () => Promise<unknown>> = {
      'sessions.ended': () => world.revocations.endOthers(ownOf(own), byPerson(user)),
      'session.ended': () => world.revocations.endOne(own.id, 'anyone', byPerson(user)),
      'service.sessions-ended': () => world.revocations.endAll(byPerson(user)),
    }
    for (const [action, work] of Object.entries(works)) {
      const before = (await world.arrange.audited()).length
      await work()
      const added = (await world.arrange.audited()).slice(before)
      t.match(added, [{ action, outcome: 'done', actor: user, address: context.address }], action)
      t.equal(added.length, 1)
    }
  })

  await t.test('what cannot be written down is not done', async t => {
    const { user } = await person(world)
    const [own, other] = [await opened(world, user), await opened(world, user)]
    await world.arrange.whileAuditRefuses(async () => {
      const works: (() => Promise<unknown>)[] = [
        () => world.revocations.endOne(other.id, user, byPerson(user)),
        () => world.revocations.endOthers(ownOf(own), byPerson(user)),
        () => world.revocations.endAllOf(user, byOperator),
        () => world.revocations.endAll(byOperator),
      ]
      for (const work of works) await t.rejects(work())
    })
    for (const { id } of [own, other]) t.equal(await liveness(world, id), 'live')
  })
}
