/** /readyz knows whether Postgres takes what the service writes, and writes nothing to know it. */
import { test } from 'tap'
import { HotReads } from '../../src/store/postgres/hot-reads.js'
import { rights, takesWrites } from '../../src/store/postgres/service-role.js'
import { serviceRole } from '../../src/store/postgres/session-settings.js'
import { testDatabase } from '../support/database.js'
import { goodPassword, testService } from '../support/service.js'

const roleIn = async (sql: { unsafe: (text: string) => PromiseLike<unknown> }) =>
  ((await sql.unsafe(`select ${serviceRole} as role`)) as { role: string }[])[0]?.role ?? ''

test('a service whose role was made read-only is not ready, says why in its log, and is ready again after a migration', async t => {
  const service = await testService(t)
  const { sql } = service.database
  const role = await roleIn(sql)
  const probe = async () => {
    const answer = await fetch(`${service.addresses.probes}/readyz`)
    return [answer.status, ((await answer.json()) as { status: string }).status]
  }
  await service.signUp('ada@example.com')
  t.strictSame(await probe(), [200, 'ready'])
  await sql.unsafe(`revoke insert, update, delete on all tables in schema public from "${role}"`)
  t.strictSame(await probe(), [503, 'postgres takes no writes'])
  t.match(
    service.logLines.join(''),
    /not ready: the service's role cannot write to Postgres.*run `mintmark migrate`/,
  )
  const signIn = () =>
    service.browser().post('/v1/session', { email: 'ada@example.com', password: goodPassword })
  t.ok((await signIn()).statusCode >= 500, 'and indeed it does not')
  await sql.unsafe(`grant insert, update, delete on all tables in schema public to "${role}"`)
  t.strictSame(await probe(), [200, 'ready'])
  t.equal((await signIn()).statusCode, 201)
})

test('each right that the service needs is looked at, by the probe as by the start', async t => {
  const { address, sql } = await testDatabase(t)
  const role = await roleIn(sql)
  const hot = new HotReads(address)
  t.teardown(() => hot.close())
  t.strictSame(await hot.probe(), { takesWrites: true })
  for (const [table, all] of rights) {
    // What the probe reads first, it could not read without.
    for (const right of all.filter(one => one !== 'select')) {
      await sql.unsafe(`revoke ${right} on ${table} from "${role}"`)
      t.strictSame(await hot.probe(), { takesWrites: false }, `${right} on ${table}`)
      const started = await testService(t, { database: { address, sql } }).catch((error: unknown) => error)
      t.match(started, {
        name: 'StartRefused',
        faults: [new RegExp(`lacks the right to write .${right} on ${table}.: run .mintmark migrate`)],
      })
      await sql.unsafe(`grant ${right} on ${table} to "${role}"`)
    }
  }
  t.strictSame(await hot.probe(), { takesWrites: true })
})

test('a probe writes nothing, and takes no lock on a table', async t => {
  const { sql } = await testDatabase(t)
  await sql.begin(async tx => {
    t.strictSame([...(await tx.unsafe(takesWrites))], [{ takes: true }])
    const [after] = await tx`select pg_current_xact_id_if_assigned() is null as nothing, array(
      select relation::regclass::text from pg_locks where pid = pg_backend_pid()
        and relation in (select oid from pg_class where relnamespace = 'public'::regnamespace)) as locked`
    t.strictSame(after, { nothing: true, locked: [] })
  })
})
