/** The rules of src/accounts/factor-resets.ts, and of what operators do by src/accounts/factors.ts, for every back end. */
import { randomUUID } from 'node:crypto'
import { type Test, test } from 'tap'
import type { FactorResets } from '../../src/accounts/factor-resets.js'
import type { FactorStore } from '../../src/accounts/factors.js'
import type { FactorId, UserId } from '../../src/core/principal.js'
import {
  byCaller,
  byOperator,
  byPerson,
  liveness,
  opened,
  person,
  random,
  sessionId,
  times,
  type World,
} from './world.js'

export interface FactorWorld extends World {
  readonly factors: FactorStore
  readonly resets: FactorResets
  /** The reset of this user is due now. */
  makeDue(user: UserId): Promise<void>
  setPlatformRoles(user: UserId, roles: readonly string[]): Promise<void>
}

const nobody = '00000000-0000-4000-8000-000000000000' as UserId
const day = 86_400
const always = () => true
const session = sessionId()

/** Somebody with a confirmed app and ten recovery codes. */
async function enrolled(world: FactorWorld) {
  const { user, email } = await person(world)
  const by = { user, session, acr: 'aal2', actor: byPerson(user) } as const
  const id = randomUUID() as FactorId
  await world.factors.enrol(by, id, 'Phone', { sealed: random(48), kekId: 'first' })
  const proof = { kind: 'totp', factor: id, step: 1 } as const
  const confirmed = await world.factors.confirm(by, proof, await times(10, async () => random(32)))
  if (typeof confirmed === 'string') throw new Error(confirmed)
  return { user, email: email.asTyped, id, by }
}

const audited = async ({ arrange }: World, subject: UserId) =>
  (await arrange.audited())
    .filter(row => row.subject === subject && row.action.startsWith('factors.'))
    .map(row => row.action)

export function factorResetsSuite(backEnd: string, open: (t: Test) => Promise<FactorWorld>): void {
  test(`${backEnd} resets second factors as the contract says`, async t => {
    const world = await open(t)
    await requesting(t, world)
    await carryingOut(t, world)
    await authority(t, world)
    await lifting(t, world)
    await resealing(t, world)
  })
}

async function requesting(t: Test, world: FactorWorld): Promise<void> {
  await t.test(
    'a reset that is asked for again keeps its time, and is not carried out before it',
    async t => {
      const { user, email } = await enrolled(world)
      const session = await opened(world, user, { identity: aal2(user) })
      const first = await world.resets.request(user, day, byOperator)
      if (typeof first === 'string' || first.dueAt === null) throw new Error('it was not requested')
      t.equal(first.email, email)
      t.ok(Math.abs(first.dueAt - (await world.arrange.now()) - day) < 10)
      t.same(await world.resets.request(user, 60, byOperator), first)
      t.match(await world.factors.of(user), { resetDueAt: first.dueAt, factors: [{}], recoveryCodes: 10 })
      t.equal(await world.resets.carryOut(user, byPerson(user)), undefined)
      t.equal(await liveness(world, session.id), 'live')
      t.same(await audited(world, user), ['factors.reset-requested', 'factors.reset-requested'])
    },
  )

  await t.test('one with no delay is carried out at once, also where another was requested', async t => {
    const { user, email } = await enrolled(world)
    const session = await opened(world, user, { identity: aal2(user) })
    await world.resets.request(user, day, byOperator)
    t.same(await world.resets.request(user, 0, byOperator), { email, dueAt: null })
    t.match(await world.factors.of(user), { factors: [], recoveryCodes: 0, resetDueAt: null })
    t.equal(await liveness(world, session.id), 'old epoch')
    t.equal(await world.resets.request(user, 0, byOperator), 'no-factor')
    t.equal(await world.resets.request(nobody, 0, byOperator), 'unknown')
    t.same(await audited(world, user), ['factors.reset-requested', 'factors.reset'])
  })

  await t.test('an app that is being set up is nothing to reset', async t => {
    const { user } = await person(world)
    const by = { user, session, acr: 'aal1', actor: byPerson(user) } as const
    await world.factors.enrol(by, randomUUID() as FactorId, 'Phone', { sealed: random(48), kekId: 'first' })
    t.equal(await world.resets.request(user, day, byOperator), 'no-factor')
  })

  await t.test('where the audit log takes nothing, nothing is requested, stopped or reset', async t => {
    const { user } = await enrolled(world)
    await world.resets.request(user, day, byOperator)
    const before = await world.factors.of(user)
    await world.arrange.whileAuditRefuses(async () => {
      await t.rejects(world.resets.request(user, 0, byOperator))
      await t.rejects(world.resets.stop(user, byPerson(user)))
    })
    t.same(await world.factors.of(user), before)
  })
}

async function carryingOut(t: Test, world: FactorWorld): Promise<void> {
  await t.test('of twenty at once one carries out what is due, and it says whose mail is next', async t => {
    const { user, email } = await enrolled(world)
    const session = await opened(world, user, { identity: aal2(user) })
    await world.resets.request(user, day, byOperator)
    await world.makeDue(user)
    const done = await times(20, () => world.resets.carryOut(user, byPerson(user)))
    t.same(
      done.filter(answer => answer !== undefined),
      [{ email }],
    )
    t.equal(await liveness(world, session.id), 'old epoch')
    t.match(await world.factors.of(user), { factors: [], recoveryCodes: 0, resetDueAt: null })
    t.equal((await audited(world, user)).filter(action => action === 'factors.reset').length, 1)
  })

  await t.test(
    'one that is stopped is not carried out; of a stop and a sign-in at once one wins',
    async t => {
      const { user, email } = await enrolled(world)
      t.equal(await world.resets.stop(user, byPerson(user)), undefined)
      await world.resets.request(user, day, byOperator)
      t.same(await world.resets.stop(user, byPerson(user)), { email })
      t.equal(await world.resets.stop(user, byPerson(user)), undefined)
      t.equal(await world.resets.carryOut(user, byPerson(user)), undefined)
      for (let round = 0; round < 10; round++) {
        const me = await enrolled(world)
        await world.resets.request(me.user, day, byOperator)
        await world.makeDue(me.user)
        const [stopped, done] = await Promise.all([
          world.resets.stop(me.user, byPerson(me.user)),
          world.resets.carryOut(me.user, byPerson(me.user)),
        ])
        t.equal([stopped, done].filter(Boolean).length, 1)
        t.equal((await world.factors.of(me.user)).factors.length, stopped ? 1 : 0)
      }
    },
  )

  await t.test('with the last factor a requested reset goes, and another user’s stays', async t => {
    const [me, other] = [await enrolled(world), await enrolled(world)]
    for (const { user } of [me, other]) await world.resets.request(user, day, byOperator)
    await world.factors.remove(me.by, me.id)
    t.match(await world.factors.of(me.user), { resetDueAt: null })
    t.ok((await world.factors.of(other.user)).resetDueAt)
  })
}

async function authority(t: Test, world: FactorWorld): Promise<void> {
  await t.test('nobody resets or unlocks somebody who holds more, in the moment of the change', async t => {
    const { user } = await enrolled(world)
    const { user: caller } = await person(world)
    await world.setPlatformRoles(user, ['administrator'])
    await world.setPlatformRoles(caller, ['auditor'])
    const asked = () => [
      world.resets.request(user, 0, byCaller(caller)),
      world.resets.request(user, day, byCaller(caller)),
      world.factors.lift(user, byCaller(caller)),
    ]
    t.same(await Promise.all(asked()), ['forbidden', 'forbidden', 'forbidden'])
    t.match(await world.factors.of(user), { factors: [{}], resetDueAt: null })
    t.same(await audited(world, user), [])
    await world.setPlatformRoles(user, ['auditor'])
    t.equal(await world.factors.lift(user, byCaller(user)), 'forbidden', 'nobody helps themselves')
    t.equal(await world.resets.request(user, 0, byCaller(user)), 'forbidden')
    t.equal(await world.factors.lift(user, byCaller(caller)), 'lifted')
    t.match(await world.resets.request(user, 0, byCaller(caller)), { dueAt: null })
  })
}

async function lifting(t: Test, world: FactorWorld): Promise<void> {
  await t.test('an operator forgets the wrong codes of one user', async t => {
    const [me, other] = [await enrolled(world), await enrolled(world)]
    for (const { user } of [me, other]) {
      for (let tries = 0; tries < 12; tries++) await world.factors.attemptTotp(user, always)
      t.equal(await world.factors.attemptTotp(user, always), 'locked')
    }
    t.match(await world.factors.of(me.user), { codesLocked: true })
    t.equal(await world.factors.lift(me.user, byOperator), 'lifted')
    t.match(await world.factors.attemptTotp(me.user, always), { id: me.id, kekId: 'first' })
    t.equal(await world.factors.attemptTotp(other.user, always), 'locked')
    t.equal(await world.factors.lift(nobody, byOperator), 'unknown')
    t.same(await audited(world, me.user), ['factors.unlocked'])
  })

  await t.test('without its key-encryption key no attempt is counted', async t => {
    const me = await enrolled(world)
    for (let tries = 0; tries < 15; tries++)
      t.same(await world.factors.attemptTotp(me.user, () => false), { missingKek: 'first' })
    t.match(await world.factors.attemptTotp(me.user, always), { id: me.id })
  })
}

async function resealing(t: Test, world: FactorWorld): Promise<void> {
  await t.test(
    'every secret under the named keys is sealed again, each for its user, and no other',
    async t => {
      const people = await times(130, () => enrolled(world))
      t.ok((await world.factors.kekIds()).includes('first'))
      const seen = new Map<string, UserId>()
      const again: Parameters<FactorStore['reseal']>[1] = (user, { id, kekId }) => {
        if (kekId !== 'first') throw new Error(kekId)
        seen.set(id, user)
        return { sealed: Buffer.from(`again ${id}`), kekId: 'second' }
      }
      t.equal(await world.factors.reseal(['elsewhere'], again, byOperator), 0)
      t.ok((await world.factors.reseal(['first'], again, byOperator)) >= people.length)
      for (const { id, user } of people) t.equal(seen.get(id), user)
      t.same(await world.factors.kekIds(), ['second'])
      const [one] = people
      if (!one) throw new Error('nobody')
      t.match(await world.factors.attemptTotp(one.user, always), {
        sealed: Buffer.from(`again ${one.id}`),
        kekId: 'second',
      })
      t.equal(await world.factors.reseal(['first'], again, byOperator), 0)
    },
  )
}

function aal2(user: UserId) {
  return {
    user,
    amr: ['pwd', 'otp', 'mfa'],
    acr: 'aal2',
    credential: { kind: 'password', version: 1 },
  } as const
}
