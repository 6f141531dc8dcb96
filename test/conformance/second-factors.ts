/** The rules of src/accounts/{factors,pending-sign-ins}.ts, and of what a session store does with a second factor. */
import { randomUUID } from 'node:crypto'
import { type Test, test } from 'tap'
import { type FactorActor, mostWrongCodes } from '../../src/accounts/factors.js'
import { mostAttempts } from '../../src/accounts/pending-sign-ins.js'
import type { FactorId, FactorProof, Identity, UserId } from '../../src/core/principal.js'
import {
  address,
  byOperator,
  byPerson,
  context,
  identityOf,
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

const own = sessionId()
const strong = (user: UserId): FactorActor => ({ user, session: own, acr: 'aal2', actor: byPerson(user) })
const weak = (user: UserId): FactorActor => ({ ...strong(user), acr: 'aal1' })
const sealed = { sealed: random(60), kekId: 'first' }
const totp = (factor: FactorId, step: number): Extract<FactorProof, { kind: 'totp' }> => ({
  kind: 'totp',
  factor,
  step,
})

/** Somebody with an app, of which step 10 was used, and three recovery codes. */
async function withApp(world: World, email = address()) {
  const { user } = await person(world, email)
  const factor = randomUUID() as FactorId
  const codes = [random(32), random(32), random(32)] as const
  await world.factors.enrol(strong(user), factor, 'Phone', sealed)
  await world.factors.confirm(strong(user), totp(factor, 10), codes)
  return { user, factor, codes }
}

async function begun(world: World, user: UserId): Promise<Buffer> {
  const hash = random(32)
  await world.pendingSignIns.begin(hash, identityOf(user))
  return hash
}

const second = (user: UserId, proof: FactorProof, pending?: Buffer): Identity => ({
  ...identityOf(user),
  acr: 'aal2',
  amr: ['pwd', 'otp', 'mfa'],
  second: { proof, ...(pending && { pending }) },
})

async function open(world: World, identity: Identity) {
  const session = newSession(identity.user, { identity })
  const answer = await world.sessions.open(session)
  return { session, answer, done: typeof answer !== 'string' }
}

export function secondFactorSuite(backEnd: string, openWorld: OpenWorld): void {
  test(`${backEnd} lets nobody in who owes a second factor`, async t => {
    const world = await openWorld(t)
    await owing(t, world)
    await consuming(t, world)
    await racing(t, world)
    await changedPassword(t, world)
  })
}

async function owing(t: Test, world: World): Promise<void> {
  await t.test('an app that is not confirmed is no factor; a confirmed one is asked for', async t => {
    const { user } = await person(world)
    const factor = randomUUID() as FactorId
    await world.factors.enrol(strong(user), factor, 'Phone', sealed)
    const own = await opened(world, user)
    await world.factors.confirm(strong(user), totp(factor, 1), [random(32)])
    t.equal((await open(world, identityOf(user))).answer, 'second-factor-required')
    t.equal(await liveness(world, own.id), 'live', 'a session of before goes on')
    const renewal = { id: own.id, provenSecretHash: own.secretHash, next: successor(), context }
    t.equal(
      await world.sessions.renew({ ...renewal, identity: identityOf(user) }),
      'second-factor-required',
      'and is not renewed by less',
    )
    const stronger = { ...identityOf(user), acr: 'aal2' as const }
    t.ok((await open(world, stronger)).done, 'whoever says aal2 answers for it')
  })

  await t.test('a password that has changed is a changed credential, factor or not', async t => {
    const { user } = await withApp(world)
    t.equal(await world.pendingSignIns.begin(random(32), identityOf(user, 2)), 'credential-changed')
  })
}

async function consuming(t: Test, world: World): Promise<void> {
  await t.test(
    'a session uses up its pending sign-in and its code, and is refused without either',
    async t => {
      const { user, factor, codes } = await withApp(world)
      const stranger = await withApp(world)
      const refusedWith = async (proof: FactorProof, pending: Buffer, what: string) =>
        t.equal((await open(world, second(user, proof, pending))).answer, 'credential-changed', what)
      const pending = await begun(world, user)
      await refusedWith(totp(factor, 10), pending, 'a step that was used')
      await refusedWith(totp(factor, 9), pending, 'an earlier one')
      await refusedWith(totp(stranger.factor, 11), pending, 'the app of another')
      await refusedWith(totp(factor, 11), await begun(world, stranger.user), 'the sign-in of another')
      await refusedWith({ kind: 'recovery-code', hash: stranger.codes[0] }, pending, 'the code of another')
      const opening = await open(world, second(user, totp(factor, 11), pending))
      t.ok(opening.done, 'nothing of it was used up by what was refused')
      const { row } = await world.sessions.read(opening.session.id)
      t.match(row, { acr: 'aal2', amr: ['pwd', 'otp', 'mfa'] })
      await refusedWith(totp(factor, 12), pending, 'the sign-in again')
      await refusedWith(totp(factor, 11), await begun(world, user), 'the step again')
      const [code] = codes
      t.ok(
        (await open(world, second(user, { kind: 'recovery-code', hash: code }, await begun(world, user))))
          .done,
      )
      await refusedWith({ kind: 'recovery-code', hash: code }, await begun(world, user), 'the code again')
    },
  )

  await t.test('a step-up uses up its code, and nothing of a session that is over', async t => {
    const { user, factor } = await withApp(world)
    const own = await opened(world, user, { identity: second(user, totp(factor, 11)) })
    const renew = (step: number, secretHash = own.secretHash, id = own.id) =>
      world.sessions.renew({
        id,
        provenSecretHash: secretHash,
        next: successor(),
        identity: { ...second(user, totp(factor, step)), credential: { kind: 'factor' } },
        context,
      })
    t.equal(await renew(11), 'superseded', 'the step that signed in')
    t.equal(await renew(12, random(32)), 'superseded', 'another secret')
    const renewed = await renew(12)
    if (typeof renewed === 'string') throw new Error(renewed)
    t.equal(await liveness(world, renewed.renewed.id), 'live')
  })

  await t.test('what ends all sessions ends a pending sign-in', async t => {
    const ends: Record<string, (user: UserId) => Promise<unknown>> = {
      'a new epoch': user => world.arrange.replaceUserEpoch(user),
      'a disable': user => world.arrange.disable(user),
      'the end of all': user => world.revocations.endAllOf(user, byOperator),
    }
    for (const [what, end] of Object.entries(ends)) {
      const { user, factor } = await withApp(world)
      const pending = await begun(world, user)
      t.match(await world.pendingSignIns.read(pending), { next: ['totp', 'recovery_code'] })
      await end(user)
      t.equal(await world.pendingSignIns.read(pending), undefined, what)
      t.equal(await world.pendingSignIns.attempt(pending), undefined, what)
      t.notOk((await open(world, second(user, totp(factor, 11), pending))).done, what)
    }
  })
}

async function racing(t: Test, world: World): Promise<void> {
  await t.test('of many at once with one code, or one pending sign-in, one opens a session', async t => {
    const one = await withApp(world)
    const pending = await times(20, () => begun(world, one.user))
    const byCode = await Promise.all(
      pending.map(hash => open(world, second(one.user, totp(one.factor, 11), hash))),
    )
    t.equal(byCode.filter(({ done }) => done).length, 1, 'one code')
    const other = await withApp(world)
    const hash = await begun(world, other.user)
    const byPending = await times(20, () => open(world, second(other.user, totp(other.factor, 12), hash)))
    t.equal(byPending.filter(({ done }) => done).length, 1, 'one pending sign-in')
  })

  await t.test(
    'a factor that is removed while somebody signs in with it opens nothing afterwards',
    async t => {
      for (let round = 0; round < 10; round++) {
        const { user, factor } = await withApp(world)
        const pending = await begun(world, user)
        const [removed, opening] = await Promise.all([
          world.factors.remove(strong(user), factor),
          open(world, second(user, totp(factor, 11), pending)),
        ])
        t.match(removed, { last: true })
        t.ok(opening.done || opening.answer === 'credential-changed')
        t.notOk((await open(world, second(user, totp(factor, 12), pending))).done)
      }
    },
  )
}

async function changedPassword(t: Test, world: World): Promise<void> {
  await t.test('a changed password is a new proof only of an account without a factor', async t => {
    const { user, factor } = await withApp(world)
    const authTime = Math.floor(await world.arrange.now()) - 3600
    const own = await opened(world, user, { identity: { ...second(user, totp(factor, 11)), authTime } })
    const answer = await world.accounts.changePassword({
      user,
      context,
      session: own.id,
      provenSecretHash: own.secretHash,
      next: successor(),
      expectedVersion: 1,
      phc: 'phc-changed',
    })
    if (typeof answer === 'string') throw new Error(answer)
    t.equal((await world.sessions.read(answer.changed)).row?.authTime, authTime)
  })
}

/** Of Postgres alone: factors lie nowhere else. */
export function factorStoreSuite(backEnd: string, openWorld: OpenWorld): void {
  test(`${backEnd} keeps the contract of a store of factors`, async t => {
    const world = await openWorld(t)
    const { factors } = world

    await t.test(
      'wrong codes are counted before they are looked at, and forgotten by a right one',
      async t => {
        const { user, factor, codes } = await withApp(world)
        const tries = await times(mostWrongCodes + 5, () => factors.attemptTotp(user, () => true))
        t.equal(tries.filter(answer => answer === 'locked').length, 5)
        t.match(await factors.of(user), { codesLocked: true })
        t.notOk((await open(world, identityOf(user))).done, 'a right password changes nothing of it')
        t.equal(await factors.attemptTotp(user, () => true), 'locked')
        const [code] = codes
        t.ok(await factors.isUnusedCode(user, code), 'recovery codes are closed by nothing')
        await open(world, second(user, { kind: 'recovery-code', hash: code }, await begun(world, user)))
        t.match(await factors.attemptTotp(user, () => true), { id: factor }, 'another factor lifts it')
        t.match(await factors.of(user), { codesLocked: false, recoveryCodes: 2 })
        await factors.giveBack(user)
        const tries2 = await times(mostWrongCodes + 5, () => factors.attemptTotp(user, () => true))
        t.equal(tries2.filter(answer => answer === 'locked').length, 5, 'what was given back does not count')
      },
    )

    await t.test('a pending sign-in tries so many codes, of parallel ones each its own', async t => {
      const { user } = await withApp(world)
      const pending = await begun(world, user)
      const tries = await times(mostAttempts + 5, () => world.pendingSignIns.attempt(pending))
      t.equal(tries.filter(answer => answer !== undefined).length, mostAttempts)
      t.equal(await world.pendingSignIns.read(pending), undefined)
      const cancelled = await begun(world, user)
      await world.pendingSignIns.cancel(cancelled)
      t.equal(await world.pendingSignIns.attempt(cancelled), undefined)
    })

    await t.test('with a factor nothing changes by a session that does not rest on one', async t => {
      const { user, factor } = await withApp(world)
      const before = await factors.of(user)
      const by = weak(user)
      t.equal(await factors.enrol(by, randomUUID() as FactorId, 'Other', sealed), 'weak')
      t.equal(await factors.rename(by, factor, 'Other'), 'weak')
      t.equal(await factors.remove(by, factor), 'weak')
      t.equal(await factors.replaceCodes(by, [random(32)]), 'weak')
      t.same(await factors.of(user), before)
      const stranger = await withApp(world)
      t.equal(await factors.rename(strong(stranger.user), factor, 'Mine'), 'unknown')
      t.equal(await factors.remove(strong(stranger.user), factor), 'unknown')
      t.same(await factors.of(user), before)
    })

    await t.test(
      'an enrolment that waits while another makes a factor is judged by what is then',
      async t => {
        const { user } = await person(world)
        const [one, other] = [randomUUID() as FactorId, randomUUID() as FactorId]
        await factors.enrol(weak(user), one, 'One', sealed)
        t.match(await factors.confirm(weak(user), totp(one, 1), [random(32)]), { codesStored: true })
        t.equal(await factors.enrol(weak(user), other, 'Other', sealed), 'weak')
        t.equal(await factors.confirm(weak(user), totp(other, 1), [random(32)]), 'weak')
      },
    )

    await t.test('an app is seen and confirmed by the session that sets it up, and by no other', async t => {
      const { user } = await person(world)
      const [mine, theirs] = [randomUUID() as FactorId, randomUUID() as FactorId]
      const other = { ...weak(user), session: sessionId() }
      await factors.enrol(weak(user), mine, 'Mine', sealed)
      t.match(await factors.unconfirmed(user, own), { id: mine })
      t.equal(await factors.unconfirmed(user, other.session), undefined)
      t.equal(await factors.confirm(other, totp(mine, 1), [random(32)]), 'unknown')
      await factors.enrol(other, theirs, 'Theirs', sealed)
      t.equal(
        await factors.unconfirmed(user, own),
        undefined,
        'it was replaced, and its own session sees that',
      )
      t.equal(await factors.confirm(weak(user), totp(mine, 1), [random(32)]), 'unknown')
    })

    await t.test('whoever proves a factor, or adds one, needs no reset any more', async t => {
      const { user, factor, codes } = await withApp(world)
      const asked = () => world.factorResets.request(user, 3600, byOperator)
      const due = async () => (await factors.of(user)).resetDueAt
      await asked()
      const [hash] = codes
      await open(world, second(user, { kind: 'recovery-code', hash }, await begun(world, user)))
      t.ok(await due(), 'a recovery code is for who has lost the factor')
      await open(world, second(user, totp(factor, 11), await begun(world, user)))
      t.equal(await due(), null)
      await asked()
      const next = randomUUID() as FactorId
      await factors.enrol(strong(user), next, 'New', sealed)
      await factors.confirm(strong(user), totp(next, 5), [random(32)])
      t.equal(await due(), null)
    })

    await t.test('a new app takes the place of the one before, and keeps the recovery codes', async t => {
      const { user, factor } = await withApp(world)
      const next = randomUUID() as FactorId
      await factors.enrol(strong(user), next, 'New', sealed)
      t.match((await factors.of(user)).factors, [{ id: factor }], 'not before it is confirmed')
      t.match(await factors.confirm(strong(user), totp(next, 5), [random(32)]), { codesStored: false })
      t.match(await factors.of(user), { factors: [{ id: next, name: 'New' }], recoveryCodes: 3 })
      t.equal(await factors.confirm(strong(user), totp(next, 6), [random(32)]), 'unknown', 'once')
    })

    await t.test('with the last factor goes all that stands beside it', async t => {
      const { user, factor, codes } = await withApp(world)
      const pending = await begun(world, user)
      t.match(await factors.remove(strong(user), factor), { removed: { name: 'Phone' }, last: true })
      t.match(await factors.of(user), { factors: [], recoveryCodes: 0 })
      t.equal(await factors.attemptTotp(user, () => true), 'none')
      t.notOk(await factors.isUnusedCode(user, codes[0]))
      t.equal(await world.pendingSignIns.attempt(pending), undefined)
      t.equal(await factors.replaceCodes(strong(user), [random(32)]), 'unknown')
      t.ok((await open(world, identityOf(user))).done)
    })

    await t.test('each change is in the audit log by whoever made it, and ends no session', async t => {
      const { user, factor } = await withApp(world)
      const own = await opened(world, user, { identity: { ...identityOf(user), acr: 'aal2' } })
      await factors.rename(strong(user), factor, 'Other')
      await factors.replaceCodes(strong(user), [random(32)])
      await factors.remove(strong(user), factor)
      const rows = (await world.arrange.audited()).filter(({ subject }) => subject === user)
      const named = rows.map(({ action }) => action).filter(action => /factor|codes/.test(action))
      t.same(named, ['factor.added', 'factor.renamed', 'recovery-codes.replaced', 'factor.removed'])
      t.ok(rows.every(({ actor, action }) => action === 'account.created' || actor === user))
      t.equal(await liveness(world, own.id), 'live')
    })
  })
}
