/** A connection pooler between the service and Postgres: a real PgBouncer, which keeps nothing that a session asked for. */
import { join } from 'node:path'
import { test } from 'tap'
import { StartRefused } from '../../src/core/errors.js'
import { Database } from '../../src/store/postgres/database.js'
import { deadlines, HotReads, hotSettings } from '../../src/store/postgres/hot-reads.js'
import { examinePostgres } from '../../src/store/postgres/migration/fitness.js'
import { migrate } from '../../src/store/postgres/migration/migrate.js'
import { settingsFor } from '../../src/store/postgres/session-settings.js'
import { testDatabase } from '../support/database.js'
import { pgbouncer, skipWithoutPgbouncer } from '../support/pgbouncer.js'
import { testService } from '../support/service.js'
import { TcpProxy } from './cluster/proxy.js'

const asked = Object.keys(settingsFor(deadlines, hotSettings))
const skip = skipWithoutPgbouncer
const directly = /a connection pooler does not keep .*set DATABASE_URL to the address of Postgres itself/

for (const mode of ['session', 'transaction'] as const) {
  test(`behind a pooler in ${mode} mode no service starts, and the refusal says where to connect`, {
    skip,
  }, async t => {
    const database = await testDatabase(t)
    // As one that was set up for another program is, as one that was made to take ours, and as one whose server was
    // given everything that the service asks for.
    for (const [how, ignores] of Object.entries({ plain: [], ignoring: asked, 'like ours': asked })) {
      if (how === 'like ours') {
        for (const [name, value] of Object.entries(settingsFor(deadlines, hotSettings)))
          await database.sql.unsafe(
            `alter database ${database.address.database} set ${name} = ${name === 'DateStyle' ? value : `'${value}'`}`,
          )
      }
      const address = await pgbouncer(t, database.address, { mode, ignores })
      const refused = await testService(t, { database, address }).catch((error: unknown) => error)
      t.ok(refused instanceof StartRefused, how)
      t.equal((refused as StartRefused).faults.length, 1, how)
      t.match((refused as StartRefused).faults[0], directly, how)
      t.match((await examinePostgres({ url: urlOf(address) })).faults, [directly], 'by a URL, too')
    }
  })

  test(`behind a pooler in ${mode} mode nothing is asked and nothing changed, whoever connects`, {
    skip,
  }, async t => {
    const database = await testDatabase(t)
    const address = await pgbouncer(t, database.address, { mode, ignores: asked })
    const pool = new Database(address, { connections: 1 })
    const hot = new HotReads(address)
    t.teardown(() => Promise.all([pool.close(), hot.close()]))
    await t.rejects(hot.probe(), directly)
    const audit = "insert into audit_events (action, outcome) values ('x', 'done')"
    await t.rejects(
      pool.transaction(tx => tx.execute(audit)),
      directly,
    )
    t.equal((await database.sql`select from audit_events`).length, 0)
    await t.rejects(migrate(address), /pooler does not keep the migration lock: set DATABASE_URL/)
  })
}

test('a service whose way to Postgres leads through a pooler one day answers 503, and is back without it', {
  skip,
}, async t => {
  const database = await testDatabase(t)
  const { host, port } = database.address
  const postgres = { path: join(host, `.s.PGSQL.${port}`) }
  const way = await TcpProxy.start(postgres)
  t.teardown(() => way.close())
  const address = { ...database.address, host: '127.0.0.1', port: way.port }
  const service = await testService(t, { database, address })
  const { browser } = await service.signUp('ada@example.com')
  const { cookie } = browser
  const pooler = await pgbouncer(t, database.address, { mode: 'session', ignores: asked })
  const readiness = async () => (await fetch(`${service.addresses.probes}/readyz`)).status

  way.target = { host: pooler.host, port: pooler.port }
  way.drop()
  for (let round = 0; round < 3; round++) {
    for (const answer of [
      await browser.get('/v1/session'),
      await browser.post('/v1/token', {}),
      await browser.delete('/v1/session'),
    ]) {
      t.equal(answer.statusCode, 503, answer.body)
      t.notOk(answer.headers['set-cookie'], 'the cookie is kept')
    }
    t.equal(await readiness(), 503)
  }
  t.match(service.logLines.join(''), directly, 'and the log has the remedy')

  way.target = postgres
  way.drop()
  t.equal((await browser.get('/v1/session')).statusCode, 200)
  t.equal((await browser.delete('/v1/session')).statusCode, 204)
  t.equal(await readiness(), 200)
  browser.cookie = cookie
  t.equal((await browser.get('/v1/session')).statusCode, 401)
})

function urlOf({ user, password, host, port, database }: { [name: string]: unknown }): string {
  return `postgres://${user}:${encodeURIComponent(String(password))}@${host}:${port}/${database}`
}
