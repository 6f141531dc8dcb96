/** Which accounts count as verified after the migration that no longer takes every provider's word. */
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { drizzle } from 'drizzle-orm/postgres-js'
import { migrate as applyMigrations } from 'drizzle-orm/postgres-js/migrator'
import postgres from 'postgres'
import { type Test, test } from 'tap'
import { migrate } from '../../src/store/postgres/migration/migrate.js'
import { type TestDatabase, testDatabase } from '../support/database.js'
import { root } from '../support/project.mjs'

interface Journal {
  entries: { tag: string }[]
}

/** A database as the release before left it. */
async function databaseBefore(t: Test): Promise<TestDatabase> {
  const database = await testDatabase(t, { empty: true })
  const folder = await mkdtemp(join(tmpdir(), 'mintmark-migrations-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  await cp(join(root, 'drizzle'), folder, { recursive: true })
  const file = join(folder, 'meta/_journal.json')
  const journal: Journal = JSON.parse(await readFile(file, 'utf8'))
  const until = journal.entries.findIndex(({ tag }) => tag.endsWith('_address_verified_by'))
  await writeFile(file, JSON.stringify({ ...journal, entries: journal.entries.slice(0, until) }))
  const client = postgres({ ...database.address, max: 1, onnotice: () => {} })
  await applyMigrations(drizzle(client), { migrationsFolder: folder })
  await client.end()
  return database
}

/** What happened to an account, and in which hour: `12 reset`. */
const accounts: Readonly<Record<string, { readonly past: readonly string[]; readonly counts: boolean }>> = {
  'signed up by a link': { past: ['1 signed up'], counts: true },
  'signed up by a link, and linked': { past: ['1 signed up', '2 links hearsay'], counts: true },
  'made by a provider that anybody may use': { past: ['1 made by hearsay'], counts: false },
  'made so, and reset': { past: ['1 made by hearsay', '2 reset'], counts: false },
  'made so, reset, and linked to another in place of it': {
    past: ['1 made by hearsay', '2 reset', '3 links another', '4 unlinks hearsay'],
    counts: false,
  },
  'made by the provider of the domain': { past: ['1 made by vouched'], counts: true },
  'made by the provider of the domain, and linked': {
    past: ['1 made by vouched', '2 links hearsay'],
    counts: true,
  },
  'made by another, and linked to the provider of the domain': {
    past: ['1 made by hearsay', '2 links vouched'],
    counts: false,
  },
  'made by an operator': { past: ['1 made by an operator'], counts: false },
  'made by an operator, and reset': { past: ['1 made by an operator', '2 reset'], counts: true },
  'made by an operator, reset, and linked': {
    past: ['1 made by an operator', '2 reset', '3 links hearsay'],
    counts: true,
  },
  'made by an operator, linked, and reset': {
    past: ['1 made by an operator', '2 links hearsay', '3 reset'],
    counts: false,
  },
  'made by an operator, claimed by the provider of the domain, and linked': {
    past: ['1 made by an operator', '2 claimed by vouched', '3 links hearsay'],
    counts: true,
  },
  'signed up, and what the log said of it is deleted': { past: ['1 signed up', '2 forgotten'], counts: true },
  'linked, and what the log said of it is deleted': {
    past: ['1 signed up', '2 links hearsay', '3 forgotten'],
    counts: false,
  },
  'made in this minute': { past: ['23.999 signed up'], counts: false },
}

/** As the release before did it, a day ago, and in one transaction. */
async function happens(sql: postgres.TransactionSql, user: string, event: string): Promise<void> {
  const [, hour, what = ''] = /^([\d.]+) (.*)$/.exec(event) ?? []
  const at = sql`now() - ${24 - Number(hour)} * interval '1 hour'`
  const provider = what.split(' ').at(-1) ?? ''
  const audit = (action: string, actor: string | null = user) =>
    sql`insert into audit_events (action, outcome, actor, subject, at)
      values (${action}, 'done', ${actor}, ${user}, ${at})`
  const prove = () => sql`update users set address_proved = true where id = ${user}`
  const link = async (actor: string | null = user) => {
    await sql`insert into federated_identities (user_id, provider_id, issuer, subject, label, created_at)
      values (${user}, ${provider}, ${provider}, ${user}, 'x', ${at})`
    await audit('identity.linked', actor)
  }
  if (what === 'signed up' || what.startsWith('made by')) {
    await audit('account.created', what === 'made by an operator' ? null : user)
    if (what !== 'made by an operator') await prove()
    if (what.startsWith('made by') && what !== 'made by an operator') await link()
  } else if (what === 'reset') {
    await audit('password.reset')
    await prove()
  } else if (what.startsWith('links ')) await link()
  else if (what.startsWith('unlinks '))
    await sql`delete from federated_identities where user_id = ${user} and provider_id = ${provider}`
  else if (what.startsWith('claimed by ')) {
    await audit('account.reclaimed', null)
    await prove()
    await link(null)
  } else if (what === 'forgotten') await sql`delete from audit_events where actor = ${user}`
  else throw new Error(event)
}

test('an account counts as verified where nothing was linked before its address was, and no other', async t => {
  const database = await databaseBefore(t)
  const { sql } = database
  for (const id of ['hearsay', 'another', 'vouched'])
    await sql`insert into providers (id, name, kind, issuer, client_id, sealed_secret, kek_id, scopes, authoritative_for)
      values (${id}, ${id}, 'openid', ${id}, 'x', 'x', 'x', '{openid}',
        ${id === 'vouched' ? sql`'{example.com,example.org}'` : sql`'{example.net}'`})`
  const users = new Map<string, string>()
  for (const [what, { past }] of Object.entries(accounts)) {
    const email = `${users.size}@example.com`
    const [row] =
      await sql`insert into users (email, canonical_email) values (${email}, ${email}) returning id`
    users.set(what, row?.id)
    for (const event of past) await sql.begin(tx => happens(tx, row?.id, event))
  }

  await migrate(database.address)
  const rows = await sql`select id, address_proved as proved, address_verified_by as how from users`
  for (const [what, { counts }] of Object.entries(accounts)) {
    const row = rows.find(({ id }) => id === users.get(what))
    t.equal(row?.how, counts ? 'earlier' : null, what)
    if (!counts && what !== 'made in this minute')
      t.equal(row?.proved, false, `${what}: nor for that release`)
  }

  await sql`insert into users (email, canonical_email, address_proved) values ('x@x.org', 'x@x.org', true)`
  const [late] = await sql`select address_verified_by as how from users where email = 'x@x.org'`
  t.equal(late?.how, null, 'what an instance of the release before says is not believed afterwards')
  await t.rejects(sql`update users set address_verified_by = 'hearsay'`, 'only in ways that are known')
})
