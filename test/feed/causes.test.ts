/** RV-07, RV-08: what takes something away makes exactly its entries, by whatever statement; what only adds makes none. */
import type postgres from 'postgres'
import { test } from 'tap'
import { testDatabase } from '../support/database.js'
import { type Change, classes } from './classes.js'
import { currentValue, deadIn, ofId, ofSecret } from './dead.js'
import { type Stage, stage } from './stage.js'

test('every column of every table is classed: takes away, adds, or irrelevant for a reason', async t => {
  const { sql } = await testDatabase(t)
  const there = await sql<{ name: string }[]>`select table_name || '.' || column_name as name
    from information_schema.columns where table_schema = 'public' order by 1`
  const classed = Object.entries(classes).flatMap(([table, columns]) =>
    Object.keys(columns).map(column => `${table}.${column}`),
  )
  const names = there.map(({ name }) => name)
  t.same(
    names.filter(name => !classed.includes(name)),
    [],
    'a new column: does a change of it take something from a token? Class it in test/feed/classes.ts',
  )
  t.same(
    classed.filter(name => !names.includes(name)),
    [],
    'a class of a column that does not exist',
  )
})

const undo = new Error('undone')
/** What the statements add, and nothing is changed. */
async function tried(sql: postgres.Sql, statements: string, before = 'select'): Promise<string[]> {
  let dead: string[] = []
  await sql
    .begin(async tx => {
      await tx.unsafe(before)
      dead = await deadIn(tx, () => tx.unsafe(statements))
      throw undo
    })
    .catch(error => {
      if (error !== undo) throw error
    })
  return dead
}

const sorted = (all: readonly string[]) => [...all].sort()

/** What a column of this type is changed to, unless its class says so. */
function changed(column: string, type: string): string {
  if (type.startsWith('timestamp')) return `coalesce(${column}, now()) + interval '1 second'`
  if (type === 'ARRAY') return `${column} || array['x']`
  const byType: Record<string, string> = {
    text: `coalesce(${column}, '') || 'x'`,
    uuid: 'gen_random_uuid()',
    bytea: `sha256(convert_to(gen_random_uuid()::text, 'UTF8'))`,
    jsonb: `${column} || '{"x": {"name": "x", "permissions": []}}'`,
  }
  return byType[type] ?? `coalesce(${column}, 0) + 1`
}

test('a change of a column kills exactly what it takes away', async t => {
  const { sql } = await testDatabase(t)
  const here = await stage(sql)
  const types = await sql<{ table: string; column: string; type: string }[]>`
    select table_name as table, column_name as column, data_type as type from information_schema.columns
    where table_schema = 'public' order by 1, ordinal_position`
  for (const { table, column, type } of types) {
    const name = `${table}.${column}`
    const is = classes[table]?.[column]
    const where = here.rows[table]?.where
    if (!is || !where) {
      t.fail(`${name} is not classed, or its table has no row on the stage`)
      continue
    }
    const rows = await sql.unsafe(`select from ${table} where ${where}`)
    if (rows.length !== 1) t.fail(`${table}: the stage has ${rows.length} rows`)
    if (is.is === 'irrelevant') {
      const update = `update ${table} set "${column}" = ${is.value ?? changed(`"${column}"`, type)} where ${where}`
      if (is.refused) await t.rejects(tried(sql, update), { name: 'PostgresError' }, `${name}: ${is.why}`)
      else t.same(await tried(sql, update), [], `${name}: ${is.why}`)
      continue
    }
    for (const { what, sql: statements, dead } of is.changes) {
      const expected = is.is === 'adds' ? [] : dead(here.old)
      t.same(sorted(await tried(sql, statements(here))), sorted(expected), `${name}: ${what}`)
    }
    t.ok(is.changes.length > 0, `${name} is tried`)
  }
  const [left] = await sql<{ count: number }[]>`select count(*)::int as count from revocations`
  t.equal(left?.count, 2, 'and all of it was undone')
})

test('an insert takes nothing away, unless it says of a session or a secret that it is over', async t => {
  const { sql } = await testDatabase(t)
  const { insertedDead, old } = await stage(sql)
  const { revoked_sessions: listed, ...others } = insertedDead
  t.same(listed, old.listed)
  for (const [table, dead] of Object.entries(others)) t.same(dead, [], table)
  const listing = (values: string) =>
    tried(
      sql,
      `insert into revoked_sessions (id, secret_hash, reason, until)
        values (${values}, 'signed-out', now() + interval '1 day')`,
    )
  t.same(await listing(`'BBBBBBBBBBBBBBBBBBBBBB', null`), [`session ${ofId('BBBBBBBBBBBBBBBBBBBBBB')}`])
  t.same(await listing(`null, decode(repeat('00', 32), 'hex')`), [`secret ${ofSecret(Buffer.alloc(32))}`])
  t.same(
    await tried(
      sql,
      `insert into revoked_sessions (id, reason, until) select id, reason, until from revoked_sessions
        on conflict (id) do nothing`,
    ),
    [],
    'one that is listed',
  )
  t.same(
    await tried(sql, `insert into application_origins values ('https://new.example', 'shop')`),
    [],
    'an origin',
  )
})

interface Deletion extends Change {
  readonly table: string
}

const gone = (
  table: string,
  what: string,
  sql: (stage: Stage) => string,
  ...dead: Exclude<keyof Stage['old'], 'listed'>[]
): Deletion => ({ table, what, sql, dead: old => dead.map(key => old[key]) })

const killing = ({ kid }: Stage) => `update signing_keys
  set compromised_at = now(), unpublished_at = now(), sealed = null, kek_id = null where kid = '${kid}'`

/** Of every table, what dies when rows of it are deleted. */
const deletions: readonly Deletion[] = [
  gone('users', 'a user, with all they have', s => `delete from users where id = '${s.user}'`, 'user'),
  gone(
    'users',
    'a user, their sessions and memberships in one statement',
    s => `with a as (delete from sessions where user_id = '${s.user}'),
      b as (delete from memberships where user_id = '${s.user}') delete from users where id = '${s.user}'`,
    'user',
  ),
  gone(
    'tenants',
    'a tenant, with its members',
    s => `delete from tenants where id = '${s.tenant}'`,
    'tenant',
  ),
  gone('tenants', 'a tenant that is suspended', s => `delete from tenants where id = '${s.empty}'`, 'empty'),
  gone(
    'memberships',
    'a membership',
    s => `delete from memberships where user_id = '${s.user}'`,
    'membership',
  ),
  gone(
    'memberships',
    'all of a tenant',
    s => `delete from memberships where tenant_id = '${s.tenant}'`,
    'membership',
    'stranger',
  ),
  gone(
    'memberships',
    'before its user',
    s => `delete from memberships where user_id = '${s.user}';
    delete from users where id = '${s.user}'`,
    'membership',
    'user',
  ),
  gone(
    'applications',
    'an application, with its origins',
    s => `delete from applications where client_id = '${s.client}'`,
    'application',
  ),
  gone(
    'application_origins',
    'one of two',
    () => `delete from application_origins where origin = 'https://www.shop.example'`,
    'application',
  ),
  gone('sessions', 'a live one', s => `delete from sessions where id = '${s.session}'`, 'session'),
  gone(
    'sessions',
    'one that is over since a minute: clocks differ',
    s => `delete from sessions where id = '${s.justExpired}'`,
    'justExpired',
  ),
  gone('sessions', 'one that has expired', s => `delete from sessions where id = '${s.expired}'`),
  gone('sessions', 'one that has ended', s => `delete from sessions where id = '${s.ended}'`),
  gone('sessions', 'all there are', () => 'delete from sessions', 'session', 'justExpired'),
  gone('service', 'the service', () => 'delete from service', 'service'),
]

/** The others: their rows take nothing along, or are not deleted at all. */
const deletedForNothing = [
  ...['passwords', 'invitations', 'service_keys', 'mail_links', 'idempotent_answers', 'audit_events'],
  ...['totp_factors', 'recovery_codes', 'factor_failures', 'factor_resets', 'pending_sign_ins'],
  ...['passkeys', 'passkey_owners', 'passkey_challenges'],
  ...['providers', 'federated_identities', 'federation_flows', 'federated_sessions', 'provider_logouts'],
  ...['revoked_sessions', 'key_policy', 'revocation_feed', 'revocations', 'feed_verifiers', 'feed_waits'],
]
const neverDeleted = ['signing_keys']

test('a deletion kills its own handle, and not one for each row that goes with it', async t => {
  const { sql } = await testDatabase(t)
  const here = await stage(sql)
  for (const { table, what, sql: statements, dead } of deletions)
    t.same(sorted(await tried(sql, statements(here))), sorted(dead(here.old)), `${table}: ${what}`)
  for (const table of deletedForNothing) t.same(await tried(sql, `delete from ${table}`), [], table)
  for (const table of neverDeleted) await t.rejects(tried(sql, `delete from ${table}`), { code: '23514' })
  const named = [...deletions.map(({ table }) => table), ...deletedForNothing, ...neverDeleted]
  t.same(sorted([...new Set(named)]), sorted(Object.keys(classes)), 'no table is left out')
})

test('each trigger is needed: without it, one of the changes above is missed', async t => {
  const { sql } = await testDatabase(t)
  const here = await stage(sql)
  const changes: readonly Change[] = [
    ...Object.values(classes).flatMap(columns =>
      Object.values(columns).flatMap(is => (is.is === 'takes away' ? is.changes : [])),
    ),
    ...deletions,
    {
      what: 'an insert that says of a session that it is over',
      sql: () => `insert into revoked_sessions (id, reason, until)
        values ('BBBBBBBBBBBBBBBBBBBBBB', 'signed-out', now() + interval '1 day')`,
      dead: () => [`session ${ofId('BBBBBBBBBBBBBBBBBBBBBB')}`],
    },
    {
      what: 'a new generation: the killed key is in the list again',
      sql: s => `${killing(s)}; delete from revocations; update service set generation = generation + 1`,
      dead: old => [old.key],
    },
  ]
  const triggers = await sql<{ name: string; table: string }[]>`
    select g.tgname as name, g.tgrelid::regclass::text as table from pg_trigger g join pg_proc p on p.oid = g.tgfoid
    where not g.tgisinternal and (p.prosecdef or p.proname in ('new_epoch', 'new_version')) order by 2, 1`
  t.ok(triggers.length >= 18, `${triggers.length} triggers`)
  for (const { name, table } of triggers) {
    const drop = `drop trigger ${name} on ${table}`
    const missed: string[] = []
    for (const { what, sql: statements, dead } of changes) {
      const got = await tried(sql, statements(here), drop)
      if (sorted(got).join() !== sorted(dead(here.old)).join()) missed.push(what)
    }
    t.ok(missed.length > 0, `${drop}: ${missed.join('; ')}`)
  }
})

test('several origins lost at once, or one after the other: the value that tokens carry is dead', async t => {
  const { sql } = await testDatabase(t)
  const here = await stage(sql)
  const dead = await tried(sql, 'delete from application_origins')
  t.equal(dead[0], here.old.application)
  t.equal(new Set(dead).size, dead.length)
})

function bitsApart(one: string, other: string): number {
  const [a, b] = [one, other].map(text => Buffer.from(text, 'base64url').readBigUInt64BE())
  return ((a ?? 0n) ^ (b ?? 0n)).toString(2).replaceAll('0', '').length
}

/** Rows whose value is replaced, with a change to and fro. */
const swings = [
  ['users', 'epoch', `state = 'disabled'`, `state = 'active'`, 'user'],
  ['memberships', 'version', `role_ids = '{reader}'`, `role_ids = '{reader,writer}'`, 'membership'],
  ['tenants', 'version', `roles = roles - 'writer'`, '', 'tenant'],
  ['applications', 'version', `audiences = '{api}'`, `audiences = '{api,reports}'`, 'application'],
] as const

test('RV-08: changed and changed back ten times in one transaction, every value but the last is dead', async t => {
  const { sql } = await testDatabase(t)
  const here = await stage(sql)
  for (const [table, column, there, back, key] of swings) {
    const where = here.rows[table]?.where ?? ''
    const [{ roles } = {}] = await sql<{ roles: string }[]>`
      select roles::text as roles from tenants where id = ${here.tenant}`
    const fro = back || `roles = '${roles}'`
    const seen: string[] = []
    let dead: string[] = []
    let last = ''
    await sql.begin(async tx => {
      dead = await deadIn(tx, async () => {
        for (let round = 0; round < 10; round++) {
          seen.push(await currentValue(tx, column, table, where))
          await tx.unsafe(`update ${table} set ${there} where ${where}`)
          await tx.unsafe(`update ${table} set ${fro} where ${where}`)
        }
        last = await currentValue(tx, column, table, where)
      })
    })
    t.same(
      dead,
      seen.map(value => `${key} ${value}`),
      `${table}: each of the ten, in order, and nothing else`,
    )
    t.equal(new Set([...seen, last]).size, 11, `${table}: each value is a new one`)
    const next = [...seen.slice(1), last]
    const apart = seen.map((value, index) => bitsApart(value, next[index] ?? ''))
    // Of random ones fewer than nine once in a billion.
    t.ok(Math.min(...apart) > 8, `${table}: and none follows from the one before: ${apart} of 64 bits apart`)
    t.notOk(dead.includes(`${key} ${last}`), `${table}: what is minted afterwards lives`)
  }
})

test('RV-08: changed and changed back by two transactions, what is minted in between dies as well', async t => {
  const { sql } = await testDatabase(t)
  const here = await stage(sql)
  const where = here.rows.memberships?.where ?? ''
  const values: string[] = []
  const dead = await deadIn(sql, async () => {
    for (const set of [`role_ids = '{reader}'`, `role_ids = '{writer}'`, `role_ids = '{reader,writer}'`]) {
      values.push(await currentValue(sql, 'version', 'memberships', where))
      await sql.unsafe(`update memberships set ${set} where ${where}`)
    }
  })
  t.same(
    dead,
    values.slice(0, 2).map(value => `membership ${value}`),
    'gaining it back kills nothing',
  )
})

test('an entry is part of the change: undone with it, and never without it', async t => {
  const { sql } = await testDatabase(t)
  const here = await stage(sql)
  const where = here.rows.users?.where ?? ''
  const before = await currentValue(sql, 'epoch', 'users', where)
  t.same(await deadIn(sql, () => tried(sql, `update users set state = 'disabled' where ${where}`)), [])
  t.equal(await currentValue(sql, 'epoch', 'users', where), before)
  await sql.unsafe('alter table revocations add constraint full_up check (false) not valid')
  await t.rejects(sql.unsafe(`update users set state = 'disabled' where ${where}`), { code: '23514' })
  t.equal(
    await currentValue(sql, 'epoch', 'users', where),
    before,
    'what cannot be published does not happen',
  )
})

test('an entry says what it was of: for people, not for verifiers', async t => {
  const { sql } = await testDatabase(t)
  const s = await stage(sql)
  await sql`delete from revocations`
  await sql.unsafe(`update sessions set ended_at = now(), ended_reason = 'signed-out' where id = '${s.session}';
    update memberships set state = 'suspended' where user_id = '${s.user}';
    update users set state = 'disabled' where id = '${s.user}';
    update tenants set state = 'suspended' where id = '${s.tenant}';
    update applications set state = 'disabled' where client_id = '${s.client}';
    update signing_keys set compromised_at = now(), unpublished_at = now(), sealed = null, kek_id = null;
    update service set epoch = 5`)
  const rows = await sql`select kind, user_id, session, tenant_id, client_id, kid, position, sequenced_at
    from revocations order by id`
  const none = { user_id: null, session: null, tenant_id: null, client_id: null, kid: null }
  const fresh = { ...none, position: null, sequenced_at: null }
  t.same(rows, [
    { ...fresh, kind: 'session', session: s.session, user_id: s.user },
    { ...fresh, kind: 'membership', user_id: s.user, tenant_id: s.tenant },
    { ...fresh, kind: 'user', user_id: s.user },
    { ...fresh, kind: 'tenant', tenant_id: s.tenant },
    { ...fresh, kind: 'application', client_id: s.client },
    { ...fresh, kind: 'key', kid: s.kid },
    { ...fresh, kind: 'service' },
  ])
})

test('new values are random: of ten thousand none comes twice, and half of all bits are set', async t => {
  const { sql } = await testDatabase(t)
  const values = await sql<{ handle: Buffer }[]>`
    select int8send(random_handle()) as handle from generate_series(1, 10000)`
  t.equal(new Set(values.map(({ handle }) => handle.toString('hex'))).size, 10_000)
  for (let bit = 0; bit < 64; bit++) {
    const set = values.filter(({ handle }) => ((handle[bit >> 3] ?? 0) >> (bit & 7)) & 1).length
    // Six standard deviations: by chance once in half a billion.
    t.ok(Math.abs(set - 5000) < 300, `bit ${bit}: ${set}`)
  }
})
