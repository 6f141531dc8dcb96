/** Who may not touch the audit log: the service's role, and the login that `mintmark migrate` makes. LG-05 of the attack list. */
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import postgres from 'postgres'
import { type Test, test } from 'tap'
import { Database } from '../../src/store/postgres/database.js'
import { serviceRole } from '../../src/store/postgres/session-settings.js'
import { testDatabase, testServer } from '../support/database.js'
import { freePort } from '../support/free-port.js'
import { ready, run } from '../support/process.js'
import { eventually, goodPassword } from '../support/service.js'
import { forwarded } from '../support/tcp.js'

/** Each is refused for want of a right. */
const tampering = [
  `update audit_events set actor = null`,
  `update audit_events set at = at - interval '1 year' where id = 1`,
  `delete from audit_events`,
  `delete from audit_events where id = 1`,
  `truncate audit_events`,
  `insert into audit_events (id, action, outcome) overriding system value values (1, 'x', 'done')
    on conflict (id) do update set actor = null`,
  `merge into audit_events a using (values (1)) v(id) on a.id = v.id when matched then delete`,
  `select from audit_events for update`,
  `do $$ begin lock table audit_events in access exclusive mode; end $$`,
  `drop table audit_events`,
  `alter table audit_events rename to elsewhere`,
  `alter table audit_events disable trigger all`,
  `alter table audit_events add column x int`,
  `create trigger t before insert on audit_events for each row execute function suppress_redundant_updates_trigger()`,
  `create rule r as on insert to audit_events do instead nothing`,
]

test('LG-05: on a connection as the service makes it, nothing that was recorded can be changed or removed', async t => {
  const { address, sql } = await testDatabase(t)
  const database = new Database(address, { connections: 1 })
  t.teardown(() => database.close())
  await sql`insert into audit_events (action, outcome) select 'x', 'done' from generate_series(1, 10)`
  const dump = () => sql`select * from audit_events order by id`
  const before = await dump()
  t.ok(before.length > 5)
  for (const statement of tampering) {
    await t.rejects(
      database.transaction(db => db.execute(statement)),
      /^42501/,
      statement.slice(0, 60),
    )
  }
  t.strictSame(await dump(), before)
  await database.transaction(db =>
    db.execute(`insert into audit_events (action, outcome) values ('x', 'done')`),
  )
  const [count] = await database.read(db =>
    db.execute<{ n: number }>('select count(*)::int n from audit_events'),
  )
  t.equal(count?.n, before.length + 1, 'it can add and read')
})

/** A database that belongs to a login which is no superuser, and two logins' addresses: the owner's, the service's. */
async function twoLogins(t: Test) {
  const { address, sql } = await testDatabase(t, { empty: true })
  const name = randomBytes(4).toString('hex')
  const [owner, login] = [`owner_${name}`, `Service "${name}"`]
  const superuser = postgres({ ...address, max: 1, onnotice: () => {} })
  t.teardown(async () => {
    await superuser.unsafe(`reassign owned by ${owner} to current_user`)
    const quoted = `"${login.replaceAll('"', '""')}"`
    const [made] = await superuser`select from pg_roles where rolname = ${login}`
    const [own] = await superuser.unsafe<{ role: string }[]>(`select ${serviceRole} as role`)
    for (const role of [...(made ? [quoted] : []), owner, `"${own?.role}"`]) {
      await superuser.unsafe(`drop owned by ${role} cascade`)
      await superuser.unsafe(`drop role ${role}`)
    }
    await superuser.end()
  })
  await superuser.unsafe(`create role ${owner} login createrole password 'of the owner'`)
  await superuser.unsafe(`alter database ${address.database} owner to ${owner}`)
  const port = await forwarded(t)
  const url = (user: string, password: string) =>
    `postgres://${encodeURIComponent(user)}:${encodeURIComponent(password)}@127.0.0.1:${port}/${address.database}`
  return {
    sql,
    owner: url(owner, 'of the owner'),
    service: url(login, `it's "secret" \\ %?#/@:`),
    login,
  }
}

async function folder(t: Test): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'mintmark-audit-'))
  t.teardown(() => rm(path, { recursive: true, force: true }))
  await mkdir(join(path, 'keys'))
  await writeFile(join(path, 'keys', 'main.kek'), `${randomBytes(32).toString('base64')}\n`, {
    mode: 0o600,
  })
  return path
}

test('LG-05: `mintmark migrate` with two logins makes one for the service, which can add to the log and nothing else', async t => {
  const { sql, owner, service, login } = await twoLogins(t)
  const cwd = await folder(t)
  const env = {
    NODE_ENV: 'production',
    DATABASE_URL: service,
    ISSUER: 'http://localhost:4000',
    MINTMARK_OUTBOX_FOLDER: 'mail',
  }
  const cli = async (args: string[], more: Record<string, string> = {}, input = '') => {
    const command = run(t, 'cli.js', args, cwd, { ...env, ...more })
    command.child.stdin?.end(input)
    const code = await command.exited
    return { code, said: command.stdout() + command.stderr() }
  }
  const both = { MINTMARK_OWNER_DATABASE_URL: owner }
  const first = await cli(['migrate'], both)
  t.match(first, { code: 0, said: `${login} is the login of the service` })
  t.notMatch(first.said, /secret|of the owner/)
  t.match(await cli(['migrate'], both), { code: 0 }, 'and again, when it is there')
  const same = await cli(['migrate'], { DATABASE_URL: owner, MINTMARK_OWNER_DATABASE_URL: owner })
  t.match(same, { code: 1, said: /use the same login: give the service a login of its own/ })

  await t.test('it serves with that login, and does not warn', async t => {
    const [port, probePort] = [await freePort(), await freePort()]
    const running = run(t, 'main.js', [], cwd, {
      ...env,
      MINTMARK_LISTEN: `127.0.0.1:${port}`,
      MINTMARK_HEALTH_LISTEN: `127.0.0.1:${probePort}`,
    })
    await ready(running, `http://127.0.0.1:${probePort}`)
    const headers = { 'content-type': 'application/json', 'x-mintmark': '1' }
    const post = (path: string, body: object) =>
      fetch(`http://127.0.0.1:${port}${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
    t.equal((await post('/v1/sign-up', { email: 'ada@example.com' })).status, 202)
    const mail = await eventually(async () => {
      const [name] = await readdir(join(cwd, 'mail')).catch(() => [])
      return name?.endsWith('.eml') ? readFile(join(cwd, 'mail', name), 'utf8') : undefined
    })
    const token = /#token=(?:3D)?([A-Za-z0-9_-]{43})/.exec(
      mail.replaceAll('=\r\n', '').replaceAll('=3D', '='),
    )?.[1]
    const verified = await post('/v1/sign-up/verify', { token, password: goodPassword })
    t.equal(verified.status, 201, 'sign-up, sign-in and audit need no more rights')
    const cookie = (verified.headers.get('set-cookie') ?? '').split(';', 1)[0] ?? ''
    const session = await fetch(`http://127.0.0.1:${port}/v1/session`, { headers: { cookie } })
    t.equal(session.status, 200)
    t.notMatch(running.stdout(), /could change the audit log/)
    running.child.kill('SIGTERM')
    t.equal(await running.exited, 0)
  })

  const create = ['applications', 'create', 'web', '--audience', 'api']
  t.match(await cli(create), { code: 0 }, "and so do the operator's commands")
  t.match(await cli(['users', 'create', 'bob@example.com', '--password-stdin'], {}, `${goodPassword}\n`), {
    code: 0,
  })
  const rows =
    await sql`select action, outcome, actor, subject, address, request_id from audit_events order by id`
  t.strictSame(
    rows.map(row => row.action),
    [
      'keys.bootstrapped',
      'keys.published',
      'account.created',
      'session.opened',
      'application.created',
      'account.created',
    ],
  )
  const [bob] = await sql`select id::text from users where canonical_email = 'bob@example.com'`
  t.strictSame(rows.slice(4), [
    {
      action: 'application.created',
      outcome: 'done',
      actor: null,
      subject: 'web',
      address: null,
      request_id: null,
    },
    {
      action: 'account.created',
      outcome: 'done',
      actor: null,
      subject: bob?.id,
      address: null,
      request_id: null,
    },
  ])
  t.match(await cli(create), { code: 1 })
  t.equal((await sql`select from audit_events`).length, rows.length, 'a command that fails records nothing')

  const direct = postgres(service, { max: 1, onnotice: () => {} })
  t.teardown(() => direct.end())
  for (const statement of [
    ...tampering,
    `set role "${new URL(owner).username}"`,
    `set role "${testServer().user}"`,
  ]) {
    await t.rejects(direct.unsafe(statement), { code: '42501' }, statement.slice(0, 60))
  }
  // A grant of what one does not have is no error; it grants nothing.
  const [own] = await direct.unsafe<{ role: string }[]>(`select ${serviceRole} as role`)
  await direct.unsafe(`grant update on audit_events to "${own?.role}"`)
  await t.rejects(direct`update audit_events set actor = null`, { code: '42501' })
  t.equal((await direct`select from audit_events`).length, rows.length)
  await t.rejects(direct`create table mine (x int)`, { code: '42501' }, 'it makes no tables')
  await t.rejects(direct`delete from drizzle.__drizzle_migrations`, { code: '42501' })
})

test('a login that could change the log is served with a warning', async t => {
  const { owner } = await twoLogins(t)
  const cwd = await folder(t)
  const [port, probePort] = [await freePort(), await freePort()]
  const env = { DATABASE_URL: owner, ISSUER: 'http://localhost:4000', MINTMARK_OUTBOX_FOLDER: 'mail' }
  const migrated = run(t, 'cli.js', ['migrate'], cwd, env)
  t.equal(await migrated.exited, 0, migrated.stderr())
  const running = run(t, 'main.js', [], cwd, {
    ...env,
    MINTMARK_LISTEN: `127.0.0.1:${port}`,
    MINTMARK_HEALTH_LISTEN: `127.0.0.1:${probePort}`,
  })
  await ready(running, `http://127.0.0.1:${probePort}`)
  t.match(running.stdout(), /can change the audit log: set MINTMARK_OWNER_DATABASE_URL and run/)
})

test('a login without the rights of the service is refused at the start, with what to do', async t => {
  const { owner, service, login, sql } = await twoLogins(t)
  const cwd = await folder(t)
  const env = {
    ISSUER: 'http://localhost:4000',
    MINTMARK_OUTBOX_FOLDER: 'mail',
    MINTMARK_LISTEN: '127.0.0.1:0',
  }
  const migrated = run(t, 'cli.js', ['migrate'], cwd, { ...env, DATABASE_URL: owner })
  t.equal(await migrated.exited, 0, migrated.stderr())
  const password = decodeURIComponent(new URL(service).password).replaceAll("'", "''")
  await sql.unsafe(`create role "${login.replaceAll('"', '""')}" login password '${password}'`)
  const refused = run(t, 'main.js', [], cwd, { ...env, DATABASE_URL: service })
  t.equal(await refused.exited, 1)
  t.notMatch(refused.stdout(), 'listening')
  t.notMatch(refused.stderr(), /\n\s+at /, 'no stack')
  t.match(
    refused.stderr(),
    /this login may not connect to the database: run `mintmark migrate` with MINTMARK_OWNER_DATABASE_URL set/,
  )
})
