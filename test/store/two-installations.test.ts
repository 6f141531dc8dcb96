/** One installation beside another on one server: neither's login gets to the other's data. */
import postgres from 'postgres'
import { type Test, test } from 'tap'
import { Database } from '../../src/store/postgres/database.js'
import { HotReads } from '../../src/store/postgres/hot-reads.js'
import { examinePostgres, inspect } from '../../src/store/postgres/migration/fitness.js'
import { migrate } from '../../src/store/postgres/migration/migrate.js'
import { rights } from '../../src/store/postgres/service-role.js'
import { serviceRole } from '../../src/store/postgres/session-settings.js'
import { testDatabase } from '../support/database.js'
import { asSuperuser, newLogin } from '../support/logins.js'
import { byTheDriver, folderOf, migrateAsBefore } from './releases.js'

/** As an operator sets one up: a database of its owner, and the login of its service, which the migration makes. */
async function installation(t: Test) {
  const owner = await newLogin(t, 'createrole')
  const login = await newLogin(t, 'none')
  const { address, sql } = await testDatabase(t, { empty: true })
  const name = address.database
  await asSuperuser(`alter database ${name} owner to ${owner.name}`)
  await sql.unsafe(`alter schema public owner to ${owner.name}`)
  return { owner, login, sql, name, ownerUrl: owner.url(name), url: login.url(name) }
}
type Installation = Awaited<ReturnType<typeof installation>>

const roleOf = async ({ sql }: Pick<Installation, 'sql'>): Promise<string> => {
  const [own] = await sql.unsafe<{ role: string }[]>(`select ${serviceRole} as role`)
  return own?.role ?? ''
}

/** What the login gets there by each statement: rows, or the state with which it is refused. */
async function tries(url: string, statements: readonly string[]): Promise<string[]> {
  const sql = postgres(url, { max: 1, onnotice: () => {}, fetch_types: false })
  const answers: string[] = []
  try {
    for (const statement of statements) {
      const answer = await sql.unsafe(statement).then(
        () => 'done',
        error => `${error.severity} ${error.code}`,
      )
      answers.push(answer)
    }
    return answers
  } finally {
    await sql.end({ timeout: 1 })
  }
}

const everything = [
  ...rights.map(([table]) => `select from ${table}`),
  ...rights.map(([table]) => `delete from ${table}`),
  "update users set platform_roles = '{administrator}'",
  "insert into audit_events (action, outcome) values ('x', 'done')",
  'select from drizzle.__drizzle_migrations',
]

async function serves(t: Test, { url, name }: Installation): Promise<void> {
  const pool = new Database({ url }, { connections: 1 })
  const hot = new HotReads({ url })
  try {
    t.strictSame(await hot.probe(), { takesWrites: true })
    await pool.transaction(tx =>
      tx.execute("insert into audit_events (action, outcome) values ('x', 'done')"),
    )
    t.strictSame((await examinePostgres({ url })).faults, [], name)
  } finally {
    await Promise.all([pool.close(), hot.close()])
  }
}

test('each login serves its own installation, and neither reaches anything of the other', async t => {
  const [one, two] = [await installation(t), await installation(t)]
  for (const { ownerUrl, url } of [one, two]) await migrate({ url: ownerUrl }, { serviceUrl: url })
  for (const here of [one, two]) await serves(t, here)
  for (const [mine, other] of [
    [one, two],
    [two, one],
  ] as const) {
    const there = mine.login.url(other.name)
    t.strictSame([...new Set(await tries(there, everything))], ['FATAL 42501'], 'it does not get in')
    const asOwner = mine.owner.url(other.name)
    t.strictSame([...new Set(await tries(asOwner, everything))], ['FATAL 42501'], 'nor does the owner')
    // Let in by mistake, it has no right there, and no role that has one.
    await asSuperuser(`grant connect on database ${other.name} to ${mine.login.name}`)
    const roles = [await roleOf(other), 'mintmark_service', other.login.name, other.owner.name]
    const become = roles.map(role => `set role "${role}"`)
    t.strictSame([...new Set(await tries(there, [...everything, ...become]))], ['ERROR 42501'])
    const asTheirs = postgres(there, {
      max: 1,
      onnotice: () => {},
      connection: { role: await roleOf(other) },
    })
    await t.rejects(asTheirs`select 1`, { code: '42501' }, 'nor by asking for it at the start of a session')
    await asTheirs.end()
    const pool = new Database({ url: there }, { connections: 1 })
    await t.rejects(
      pool.read(tx => tx.execute('select from users')),
      /the login of DATABASE_URL may not act as the service: run `mintmark migrate` with MINTMARK_OWNER/,
    )
    await pool.close()
  }
})

/** As the release before made it: one role for all databases of the server, and whoever logs in may connect. */
async function installationOfBefore(t: Test): Promise<Installation> {
  const here = await installation(t)
  // Its owner may create roles, and the shared one is there: creating it again is no error.
  await migrateAsBefore({ url: here.ownerUrl }, await folderOf(t, byTheDriver))
  await asSuperuser(
    `create role ${here.login.name} login password 'secret'`,
    `grant mintmark_service to ${here.login.name}`,
  )
  return here
}

/** A connection as the release before makes it. */
function ofBefore(t: Test, { url }: Pick<Installation, 'url'>): postgres.Sql {
  const sql = postgres(url, { max: 1, onnotice: () => {}, connection: { role: 'mintmark_service' } })
  t.teardown(() => sql.end())
  return sql
}

test('two installations of the release before are closed to each other, while its instances go on serving', async t => {
  const [staging, production] = [await installationOfBefore(t), await installationOfBefore(t)]
  const there = { url: staging.login.url(production.name) }
  const attack = "update users set platform_roles = '{administrator}'"
  const hole = postgres(there.url, { max: 1, onnotice: () => {}, connection: { role: 'mintmark_service' } })
  await t.resolves(hole.unsafe(attack), 'this is what is closed')
  await hole.end()

  const running = ofBefore(t, production)
  await running`select 1`
  for (const { ownerUrl, url } of [staging, production]) await migrate({ url: ownerUrl }, { serviceUrl: url })
  for (const here of [staging, production]) await serves(t, here)
  t.strictSame(await tries(there.url, [attack]), ['FATAL 42501'])

  const audit = "insert into audit_events (action, outcome) values ('x', 'done')"
  await t.resolves(running.unsafe(audit), 'a connection of the release before works on')
  await t.resolves(ofBefore(t, production).unsafe(audit), 'and so does its next one')
})

test('a login that serves and is not named to the migration stays connected: nothing that runs is shut out', async t => {
  const here = await installationOfBefore(t)
  const running = ofBefore(t, here)
  await running`select 1`
  await migrate({ url: here.ownerUrl })
  const next = ofBefore(t, here)
  await t.resolves(next`select from users`)
  const { faults } = await examinePostgres({ url: here.url })
  t.match(faults, [/may not act as the service: run `mintmark migrate` with MINTMARK_OWNER_DATABASE_URL set/])
})

test('a copy of a database is not served as the other one, and its migration leaves the other no right in it', async t => {
  const production = await installation(t)
  await migrate({ url: production.ownerUrl }, { serviceUrl: production.url })
  await production.sql`insert into users (email, canonical_email) values ('a@a.example', 'a@a.example')`
  const login = await newLogin(t, 'none')
  const name = `${production.name}_copy`
  await production.sql.end()
  await asSuperuser(`create database ${name} template ${production.name} owner ${production.owner.name}`)
  let own = ''
  t.teardown(() => asSuperuser(`drop database ${name} with (force)`, `drop role if exists "${own}"`))
  const copy = { ownerUrl: production.owner.url(name), url: login.url(name) }

  const asProduction = production.login.url(name)
  t.match((await examinePostgres({ url: asProduction })).faults, [
    /this database has no role for the service: run `mintmark migrate`/,
  ])
  t.strictSame(await tries(asProduction, ['select from users']), ['done'], 'the rights came along')
  const { role } = await migrate({ url: copy.ownerUrl }, { serviceUrl: copy.url })
  own = role.name
  t.strictSame(await tries(asProduction, ['select from users']), ['FATAL 42501'])
  await asSuperuser(`grant connect on database ${name} to ${production.login.name}`)
  t.strictSame([...new Set(await tries(asProduction, everything))], ['ERROR 42501'])
  t.match(await inspect({ url: copy.url }), { missing: 0, settings: [], lacking: [] })
  t.match(
    await inspect({ url: production.url }),
    { missing: 0, settings: [], lacking: [] },
    'which keeps its own',
  )
  t.strictSame(await tries(login.url(production.name), everything.slice(0, 1)), ['FATAL 42501'])
})

test('a database that is renamed keeps its role', async t => {
  const here = await installation(t)
  await migrate({ url: here.ownerUrl }, { serviceUrl: here.url })
  const before = await roleOf(here)
  await here.sql.end()
  const name = `${here.name}_renamed`
  await asSuperuser(`alter database ${here.name} rename to ${name}`)
  t.teardown(() => asSuperuser(`alter database ${name} rename to ${here.name}`))
  const url = here.login.url(name)
  t.match(await examinePostgres({ url }), { faults: [] })
  const sql = postgres(url, { max: 1 })
  t.equal(await roleOf({ sql }), before)
  await sql.end()
})

/** What is printed between backquotes, for somebody else to run. */
const printed = (error: unknown) => /`([^`]*)`/.exec((error as Error).message)?.[1]?.split('; ') ?? []

test('an owner who may not create roles is told what somebody else has to run, and migrates once that is done', async t => {
  const owner = await newLogin(t)
  const login = await newLogin(t)
  const { address, sql } = await testDatabase(t, { empty: true })
  await asSuperuser(`alter database ${address.database} owner to ${owner.name}`)
  await sql.unsafe(`alter schema public owner to ${owner.name}`)
  const [url, serviceUrl] = [owner.url(address.database), login.url(address.database)]
  const attempt = () =>
    migrate({ url }, { serviceUrl }).then(
      () => undefined,
      (error: unknown) => error,
    )
  const refused = await attempt()
  t.match(refused, { name: 'MigrationRefused', message: /permission denied to create role: let this login/ })
  const role = await roleOf({ sql })
  t.strictSame(printed(refused), [
    `create role "${role}" nologin`,
    `grant "${role}" to "${owner.name}" with admin option`,
  ])
  t.equal((await sql`select from pg_tables where schemaname = 'public'`).length, 0, 'nothing was begun')
  await asSuperuser(...printed(refused))
  t.equal(await attempt(), undefined)
  t.match(await examinePostgres({ url: serviceUrl }), { faults: [], warnings: [] })
  t.equal(await attempt(), undefined, 'and again')
})

test('an owner who may neither create a role nor grant it migrates where both have been done', async t => {
  const owner = await newLogin(t)
  const login = await newLogin(t)
  const { address, sql } = await testDatabase(t, { empty: true })
  await asSuperuser(`alter database ${address.database} owner to ${owner.name}`)
  await sql.unsafe(`alter schema public owner to ${owner.name}`)
  const [url, serviceUrl] = [owner.url(address.database), login.url(address.database)]
  const role = await roleOf({ sql })
  await asSuperuser(`create role "${role}" nologin`)
  const refused = await migrate({ url }, { serviceUrl }).catch((error: unknown) => error)
  t.match(refused, { name: 'MigrationRefused', message: /have somebody with that right run/ })
  await asSuperuser(...printed(refused))
  await migrate({ url }, { serviceUrl })
  t.match(await examinePostgres({ url: serviceUrl }), { faults: [], warnings: [] })
})
