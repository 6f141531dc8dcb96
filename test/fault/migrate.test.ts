/** Migrations, and the databases and keys that a service refuses to start on. */
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import postgres from 'postgres'
import { type Test, test } from 'tap'
import { startEmbeddedPostgres } from '../../packages/dev-postgres/src/launch.js'
import { parseConfig } from '../../src/boot/config.js'
import { startService } from '../../src/boot/start.js'
import { Outage, StartRefused } from '../../src/core/errors.js'
import type { ClientId, SessionId } from '../../src/core/principal.js'
import {
  type KeyEncryptionKeys,
  loadKeyEncryptionKeys,
  makeFirstKey,
} from '../../src/sealing/key-encryption-keys.js'
import type { Address } from '../../src/store/postgres/connection.js'
import { HotReads } from '../../src/store/postgres/hot-reads.js'
import { inspect } from '../../src/store/postgres/migration/fitness.js'
import { migrate } from '../../src/store/postgres/migration/migrate.js'
import { serviceRole } from '../../src/store/postgres/session-settings.js'
import { testDatabase, testServer } from '../support/database.js'
import { unguarded } from '../support/keys.js'
import { rootUrl } from '../support/project.mjs'

const journal: { entries: unknown[] } = JSON.parse(
  await readFile(new URL('drizzle/meta/_journal.json', rootUrl), 'utf8'),
)
const count = journal.entries.length

test('ten migrations at once on an empty database all succeed, and each step is applied once', async t => {
  const { address, sql } = await testDatabase(t, { empty: true })
  t.equal((await inspect(address)).missing, count)
  await Promise.all(Array.from({ length: 10 }, () => migrate(address)))
  t.equal((await sql`select hash from drizzle.__drizzle_migrations`).length, count)
  t.equal((await inspect(address)).missing, 0)
  t.equal((await sql`select from service`).length, 1, 'the first rows are there once')
  t.equal((await sql`select from applications`).length, 1)
  await migrate(address)
  t.equal((await sql`select hash from drizzle.__drizzle_migrations`).length, count, 'again: nothing to do')
  t.equal((await sql`select from pg_locks where locktype = 'advisory'`).length, 0, 'no lock is left behind')
})

test('a migration keeps what is in the database', async t => {
  const { address, sql } = await testDatabase(t)
  await sql`insert into users (email, canonical_email) values ('Ada@Example.com', 'ada@example.com')`
  const [service] = await sql`select epoch::text from service`
  await migrate(address)
  t.equal((await sql`select from users`).length, 1)
  t.strictSame((await sql`select epoch::text from service`)[0], service, 'and every session goes on')
})

test('a look at a database tells its version, its role and which migrations it lacks', async t => {
  const { address, sql } = await testDatabase(t)
  const [server] = await sql`select current_setting('server_version_num')::int as version`
  const fit = { pooled: false, settings: [], lacking: [], open: false, trusted: true }
  const state = { inRecovery: false, version: server?.version, missing: 0, ownsAudit: true, ...fit }
  const { generation, ...found } = await inspect(address)
  t.strictSame(found, state, 'whoever migrated owns the audit log')
  t.ok(generation > 0)
  await sql`delete from drizzle.__drizzle_migrations where id = (select max(id) from drizzle.__drizzle_migrations)`
  t.equal((await inspect(address)).missing, 1)
  await sql`insert into drizzle.__drizzle_migrations (hash, created_at) values ('of a later release', 1)`
  t.equal((await inspect(address)).missing, 1, 'what a later release added is no substitute')
})

test('a look tells whether its login could change the audit log', async t => {
  const { address, sql } = await testDatabase(t)
  const login = `service_${address.database}`
  const [own] = await sql.unsafe<{ role: string }[]>(`select ${serviceRole} as role`)
  await sql.unsafe(`create role ${login} login password 'p' in role "${own?.role}"`)
  t.teardown(async () => {
    const admin = postgres({ ...testServer(), max: 1, onnotice: () => {} })
    await admin.unsafe(`drop role if exists ${login}`)
    await admin.end()
  })
  const asService = { ...address, user: login, password: 'p' }
  t.match(await inspect(asService), { ownsAudit: false, settings: [], missing: 0 })
  t.match(await inspect(address), { ownsAudit: true, settings: [] })
  const { address: empty } = await testDatabase(t, { empty: true })
  t.equal((await inspect(empty)).ownsAudit, false, 'there is none yet')
})

test('a look changes nothing', async t => {
  const { address, sql } = await testDatabase(t, { empty: true })
  await inspect(address)
  t.equal((await sql`select from pg_namespace where nspname = 'drizzle'`).length, 0)
})

test('a service does not start on a database that was not migrated, and leaves it as it was', async t => {
  const { address, sql } = await testDatabase(t, { empty: true })
  const refused = await refusal(t, address)
  t.equal(refused.faults.length, 1)
  t.match(refused.message, `lacks ${count} migration(s): run \`mintmark migrate\``)
  t.equal((await sql`select from pg_class where relnamespace = 'public'::regnamespace`).length, 0)
})

test('a service does not start when Postgres cannot be asked, and says what to check', async t => {
  const { address } = await testDatabase(t)
  const unreachable: Record<string, Address> = {
    'no socket': { ...address, host: '/nonexistent' },
    'no server': { url: 'postgres://mintmark:s3cret@127.0.0.1:1/mintmark' },
    'no database': { ...address, database: 'no_such_database' },
    'no user': { ...address, user: 'no_such_user', password: 's3cret' },
  }
  for (const [what, where] of Object.entries(unreachable)) {
    const { message } = await refusal(t, where)
    t.match(message, /Postgres cannot be reached .*check DATABASE_URL/, what)
    t.notMatch(message, /s3cret/, what)
  }
})

test('a service does not start on a standby, and a check is not answered by one', async t => {
  const where = await folder(t)
  await chmod(where, 0o755)
  const options = { folder: where, settings: { fsync: 'off' } }
  const primary = await startEmbeddedPostgres(options)
  t.teardown(() => primary.stop())
  await migrate(primary.connection)
  const hot = new HotReads(primary.connection)
  t.equal((await hot.read('nobody' as SessionId)).row, undefined, 'the primary answers')
  await hot.close()
  await primary.stop()

  await writeFile(join(where, 'data', 'standby.signal'), '')
  const standby = await startEmbeddedPostgres(options)
  t.teardown(() => standby.stop())
  t.match(await inspect(standby.connection), { inRecovery: true, missing: 0 })
  const { faults } = await refusal(t, standby.connection)
  t.match(faults, [/in recovery \(a standby\): set DATABASE_URL to the primary/])
  const reads = new HotReads(standby.connection)
  t.teardown(() => reads.close())
  await t.rejects(reads.read('nobody' as SessionId), Outage)
  const question = { tenant: undefined, client: 'mintmark' as ClientId, origin: undefined }
  await t.rejects(reads.readForMint('nobody' as SessionId, question), Outage)
})

test('a service does not start on a ring whose key-encryption key is not here, and names the file', async t => {
  const { address, sql } = await founded(t)
  const before = await sql`select * from signing_keys order by kid`
  await unguarded(sql, tx => tx`update signing_keys set kek_id = '2024-07'`)
  t.match((await refusal(t, address)).message, /put 2024-07\.kek back into MINTMARK_KEYS_FOLDER/)
  await unguarded(sql, tx => tx`update signing_keys set kek_id = 'first'`)
  const empty = await folder(t)
  const { keys } = await loadKeyEncryptionKeys(empty)
  t.match((await refusal(t, address, { keks: keys })).message, /put first\.kek back/)
  t.strictSame(await sql`select * from signing_keys order by kid`, before, 'no key was made in its place')
})

test('a service does not start under another key-encryption key of the same name', async t => {
  const { address, sql } = await founded(t)
  const { message } = await refusal(t, address)
  t.match(message, /first\.kek does not open this value/)
  t.match(message, /MINTMARK_KEYS_FOLDER/)
  t.equal((await sql`select from signing_keys`).length, 2)
})

test('a service does not start for another issuer than its keys were made for', async t => {
  const { address, keks } = await founded(t)
  const { message } = await refusal(t, address, { keks, issuer: 'http://localhost:4444' })
  t.match(message, /made for another issuer than http:\/\/localhost:4444: set ISSUER back if it has changed/)
})

test('a service that does not start leaves no connection behind', async t => {
  const { address, sql } = await founded(t)
  await refusal(t, address)
  await refusal(t, address)
  const left = async () =>
    (
      await sql`select from pg_stat_activity where datname = current_database() and application_name like 'mintmark%'`
    ).length
  while ((await left()) > 0) await sql`select from pg_sleep(0.01)`
  t.equal(await left(), 0)
})

async function folder(t: Test): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'mintmark-migrate-'))
  t.teardown(() => rm(path, { recursive: true, force: true }))
  return path
}

async function newKeys(t: Test): Promise<KeyEncryptionKeys> {
  const path = await folder(t)
  await makeFirstKey(path)
  return (await loadKeyEncryptionKeys(path)).keys
}

interface More {
  readonly keks?: KeyEncryptionKeys
  readonly issuer?: string
}

function start(address: Address, keks: KeyEncryptionKeys, issuer = 'http://localhost:4000') {
  const config = parseConfig({
    ISSUER: issuer,
    MINTMARK_LISTEN: '127.0.0.1:0',
    MINTMARK_HEALTH_LISTEN: '127.0.0.1:0',
  })
  const mailer = { send: () => Promise.reject(new Error('nobody sends mail here')) }
  const generation = { kept: 0, file: 'nowhere', keep: async () => undefined }
  return startService({ config, address, keks, generation, mailer, log: pino({ level: 'silent' }) })
}

/** A database on which a service has run, and the keys it ran with. */
async function founded(t: Test) {
  const database = await testDatabase(t)
  const keks = await newKeys(t)
  await (await start(database.address, keks)).close()
  return { ...database, keks }
}

/** Starts with keys of its own unless told otherwise, and insists on a refusal. */
async function refusal(t: Test, address: Address, more: More = {}): Promise<StartRefused> {
  const keks = more.keks ?? (await newKeys(t))
  const answer = await start(address, keks, more.issuer).catch((error: unknown) => error)
  if (answer instanceof StartRefused) return answer
  if (answer instanceof Error) throw answer
  await (answer as { close(): Promise<void> }).close()
  throw new Error('it started')
}
