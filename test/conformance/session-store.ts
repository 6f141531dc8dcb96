/** The rules of src/sessions/store.ts, for every back end. Each test has users and sessions of its own. */
import { type Test, test } from 'tap'
import type { ClientId, SessionId, TenantId } from '../../src/core/principal.js'
import {
  address,
  byOperator,
  context,
  goesOn,
  identityOf,
  listOf,
  liveness,
  newSession,
  type OpenWorld,
  opened,
  person,
  random,
  register,
  renewed,
  sessionId,
  successor,
  times,
  type World,
} from './world.js'

const nobody = '00000000-0000-4000-8000-000000000000'
const roles = {
  r1: { name: 'Büro "Chef" \\ 所長', permissions: ['a:read', 'ü:write'] },
  r2: { name: 'viewer', permissions: [] },
}

export function sessionStoreSuite(backEnd: string, open: OpenWorld): void {
  test(`${backEnd} keeps the contract of a session store`, async t => {
    const world = await open(t)
    await opening(t, world)
    await replacing(t, world)
    await crowding(t, world)
    await limits(t, world)
    await revoking(t, world)
    await touching(t, world)
    await ending(t, world)
    await tenants(t, world)
    await minting(t, world)
    await t.test('replacing the epoch of the service kills every session of everybody', async t => {
      const world = await open(t)
      const [{ user: ada }, { user: bob }] = [await person(world), await person(world)]
      const before = [await opened(world, ada), await opened(world, bob)]
      await world.arrange.replaceServiceEpoch()
      for (const { id } of before) {
        t.equal(await liveness(world, id), 'old epoch')
        const { row } = await world.sessions.readForMint(id, question())
        t.equal(row?.epochsCurrent, false, 'the mint sees the same')
      }
      t.equal(await liveness(world, (await opened(world, ada)).id), 'live', 'a new one carries the new epoch')
    })
  })
}

const question = (more: { tenant?: TenantId; client?: string; origin?: string } = {}) => ({
  tenant: more.tenant,
  client: (more.client ?? 'mintmark') as ClientId,
  origin: more.origin,
})

async function opening(t: Test, world: World): Promise<void> {
  await t.test('a session is read back as it was opened, with the clock of the store', async t => {
    const { user, email } = await person(world, address('Ada.Lovelace@Example.com'))
    const before = await world.arrange.now()
    const session = await opened(world, user)
    const { now, row } = await world.sessions.read(session.id)
    const after = await world.arrange.now()
    t.ok(before <= session.now && session.now <= now && now <= after, 'one clock, and it goes forward')
    t.equal(session.endsAt, Math.floor(session.now + session.absoluteSeconds))
    if (!row) throw new Error('no row')
    const { lastSeenAgeSeconds, secretAgeSeconds, ...rest } = row
    t.ok(lastSeenAgeSeconds >= 0 && lastSeenAgeSeconds <= after - before)
    t.equal(secretAgeSeconds, lastSeenAgeSeconds)
    t.strictSame(rest, {
      secretHash: session.secretHash,
      previousSecretHash: null,
      ended: false,
      epochsCurrent: true,
      pastAbsolute: false,
      pastIdle: false,
      userActive: true,
      createdAt: Math.floor(session.now),
      endsAt: session.endsAt,
      idleEndsAt: Math.floor(session.now) + session.idleSeconds,
      idleSeconds: session.idleSeconds,
      authTime: Math.floor(session.now),
      amr: ['pwd'],
      acr: 'aal1',
      user: { id: user, email: email.asTyped, name: 'Ada Lovelace' },
      tenant: 'none',
    })
  })

  await t.test('an id without a session is answered with the clock and nothing else', async t => {
    const { now, row } = await world.sessions.read(sessionId())
    t.equal(row, undefined)
    t.ok(Math.abs(now - (await world.arrange.now())) < 60)
    t.equal((await world.sessions.readForMint(sessionId(), question())).row, undefined)
  })

  await t.test('of many sessions each reading is about the one that was asked for', async t => {
    const { user } = await person(world)
    const sessions = await times(40, () => opened(world, user))
    const readings = await Promise.all(sessions.map(({ id }) => world.sessions.read(id)))
    t.ok(readings.every(({ row }, i) => row?.secretHash.equals(sessions[i]?.secretHash ?? random(32))))
  })

  await t.test('any list of authentication methods comes back as it went in', async t => {
    const { user } = await person(world)
    const amr = ['pwd', 'a"b', 'c\\d', 'e,f', '{g}', ' h ', '', 'NULL', 'ключ 🔑', "i'j\n"]
    const identity = { ...identityOf(user), amr, acr: 'aal2' as const }
    const { id } = await opened(world, user, { identity })
    const { row } = await world.sessions.read(id)
    t.strictSame(row?.amr, amr)
    t.equal(row?.acr, 'aal2')
  })

  await t.test('a session opens only under the current version of the credential', async t => {
    const { user } = await person(world)
    const count = await world.arrange.sessionCount()
    for (const version of [0, 2, 99]) {
      const refused = newSession(user, { identity: identityOf(user, version) })
      t.equal(await world.sessions.open(refused), 'credential-changed', `version ${version}`)
    }
    t.equal(await world.arrange.sessionCount(), count, 'nothing was inserted')
    await opened(world, user)
  })

  await t.test('a session opens only for an active user who exists and has a password', async t => {
    const { user } = await person(world)
    await world.arrange.disable(user)
    const bare = await world.users.create({ email: address(), name: undefined, phc: undefined }, byOperator)
    const passwordless = typeof bare === 'string' ? nobody : bare.id
    for (const nope of [user, passwordless, nobody]) {
      t.equal(await world.sessions.open(newSession(nope as typeof user)), 'credential-changed')
    }
    await world.arrange.enable(user)
    await opened(world, user)
  })

  await t.test('a password changed between its proof and the opening wins', async t => {
    const { user, email } = await person(world)
    const account = await world.accounts.findByEmail(email.canonical)
    const tokenHash = random(32)
    await world.accounts.saveLink({ purpose: 'password-reset', tokenHash, email, lifetimeSeconds: 600 })
    t.match(await world.accounts.resetPassword(tokenHash, 'phc-2', context), { user })
    const late = newSession(user, { identity: identityOf(user, account?.password?.version) })
    t.equal(await world.sessions.open(late), 'credential-changed')
    await opened(world, user, { identity: identityOf(user, 2) })
  })

  await t.test(
    'whatever opens while a password change is under way is dead when the change is done',
    async t => {
      const { user } = await person(world)
      const own = await opened(world, user)
      const late = newSession(user)
      let change: Promise<unknown> | undefined
      let open: ReturnType<typeof world.sessions.open> | undefined
      await world.arrange.whileHeld({ session: own.id }, async () => {
        change = world.accounts.changePassword(changeOf(own))
        await world.arrange.waiters(1)
        open = world.sessions.open(late)
        // It either goes through under the old version or waits for the change.
        await Promise.race([open, world.arrange.waiters(2)])
      })
      const carried = (await change) as { changed: typeof own.id }
      if ((await open) === 'credential-changed') t.equal(await liveness(world, late.id), 'none')
      else t.equal(await liveness(world, late.id), 'old epoch')
      t.equal(await liveness(world, carried.changed), 'live')
    },
  )

  await t.test(
    'parallel openings and password changes leave nothing alive but what the changes carried',
    async t => {
      const { user } = await person(world)
      let own = await opened(world, user)
      for (let version = 1; version <= 8; version++) {
        const change = { ...changeOf(own), expectedVersion: version }
        const [changed, ...ids] = await Promise.all([
          world.accounts.changePassword(change),
          ...Array.from({ length: 6 }, async () => {
            const session = newSession(user, { identity: identityOf(user, version) })
            await world.sessions.open(session)
            return session.id
          }),
        ])
        if (typeof changed === 'string') throw new Error(`round ${version}: ${changed}`)
        own = goesOn(own, change.next, changed.changed)
        const states = await Promise.all(ids.map(id => liveness(world, id)))
        t.notOk(states.includes('live'), `round ${version}: ${states}`)
      }
    },
  )

  await t.test('one id opens one session, however many ask for it', async t => {
    const { user } = await person(world)
    const session = newSession(user)
    const answers = await Promise.allSettled(
      Array.from({ length: 20 }, () => world.sessions.open({ ...session, secretHash: random(32) })),
    )
    t.equal(answers.filter(({ status }) => status === 'fulfilled').length, 1)
  })
}

const changeOf = (own: { id: string; secretHash: Buffer; identity: { user: string } }) =>
  ({
    user: own.identity.user,
    session: own.id,
    provenSecretHash: own.secretHash,
    next: successor(),
    expectedVersion: 1,
    phc: 'phc-changed',
    context,
  }) as Parameters<World['accounts']['changePassword']>[0]

async function replacing(t: Test, world: World): Promise<void> {
  await t.test('signing in over a session ends it, if its secret was proved', async t => {
    const { user } = await person(world)
    const old = await opened(world, user)
    const next = await opened(world, user, { replaces: { id: old.id, secretHash: old.secretHash } })
    t.equal(await liveness(world, old.id), 'ended')
    t.equal(await world.arrange.endOf(old.id), 'replaced')
    t.equal(await liveness(world, next.id), 'live')
  })

  await t.test("another person's session is replaced too, if its secret was proved", async t => {
    const old = await opened(world, (await person(world)).user)
    const next = await opened(world, (await person(world)).user, { replaces: old })
    t.equal(await liveness(world, old.id), 'ended')
    t.equal(await liveness(world, next.id), 'live')
  })

  await t.test('a session whose secret was not proved stays: ids are public', async t => {
    const { user } = await person(world)
    const [first, other] = [await opened(world, user), await opened(world, user)]
    const old = await renewed(world, first)
    for (const secretHash of [random(32), other.secretHash, first.secretHash, Buffer.alloc(0)]) {
      await opened(world, user, { replaces: { id: old.id, secretHash } })
      t.equal(await liveness(world, old.id), 'live')
    }
    await opened(world, user, { replaces: { id: first.id, secretHash: first.secretHash } })
    t.equal(await liveness(world, old.id), 'live', 'nor by the secret before')
    t.equal(await liveness(world, other.id), 'live')
  })

  await t.test('nothing is replaced by a session that was not opened', async t => {
    const { user } = await person(world)
    const old = await opened(world, user)
    const row = await world.arrange.rowOf(old.id)
    const stale = newSession(user, { identity: identityOf(user, 7), replaces: old })
    t.equal(await world.sessions.open(stale), 'credential-changed')
    t.equal(await world.arrange.rowOf(old.id), row)
  })

  await t.test('the time and reason of an earlier end are kept', async t => {
    const { user } = await person(world)
    const old = await opened(world, user)
    await world.sessions.end(old.id, old.secretHash, 'signed-out', context)
    const row = await world.arrange.rowOf(old.id)
    await opened(world, user, { replaces: old })
    t.equal(await world.arrange.rowOf(old.id), row)
  })

  await t.test('signing in over a session while it changes the password is no outage', async t => {
    const { user } = await person(world)
    const own = await opened(world, user)
    const next = newSession(user, { replaces: own })
    let work: Promise<unknown[]> | undefined
    await world.arrange.whileHeld({ session: own.id }, async () => {
      const open = world.sessions.open(next)
      await world.arrange.waiters(1)
      const change = world.accounts.changePassword(changeOf(own))
      work = Promise.all([open, change])
      await world.arrange.waiters(2)
    })
    const answer = await work?.catch(error => error)
    t.type(answer, Array, `one waited for the other and was killed: ${answer}`)
    t.notSame(
      [await liveness(world, own.id), await liveness(world, next.id)],
      ['live', 'live'],
      'never both at once',
    )
  })
}

async function crowding(t: Test, world: World): Promise<void> {
  await t.test(
    'over the most that a person may have the one unused for the longest ends, and is told why',
    async t => {
      const { user } = await person(world)
      const stranger = await opened(world, (await person(world)).user)
      const sessions = await times(4, () => opened(world, user, { most: 4 }))
      for (const [index, { id }] of sessions.entries()) await world.arrange.age(id, { idle: index * 10 })
      const before = (await world.arrange.audited()).length
      const next = await opened(world, user, { most: 4 })
      const last = sessions[3]?.id ?? ''
      const rows = (await world.arrange.audited()).slice(before)
      t.match(
        rows.toSorted((a, b) => (a.action < b.action ? -1 : 1)),
        [
          {
            action: 'session.ended',
            outcome: 'done',
            reason: 'too-many',
            session: last,
            subject: user,
            actor: user,
          },
          { action: 'session.opened', outcome: 'done', reason: null, session: next.id },
        ],
      )
      t.equal(rows.length, 2)
      t.equal(rows[0]?.requestId, rows[1]?.requestId)
      t.same(await Promise.all(sessions.map(({ id }) => liveness(world, id))), [
        'live',
        'live',
        'live',
        'ended',
      ])
      t.equal(await world.arrange.endOf(last as SessionId), 'too-many')
      t.equal(await liveness(world, next.id), 'live')
      t.equal(await liveness(world, stranger.id), 'live')
    },
  )

  await t.test('what is over, or is replaced by this sign-in, takes nobody’s place', async t => {
    const { user } = await person(world)
    const sessions = await times(4, () => opened(world, user, { most: 4 }))
    const [signedOut, replaced, ...kept] = sessions as [Session, Session, Session, Session]
    await world.sessions.end(signedOut.id, signedOut.secretHash, 'signed-out', context)
    await opened(world, user, { most: 4 })
    t.equal(await liveness(world, replaced.id), 'live')
    const last = await opened(world, user, { most: 4, replaces: replaced })
    t.equal(await world.arrange.endOf(replaced.id), 'replaced')
    for (const { id } of [...kept, last]) t.equal(await liveness(world, id), 'live')
    await world.arrange.replaceUserEpoch(user)
    const fresh = await times(4, () => opened(world, user, { most: 4 }))
    for (const { id } of fresh) t.equal(await liveness(world, id), 'live')
  })

  await t.test('of any number of parallel sign-ins no more live than a person may have', async t => {
    const { user } = await person(world)
    const sessions = await times(24, () => opened(world, user, { most: 5 }))
    const states = await Promise.all(sessions.map(({ id }) => liveness(world, id)))
    t.equal(states.filter(state => state === 'live').length, 5)
    t.equal((await listOf(world, user)).length, 5)
  })

  await t.test('a person who had more than that has as many as the rest after the next sign-in', async t => {
    const { user } = await person(world)
    await times(12, () => opened(world, user))
    await opened(world, user, { most: 5 })
    t.equal((await listOf(world, user)).length, 5)
  })

  await t.test('a sign-in that is refused ends none', async t => {
    const { user } = await person(world)
    const sessions = await times(3, () => opened(world, user))
    const wrong = newSession(user, { most: 1, identity: identityOf(user, 2) })
    t.equal(await world.sessions.open(wrong), 'credential-changed')
    for (const { id } of sessions) t.equal(await liveness(world, id), 'live')
  })
}

type Session = Awaited<ReturnType<typeof opened>>

async function limits(t: Test, world: World): Promise<void> {
  await t.test('both limits are those of the row, judged by the clock of the store', async t => {
    const { user } = await person(world)
    const long = { idleSeconds: 1000, absoluteSeconds: 5000 }
    const [a, b, c, d] = [
      await opened(world, user, { ...long, idleSeconds: 900 }),
      await opened(world, user, long),
      await opened(world, user, { ...long, absoluteSeconds: 4000 }),
      await opened(world, user, long),
    ]
    for (const { id } of [a, b]) await world.arrange.age(id, { idle: 950 })
    for (const { id } of [c, d]) await world.arrange.age(id, { absolute: 4500 })
    t.equal(await liveness(world, a.id), 'past idle')
    t.equal(await liveness(world, b.id), 'live')
    t.equal(await liveness(world, c.id), 'past absolute')
    t.equal(await liveness(world, d.id), 'live')
    const { row } = await world.sessions.read(b.id)
    t.ok(row && row.lastSeenAgeSeconds >= 950 && row.lastSeenAgeSeconds < 1010)
    t.equal(row?.idleEndsAt, Math.floor(b.now) + 1000 - 950)
    for (const [id, past] of [
      [a.id, { pastIdle: true, pastAbsolute: false }],
      [c.id, { pastIdle: false, pastAbsolute: true }],
    ] as const) {
      t.match((await world.sessions.readForMint(id, question())).row, past, 'the mint sees the same')
    }
  })

  await t.test('a limit is over at its last second, not one later', async t => {
    const { user } = await person(world)
    const session = await opened(world, user, { idleSeconds: 300, absoluteSeconds: 300 })
    await world.arrange.age(session.id, { idle: 300, absolute: 300 })
    t.match((await world.sessions.read(session.id)).row, { pastIdle: true, pastAbsolute: true })
  })
}

async function revoking(t: Test, world: World): Promise<void> {
  await t.test("replacing a user's epoch kills every session of that user and of nobody else", async t => {
    const [{ user: ada }, { user: bob }] = [await person(world), await person(world)]
    const [a1, a2, b] = [await opened(world, ada), await opened(world, ada), await opened(world, bob)]
    await world.arrange.replaceUserEpoch(ada)
    t.equal(await liveness(world, a1.id), 'old epoch')
    t.equal(await liveness(world, a2.id), 'old epoch')
    t.equal(await liveness(world, b.id), 'live')
    t.equal((await world.sessions.readForMint(a1.id, question())).row?.epochsCurrent, false)
  })

  await t.test('a disabled user has no session, and enabling again resurrects none', async t => {
    const { user } = await person(world)
    const session = await opened(world, user)
    await world.arrange.disable(user)
    t.equal(await liveness(world, session.id), 'disabled')
    t.equal((await world.sessions.readForMint(session.id, question())).row?.userActive, false)
    await world.arrange.enable(user)
    t.equal(await liveness(world, session.id), 'old epoch')
  })

  await t.test('a reading that begins after a revocation returned sees it, on every connection', async t => {
    const { user } = await person(world)
    for (let round = 0; round < 5; round++) {
      const { id, secretHash } = await opened(world, user)
      const under = times(20, () => world.sessions.read(id))
      await world.sessions.end(id, secretHash, 'signed-out', context)
      const after = await times(20, () => world.sessions.read(id))
      t.ok(after.every(({ row }) => row?.ended))
      await under
    }
  })
}

async function touching(t: Test, world: World): Promise<void> {
  await t.test('a touch moves last-seen of a live session and nothing else of it', async t => {
    const { user } = await person(world)
    const { id } = await opened(world, user)
    await world.arrange.age(id, { idle: 500 })
    const { row: before } = await world.sessions.read(id)
    await world.sessions.touch(id)
    const { row: after } = await world.sessions.read(id)
    t.ok(after && before && after.lastSeenAgeSeconds < 60 && before.lastSeenAgeSeconds >= 500)
    const still = (row: typeof after) => ({
      ...row,
      lastSeenAgeSeconds: 0,
      secretAgeSeconds: 0,
      idleEndsAt: 0,
    })
    t.strictSame(still(after), still(before))
    t.ok(after && before && after.idleEndsAt >= before.idleEndsAt + 499)
  })

  await t.test('a touch revives nothing', async t => {
    const { user } = await person(world)
    const { user: other } = await person(world)
    const dead = {
      idle: await opened(world, user),
      absolute: await opened(world, user),
      ended: await opened(world, user),
      epoch: await opened(world, other),
    }
    await world.arrange.age(dead.idle.id, { idle: 1234 })
    await world.arrange.age(dead.absolute.id, { absolute: 56_789 })
    await world.sessions.end(dead.ended.id, dead.ended.secretHash, 'signed-out', context)
    await world.arrange.replaceUserEpoch(other)
    for (const [why, { id }] of Object.entries(dead)) {
      const row = await world.arrange.rowOf(id)
      await world.sessions.touch(id)
      t.equal(await world.arrange.rowOf(id), row, why)
      t.not(await liveness(world, id), 'live', why)
    }
    const disabled = await opened(world, user)
    await world.arrange.disable(user)
    const row = await world.arrange.rowOf(disabled.id)
    await world.sessions.touch(disabled.id)
    t.equal(await world.arrange.rowOf(disabled.id), row, 'disabled')
  })

  await t.test('a touch inserts nothing', async t => {
    const count = await world.arrange.sessionCount()
    const id = sessionId()
    await world.sessions.touch(id)
    t.equal(await world.arrange.rowOf(id), undefined)
    t.equal(await world.arrange.sessionCount(), count)
  })

  await t.test('a touch does not wait for a row that somebody holds, and leaves it alone', async t => {
    const { user } = await person(world)
    const { id } = await opened(world, user)
    await world.arrange.age(id, { idle: 500 })
    const row = await world.arrange.rowOf(id)
    await world.arrange.whileHeld({ session: id }, async () => {
      // It would wait here for as long as this callback runs, and the lock's time-out would throw.
      await world.sessions.touch(id)
      if (world.touchesWhatIsHeld) t.equal(await liveness(world, id), 'live')
      else t.equal(await world.arrange.rowOf(id), row)
    })
  })

  await t.test('an end wins over any number of touches at the same time', async t => {
    const { user } = await person(world)
    for (let round = 0; round < 5; round++) {
      const { id, secretHash } = await opened(world, user)
      await world.arrange.age(id, { idle: 500 })
      const touches = times(20, () => world.sessions.touch(id))
      await world.sessions.end(id, secretHash, 'signed-out', context)
      await touches
      t.equal(await liveness(world, id), 'ended')
    }
  })
}

async function ending(t: Test, world: World): Promise<void> {
  await t.test('the current secret ends a session, and ending twice changes nothing', async t => {
    const { user } = await person(world)
    const [session, other] = [await opened(world, user), await opened(world, user)]
    await world.sessions.end(session.id, session.secretHash, 'signed-out', context)
    t.equal(await liveness(world, session.id), 'ended')
    t.equal(await world.arrange.endOf(session.id), 'signed-out')
    const row = await world.arrange.rowOf(session.id)
    await world.sessions.end(session.id, session.secretHash, 'signed-out', context)
    t.equal(await world.arrange.rowOf(session.id), row)
    t.equal(await liveness(world, other.id), 'live', 'the other device stays signed in')
  })

  await t.test('the previous secret ends a session', async t => {
    const { user } = await person(world)
    const session = await opened(world, user)
    const later = await renewed(world, session)
    t.equal(await liveness(world, later.id), 'live')
    await world.sessions.end(session.id, session.secretHash, 'signed-out', context)
    t.equal(await liveness(world, later.id), 'ended')
    t.equal(await world.arrange.endOf(later.id), 'signed-out')
  })

  await t.test('no other hash ends a session, and an unknown id is no error', async t => {
    const { user } = await person(world)
    const [session, other] = [await opened(world, user), await opened(world, user)]
    for (const hash of [random(32), other.secretHash, Buffer.alloc(0), Buffer.alloc(32)]) {
      await world.sessions.end(session.id, hash, 'signed-out', context)
      t.equal(await liveness(world, session.id), 'live')
    }
    await world.sessions.end(sessionId(), session.secretHash, 'signed-out', context)
    t.equal(await liveness(world, session.id), 'live')
  })
}

async function tenants(t: Test, world: World): Promise<void> {
  await t.test('the standing in a tenant is that of the moment of the reading', async t => {
    const { user } = await person(world)
    const { id } = await opened(world, user)
    const tenant = await world.arrange.tenant('Größe & "Söhne" \\ 株式会社', roles)
    const read = async () => (await world.sessions.read(id)).row?.tenant
    const roleIds = ['r2', 'gone', 'a"b,c\\d']
    t.equal(await read(), 'none')
    await world.arrange.enterTenant(id, tenant)
    t.equal(await read(), 'lost', 'not a member')
    await world.arrange.member(user, tenant, roleIds)
    t.strictSame(await read(), { id: tenant, name: 'Größe & "Söhne" \\ 株式会社', roleIds, roles })
    await world.arrange.member(user, tenant, ['r1'])
    t.match(await read(), { roleIds: ['r1'] })
    await world.arrange.member(user, tenant, [])
    t.strictSame(await read(), { id: tenant, name: 'Größe & "Söhne" \\ 株式会社', roleIds: [], roles })
    await world.arrange.member(user, tenant, ['r1'], 'suspended')
    t.equal(await read(), 'lost', 'the membership is suspended')
    await world.arrange.member(user, tenant, ['r1'])
    await world.arrange.setTenantState(tenant, 'suspended')
    t.equal(await read(), 'lost', 'the tenant is suspended')
    await world.arrange.enterTenant(id, null)
    t.equal(await read(), 'none')
  })

  await t.test("a mint may name another tenant than the session's, one of its user", async t => {
    const [{ user }, { user: other }] = [await person(world), await person(world)]
    const { id } = await opened(world, user)
    const [own, second, foreign] = [
      await world.arrange.tenant('own', roles),
      await world.arrange.tenant('second', roles),
      await world.arrange.tenant('foreign', roles),
    ]
    await world.arrange.enterTenant(id, own)
    await world.arrange.member(user, own, ['r1'])
    await world.arrange.member(user, second, ['r2'])
    await world.arrange.member(other, foreign, ['r1'])
    const ask = async (tenant?: TenantId) =>
      (await world.sessions.readForMint(id, question(tenant && { tenant }))).row?.tenant
    t.match(await ask(), { id: own, roleIds: ['r1'] })
    t.match(await ask(second), { id: second, roleIds: ['r2'] })
    t.equal(await ask(foreign), 'lost', 'only somebody else is a member')
    t.equal(await ask(nobody as TenantId), 'lost')
    t.match((await world.sessions.read(id)).row?.tenant, { id: own }, 'asking changes nothing')
  })
}

async function minting(t: Test, world: World): Promise<void> {
  const audiences = ['https://api.example.com', 'a"b', 'c\\d', 'e,f', '{g}', 'ключ 🔑', 'NULL', "i'j"]
  const create = (clientId: string, origins: string[] = []) =>
    register(world, {
      ...{ clientId, name: clientId, origins, audiences },
      ...{ returnAddresses: [], tokenLifetimeSeconds: 61 },
    })

  await t.test('a mint reads its application: audiences in their order, whatever stands in them', async t => {
    const { user } = await person(world)
    const { id } = await opened(world, user)
    await create('reader', ['http://localhost:7001', 'http://localhost:7002'])
    await create('other', ['http://localhost:7003'])
    const ask = async (client: string, origin?: string) =>
      (await world.sessions.readForMint(id, question({ client, ...(origin && { origin }) }))).application
    const application = { audiences, tokenLifetimeSeconds: 61 }
    t.strictSame(await ask('reader'), application)
    t.strictSame(await ask('reader', 'http://localhost:7002'), application)
    for (const foreign of ['http://localhost:7003', 'http://localhost:7004', 'HTTP://LOCALHOST:7001', 'null'])
      t.equal(await ask('reader', foreign), undefined, foreign)
    for (const unknown of ['nobody', 'READER', '', 'reader '])
      t.equal(await ask(unknown), undefined, JSON.stringify(unknown))
    await world.arrange.removeOrigin('http://localhost:7001')
    t.equal(await ask('reader', 'http://localhost:7001'), undefined, 'removed a moment ago')
    await world.arrange.setApplicationState('reader', 'disabled')
    t.equal(await ask('reader'), undefined, 'disabled a moment ago')
    t.equal(await ask('reader', 'http://localhost:7002'), undefined)
  })

  await t.test('a mint reads what a check reads', async t => {
    const { user } = await person(world)
    const { id } = await opened(world, user)
    const [{ row: check }, { row: mint }] = [
      await world.sessions.read(id),
      await world.sessions.readForMint(id, question()),
    ]
    const timeless = (row: typeof check) => ({ ...row, lastSeenAgeSeconds: 0, secretAgeSeconds: 0 })
    t.strictSame(timeless(mint), timeless(check))
  })
}
