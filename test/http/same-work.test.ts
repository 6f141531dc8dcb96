/** A request that names an address does the same work for one that has an account and for one that has none. */
import { type Test, test } from 'tap'
import { freshAddress, person } from '../harness/world.js'
import { testDatabase } from '../support/database.js'
import { postgresProxy } from '../support/postgres-proxy.js'
import { goodPassword, testService } from '../support/service.js'

const anHour = 3_600_000

/** The statements of one request: until the answer, and in all. What follows the answer waits for the shutdown. */
async function statementsOf(t: Test, known: boolean, url: string, more: object) {
  const database = await testDatabase(t)
  const { email } = await person(database.sql)
  const proxy = await postgresProxy(t, database.address)
  const { address } = proxy
  const quiet = { lookEveryMs: anHour, cleanEveryMs: anHour, unnoticedWithinMs: anHour }
  const service = await testService(t, { database, address, ...quiet })
  const ask = (email: string) => service.browser().post(url, { email, ...more })
  // Every connection that it needs is open afterwards.
  await ask(freshAddress())
  const before = proxy.statements.length
  const { statusCode } = await ask(known ? email : freshAddress())
  // The audit log is written beside the answer, by a writer that does not know the account.
  const answered = proxy.statements.slice(before).filter(text => /users|passwords|mail_links/.test(text))
  await service.close()
  const all = proxy.statements.slice(before)
  return {
    statusCode,
    answered,
    all: all.sort(),
    changed: all.filter(text => /^\s*(insert|update)/.test(text)),
  }
}

for (const [what, url, more, table] of [
  ['a forgotten password', '/v1/password/forgot', {}, 'mail_links'],
  ['a sign-up', '/v1/sign-up', {}, 'mail_links'],
  ['a wrong password', '/v1/session', { password: `${goodPassword}!` }, 'passwords'],
] as const) {
  test(`${what} costs the same statements for a known and an unknown address, and none changes an account before the answer`, async t => {
    const [known, unknown] = [await statementsOf(t, true, url, more), await statementsOf(t, false, url, more)]
    t.same(known, unknown)
    t.equal(known.answered.length, 1, 'it reads the account')
    t.match(known.answered[0], /^select/)
    t.ok(
      known.changed.some(text => text.includes(table)),
      'the work after the answer was seen',
    )
  })
}
