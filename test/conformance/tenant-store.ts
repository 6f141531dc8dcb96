/** The rules of src/tenants/tenants.ts and src/core/authority.ts, for every back end. */
import { type Test, test } from 'tap'
import type { Actor } from '../../src/audit/events.js'
import { builtInRoles } from '../../src/core/authority.js'
import type { TenantId, UserId } from '../../src/core/principal.js'
import {
  bytesInToken,
  longestRoles,
  type Membership,
  type Role,
  type Tenant,
} from '../../src/tenants/tenants.js'
import { byCaller, byOperator, type OpenWorld, opened, person, random, times, type World } from './world.js'

const nothing = '00000000-0000-4000-8000-000000000000'

export function tenantStoreSuite(backEnd: string, open: OpenWorld): void {
  test(`${backEnd} keeps tenants, roles and memberships as the contract says`, async t => {
    const world = await open(t)
    await tenants(t, world)
    await roles(t, world)
    await memberships(t, world)
    await effects(t, world)
    await once(t, world)
  })
}

async function made(world: World, name = 'Acme'): Promise<Tenant> {
  const tenant = await world.tenants.create(name, byOperator)
  if (typeof tenant === 'string') throw new Error(tenant)
  return tenant
}
async function role(world: World, { id }: Tenant, name: string, ...permissions: string[]): Promise<Role> {
  const answer = await world.tenants.createRole(id, { name, permissions }, byOperator)
  if (typeof answer === 'string') throw new Error(answer)
  return answer
}
const put = (world: World, { id }: Tenant, user: UserId, ...roleIds: string[]) =>
  world.memberships.put({ tenant: id, user, roleIds, state: 'active' }, byOperator)
const standing = async (world: World, session: Awaited<ReturnType<typeof opened>>['id']) =>
  (await world.sessions.read(session)).row?.tenant

async function tenants(t: Test, world: World): Promise<void> {
  await t.test(
    'a tenant begins active, with the built-in roles, and is read back as it was made',
    async t => {
      const tenant = await made(world, 'Müller & Söhne "GmbH"')
      t.match(tenant, { name: 'Müller & Söhne "GmbH"', state: 'active' })
      t.same(
        Object.fromEntries(tenant.roles.map(({ id, ...rest }) => [id, rest])),
        JSON.parse(JSON.stringify(builtInRoles)),
      )
      t.strictSame(await world.tenants.read(tenant.id), tenant)
      t.equal(await world.tenants.read(nothing as TenantId), undefined)
    },
  )

  await t.test('a tenant is renamed, suspended and removed; one that never was is unknown', async t => {
    const { id } = await made(world)
    t.match(await world.tenants.change(id, { name: 'Globex' }, byOperator), {
      name: 'Globex',
      state: 'active',
    })
    t.match(await world.tenants.change(id, { state: 'suspended' }, byOperator), {
      name: 'Globex',
      state: 'suspended',
    })
    t.equal(await world.tenants.remove(id, byOperator), 'removed')
    for (const gone of [id, nothing as TenantId]) {
      t.equal(await world.tenants.change(gone, { name: 'x' }, byOperator), 'unknown')
      t.equal(await world.tenants.remove(gone, byOperator), 'unknown')
    }
  })

  await t.test('pages hold everything once, in an order that new ones do not move', async t => {
    const ids = (await times(7, () => made(world))).map(({ id }) => id)
    const seen: string[] = []
    let after: string | undefined
    do {
      const page = await world.tenants.list({ limit: 3, after })
      t.ok(page.items.length <= 3)
      seen.push(...page.items.map(({ id }) => id))
      after = page.next
      await made(world)
    } while (after !== undefined && seen.length < 100)
    t.equal(new Set(seen).size, seen.length, 'nothing twice')
    for (const id of ids) t.ok(seen.includes(id))
  })
}

async function roles(t: Test, world: World): Promise<void> {
  await t.test('a role is created, changed and removed; its permissions are a sorted set', async t => {
    const tenant = await made(world)
    const writer = await role(world, tenant, 'writer', 'doc:write', 'doc:read', 'doc:write')
    t.same(writer.permissions, ['doc:read', 'doc:write'])
    const changed = { ...writer, name: 'author', permissions: ['doc:write'] }
    t.strictSame(await world.tenants.changeRole(tenant.id, changed, byOperator), changed)
    t.ok((await world.tenants.read(tenant.id))?.roles.some(({ name }) => name === 'author'))
    t.equal(await world.tenants.removeRole(tenant.id, writer.id, byOperator), 'removed')
    t.equal(await world.tenants.removeRole(tenant.id, writer.id, byOperator), 'unknown')
    t.equal(await world.tenants.changeRole(tenant.id, changed, byOperator), 'unknown')
  })

  await t.test(
    'all roles together fit into a token: what would not is refused, and less may always be',
    async t => {
      const tenant = await made(world)
      const permissions = (count: number, of = 'p') =>
        Array.from({ length: count }, (_, at) => `${of}:${String(at).padStart(20, '0')}`)
      const create = (name: string, list: readonly string[]) =>
        world.tenants.createRole(tenant.id, { name, permissions: list }, byOperator)
      t.equal(await create('all at once', permissions(200)), 'too-large')
      const first = (await create('first', permissions(100))) as Role
      t.ok(first.id)
      t.match(await create('the same', permissions(100)), { name: 'the same' }, 'a token says each once')
      t.equal(await create('others', permissions(100, 'q')), 'too-large', 'one person may hold both')
      t.equal(await create('𝒲'.repeat(50), permissions(50, 'q')), 'too-large', 'bytes are what counts')
      t.match(await create('w'.repeat(50), permissions(50, 'q')), { name: /^w/ })
      const change = (list: readonly string[]) =>
        world.tenants.changeRole(tenant.id, { ...first, permissions: list }, byOperator)
      t.equal(await change(permissions(100).concat(permissions(100, 'q'))), 'too-large')
      t.strictSame(
        (await world.tenants.read(tenant.id))?.roles.find(({ id }) => id === first.id),
        first,
      )
      t.equal((await world.tenants.read(tenant.id))?.roles.filter(({ name }) => name === 'others').length, 0)
      const whole = (await world.tenants.read(tenant.id))?.roles ?? []
      t.ok(bytesInToken(whole) <= longestRoles)
    },
  )

  await t.test('names are taken once in a tenant, and the built-in roles stay', async t => {
    const tenant = await made(world)
    const writer = await role(world, tenant, 'writer')
    for (const name of ['writer', 'owner'])
      t.equal(await world.tenants.createRole(tenant.id, { name, permissions: [] }, byOperator), 'name-taken')
    const owner = { ...writer, name: 'owner' }
    t.equal(await world.tenants.changeRole(tenant.id, owner, byOperator), 'name-taken')
    for (const id of Object.keys(builtInRoles))
      t.equal(await world.tenants.removeRole(tenant.id, id, byOperator), 'forbidden')
    const other = await made(world)
    t.equal(await world.tenants.changeRole(other.id, writer, byOperator), 'unknown', 'of another tenant')
    t.ok(await role(world, other, 'writer'))
  })

  await t.test('TN-07: a role changes only for whoever may grant what it held and will hold', async t => {
    const tenant = await made(world)
    const writer = await role(world, tenant, 'writer', 'doc:write')
    const wanted = { ...writer, permissions: ['doc:read'] }
    const holding = async (...permissions: string[]) => {
      const { user } = await person(world)
      await put(
        world,
        tenant,
        user,
        (await role(world, tenant, random(8).toString('hex'), ...permissions)).id,
      )
      return byCaller(user, tenant.id)
    }
    const before = async () => (await world.tenants.read(tenant.id))?.roles.find(({ id }) => id === writer.id)
    for (const actor of [await holding(), await holding('doc:read'), await holding('doc:write', 'a:b')])
      t.equal(await world.tenants.changeRole(tenant.id, wanted, actor), 'forbidden')
    const reader = await holding('doc:read')
    t.equal(await world.tenants.removeRole(tenant.id, writer.id, reader), 'forbidden')
    const fresh = { name: 'new', permissions: ['doc:read', 'a:b'] }
    t.equal(await world.tenants.createRole(tenant.id, fresh, reader), 'forbidden')
    t.strictSame(await before(), writer, 'nothing changed')
    const both = await holding('doc:read', 'doc:write')
    t.strictSame(await world.tenants.changeRole(tenant.id, wanted, both), wanted)
    t.equal(await world.tenants.removeRole(tenant.id, writer.id, reader), 'removed')
  })

  await t.test('only who may write to every tenant suspends one, or changes a built-in role', async t => {
    const tenant = await made(world)
    const { user } = await person(world)
    await put(world, tenant, user, 'owner')
    const owner = byCaller(user, tenant.id)
    const member = { ...builtInRoles.member, id: 'member' }
    t.equal(await world.tenants.changeRole(tenant.id, member, owner), 'forbidden')
    t.equal(await world.tenants.change(tenant.id, { state: 'suspended' }, owner), 'forbidden')
    t.match(await world.tenants.change(tenant.id, { name: 'Ours' }, owner), { name: 'Ours' })
    await world.users.change(user, { platformRoles: ['administrator'] }, byOperator)
    t.match(await world.tenants.changeRole(tenant.id, member, owner), { name: 'member' })
    t.match(await world.tenants.change(tenant.id, { state: 'suspended' }, owner), { state: 'suspended' })
  })
}

async function memberships(t: Test, world: World): Promise<void> {
  await t.test('a member is set, listed, suspended and removed', async t => {
    const tenant = await made(world)
    const { user, email } = await person(world)
    const added = (await put(world, tenant, user, 'member', 'admin', 'member')) as Membership
    t.match(added, { user, email: email.asTyped, tenant: tenant.id, state: 'active' })
    t.same(added.roleIds, ['admin', 'member'])
    t.strictSame((await world.memberships.list(tenant.id, { limit: 10, after: undefined })).items, [added])
    t.strictSame(await world.memberships.of(user), [added])
    const suspended = { tenant: tenant.id, user, roleIds: [], state: 'suspended' as const }
    t.match(await world.memberships.put(suspended, byOperator), {
      state: 'suspended',
      roleIds: [],
    })
    t.equal(await world.memberships.remove(tenant.id, user, byOperator), 'removed')
    t.equal(await world.memberships.remove(tenant.id, user, byOperator), 'unknown')
    t.same(await world.memberships.of(user), [])
  })

  await t.test('who is no member, no person, in no tenant or gets no such role is not set', async t => {
    const [tenant, other] = [await made(world), await made(world)]
    const { user } = await person(world)
    const foreign = await role(world, other, 'foreign')
    const owner = (await person(world)).user
    await put(world, tenant, owner, 'owner')
    const set = (more: object, actor = byOperator) =>
      world.memberships.put({ tenant: tenant.id, user, roleIds: [], state: 'active', ...more }, actor)
    t.equal(await set({}, byCaller(owner, tenant.id)), 'unknown', 'only who is invited comes in')
    t.equal(await set({ user: nothing }), 'unknown')
    t.equal(await set({ tenant: nothing }), 'unknown')
    t.equal(await set({ roleIds: [foreign.id] }), 'unknown-role')
    t.same(await world.memberships.of(user), [])
  })

  await t.test('a role is meant by its id or its name, and by its id where both would do', async t => {
    const tenant = await made(world)
    const { user } = await person(world)
    const editor = await role(world, tenant, 'Editor of texts')
    const shadow = await role(world, tenant, editor.id)
    const set = async (...roleIds: string[]) => {
      const put = await world.memberships.put(
        { tenant: tenant.id, user, roleIds, state: 'active' },
        byOperator,
      )
      return typeof put === 'string' ? put : put.roleIds
    }
    t.same(await set('Editor of texts'), [editor.id])
    t.same(await set('Editor of texts', editor.id, 'member'), [editor.id, 'member'].sort())
    t.same(await set(editor.id), [editor.id])
    t.same(await set(shadow.id), [shadow.id])
    t.equal(await set('editor of texts'), 'unknown-role')
  })

  await t.test('TN-07: nobody gives what they may not, nor takes it from others', async t => {
    const tenant = await made(world)
    const { user } = await person(world)
    const membership = (await put(world, tenant, user, 'owner')) as Membership
    const lower = { tenant: tenant.id, user, roleIds: ['member'], state: 'active' as const }
    const admin = (await person(world)).user
    await put(world, tenant, admin, 'admin')
    const lowerThan = byCaller(admin, tenant.id)
    t.equal(await world.memberships.put(lower, lowerThan), 'forbidden')
    t.equal(await world.memberships.remove(tenant.id, user, lowerThan), 'forbidden')
    const raised = { ...lower, user: admin, roleIds: ['owner'] }
    t.equal(await world.memberships.put(raised, lowerThan), 'forbidden', 'not themselves either')
    t.strictSame(await world.memberships.of(user), [membership])
  })

  await t.test(
    'the last active owner stays, whoever asks but those who may write to every tenant',
    async t => {
      const tenant = await made(world)
      const [first, second] = [await person(world), await person(world)]
      await put(world, tenant, first.user, 'owner')
      await put(world, tenant, second.user, 'owner', 'admin')
      const set = (user: UserId, more: object, actor = byCaller(user, tenant.id)) =>
        world.memberships.put(
          { tenant: tenant.id, user, roleIds: ['owner'], state: 'active', ...more },
          actor,
        )
      const leave = (user: UserId) => world.memberships.remove(tenant.id, user, byCaller(user, tenant.id))
      const left = await Promise.all([leave(first.user), leave(second.user)])
      t.same(left.sort(), ['last-owner', 'removed'], 'of two who leave at once one stays')
      const [last] = (await world.memberships.list(tenant.id, { limit: 10, after: undefined })).items
      const { user } = last as Membership
      t.equal(await set(user, { roleIds: ['admin'] }), 'last-owner')
      t.equal(await set(user, { state: 'suspended' }), 'last-owner')
      t.match(await set(user, { roleIds: ['owner', 'member'] }), { roleIds: ['member', 'owner'] })
      const other = user === first.user ? second.user : first.user
      await put(world, tenant, other, 'owner')
      await world.users.disable(other, byOperator)
      t.equal(await leave(user), 'last-owner', 'an owner who is disabled is none')
      t.match(await set(user, { roleIds: [] }, byOperator), { roleIds: [] })
    },
  )

  await t.test('a person may work where they and the tenant are active, told by name', async t => {
    const { user } = await person(world)
    t.same(await world.memberships.placesOf(user), [])
    const [b, a, suspended, left] = [
      await made(world),
      await made(world),
      await made(world),
      await made(world),
    ]
    await world.tenants.change(a.id, { name: 'A' }, byOperator)
    await world.tenants.change(b.id, { name: 'B' }, byOperator)
    for (const tenant of [b, a, suspended, left]) await put(world, tenant, user, 'member')
    await world.tenants.change(suspended.id, { state: 'suspended' }, byOperator)
    const of = { tenant: left.id, user, roleIds: [], state: 'suspended' as const }
    await world.memberships.put(of, byOperator)
    t.same(await world.memberships.placesOf(user), [
      { tenant: a.id, name: 'A' },
      { tenant: b.id, name: 'B' },
    ])
  })

  await t.test('a role that is removed leaves its members, and they keep the others', async t => {
    const tenant = await made(world)
    const { user } = await person(world)
    const writer = await role(world, tenant, 'writer', 'doc:write')
    await put(world, tenant, user, writer.id, 'member')
    await world.tenants.removeRole(tenant.id, writer.id, byOperator)
    t.same((await world.memberships.of(user))[0]?.roleIds, ['member'])
  })
}

/** P3: what a check and a mint that begin afterwards see, and what a caller holds. */
async function effects(t: Test, world: World): Promise<void> {
  await t.test('every change is in the next check, mint and authority', async t => {
    const tenant = await made(world)
    const { user } = await person(world)
    const session = await opened(world, user)
    await put(world, tenant, user, 'member')
    await world.arrange.enterTenant(session.id, tenant.id)
    const held = async () => (await world.authorities.ofUser(user)).tenants.get(tenant.id)
    const writer = await role(world, tenant, 'writer', 'doc:write')
    t.same(await held(), new Set())
    await put(world, tenant, user, writer.id)
    t.match(await standing(world, session.id), { roleIds: [writer.id] })
    t.same(await held(), new Set(['doc:write']))
    await world.tenants.changeRole(tenant.id, { ...writer, permissions: ['doc:read'] }, byOperator)
    t.match(await standing(world, session.id), { roles: { [writer.id]: { permissions: ['doc:read'] } } })
    t.same(await held(), new Set(['doc:read']))
    await world.tenants.change(tenant.id, { state: 'suspended' }, byOperator)
    t.equal(await standing(world, session.id), 'lost')
    t.equal(await held(), undefined)
    await world.tenants.change(tenant.id, { state: 'active' }, byOperator)
    await world.memberships.remove(tenant.id, user, byOperator)
    t.equal(await standing(world, session.id), 'lost')
    t.equal(await held(), undefined)
    await world.tenants.remove(tenant.id, byOperator)
    t.equal(await standing(world, session.id), 'lost', 'a deleted tenant does not become none')
  })

  await t.test('platform roles are held while the person is active, and no longer', async t => {
    const { user } = await person(world)
    const held = async () => [...(await world.authorities.ofUser(user)).platform]
    t.same(await held(), [])
    await world.users.change(user, { platformRoles: ['auditor'] }, byOperator)
    t.ok((await held()).includes('users:read'))
    t.notOk((await held()).some(permission => permission.endsWith(':write')))
    await world.users.change(user, { platformRoles: ['administrator'] }, byOperator)
    t.ok((await held()).includes('users:write'))
    await world.users.disable(user, byOperator)
    t.same(await held(), [])
    t.same([...(await world.authorities.ofUser(nothing as UserId)).platform], [])
  })
}

async function once(t: Test, world: World): Promise<void> {
  const under = (key: string, request = 'the same'): Actor => ({
    ...byOperator,
    idempotency: { caller: 'somebody', key, requestHash: Buffer.from(request.padEnd(32)) },
  })
  const count = async () => (await world.tenants.list({ limit: 100, after: undefined })).items.length

  await t.test('under one Idempotency-Key one is created, however many ask at once or again', async t => {
    const key = random(8).toString('hex')
    const before = await count()
    const answers = await times(10, () => world.tenants.create('Once', under(key)))
    t.equal(new Set(answers.map(answer => (answer as Tenant).id)).size, 1)
    t.strictSame(await world.tenants.create('Once', under(key)), answers[0])
    t.equal(await count(), before + 1)
  })

  await t.test(
    'the same key for another request, and the key of another caller, are other things',
    async t => {
      const key = random(8).toString('hex')
      const first = (await world.tenants.create('Once', under(key))) as Tenant
      t.equal(await world.tenants.create('Twice', under(key, 'another')), 'repeated-differently')
      const { idempotency } = under(key)
      if (!idempotency) throw new Error('no key')
      const other = await world.tenants.create('Once', {
        ...byOperator,
        idempotency: { ...idempotency, caller: 'another' },
      })
      t.not((other as Tenant).id, first.id)
    },
  )
}
