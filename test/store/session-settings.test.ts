/** What a session was asked to have is read back on each new connection, before anything else is sent on it. */
import { type Test, test } from 'tap'
import { Outage } from '../../src/core/errors.js'
import type { SessionId } from '../../src/core/principal.js'
import { Database } from '../../src/store/postgres/database.js'
import { deadlines, HotReads, hotSettings } from '../../src/store/postgres/hot-reads.js'
import { examinePostgres } from '../../src/store/postgres/migration/fitness.js'
import { requireSettings, serviceRole, settingsFor } from '../../src/store/postgres/session-settings.js'
import { type TestDatabase, testDatabase } from '../support/database.js'
import { type StartupProxy, startupProxy } from '../support/startup-packet.js'

const nobody = 'nobody' as SessionId

/** Another value of each setting, legal for Postgres. */
const wrong: Record<string, string> = {
  application_name: 'another',
  client_encoding: 'LATIN1',
  TimeZone: 'Asia/Tokyo',
  DateStyle: 'SQL, DMY',
  IntervalStyle: 'iso_8601',
  search_path: 'pg_catalog',
  bytea_output: 'escape',
  extra_float_digits: '-15',
  standard_conforming_strings: 'off',
  transform_null_equals: 'on',
  client_min_messages: 'error',
  default_transaction_read_only: 'on',
  synchronous_commit: 'off',
  default_transaction_isolation: 'repeatable read',
  statement_timeout: '60000',
  lock_timeout: '60000',
  idle_in_transaction_session_timeout: '60000',
  client_connection_check_interval: '0',
  plan_cache_mode: 'auto',
  enable_seqscan: 'on',
  enable_hashjoin: 'on',
  enable_mergejoin: 'on',
  jit: 'on',
}

interface Behind {
  readonly proxy: StartupProxy
  readonly database: TestDatabase
  readonly pool: Database
  readonly hot: HotReads
}

async function behindProxy(t: Test): Promise<Behind> {
  const database = await testDatabase(t)
  const proxy = await startupProxy(t, database.address)
  const pool = new Database(proxy.address, { connections: 1 })
  const hot = new HotReads(proxy.address)
  t.teardown(() => Promise.all([pool.close(), hot.close()]))
  return { proxy, database, pool, hot }
}

/** One of each kind of connection, as it answers now. */
const asks = {
  pool: ({ pool }: Behind): Promise<unknown> => pool.read(tx => tx.execute('select from sessions')),
  hot: ({ hot }: Behind): Promise<unknown> => hot.read(nobody),
}

test('every setting that is asked for is sent, whatever its value', async t => {
  const behind = await behindProxy(t)
  await asks.pool(behind)
  await asks.hot(behind)
  const [pool, hot] = behind.proxy.asked
  for (const [name, value] of Object.entries(settingsFor(deadlines, hotSettings))) {
    t.equal(hot?.[name], value, name)
    if (!(name in hotSettings)) t.ok(pool?.[name], name)
  }
  t.equal(pool?.default_transaction_read_only, 'off', 'a driver leaves out what is false')
})

test('a setting that is not in force is an outage on every kind of connection, and refuses the start', async t => {
  const behind = await behindProxy(t)
  const { proxy } = behind
  for (const [name, value] of Object.entries(settingsFor(deadlines, hotSettings))) {
    const other = wrong[name]
    t.ok(other !== undefined && other !== value, `${name} has another value in this test`)
    // Each kind of connection has limits of its own.
    const said = new RegExp(
      `${name} is .*, but the service needs .*: set DATABASE_URL to the address of Postgres`,
    )
    await proxy.cut()
    proxy.rewrite = { [name]: other }
    await t.rejects(asks.hot(behind), said, `hot: ${name}`)
    // The service sends these on hot connections alone.
    if (!(name in hotSettings)) await t.rejects(asks.pool(behind), said, `pool: ${name}`)
    const { faults } = await examinePostgres(proxy.address)
    t.match(faults, [said], `start: ${name}`)
    proxy.rewrite = {}
    await t.resolves(asks.hot(behind), 'and when it is in force again, all works')
    await t.resolves(asks.pool(behind))
  }
})

test('a database that was given another value of any of them is served all the same', async t => {
  const { address, sql } = await testDatabase(t)
  for (const [name, value] of Object.entries(wrong))
    await sql.unsafe(`alter database ${address.database} set ${name} = '${value}'`)
  t.match(await examinePostgres(address), { faults: [] })
})

test('one in which the guards of the tables are off is not served', async t => {
  const { address, sql } = await testDatabase(t)
  const hot = new HotReads(address)
  t.teardown(() => hot.close())
  await sql.unsafe(`alter database ${address.database} set session_replication_role = replica`)
  const said =
    /session_replication_role is replica, but the service needs origin: .* remove anything that changes/
  await t.rejects(hot.read(nobody), said)
  t.match((await examinePostgres(address)).faults, [said])
})

test('a new connection that is not as it was asked for carries nothing but the question', async t => {
  const behind = await behindProxy(t)
  await Promise.all([asks.pool(behind), asks.hot(behind)])
  for (const [name, ask] of Object.entries(asks)) {
    behind.proxy.rewrite = { synchronous_commit: undefined }
    await behind.database.sql.unsafe(
      `alter database ${behind.database.address.database} set synchronous_commit = off`,
    )
    behind.proxy.sent = ''
    await behind.proxy.cut()
    for (let again = 0; again < 3; again++) {
      const refused = await ask(behind).then(
        () => undefined,
        (error: unknown) => error,
      )
      t.ok(refused instanceof Outage, `${name}: it is an outage, which is answered with 503`)
    }
    t.match(behind.proxy.sent, /pg_settings/, 'the settings were asked for')
    t.notMatch(behind.proxy.sent, /begin|sessions/, 'and nothing was done')
    behind.proxy.rewrite = {}
    await t.resolves(ask(behind), 'what is asked for stands above what the database was given')
  }
})

test('an answer over which the driver or the look trips is an outage like any other', async t => {
  const tripped = () => Promise.reject(new TypeError("Cannot read properties of null (reading 'statement')"))
  const said = (answer: unknown) => async () => answer
  for (const unsafe of [tripped, said([]), said([[], [{}]]), said([[], [null]]), said(undefined)])
    await t.rejects(
      requireSettings({ unsafe } as never, settingsFor(deadlines)),
      { name: 'Outage', outcome: 'nothing' },
      String(unsafe),
    )
})

test('many that meet a new connection at once have it looked at once', async t => {
  const { proxy, hot } = await behindProxy(t)
  proxy.rewrite = { no_such_parameter: undefined }
  for (let round = 0; round < 3; round++) {
    proxy.sent = ''
    await Promise.all(Array.from({ length: 40 }, () => hot.read(nobody)))
    t.equal(proxy.sent.split('pg_settings').length - 1, 2, 'one look for each of the two connections')
    await proxy.cut()
  }
})

test('a role that was made read-only keeps nobody from signing in: what is asked for stands above it', async t => {
  const { address, sql } = await testDatabase(t)
  await sql.unsafe(`alter database ${address.database} set default_transaction_read_only = on`)
  const pool = new Database(address, { connections: 1 })
  const hot = new HotReads(address)
  t.teardown(() => Promise.all([pool.close(), hot.close()]))
  await pool.transaction(tx => tx.execute("insert into audit_events (action, outcome) values ('x', 'done')"))
  t.strictSame(await hot.probe(), { takesWrites: true })
  t.strictSame((await examinePostgres(address)).faults, [])
})

test('the role is that of this database: one with another name is not taken for it', async t => {
  const { address, sql } = await testDatabase(t)
  const [own] = await sql.unsafe<{ role: string }[]>(`select ${serviceRole} as role`)
  const pool = new Database(address, { connections: 1 })
  t.teardown(() => pool.close())
  const [is] = await pool.read(tx => tx.execute<{ me: string }>('select current_user as me'))
  t.equal(is?.me, own?.role)
  const [here] = await sql`select oid, system_identifier from pg_database, pg_control_system()
    where datname = current_database()`
  t.equal(own?.role, `mintmark_service_${here?.oid}_${here?.system_identifier}`)
})
