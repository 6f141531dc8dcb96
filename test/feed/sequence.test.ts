/** RV-06, and who may do what to the feed: positions without a gap, in which nothing is ever added below one that was read. */
import { randomBytes, randomInt } from 'node:crypto'
import postgres from 'postgres'
import { type Test, test } from 'tap'
import { serviceRole } from '../../src/store/postgres/session-settings.js'
import { type TestDatabase, testDatabase } from '../support/database.js'
import { unguarded } from '../support/keys.js'
import { asSuperuser } from '../support/logins.js'
import { eventually } from '../support/service.js'
import { classes } from './classes.js'
import { currentValue, deadIn, ofId } from './dead.js'
import { stage } from './stage.js'

/** A session of its own, as if from another instance. */
function connection(t: Test, { address }: TestDatabase): postgres.Sql {
  const sql = postgres({ ...address, max: 1, onnotice: () => {} })
  t.teardown(() => sql.end({ timeout: 1 }))
  return sql
}

/** With the rights of the service. */
async function asService(t: Test, database: TestDatabase): Promise<postgres.Sql> {
  const sql = connection(t, database)
  await sql.unsafe(`select set_config('role', ${serviceRole}, false)`)
  return sql
}

const newId = () => randomBytes(16).toString('base64url')
/** One entry: the session of this id is over. */
const revoke = (sql: postgres.Sql | postgres.TransactionSql, id: string) =>
  sql`insert into revoked_sessions (id, reason, until) values (${id}, 'signed-out', now() + interval '1 day')`
const revokeMany = (sql: postgres.Sql, count: number) =>
  sql`insert into revoked_sessions (id, reason, until)
    select left(replace(gen_random_uuid()::text, '-', ''), 22), 'signed-out', now() + interval '1 day'
    from generate_series(1, ${count})`

async function sequence(sql: postgres.Sql): Promise<number> {
  await sql`select sequence_revocations()`
  const [row] = await sql<{ head: number }[]>`select head::int as head from revocation_feed`
  return row?.head ?? -1
}

interface Feed {
  readonly head: number
  /** What is numbered, by its position. */
  readonly entries: readonly { readonly position: number; readonly handle: string }[]
  readonly unnumbered: number
}

/** In one statement. */
async function read(sql: postgres.Sql): Promise<Feed> {
  const [row] = await sql<[Feed]>`
    select f.head::int as head,
      (select count(*)::int from revocations where position is null) as unnumbered,
      (select coalesce(json_agg(json_build_object('position', position, 'handle', encode(int8send(handle), 'hex'))
        order by position), '[]') from revocations where position is not null) as entries
    from revocation_feed f`
  return row
}

const hexOf = (id: string) => Buffer.from(ofId(id), 'base64url').toString('hex')
const positions = (feed: Feed) => feed.entries.map(({ position }) => position)
const oneTo = (last: number) => Array.from({ length: last }, (_, index) => index + 1)

test('RV-06: twelve slow writers, two sequencers: one position each, no gap, none below a head that was read', async t => {
  const database = await testDatabase(t)
  const committed: string[] = []
  let rolledBack = 0
  let writing = true
  const undo = new Error('rolled back')
  const writer = async () => {
    const sql = connection(t, database)
    for (let round = 0; round < 25; round++) {
      const ids = Array.from({ length: randomInt(1, 4) }, newId)
      const undone = randomInt(10) < 2
      const slow = randomInt(20) === 0 ? randomInt(1500) : randomInt(40)
      await sql
        .begin(async tx => {
          for (const id of ids) await revoke(tx, id)
          await tx`select pg_sleep(${slow / 1000})`
          if (undone) throw undo
        })
        .then(
          () => committed.push(...ids),
          error => {
            if (error !== undo) throw error
            rolledBack += ids.length
          },
        )
    }
  }
  const sequencer = async () => {
    const sql = await asService(t, database)
    let calls = 0
    for (let last = 0; writing; calls++) {
      const head = await sequence(sql)
      if (head < last) t.fail(`the head went back from ${last} to ${head}`)
      last = head
    }
    return calls
  }
  const seen = new Map<number, string>()
  let [readings, highest] = [0, 0]
  const reader = async () => {
    const sql = await asService(t, database)
    for (; writing; readings++) {
      const feed = await read(sql)
      if (positions(feed).join() !== oneTo(feed.head).join()) t.fail(`a gap below ${feed.head}`)
      if (feed.head < highest) t.fail('the head went back')
      for (const { position, handle } of feed.entries) {
        const before = seen.get(position)
        if (before === undefined && position <= highest) t.fail(`${position} came after ${highest} was read`)
        if (before !== undefined && before !== handle) t.fail(`${position} became another one`)
        seen.set(position, handle)
      }
      highest = feed.head
    }
  }
  const others = [sequencer(), sequencer(), reader()]
  await Promise.all(Array.from({ length: 12 }, writer)).finally(() => {
    writing = false
  })
  await Promise.all(others)
  const head = await sequence(database.sql)
  const feed = await read(database.sql)
  t.equal(feed.head, head)
  t.equal(head, committed.length, 'one position for each entry that was committed')
  t.equal(feed.unnumbered, 0)
  t.same(positions(feed), oneTo(head))
  t.same(feed.entries.map(({ handle }) => handle).sort(), committed.map(hexOf).sort())
  t.ok(rolledBack > 0 && readings > 20, 'both were tried')
  t.comment(`${committed.length} committed, ${rolledBack} rolled back, ${readings} readings`)
})

test('a transaction that stays open holds up nobody, and its entry comes at the end of the list', async t => {
  const database = await testDatabase(t)
  const { sql } = database
  const [slow, quick] = [newId(), newId()]
  const open = connection(t, database)
  await open`begin`
  await revoke(open, slow)
  await revoke(sql, quick)
  t.equal(await sequence(sql), 1)
  t.same((await read(sql)).entries, [{ position: 1, handle: hexOf(quick) }])
  await open`commit`
  t.equal(await sequence(sql), 2)
  t.same((await read(sql)).entries[1], { position: 2, handle: hexOf(slow) })
  t.equal(await sequence(sql), 2, 'with nothing new the head stays')
})

test('RV-06: of two sequencers at once the second waits, and moves nothing that the first has placed', async t => {
  const database = await testDatabase(t)
  const { sql } = database
  const [earlier, later] = [newId(), newId()]
  const slow = connection(t, database)
  await slow`begin`
  await revoke(slow, earlier)
  await revoke(sql, later)
  const first = await asService(t, database)
  await first`begin`
  t.equal(await sequence(first), 1)
  // Its entry was made before the other one, and is seen after it.
  await slow`commit`
  const second = sequence(await asService(t, database)).catch((error: unknown) => error)
  await eventually(async () => {
    const rows = await sql`select from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`
    return rows.length > 0 || undefined
  })
  await first`commit`
  t.equal(await second, 2)
  t.same((await read(sql)).entries, [
    { position: 1, handle: hexOf(later) },
    { position: 2, handle: hexOf(earlier) },
  ])
})

test('ten thousand are numbered in one call, and what is left by the next', async t => {
  const { sql } = await testDatabase(t)
  await revokeMany(sql, 20_001)
  t.same(
    [await sequence(sql), await sequence(sql), await sequence(sql), await sequence(sql)],
    [10_000, 20_000, 20_001, 20_001],
  )
  const [row] = await sql`select count(distinct position)::int as count, min(position)::int as first,
    max(position)::int as last from revocations`
  t.same(row, { count: 20_001, first: 1, last: 20_001 })
})

/** Ends the server's process of a session as a crash does: nothing is said. */
async function kill(sql: postgres.Sql, victim: number): Promise<void> {
  await sql`select pg_terminate_backend(${victim})`
  await eventually(async () => {
    const rows = await sql`select from pg_stat_activity where pid = ${victim}`
    return rows.length === 0 || undefined
  })
}

const pidOf = async (sql: postgres.Sql): Promise<number> => {
  const [row] = await sql<{ pid: number }[]>`select pg_backend_pid() as pid`
  return row?.pid ?? 0
}

test('RV-06: whoever is killed, before the commit, after it or while numbering: nothing is lost, nothing comes twice', async t => {
  const database = await testDatabase(t)
  const { sql } = database
  const [kept, lost] = [newId(), newId()]

  const writer = connection(t, database)
  await revoke(writer, kept)
  await writer`begin`
  await revoke(writer, lost)
  await kill(sql, await pidOf(writer))
  t.match(await read(sql), { head: 0, unnumbered: 1 }, 'what was committed waits, what was not is gone')

  const numbering = await asService(t, database)
  await numbering`begin`
  t.equal(await sequence(numbering), 1)
  const waiting = await asService(t, database)
  const waitingPid = await pidOf(waiting)
  const waited = sequence(waiting).catch((error: unknown) => error)
  await eventually(async () => {
    const rows =
      await sql`select from pg_stat_activity where pid = ${waitingPid} and wait_event_type = 'Lock'`
    return rows.length > 0 || undefined
  })
  await kill(sql, waitingPid)
  t.type(await waited, Error)
  await kill(sql, await pidOf(numbering))
  t.match(await read(sql), { head: 0, unnumbered: 1, entries: [] }, 'no position was given')

  t.equal(await sequence(sql), 1)
  t.same((await read(sql)).entries, [{ position: 1, handle: hexOf(kept) }])
})

test('a sequencer with a view of before is refused: it would give positions that are taken', async t => {
  const database = await testDatabase(t)
  const { sql } = database
  const old = await asService(t, database)
  await old`begin isolation level repeatable read`
  await old`select from revocations`
  await revoke(sql, newId())
  await sequence(sql)
  await t.rejects(sequence(old), { code: '40001' })
  await old`rollback`
})

/** Numbers what there is, and has each position be of so many seconds ago. */
async function numberedAt(sql: postgres.Sql, ages: readonly number[]): Promise<void> {
  await revokeMany(sql, ages.length)
  while ((await sequence(sql)) < ages.length);
  await sql`update revocations r set sequenced_at = now() - a.age * interval '1 second'
    from unnest(${sql.array([...ages])}::float8[]) with ordinality a (age, position) where r.position = a.position`
}

async function forget(sql: postgres.Sql): Promise<number> {
  const [row] = await sql<{ count: number }[]>`select forget_revocations()::int as count`
  return row?.count ?? -1
}

const day = 86_400

test('forgetting keeps the head, whatever is younger than a day, and what has no position yet', async t => {
  const database = await testDatabase(t)
  const { sql } = database
  const service = await asService(t, database)
  await numberedAt(sql, [3 * day, day + 1000, day + 980, day, 60, 0])
  await revokeMany(sql, 2)
  t.equal(await forget(service), 2)
  t.match(await read(sql), { head: 6, unnumbered: 2 })
  t.same(positions(await read(sql)), [3, 4, 5, 6], 'a day, and as long as a verifier keeps a handle')
  await sql`update revocations set sequenced_at = now() - interval '9 days' where position is not null`
  t.equal(await forget(service), 3)
  t.same(positions(await read(sql)), [6], 'its handle is the tag of the head')
  t.equal(await sequence(service), 8, 'and the next ones come behind it')
  t.equal(await forget(service), 1)
  const overloads = await sql`select pronargs from pg_proc where proname = 'forget_revocations'`
  t.same(overloads, [{ pronargs: 0 }], 'nobody says how old')
})

test('the list has no hole, whatever the clock did, and however much there is to forget', async t => {
  const { sql } = await testDatabase(t)
  await numberedAt(sql, [3 * day, 60, 3 * day, 0])
  t.equal(await forget(sql), 1)
  t.same(positions(await read(sql)), [2, 3, 4])
  await revokeMany(sql, 10_010)
  while ((await sequence(sql)) < 10_014);
  await sql`update revocations set sequenced_at = now() - interval '3 days' - position * interval '1 second'`
  t.equal(await forget(sql), 10_000)
  t.same(positions(await read(sql)), oneTo(10_014).slice(10_001))
  t.equal(await forget(sql), 12)
  t.equal(await forget(sql), 0)
})

/** What each statement is answered with: `done`, or the state with which it is refused. */
async function tries(sql: postgres.Sql, statements: readonly string[]): Promise<Record<string, string>> {
  const answers: Record<string, string> = {}
  for (const statement of statements)
    answers[statement] = await sql.unsafe(statement).then(
      () => 'done',
      error => String(error.code),
    )
  return answers
}

test('the service reads the feed and calls two functions: it adds, changes, removes and hides nothing', async t => {
  const database = await testDatabase(t)
  const { sql } = database
  const here = await stage(sql)
  const service = await asService(t, database)
  const tables = ['revocations', 'revocation_feed']
  const refused = [
    ...tables.flatMap(table => [
      `delete from ${table}`,
      `truncate ${table}`,
      `select from ${table} for update`,
      `do $$ begin lock table ${table} in share mode; end $$`,
      `drop table ${table}`,
    ]),
    `insert into revocations (handle, kind) values (1, 'user')`,
    'insert into revocation_feed default values',
    ...['id = default', 'handle = 1', 'position = null', 'sequenced_at = now()'].map(
      set => `update revocations set ${set}`,
    ),
    'update revocation_feed set head = 0',
    `select nextval('revocations_id_seq')`,
    `select setval('revocations_id_seq', 1)`,
    'create temporary table revocations (id int)',
    'create table public.mine (id int)',
    'create schema mine',
    'alter table users disable trigger all',
    'drop trigger revoke_changed on users',
    'create trigger mine before update on users for each row execute function revoke_user()',
    'set session_replication_role = replica',
    'create or replace function public.random_handle() returns bigint language sql return 1',
    'alter function public.sequence_revocations() reset all',
  ]
  const answers = await tries(service, refused)
  t.same(
    Object.entries(answers).filter(([, code]) => code !== '42501'),
    [],
  )
  t.same(await tries(service, ['select sequence_revocations()', 'select forget_revocations()']), {
    'select sequence_revocations()': 'done',
    'select forget_revocations()': 'done',
  })
  const [rights] = await sql.unsafe(`select
    has_database_privilege(r, current_database(), 'temporary') as temp,
    has_database_privilege(r, current_database(), 'create') as creates,
    has_schema_privilege(r, 'public', 'create') as makes from (select ${serviceRole} as r) r`)
  t.same(rights, { temp: false, creates: false, makes: false })
  const epoch = await currentValue(sql, 'epoch', 'users', `id = '${here.user}'`)
  t.same(
    await deadIn(sql, () => service.unsafe(`update users set state = 'disabled' where id = '${here.user}'`)),
    [`user ${epoch}`],
    'and what it takes away is published without its doing',
  )
})

test('every function that runs as the owner is shut, but for the two, and looks names up where nobody can add any', async t => {
  const { sql } = await testDatabase(t)
  const definers = await sql.unsafe<{ name: string; may: boolean; path: string[] | null; all: string }[]>(`
    select p.proname as name, has_function_privilege(${serviceRole}, p.oid, 'execute') as may,
      p.proconfig as path, coalesce(p.proacl::text, 'anybody') as all
    from pg_proc p where p.pronamespace = 'public'::regnamespace and p.prosecdef order by 1`)
  t.ok(definers.length >= 12)
  const callable = definers.filter(({ may }) => may).map(({ name }) => name)
  t.same(callable, ['forget_revocations', 'sequence_revocations'])
  for (const { name, path, all } of definers) {
    t.same(path, ['search_path=pg_catalog, public, pg_temp'], name)
    t.notMatch(all, /anybody|[{,]=/, `${name} is not for the public`)
  }
  // Those of other databases, of which this one is a copy, too.
  const [own] = await sql.unsafe<{ role: string }[]>(`select ${serviceRole} as role`)
  const others = await sql`select p.proname, r.rolname from pg_proc p, aclexplode(p.proacl) a
    join pg_roles r on r.oid = a.grantee
    where p.prosecdef and r.rolname ~ '^mintmark_service' and r.rolname <> ${own?.role ?? ''}`
  t.same(others, [], 'nor for the role of a database that this one was copied from')
})

test('twins of the tables, and an operator of its own, made by a role that may: every entry is in the feed all the same', async t => {
  const database = await testDatabase(t)
  const { sql, address } = database
  const here = await stage(sql)
  const role = `twin_${randomBytes(6).toString('hex')}`
  await asSuperuser(`create role ${role}`)
  await sql.unsafe(`grant temporary, create on database ${address.database} to ${role};
    grant all on users, sessions, memberships, tenants, applications, application_origins to ${role};
    grant execute on function sequence_revocations() to ${role}`)
  const twin = connection(t, database)
  t.teardown(async () => {
    await twin.end({ timeout: 1 })
    await sql.unsafe(`drop owned by ${role} cascade`)
    await asSuperuser(`drop role ${role}`)
  })
  await twin.unsafe(`set role ${role};
    create schema mine;
    create function mine.always(bigint, bigint) returns boolean language sql as 'select true';
    create function mine.never(bigint, bigint) returns boolean language sql as 'select false';
    create operator mine.= (leftarg = bigint, rightarg = bigint, function = mine.never);
    create operator mine.<> (leftarg = bigint, rightarg = bigint, function = mine.always);
    create function mine.random_handle() returns bigint language sql as 'select 1::bigint';
    create function mine.handle_of_text(text) returns bigint language sql as 'select 1::bigint';
    create temporary table revocations (id bigserial, handle bigint, kind text, user_id uuid, session text,
      tenant_id uuid, client_id text, kid text, position bigint, sequenced_at timestamptz);
    create temporary table revocation_feed as select true as only, 0::bigint as head;
    create temporary table users (id uuid);
    create temporary table tenants (id uuid);
    create temporary table applications (client_id text, version bigint);
    set search_path = pg_temp, mine, public, pg_catalog`)
  const { old } = here
  const changes: readonly (readonly [string, readonly string[]])[] = [
    [`update public.users set state = 'disabled' where id = '${here.user}'`, [old.user]],
    [`update public.memberships set role_ids = '{}' where user_id = '${here.user}'`, [old.membership]],
    [`update public.tenants set roles = '{}' where id = '${here.tenant}'`, [old.tenant]],
    [`delete from public.application_origins where origin = 'https://shop.example'`, [old.application]],
    [`delete from public.sessions where id = '${here.session}'`, [old.session]],
    [`delete from public.memberships where user_id = '${here.stranger}'`, [old.stranger]],
  ]
  for (const [change, dead] of changes) t.same(await deadIn(sql, () => twin.unsafe(change)), dead, change)
  t.equal((await twin`select from pg_temp.revocations`).length, 0, 'the twin is empty')
  const before = (await read(sql)).unnumbered
  await twin`select public.sequence_revocations()`
  t.match(await read(sql), { head: before, unnumbered: 0 })
})

test('TRUNCATE is refused for every table from which something can be taken away, also by way of another', async t => {
  const { sql } = await testDatabase(t)
  await stage(sql)
  const taking = Object.entries(classes)
    .filter(([, columns]) => Object.values(columns).some(({ is }) => is === 'takes away'))
    .map(([table]) => table)
  t.ok(taking.length >= 9)
  for (const table of taking)
    await t.rejects(sql.unsafe(`truncate ${table} cascade`), { code: '23514' }, table)
})

/** One killed just now, and one killed days ago. */
async function killedKeys(sql: postgres.Sql, kid: string): Promise<string> {
  const before = randomBytes(32).toString('base64url')
  await sql.unsafe(`insert into signing_keys (kid, public_jwk, sealed, kek_id, exempt)
    values ('${before}', '${JSON.stringify({ kid: before })}', '\\x00', 'first', 'recovery');
    update signing_keys set compromised_at = now(), unpublished_at = now(), sealed = null, kek_id = null`)
  await unguarded(
    sql,
    tx => tx`update signing_keys set compromised_at = compromised_at - interval '2 days',
      unpublished_at = unpublished_at - interval '2 days', published_at = published_at - interval '3 days'
      where kid = ${before}`,
  )
  return hexOf(kid)
}

test('a new generation begins the list anew: empty, but for the keys that were killed within a day', async t => {
  const database = await testDatabase(t)
  const { sql } = database
  const { kid } = await stage(sql)
  const killed = await killedKeys(sql, kid)
  await revokeMany(sql, 5)
  await sequence(sql)
  await revokeMany(sql, 3)
  const before = await read(sql)

  for (const set of ['generation = generation', 'generation = generation - 1', 'sessions_in_redis = true']) {
    await sql.unsafe(`update service set ${set}`)
    t.same(await read(sql), before, `${set}: nothing`)
  }
  await sql
    .begin(async tx => {
      await tx`update service set generation = generation + 1`
      throw new Error('undone')
    })
    .catch(() => {})
  t.same(await read(sql), before, 'undone: nothing')

  const late = connection(t, database)
  const id = newId()
  await late`begin`
  await revoke(late, id)
  const raising = connection(t, database)
  await raising`begin`
  await raising`update service set generation = generation + 1`
  const numbering = sequence(sql)
  await eventually(async () => {
    const rows = await late`select from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`
    return rows.length > 0 || undefined
  })
  await raising`commit`
  t.equal(await numbering, 1, 'who waited for it goes on from the new head')
  t.same(await read(sql), { head: 1, unnumbered: 0, entries: [{ position: 1, handle: killed }] })
  await late`commit`
  t.equal(await sequence(sql), 2, 'what was under way is published in the new list')
  t.same((await read(sql)).entries[1], { position: 2, handle: hexOf(id) })
})
