/** The rules of src/tenants/invitations.ts and src/accounts/redemptions.ts, for every back end. */
import { type Test, test } from 'tap'
import type { Actor } from '../../src/audit/events.js'
import type { EmailAddress } from '../../src/core/email-address.js'
import type { UserId } from '../../src/core/principal.js'
import { newServiceCredential } from '../../src/core/service-key.js'
import type { Invitation } from '../../src/tenants/invitations.js'
import type { Tenant } from '../../src/tenants/tenants.js'
import {
  address,
  byCaller,
  byOperator,
  byPerson,
  context,
  liveness,
  type OpenWorld,
  opened,
  person,
  random,
  times,
  type World,
} from './world.js'

export function invitationStoreSuite(backEnd: string, open: OpenWorld): void {
  test(`${backEnd} keeps the contract of an invitation store`, async t => {
    const world = await open(t)
    await offering(t, world)
    await taking(t, world)
    await inviters(t, world)
    await repeating(t, world)
  })
}

async function tenant(world: World): Promise<Tenant> {
  const made = await world.tenants.create('Acme', byOperator)
  if (typeof made === 'string') throw new Error(made)
  return made
}

async function invited(
  world: World,
  place: Tenant,
  email: EmailAddress,
  roleIds = ['member'],
  actor: Actor = byOperator,
) {
  const tokenHash = random(32)
  const wanted = { tenant: place.id, email, roleIds, tokenHash, lifetimeSeconds: 600 }
  const answer = await world.invitations.create(wanted, actor)
  if (typeof answer === 'string') throw new Error(answer)
  return { tokenHash, ...answer.invitation }
}
async function repeating(t: Test, world: World): Promise<void> {
  await t.test(
    'one that is repeated under its key gets the new token until its mail was claimed, once',
    async t => {
      const place = await tenant(world)
      const email = address('repeated@example.com')
      const once = { caller: 'somebody', key: random(16).toString('hex'), requestHash: random(32) }
      const create = async () => {
        const tokenHash = random(32)
        const wanted = { tenant: place.id, email, roleIds: ['member'], tokenHash, lifetimeSeconds: 600 }
        const answer = await world.invitations.create(wanted, { ...byOperator, idempotency: once })
        if (typeof answer === 'string') throw new Error(answer)
        return {
          ...answer,
          tokenHash,
          claim: () => world.invitations.claimMail(answer.invitation.id, tokenHash, once),
        }
      }
      const works = async (hash: Buffer) => (await world.invitations.pending(hash)) !== undefined
      // Its caller did not learn that it was committed, so nobody has sent the mail.
      const lost = await create()
      const told = await create()
      t.strictSame(told.invitation, lost.invitation)
      t.same([lost.mailed, told.mailed], [false, false])
      t.same([await works(lost.tokenHash), await works(told.tokenHash)], [false, true])
      t.equal(await lost.claim(), false, 'another has the token')
      t.equal(await told.claim(), true)
      const late = await create()
      t.strictSame(late.invitation, told.invitation)
      t.equal(late.mailed, true)
      t.same(
        [await works(late.tokenHash), await works(told.tokenHash)],
        [false, true],
        'the mailed link stays',
      )
      const differently = { ...byOperator, idempotency: { ...once, requestHash: random(32) } }
      const other = { tenant: place.id, email, roleIds: [], tokenHash: random(32), lifetimeSeconds: 600 }
      t.equal(await world.invitations.create(other, differently), 'repeated-differently')
      await world.invitations.withdraw(place.id, told.invitation.id, byOperator)
      t.equal(await told.claim(), false, 'it is gone')
    },
  )
}
const membership = async (world: World, user: UserId) => (await world.memberships.of(user))[0]

async function offering(t: Test, world: World): Promise<void> {
  await t.test(
    'who invites is named: a person by the address of their account, a service key by its name',
    async t => {
      const place = await tenant(world)
      const create = async (actor: Actor) => {
        const wanted = {
          tenant: place.id,
          email: address(),
          roleIds: [],
          tokenHash: random(32),
          lifetimeSeconds: 600,
        }
        const answer = await world.invitations.create(wanted, actor)
        return typeof answer === 'string' ? answer : [answer.tenantName, answer.inviter]
      }
      const { user } = await person(world, address('Ada.Lovelace@Bücher.example'))
      t.same(await create(byPerson(user)), ['Acme', { account: 'ada.lovelace@xn--bcher-kva.example' }])
      const { id } = newServiceCredential()
      const key = { id, secretHash: random(32), name: 'Billing', scopes: [], audiences: [], tenant: null }
      await world.serviceKeys.create({ ...key, lifetimeSeconds: 600 }, byOperator)
      t.same(await create({ ...byOperator, serviceKey: id }), ['Acme', { serviceKey: 'Billing' }])
      t.same(await create(byOperator), ['Acme', undefined])
    },
  )

  await t.test('an invitation is listed until it is withdrawn, replaced or taken', async t => {
    const place = await tenant(world)
    const email = address('Grace.Hopper@Example.com')
    const first = await invited(world, place, email, ['admin', 'member', 'admin'])
    const listed = async () => (await world.invitations.list(place.id, { limit: 10, after: undefined })).items
    const { tokenHash, ...shown } = first
    t.strictSame(await listed(), [shown as Invitation])
    t.match(shown, { email: 'Grace.Hopper@Example.com', roleIds: ['admin', 'member'], inviter: null })
    t.equal(shown.expiresAt - shown.createdAt, 600)
    t.same(await world.invitations.pending(tokenHash), { email: email.canonical, tenant: 'Acme' })
    const second = await invited(world, place, address('grace.hopper@example.com'))
    t.same(
      (await listed()).map(({ id }) => id),
      [second.id],
      'one for an address',
    )
    t.equal(await world.invitations.pending(tokenHash), undefined)
    const other = await tenant(world)
    t.equal(await world.invitations.withdraw(other.id, second.id, byOperator), 'unknown', 'of another tenant')
    t.equal(await world.invitations.withdraw(place.id, second.id, byOperator), 'withdrawn')
    t.equal(await world.invitations.withdraw(place.id, second.id, byOperator), 'unknown')
    t.same(await listed(), [])
  })

  await t.test('roles that the tenant lacks, or that may not be given, are not offered', async t => {
    const place = await tenant(world)
    const wanted = {
      tenant: place.id,
      email: address(),
      roleIds: ['nope'],
      tokenHash: random(32),
      lifetimeSeconds: 60,
    }
    t.equal(await world.invitations.create(wanted, byOperator), 'unknown-role')
    const owner = { ...wanted, roleIds: ['owner'] }
    const admin = (await person(world)).user
    await world.memberships.put(
      { tenant: place.id, user: admin, roleIds: ['admin'], state: 'active' },
      byOperator,
    )
    t.equal(await world.invitations.create(owner, byCaller(admin, place.id)), 'forbidden')
    const nowhere = { ...owner, tenant: wanted.email.canonical as never }
    await t.rejects(world.invitations.create(nowhere, byOperator))
    t.same((await world.invitations.list(place.id, { limit: 10, after: undefined })).items, [])
    const named = await world.tenants.createRole(place.id, { name: 'By Name', permissions: [] }, byOperator)
    t.match(
      await world.invitations.create({ ...wanted, roleIds: ['By Name'], tokenHash: random(32) }, byOperator),
      { invitation: { roleIds: [(named as { id: string }).id] } },
    )
  })
}

async function taking(t: Test, world: World): Promise<void> {
  await t.test(
    'of any number of takers at once one becomes a member, by the address it was sent to',
    async t => {
      const place = await tenant(world)
      const { user, email } = await person(world)
      const { tokenHash } = await invited(world, place, email)
      const answers = await times(10, () => world.invitations.accept(tokenHash, user, byPerson(user)))
      t.same(answers.filter(Boolean), [{ tenant: place.id }])
      t.match(await membership(world, user), { tenant: place.id, roleIds: ['member'], state: 'active' })
      t.equal(await world.invitations.accept(tokenHash, user, byPerson(user)), undefined)
    },
  )

  await t.test(
    'TN-11: another person, or another token, takes nothing, and it is still there for the right one',
    async t => {
      const place = await tenant(world)
      const { user, email } = await person(world)
      const stranger = await person(world)
      await world.arrange.verify(user)
      const { tokenHash } = await invited(world, place, email)
      t.equal(await world.invitations.accept(tokenHash, stranger.user, byPerson(stranger.user)), undefined)
      t.equal(await world.invitations.accept(random(32), user, byPerson(user)), undefined)
      t.equal(
        await world.invitations.register(tokenHash, 'phc', 'Eve', context),
        undefined,
        'the account exists',
      )
      t.same(await world.memberships.of(stranger.user), [])
      t.same(await world.invitations.accept(tokenHash, user, byPerson(user)), { tenant: place.id })
    },
  )

  await t.test('an account is made with it once, with the name and address, and is a member', async t => {
    const place = await tenant(world)
    const email = address()
    const { tokenHash } = await invited(world, place, email, ['admin'])
    const users = (
      await times(10, () => world.invitations.register(tokenHash, 'phc-1', 'Grace', context))
    ).filter(one => one !== undefined)
    t.equal(users.length, 1)
    const user = users[0]?.user as UserId
    t.match(await world.users.read(user), { email: email.asTyped, name: 'Grace' })
    t.match(await membership(world, user), { roleIds: ['admin'] })
  })

  await t.test(
    'an account that nobody has verified becomes that of who opens the invitation, without what it had',
    async t => {
      const place = await tenant(world)
      const { user, email } = await person(world)
      const session = await opened(world, user)
      await world.memberships.put({ tenant: place.id, user, roleIds: ['owner'], state: 'active' }, byOperator)
      const friend = await invited(world, place, address(), ['member'], byPerson(user))
      const { tokenHash } = await invited(world, place, email, ['admin'])
      const answers = await times(10, () => world.invitations.register(tokenHash, 'phc-2', 'Grace', context))
      const reclaimed = { to: email.asTyped, password: true, factors: false, providers: [] }
      t.same(answers.filter(Boolean), [{ user, passwordVersion: 2, reclaimed, tenant: place.id }])
      t.match(await membership(world, user), { roleIds: ['admin', 'owner'] })
      t.equal(await liveness(world, session.id), 'old epoch')
      t.equal(await world.invitations.pending(friend.tokenHash), undefined, 'what it had sent is withdrawn')
      t.match(
        (await world.arrange.audited()).findLast(({ action }) => action === 'invitation.withdrawn'),
        { actor: user, subject: friend.id, tenant: place.id },
      )
    },
  )

  await t.test('taken by who is signed in, it ends nothing, and the address stays unverified', async t => {
    const place = await tenant(world)
    const { user, email } = await person(world)
    const session = await opened(world, user)
    const { tokenHash } = await invited(world, place, email)
    t.ok(await world.invitations.accept(tokenHash, user, byPerson(user)))
    t.equal(await liveness(world, session.id), 'live')
    const again = await invited(world, place, email)
    t.match(await world.invitations.register(again.tokenHash, 'phc-2', undefined, context), {
      reclaimed: { password: true },
    })
  })

  await t.test('a member keeps their roles, and a suspended one stays suspended', async t => {
    const place = await tenant(world)
    const { user, email } = await person(world)
    const before = { tenant: place.id, user, roleIds: ['admin'], state: 'suspended' as const }
    await world.memberships.put(before, byOperator)
    const { tokenHash } = await invited(world, place, email)
    await world.invitations.accept(tokenHash, user, byPerson(user))
    t.match(await membership(world, user), { roleIds: ['admin', 'member'], state: 'suspended' })
  })

  await t.test('an old one, one into a suspended tenant, and one for a disabled person are dead', async t => {
    const place = await tenant(world)
    const { user, email } = await person(world)
    const old = { tenant: place.id, email, roleIds: ['member'], tokenHash: random(32), lifetimeSeconds: 0 }
    await world.invitations.create(old, byOperator)
    t.equal(await world.invitations.accept(old.tokenHash, user, byPerson(user)), undefined)
    const { tokenHash } = await invited(world, place, email)
    await world.tenants.change(place.id, { state: 'suspended' }, byOperator)
    t.equal(await world.invitations.accept(tokenHash, user, byPerson(user)), undefined)
    await world.tenants.change(place.id, { state: 'active' }, byOperator)
    await world.users.disable(user, byOperator)
    t.equal(await world.invitations.accept(tokenHash, user, byPerson(user)), undefined)
    t.same(await world.memberships.of(user), [])
  })
}

/** TN-11: dead when whoever invited could not invite any more. */
async function inviters(t: Test, world: World): Promise<void> {
  const ends: Record<string, (place: Tenant, inviter: UserId) => Promise<unknown>> = {
    'was removed from the tenant': (place, inviter) =>
      world.memberships.remove(place.id, inviter, byOperator),
    'was lowered': (place, user) =>
      world.memberships.put({ tenant: place.id, user, roleIds: ['member'], state: 'active' }, byOperator),
    'may invite, and no longer give this role': (place, user) =>
      world.memberships.put({ tenant: place.id, user, roleIds: ['admin'], state: 'active' }, byOperator),
    'was suspended': (place, user) =>
      world.memberships.put({ tenant: place.id, user, roleIds: ['owner'], state: 'suspended' }, byOperator),
    'was disabled': (_place, inviter) => world.users.disable(inviter, byOperator),
    'was deleted': (_place, inviter) => world.users.remove(inviter, byOperator),
  }
  for (const [what, end] of Object.entries(ends)) {
    await t.test(`an invitation is dead when its inviter ${what}`, async t => {
      const place = await tenant(world)
      const inviter = (await person(world)).user
      const owner = { tenant: place.id, user: inviter, roleIds: ['owner'], state: 'active' as const }
      await world.memberships.put(owner, byOperator)
      const { user, email } = await person(world)
      const { tokenHash } = await invited(world, place, email, ['owner'], byPerson(inviter))
      await end(place, inviter)
      t.equal(await world.invitations.accept(tokenHash, user, byPerson(user)), undefined)
      t.same(await world.memberships.of(user), [])
    })
  }

  await t.test('and lives while they could', async t => {
    const place = await tenant(world)
    const inviter = (await person(world)).user
    const owner = { tenant: place.id, user: inviter, roleIds: ['owner'], state: 'active' as const }
    await world.memberships.put(owner, byOperator)
    const { user, email } = await person(world)
    const { tokenHash } = await invited(world, place, email, ['owner'], byPerson(inviter))
    t.same(await world.invitations.accept(tokenHash, user, byPerson(user)), { tenant: place.id })
  })
}
