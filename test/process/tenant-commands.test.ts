/** The commands about tenants, their roles and their members: in both forms, and in force at once on a running service. */
import { randomUUID } from 'node:crypto'
import tap, { test } from 'tap'
import { person, tenant, workingMember } from '../harness/world.js'
import { Browser } from '../support/browser.js'
import { operator } from '../support/operator.js'
import { issuer } from '../support/service.js'

const { service, prose, document, refusal, api } = await operator(tap)
const { sql } = service.database
const whoAmI = async (cookie: string) =>
  (await new Browser(service.app, issuer, cookie).get('/v1/session')).json()
test('tenants are created, shown, renamed, suspended, activated and deleted', async t => {
  const made = await prose(t, 'tenants', 'create', 'Acme Ltd')
  const [, id = ''] = /^Created (\S{36}) \(Acme Ltd\)\.\n$/.exec(made) ?? []
  t.same(await document(t, 'tenants', 'show', id), await api(`tenants/${id}`))
  const me = await workingMember(sql, id, 'owner')
  t.match(await whoAmI(me.cookie), { tenant: { id, name: 'Acme Ltd' } })

  t.equal(await prose(t, 'tenants', 'suspend', id), `Suspended ${id}.\n`)
  t.equal((await whoAmI(me.cookie)).tenant, null)
  t.match(await document(t, 'tenants', 'suspend', id), { id, state: 'suspended' })
  t.equal(await prose(t, 'tenants', 'activate', id), `Activated ${id}.\n`)
  t.equal(await prose(t, 'tenants', 'rename', id, 'Acme & Co'), `Renamed ${id} to Acme & Co.\n`)
  t.match(await whoAmI(me.cookie), { tenant: { id, name: 'Acme & Co' } })
  t.match(await document(t, 'tenants', 'activate', id), { id, state: 'active' })
  const renamed = await document(t, 'tenants', 'rename', id, 'Acme')
  t.same(renamed, await api(`tenants/${id}`))
  const text = await prose(t, 'tenants', 'show', id)
  t.match(
    text,
    new RegExp(`^tenant   ${id}\nname     Acme\nstate    active\ncreated  \\S+Z\n\nROLE +NAME +PERM`),
  )
  t.match(text, /\nmember {2}member {2}-\n/)

  const { items } = await api('tenants')
  t.same(await document(t, 'tenants', 'list'), { items })
  t.match(
    await prose(t, 'tenants', 'list'),
    new RegExp(`^TENANT +NAME +STATE +CREATED\n(.*\n)*${id}  Acme +active`),
  )

  t.equal(await prose(t, 'tenants', 'delete', id), `Deleted ${id}.\n`)
  t.equal((await whoAmI(me.cookie)).tenant, null)
  const other = (await document(t, 'tenants', 'create', 'Other')).id
  t.same(await document(t, 'tenants', 'delete', other), { id: other, deleted: true })
  const gone = [
    ['show', id],
    ['rename', id, 'X'],
    ['suspend', id],
    ['delete', id],
  ]
  await Promise.all(
    gone.map(async args =>
      t.equal(
        await refusal(t, 'tenants', ...args),
        `there is no tenant ${id}: run \`mintmark tenants list\` to see all\n`,
      ),
    ),
  )
  t.match(await refusal(t, 'tenants', 'show', 'acme'), /acme is not a tenant id: run `mintmark tenants list`/)
  t.match(await refusal(t, 'tenants', 'create', ''), /1 to 100 printable/)
})

test('roles are created, changed and deleted, by id or name, and permit at once', async t => {
  const place = await tenant(sql)
  const created = await document(
    t,
    'roles',
    'create',
    place,
    'billing',
    '--permission',
    'pay:see',
    'pay:do',
    'pay:do',
  )
  t.match(created, { name: 'billing', permissions: ['pay:do', 'pay:see'] })
  t.same(
    (await api(`tenants/${place}`)).roles.find((role: { id: string }) => role.id === created.id),
    created,
  )
  const me = await workingMember(sql, place, created.id)
  const permissions = async () => (await whoAmI(me.cookie)).tenant.permissions
  t.same(await permissions(), ['pay:do', 'pay:see'])

  t.equal(
    await prose(t, 'roles', 'change', place, 'billing', '--name', 'payer', '--permission', 'pay:see'),
    `Changed ${created.id} (payer).\n`,
  )
  t.same(await permissions(), ['pay:see'])
  const emptied = await document(t, 'roles', 'change', place, created.id, '--no-permissions')
  t.same(emptied, { id: created.id, name: 'payer', permissions: [] })
  t.same(await permissions(), [])
  t.equal(await prose(t, 'roles', 'delete', place, 'payer'), `Deleted ${created.id} (payer).\n`)
  t.match(await prose(t, 'roles', 'create', place, 'idle', '--no-permissions'), /^Created \S{36} \(idle\)/)
  t.same(await document(t, 'roles', 'delete', place, 'r2'), { id: 'r2', deleted: true })

  const bad: [string[], RegExp][] = [
    [['create', place, 'x'], /give the complete list \(--permission\), or --no-permissions/],
    [['create', place, 'x', '--permission', 'Pay it'], /"Pay it" is not a permission: write words/],
    [['create', place, 'idle', '--no-permissions'], /already has a role idle/],
    [['change', place, 'nothing', '--no-permissions'], /has no role nothing: run `mintmark tenants show/],
    [['delete', place, 'owner'], /owner is a built-in role and cannot be deleted/],
  ]
  await Promise.all(bad.map(async ([args, said]) => t.match(await refusal(t, 'roles', ...args), said)))
})

test('a word that means two roles means neither', async t => {
  const place = await tenant(sql)
  await prose(t, 'roles', 'change', place, 'owner', '--name', 'boss', '--permission', 'all:do')
  await prose(t, 'roles', 'create', place, 'owner', '--no-permissions')
  const me = await person(sql)
  t.match(
    await refusal(t, 'members', 'set', place, me.id, '--role', 'owner'),
    /id of one role and the name of another/,
  )
  t.match(await document(t, 'members', 'set', place, me.id, '--role', 'boss'), { roles: ['owner'] })
})

test('members are set, suspended, listed and removed, in force at once', async t => {
  const place = await tenant(sql)
  const me = await person(sql)
  t.equal(await prose(t, 'members', 'list', place), 'No members.\n')
  t.equal(
    await prose(t, 'members', 'set', place, me.email, '--role', 'reader', 'member'),
    `Set ${me.id} in ${place}: active, member, reader.\n`,
  )
  await sql`update sessions set tenant_id = ${place} where id = ${me.session}`
  t.match(await whoAmI(me.cookie), { tenant: { permissions: ['doc:read'] } })
  await prose(t, 'members', 'set', place, me.id, '--role', 'writer')
  t.match(await whoAmI(me.cookie), { tenant: { permissions: ['doc:read', 'doc:write'] } })
  const suspended = await document(t, 'members', 'set', place, me.id, '--role', 'r2', '--suspended')
  t.match(suspended, {
    user: { id: me.id, email: me.email },
    tenant: place,
    state: 'suspended',
    roles: ['r2'],
  })
  t.equal((await whoAmI(me.cookie)).tenant, null)

  const { items } = await api(`tenants/${place}/members`)
  t.same(items, [suspended])
  t.same(await document(t, 'members', 'list', place), { items })
  t.match(
    await prose(t, 'members', 'list', place),
    new RegExp(
      `^USER +EMAIL +NAME +STATE +ROLES +SINCE\n${me.id}  ${me.email}  - +suspended  writer  \\S+Z\n$`,
    ),
  )
  t.equal(
    await prose(t, 'members', 'set', place, me.id, '--no-roles'),
    `Set ${me.id} in ${place}: active, no role.\n`,
  )
  t.equal(await prose(t, 'members', 'remove', place, me.email), `Removed ${me.id} from ${place}.\n`)
  t.equal((await whoAmI(me.cookie)).tenant, null)
  await prose(t, 'members', 'set', place, me.id, '--no-roles')
  t.same(await document(t, 'members', 'remove', place, me.id), { tenant: place, user: me.id, removed: true })
  const bad: [string[], RegExp][] = [
    [['remove', place, me.email], /is not a member of the tenant/],
    [['set', place, me.email], /give the complete list \(--role\), or --no-roles to empty it/],
    [['set', place, me.email, '--role', 'king'], /has no role king/],
    [['list', randomUUID()], /there is no tenant/],
  ]
  await Promise.all(bad.map(async ([args, said]) => t.match(await refusal(t, 'members', ...args), said)))
})
