/** The commands about people: in both forms, and in force at once on a running service. */
import { randomUUID } from 'node:crypto'
import tap, { test } from 'tap'
import { freshAddress, member, person, tenant } from '../harness/world.js'
import { Browser } from '../support/browser.js'
import { surroundings } from '../support/command.js'
import { operator } from '../support/operator.js'
import { run } from '../support/process.js'
import { issuer } from '../support/service.js'

const { service, prose, document, refusal, api } = await operator(tap)
const { sql } = service.database

test('users create, list and show say the same as the admin API', async t => {
  const [prosaic, programmed] = [freshAddress(), freshAddress()]
  t.match(await prose(t, 'users', 'create', prosaic), /^Created \S{36} \(.*\)\.\nMail: .*\.eml\n$/)
  const created = await document(t, 'users', 'create', programmed, '--name', 'Ada')
  t.match(created, { email: programmed, name: 'Ada', state: 'active', platform_roles: [] })
  t.same(created, await api(`users/${created.id}`))

  const place = await tenant(sql)
  await member(sql, created.id, place, 'r1')
  const shown = await document(t, 'users', 'show', programmed)
  const { items: memberships } = await api(`users/${created.id}/memberships`)
  t.equal(memberships.length, 1)
  t.same(shown, { ...created, memberships })
  const text = await prose(t, 'users', 'show', created.id)
  t.match(text, new RegExp(`^user +${created.id}\nemail +${programmed}\nname +Ada\nstate +active\n`))
  t.match(text, new RegExp(`\n\nTENANT +NAME +MEMBERSHIP  ROLES\n${place}  Acme  active      reader\n$`))

  t.same(await document(t, 'users', 'list', '--email', programmed.toUpperCase()), { items: [created] })
  t.match(
    await prose(t, 'users', 'list', '--email', programmed),
    new RegExp(
      `^USER +EMAIL +NAME +STATE +PLATFORM ROLES +CREATED\n${created.id}  ${programmed}  Ada +active +-`,
    ),
  )
  t.equal(await prose(t, 'users', 'list', '--email', freshAddress()), 'No users.\n')
})

test('users list goes through all pages, or stops earlier', async t => {
  await sql`insert into users (email, canonical_email)
    select n || '@pages.example', n || '@pages.example' from generate_series(1, 230) n`
  const { items } = await document(t, 'users', 'list')
  const rows = await sql<{ id: string }[]>`select id from users order by id`
  t.ok(rows.length > 230)
  t.same(
    items.map(({ id }: { id: string }) => id),
    rows.map(({ id }) => id),
  )
  t.equal((await document(t, 'users', 'list', '--limit', '101')).items.length, 101)
  const lines = (await prose(t, 'users', 'list', '--limit', '150')).trimEnd().split('\n')
  t.equal(lines.length, 151)
  t.equal(lines.filter(line => line.startsWith('USER')).length, 1)
  t.match(await refusal(t, 'users', 'list', '--limit', '0'), /--limit must be a whole number of at least 1/)
})

test('a list whose reader has seen enough ends without a complaint', async t => {
  const { cwd, env } = await surroundings(tap, service.database)
  const listing = run(t, 'cli.js', ['users', 'list'], cwd, env)
  listing.child.stdout?.destroy()
  t.equal(await listing.exited, 0)
  t.equal(listing.stderr(), '')
})

test('an operator may take the last active administrator away, and is told so', async t => {
  const alone = await operator(t)
  const [{ id } = { id: '' }] = await alone.service.database.sql<{ id: string }[]>`select id from users`
  t.equal(
    await alone.prose(t, 'users', 'disable', id),
    `Disabled ${id}.\nNo active administrator is left. Appoint one: \`mintmark users change <user> --platform-role administrator\`.\n`,
  )
})

test('users change renames, and gives and takes platform roles at once', async t => {
  const me = await person(sql)
  const adminStatus = async () =>
    (await new Browser(service.app, issuer, me.cookie).get('/v1/admin/tenants')).statusCode
  t.equal(await adminStatus(), 403)
  t.equal(
    await prose(t, 'users', 'change', me.email, '--platform-role', 'administrator', 'auditor'),
    `Changed ${me.id}: platform roles administrator, auditor.\n`,
  )
  t.equal(await adminStatus(), 200)
  const changed = await document(t, 'users', 'change', me.id, '--name', 'Grace', '--no-platform-roles')
  t.match(changed, { name: 'Grace', platform_roles: [] })
  t.same(changed, await api(`users/${me.id}`))
  t.equal(await adminStatus(), 403)
  t.match(await document(t, 'users', 'change', me.id, '--no-name'), { name: null, platform_roles: [] })
  const bad: [string[], RegExp][] = [
    [[], /nothing to change: give at least one of --name/],
    [['--name', 'a\nb'], /1 to 100 printable characters/],
    [['--platform-role', 'king'], /Allowed choices are administrator, auditor/],
    [['--platform-role', 'auditor', '--no-platform-roles'], /not both/],
  ]
  await Promise.all(
    bad.map(async ([args, said]) => t.match(await refusal(t, 'users', 'change', me.id, ...args), said)),
  )
  const nobody = randomUUID()
  t.equal(
    await refusal(t, 'users', 'show', nobody),
    `there is no user ${nobody}: run \`mintmark users list\` to see all\n`,
  )
})

test('users disable, enable and delete answer with who it is', async t => {
  const me = await person(sql)
  t.match(await document(t, 'users', 'disable', me.email), { id: me.id, state: 'disabled' })
  const enabled = await document(t, 'users', 'enable', me.email)
  t.same(enabled, await api(`users/${me.id}`))
  t.equal(enabled.state, 'active')
  t.same(await document(t, 'users', 'delete', me.email), { id: me.id, deleted: true })
})
