/** `mintmark migrate` says what is wrong: a password, a right, a database, the way there; and what to do about each. */
import { type Test, test } from 'tap'
import { examinePostgres } from '../../src/store/postgres/migration/fitness.js'
import { surroundings } from '../support/command.js'
import { type TestDatabase, testDatabase } from '../support/database.js'
import { freePort } from '../support/free-port.js'
import { asSuperuser, newLogin } from '../support/logins.js'
import { run } from '../support/process.js'

/** The command with these two addresses. */
async function migrations(t: Test, database: TestDatabase) {
  const { cwd, env } = await surroundings(t, database)
  return async (owner: string, service = '') => {
    const both =
      service === '' ? { DATABASE_URL: owner } : { DATABASE_URL: service, MINTMARK_OWNER_DATABASE_URL: owner }
    const command = run(t, 'cli.js', ['migrate'], cwd, { ...env, ...both })
    const code = await command.exited
    return { code, out: command.stdout(), err: command.stderr() }
  }
}

test('what keeps a migration from its database is told apart, and none of it is called unconfirmed', async t => {
  const owner = await newLogin(t, 'createrole')
  const service = await newLogin(t, 'none')
  const database = await testDatabase(t, { empty: true })
  const { database: name } = database.address
  const migrate = await migrations(t, database)
  const url = owner.url(name)
  const failures: Record<string, [said: Awaited<ReturnType<typeof migrate>>, remedy: RegExp]> = {
    'a password': [
      await migrate(url.replace(':secret@', ':wrong@'), service.url(name)),
      /28P01 .*: check MINTMARK_OWNER_DATABASE_URL: the server does not accept this user with this password/,
    ],
    'a user': [
      await migrate(url.replace(owner.name, 'nobody_of_that_name')),
      /28P01 .*: check DATABASE_URL: the server does not accept this user with this password/,
    ],
    'a database': [
      await migrate(owner.url('no_such_database')),
      /3D000 .*: check DATABASE_URL: create the database, or fix its name/,
    ],
    'a server': [
      await migrate(url.replace(/:\d+\//, `:${await freePort()}/`)),
      /ECONNREFUSED.*: check DATABASE_URL, and that the server is running and reachable/,
    ],
    'a right': [
      await migrate(url, service.url(name)),
      /the login login_\w+ lacks a right \(permission denied for .*\): migrate as the owner of the database and its tables/,
    ],
    'one login for both': [
      await migrate(url, url),
      /use the same login: give the service a login of its own/,
    ],
  }
  for (const [what, [{ code, out, err }, remedy]] of Object.entries(failures)) {
    // Whoever may make no schema there fails at that before the two logins are compared.
    if (what !== 'one login for both') t.match(err, remedy, what)
    t.equal(code, 1, what)
    t.equal(out, '', what)
    t.notMatch(err, /not confirmed|secret|wrong@|\n\s+at /i, what)
  }
  await asSuperuser(`alter database ${name} owner to ${owner.name}`)
  await database.sql.unsafe(`alter schema public owner to ${owner.name}`)
  t.match(await migrate(url, url), { code: 1, err: failures['one login for both']?.[1] })
  t.match(await migrate(url, service.url(name)), { code: 0, err: '' })
})

test('whoever does not own the database cannot shut it, and is told who can', async t => {
  const owner = await newLogin(t, 'createrole')
  const service = await newLogin(t, 'none')
  const database = await testDatabase(t, { empty: true })
  const { database: name } = database.address
  await asSuperuser(`grant create on database ${name} to ${owner.name}`)
  await database.sql.unsafe(`alter schema public owner to ${owner.name}`)
  const migrate = await migrations(t, database)
  const first = await migrate(owner.url(name), service.url(name))
  t.match(first, {
    code: 0,
    out: /Every login of this server may still connect to this database\. Its owner can change that with `/,
  })
  await asSuperuser(...(/`([^`]*)`/.exec(first.out)?.[1]?.split('; ') ?? []))
  const again = await migrate(owner.url(name), service.url(name))
  t.match(again, { code: 0, err: '' })
  t.notMatch(again.out, /may still connect/)
  t.match(
    await examinePostgres({ url: service.url(name) }),
    { faults: [], warnings: [] },
    'the service gets in',
  )
})
