/** The rules of src/accounts/users.ts, for every back end. */
import { type Test, test } from 'tap'
import type { UserId } from '../../src/core/principal.js'
import {
  address,
  byOperator,
  listOf,
  liveness,
  newSession,
  type OpenWorld,
  opened,
  person,
  random,
  type World,
} from './world.js'

const nobody = '00000000-0000-4000-8000-000000000000' as UserId

export function userStoreSuite(backEnd: string, open: OpenWorld): void {
  test(`${backEnd} stops, starts and removes people as the contract says`, async t => {
    const world = await open(t)
    await finding(t, world)
    await disabling(t, world)
    await removing(t, world)
  })
}

async function finding(t: Test, world: World): Promise<void> {
  await t.test('a person is found by id and by address', async t => {
    const { user, email } = await person(world)
    t.equal(await world.users.find(user), user)
    t.equal(await world.users.find({ email: email.canonical }), user)
    t.equal(await world.users.find(nobody), undefined)
    t.equal(await world.users.find({ email: address().canonical }), undefined)
  })
}

async function disabling(t: Test, world: World): Promise<void> {
  await t.test('a disabled person has no session and opens none; enabling brings none back', async t => {
    const { user } = await person(world)
    const session = await opened(world, user)
    t.equal(await world.users.disable(user, byOperator), 'disabled')
    t.equal(await liveness(world, session.id), 'disabled')
    t.equal(await world.sessions.open(newSession(user)), 'credential-changed')
    t.equal(await world.users.disable(user, byOperator), 'disabled', 'twice is no error')
    t.equal(await world.users.enable(user, byOperator), 'enabled')
    t.equal(await liveness(world, session.id), 'old epoch')
    t.equal(await liveness(world, (await opened(world, user)).id), 'live')
    t.equal(await world.users.disable(nobody, byOperator), 'unknown')
    t.equal(await world.users.enable(nobody, byOperator), 'unknown')
  })

  await t.test('a session that opened while its person was disabled does not come back either', async t => {
    const { user } = await person(world)
    const late = newSession(user)
    let disable: Promise<unknown> | undefined
    await world.arrange.whileHeld({ user }, async () => {
      disable = world.users.disable(user, byOperator)
      await world.arrange.waiters(1)
      const opening = world.sessions.open(late)
      await Promise.race([opening, world.arrange.waiters(2)])
    })
    await disable
    await world.users.enable(user, byOperator)
    t.match(await liveness(world, late.id), /^(old epoch|none)$/)
  })
}

async function removing(t: Test, world: World): Promise<void> {
  await t.test('a removed person is gone with sessions and links, and the address is free', async t => {
    const { user, email } = await person(world)
    const session = await opened(world, user)
    const tokenHash = random(32)
    await world.accounts.saveLink({ purpose: 'password-reset', tokenHash, email, lifetimeSeconds: 600 })
    t.equal(await world.users.remove(user, byOperator), 'removed')
    t.equal(await liveness(world, session.id), 'none')
    t.equal(await world.accounts.findById(user), undefined)
    t.equal(await world.accounts.pendingLink('password-reset', tokenHash), undefined)
    t.equal(await world.sessions.open(newSession(user)), 'credential-changed')
    t.equal(await world.users.remove(user, byOperator), 'unknown')
    const [event] = (await world.arrange.audited()).filter(row => row.action === 'account.deleted')
    t.match(event, { subject: user, outcome: 'done' }, 'what was written down stays')
    t.not((await person(world, email)).user, user)
  })

  await t.test('a session that opens while its person is removed is refused, not an error', async t => {
    const { user } = await person(world)
    let opening: Promise<unknown> | undefined
    let removal: Promise<unknown> | undefined
    await world.arrange.whileHeld({ user }, async () => {
      removal = world.users.remove(user, byOperator)
      await world.arrange.waiters(1)
      opening = world.sessions.open(newSession(user))
      await Promise.race([opening, world.arrange.waiters(2)])
    })
    t.equal(await removal, 'removed')
    t.match(String(await opening), /^(credential-changed|\[object Object\])$/)
    t.same(await listOf(world, user), [])
  })
}
