/** Migrations: from every earlier state to the same one, beside those who write, by an owner with no more than it needs. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'tap'
import type { SessionId } from '../../src/core/principal.js'
import { DatabaseFault } from '../../src/store/postgres/connection.js'
import { HotReads } from '../../src/store/postgres/hot-reads.js'
import { inspect } from '../../src/store/postgres/migration/fitness.js'
import { migrate } from '../../src/store/postgres/migration/migrate.js'
import { rights } from '../../src/store/postgres/service-role.js'
import { serviceRole } from '../../src/store/postgres/session-settings.js'
import { type TestDatabase, testDatabase } from '../support/database.js'
import { asSuperuser, newLogin } from '../support/logins.js'
import { eventually } from '../support/service.js'
import { byTheDriver, folderOf, journal, migrateAsBefore, released } from './releases.js'

/** What a person and their session are since the first migration. */
const anybody = `
  insert into users (id, email, canonical_email) values
    ('11111111-1111-4111-8111-111111111111', 'Ada@Example.com', 'ada@example.com');
  insert into tenants (id, name) values ('22222222-2222-4222-8222-222222222222', 'Acme');
  insert into memberships (user_id, tenant_id, role_ids) values
    ('11111111-1111-4111-8111-111111111111', '22222222-2222-4222-8222-222222222222', '{owner}');
  insert into sessions (id, user_id, secret_hash, service_epoch, user_epoch, tenant_id, amr, acr, ends_at,
    idle_seconds, user_agent, address)
  select 'AAAAAAAAAAAAAAAAAAAAAA', u.id, sha256('x'), s.epoch, u.epoch, '22222222-2222-4222-8222-222222222222',
    '{pwd}', 'aal1', now() + interval '1 day', 3600, 'test', '192.0.2.1' from users u, service s;
  insert into audit_events (action, outcome) values ('session.opened', 'done')`

/** Everything that a migration can have made, and who may do what, in words that two databases have in common. */
async function shapeOf({ sql }: TestDatabase): Promise<Record<string, string[]>> {
  const [own] = await sql.unsafe<{ role: string }[]>(`select ${serviceRole} as role`)
  const list = async (query: string) =>
    (await sql.unsafe<{ line: string }[]>(query))
      .map(({ line }) => line.replaceAll(own?.role ?? '', 'the service'))
      .sort()
  return {
    columns:
      await list(`select concat_ws(' ', table_name, column_name, data_type, is_nullable, column_default,
      is_identity) as line from information_schema.columns where table_schema = 'public'`),
    constraints:
      await list(`select concat_ws(' ', conrelid::regclass, conname, pg_get_constraintdef(oid)) as line
      from pg_constraint where connamespace = 'public'::regnamespace`),
    indexes: await list(`select indexdef as line from pg_indexes where schemaname = 'public'`),
    triggers: await list(`select pg_get_triggerdef(oid) as line from pg_trigger where not tgisinternal`),
    options: await list(`select concat_ws(' ', relname, reloptions) as line from pg_class
      where relnamespace = 'public'::regnamespace and relkind = 'r'`),
    grants: await list(`select concat_ws(' ', relname, g.grantee::regrole, g.privilege_type) as line
      from pg_class, aclexplode(relacl) g where relnamespace in ('public'::regnamespace, 'drizzle'::regnamespace)
      and relkind = 'r' and g.grantee <> relowner`),
    database: await list(`select concat_ws(' ', g.grantee::regrole, g.privilege_type) as line
      from pg_database, aclexplode(datacl) g where datname = current_database() and g.grantee <> datdba`),
  }
}

/** The rights are those of this release: a table of a later migration is not there yet, and gets them with it. */
function unlessLaterTable(error: Error): void {
  if (!(error instanceof DatabaseFault && error.sqlState === '42P01')) throw error
}

test('from each earlier migration the newest release comes to the same tables, indexes and rights', async t => {
  const fresh = await testDatabase(t, { empty: true })
  await migrate(fresh.address)
  const shape = await shapeOf(fresh)
  t.ok((shape.grants?.length ?? 0) > 40, 'the rights were found')
  for (let first = 1; first <= journal.entries.length; first++) {
    const after = `after ${journal.entries[first - 1]?.tag}`
    const database = await testDatabase(t, { empty: true })
    const folder = await folderOf(t, first)
    await (first <= byTheDriver
      ? migrateAsBefore(database.address, folder)
      : migrate(database.address, { folder }).catch(unlessLaterTable))
    if (first > 1) await database.sql.unsafe(anybody)
    await migrate(database.address)
    t.strictSame(await shapeOf(database), shape, after)
    t.match(await inspect(database.address), { missing: 0, settings: [], lacking: [], open: false }, after)
    if (first === 1) continue
    const hot = new HotReads(database.address)
    const { row } = await hot.read('AAAAAAAAAAAAAAAAAAAAAA' as SessionId)
    await hot.close()
    t.match(
      row,
      { userActive: true, epochsCurrent: true, tenant: { roleIds: ['owner'] } },
      `${after}: a session lives`,
    )
  }
})

test('the service has exactly the rights that its tables are listed with, and may not rewrite what was recorded', async t => {
  const { sql } = await testDatabase(t)
  const [own] = await sql.unsafe<{ role: string }[]>(`select ${serviceRole} as role`)
  const granted = await sql<{ table: string; has: string[] }[]>`
    select c.relname as table, array_agg(lower(g.privilege_type) order by 1) as has
    from pg_class c, aclexplode(c.relacl) g
    where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and g.grantee = ${own?.role ?? ''}::regrole
    group by c.relname`
  const sorted = (all: readonly (readonly [string, readonly string[]])[]) =>
    all.map(([table, has]) => `${table}: ${[...has].sort()}`).sort()
  t.strictSame(sorted(granted.map(({ table, has }) => [table, has])), sorted(rights))
  const tables = await sql<{ name: string }[]>`select relname as name from pg_class
    where relnamespace = 'public'::regnamespace and relkind = 'r'`
  t.equal(granted.length, tables.length, 'and every table is among them')
  const mayNot = (table: string) =>
    ['select', 'insert', 'update', 'delete'].filter(right => !new Map(rights).get(table)?.includes(right))
  t.strictSame(mayNot('audit_events'), ['update', 'delete'])
  t.strictSame(mayNot('signing_keys'), ['delete'])
  t.strictSame(mayNot('key_policy'), ['insert', 'update', 'delete'])
})

test('what the service was given beyond its rights is gone with the next migration', async t => {
  const { address, sql } = await testDatabase(t)
  const [own] = await sql.unsafe<{ role: string }[]>(`select ${serviceRole} as role`)
  const may = async () => {
    const [row] =
      await sql`select has_table_privilege(${own?.role ?? ''}, 'audit_events', 'update, delete, truncate')
      or has_column_privilege(${own?.role ?? ''}, 'audit_events', 'reason', 'update') as rewrite`
    return row?.rewrite
  }
  for (const right of ['update, delete, truncate', 'update (reason)']) {
    await sql.unsafe(`grant ${right} on audit_events to "${own?.role}"`)
    t.equal(await may(), true, right)
    await migrate(address)
    t.equal(await may(), false, right)
  }
})

test('no migration grants anything: the tables that the release has say what the service may do', async t => {
  // Until then each had a line for its tables, and released migrations stay as they are.
  const last = journal.entries.findIndex(({ tag }) => tag === '0012_sessions_in_redis')
  const later = journal.entries.slice(last + 1)
  t.ok(last > 0 && later.length > 0)
  for (const { tag } of later)
    t.notMatch(
      await readFile(join(released, `${tag}.sql`), 'utf8'),
      /^\s*(grant|revoke|alter default)\b/im,
      tag,
    )
})

const onUsers = 'CREATE INDEX CONCURRENTLY "users_name" ON "users" USING btree ("name");'

test('an index is built beside those who write, and many that migrate at once wait for it', async t => {
  const { address, sql } = await testDatabase(t)
  const folder = await folderOf(t, journal.entries.length, { tag: '9999_index', sql: onUsers })
  const insert = (email: string) =>
    sql`insert into users (email, canonical_email) values (${email}, ${email})`
  const writer = await sql.reserve()
  await writer`begin`
  await writer`insert into users (email, canonical_email) values ('a@example.com', 'a@example.com')`
  const migrations = Promise.all(Array.from({ length: 5 }, () => migrate(address, { folder })))
  await eventually(async () => {
    const [waits] = await sql`select from pg_stat_activity
      where datname = current_database() and query ~* '^create index concurrently' and wait_event_type = 'Lock'`
    return waits && true
  }, 60)
  await sql.begin(async tx => {
    await tx`set local lock_timeout = '5s'`
    await tx`insert into users (email, canonical_email) values ('b@example.com', 'b@example.com')`
  })
  t.pass('a row was written while the index was being built')
  await writer`commit`
  writer.release()
  await migrations
  await insert('c@example.com')
  const built = await sql`select indisvalid from pg_index where indexrelid = 'users_name'::regclass`
  t.strictSame([...built], [{ indisvalid: true }])
  const hashes = await sql`select from drizzle.__drizzle_migrations`
  t.equal(hashes.length, journal.entries.length + 1, 'and it is applied once')
})

test('an index whose building failed is built anew by the next try', async t => {
  const { address, sql } = await testDatabase(t)
  const unique = onUsers.replace('INDEX', 'INDEX').replace('CREATE', 'CREATE UNIQUE')
  const folder = await folderOf(t, journal.entries.length, { tag: '9999_index', sql: unique })
  await sql`insert into users (email, canonical_email, name) values ('a@a.example', 'a@a.example', 'Ada'),
    ('b@a.example', 'b@a.example', 'Ada')`
  await t.rejects(migrate(address, { folder }))
  const valid = () => sql`select indisvalid from pg_index where indexrelid = to_regclass('users_name')`
  t.strictSame([...(await valid())], [{ indisvalid: false }], 'it is there, and of no use')
  await sql`delete from users where canonical_email = 'b@a.example'`
  await migrate(address, { folder })
  t.strictSame([...(await valid())], [{ indisvalid: true }])
})

test('a migration whose connection is lost on the way is not known to be done, and is safe to repeat', async t => {
  const { address, sql } = await testDatabase(t)
  const more = { tag: '9999_column', sql: 'alter table users add column nickname text' }
  const folder = await folderOf(t, journal.entries.length, more)
  const reader = await sql.reserve()
  await reader`begin`
  await reader`select from users`
  const lost = migrate(address, { folder }).catch((error: unknown) => error)
  await eventually(async () => {
    const [ended] = await sql`select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and query like 'alter table users%' and wait_event_type = 'Lock'`
    return ended && true
  }, 60)
  t.match(await lost, { name: 'Outage', outcome: 'unknown' })
  await reader`rollback`
  reader.release()
  await migrate(address, { folder })
  t.equal((await sql`select nickname from users`).length, 0)
})

test('an index on a table that was there before is built concurrently, in a migration of its own', async t => {
  // Before the first release no installation had rows worth waiting for.
  for (const { tag } of journal.entries.slice(byTheDriver)) {
    const text = await readFile(join(released, `${tag}.sql`), 'utf8')
    const statements = text.split('--> statement-breakpoint').filter(one => one.trim() !== '')
    const made = new Set(
      [...text.matchAll(/create table (?:if not exists )?"(\w+)"/gi)].map(match => match[1]),
    )
    const concurrent = statements.filter(one => /create (unique )?index concurrently/i.test(one))
    t.ok(concurrent.length === 0 || concurrent.length === statements.length, `${tag}: and nothing else`)
    for (const [, on] of text.matchAll(/create (?:unique )?index (?!concurrently)[^;]*? on "(\w+)"/gi))
      t.ok(made.has(on), `${tag}: the table ${on} is written to while its index is built`)
  }
  t.ok(journal.entries.length > byTheDriver)
})

test('a migration meets nothing that its login or its database was given', async t => {
  const owner = await newLogin(t, 'superuser')
  const { address, sql } = await testDatabase(t, { empty: true })
  await sql.unsafe(`create schema ${owner.name}`)
  await sql.unsafe(`alter role ${owner.name} set search_path = ${owner.name}`)
  await sql.unsafe(`alter role ${owner.name} set default_transaction_read_only = on`)
  await sql.unsafe(`alter role ${owner.name} set statement_timeout = 1`)
  await migrate({ url: owner.url(address.database) })
  t.equal((await sql`select from pg_tables where schemaname = ${owner.name}`).length, 0)
  t.match(await inspect(address), { missing: 0, lacking: [], settings: [] })
  await asSuperuser(`alter role ${owner.name} reset all`)
})
