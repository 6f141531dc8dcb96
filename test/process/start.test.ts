/** The process: it refuses to start with every fault named, keeps what it was told, and ends in order. */
import { randomBytes } from 'node:crypto'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createConnection, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { hash } from '@node-rs/argon2'
import postgres from 'postgres'
import { type Test, test } from 'tap'
import { surroundings } from '../support/command.js'
import { type TestDatabase, testDatabase } from '../support/database.js'
import { freePort } from '../support/free-port.js'
import { type Running, ready, run } from '../support/process.js'
import { eventually, goodPassword, testService } from '../support/service.js'

const kek = `${randomBytes(32).toString('base64')}\n`

async function folder(t: Test): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'mintmark-process-'))
  // As root the embedded Postgres runs as another user, who must reach its data.
  await chmod(path, 0o755)
  t.teardown(() => rm(path, { recursive: true, force: true }))
  return path
}

/** A test database by TCP, as a production server is reached. */
async function databaseUrl(t: Test): Promise<string> {
  const { address } = await testDatabase(t)
  const server = createServer(front => {
    const back = createConnection(join(address.host, `.s.PGSQL.${address.port}`))
    front.pipe(back).pipe(front)
    for (const socket of [front, back]) {
      socket.on('error', () => {
        front.destroy()
        back.destroy()
      })
    }
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const { port } = server.address() as { port: number }
  return `postgres://${address.user}:${address.password}@127.0.0.1:${port}/${address.database}`
}

interface Started {
  readonly running: Running
  readonly issuer: string
  readonly probes: string
}

async function start(t: Test, cwd: string, env: Record<string, string> = {}): Promise<Started> {
  const [port, probePort] = [await freePort(), await freePort()]
  const issuer = `http://localhost:${port}`
  const probes = `http://127.0.0.1:${probePort}`
  const running = run(t, 'main.js', [], cwd, {
    MINTMARK_LISTEN: `127.0.0.1:${port}`,
    MINTMARK_HEALTH_LISTEN: `127.0.0.1:${probePort}`,
    ...env,
  })
  await ready(running, probes)
  return { running, issuer, probes }
}

function post(issuer: string, path: string, body: unknown, cookie = '') {
  const headers = { 'content-type': 'application/json', 'x-mintmark': '1', cookie }
  return fetch(`${issuer}${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
}

test('every fault of the configuration is named in one message, each with its mend', async t => {
  const cwd = await folder(t)
  await mkdir(join(cwd, 'keys'))
  await writeFile(join(cwd, 'keys', 'open.kek'), kek, { mode: 0o666 })
  await writeFile(join(cwd, 'keys', 'short.kek'), 'c2hvcnQ=', { mode: 0o600 })
  const refused = run(t, 'main.js', [], cwd, {
    NODE_ENV: 'production',
    ISSUER: 'http://id.example.com',
    MINTMARK_ISUER: 'https://id.example.com',
    MINTMARK_PASSWORD_MIN_LENGTH: '6',
    REDIS_URL: 'localhost:6379',
  })
  t.equal(await refused.exited, 1)
  for (const fault of ['DATABASE_URL', 'ISSUER', 'MINTMARK_ISUER', 'MIN_LENGTH', 'REDIS_URL', 'short.kek']) {
    t.match(refused.stderr(), fault)
  }
  t.equal(refused.stdout(), '')
  t.notMatch(refused.stderr(), /\n\s+at /, 'no stack')
})

test('production: migrate, create an application and a person, sign in, mint, and end in order', async t => {
  const cwd = await folder(t)
  await mkdir(join(cwd, 'keys'))
  await writeFile(join(cwd, 'keys', 'main.kek'), kek, { mode: 0o600 })
  const env = {
    NODE_ENV: 'production',
    DATABASE_URL: await databaseUrl(t),
    ISSUER: 'http://localhost:4000',
    MINTMARK_OUTBOX_FOLDER: 'mail',
  }
  const sql = postgres(env.DATABASE_URL, { max: 1 })
  t.teardown(() => sql.end())
  const cli = async (args: string[], input = '') => {
    const command = run(t, 'cli.js', args, cwd, env)
    command.child.stdin?.end(input)
    const code = await command.exited
    return { code, said: command.stdout() + command.stderr() }
  }
  t.same(await cli(['migrate']), { code: 0, said: 'The database is up to date.\n' })
  const { running, issuer, probes } = await start(t, cwd, env)

  const far = ['applications', 'create', 'far', '--audience', 'api', '--origin', 'https://app.example.com']
  t.match(await cli(far), { code: 1, said: /not same-site/ })
  const near = [
    'applications',
    'create',
    'near',
    '--audience',
    'api',
    'other',
    '--origin',
    'http://localhost:5173',
  ]
  t.match(await cli(near), { code: 0, said: /Created near/ })
  t.match(await cli(near), { code: 1, said: /already|belongs to/ })
  const ada = ['users', 'create', 'ada@example.com', '--password-stdin']
  t.match(await cli(ada, 'short\n'), { code: 1, said: /at least 15/ })
  t.match(await cli(ada, `${goodPassword}\n`), { code: 0, said: /Created [0-9a-f-]{36}/ })
  t.match(await cli(ada, `${goodPassword}\n`), { code: 1, said: /already/ })
  t.match(await cli(['users', 'create', 'bob@example.com']), { code: 0, said: /Mail: / })
  const [mail = ''] = (await readdir(join(cwd, 'mail'))).filter(name => name.endsWith('.eml'))
  t.match(await readFile(join(cwd, 'mail', mail), 'utf8'), /bob@example\.com[\s\S]*password\/reset#token/)
  t.equal((await stat(join(cwd, 'mail', mail))).mode & 0o777, 0o600)

  const signedIn = await post(issuer, '/v1/session', { email: 'ada@example.com', password: goodPassword })
  t.equal(signedIn.status, 201)
  const cookie = (signedIn.headers.get('set-cookie') ?? '').split(';', 1)[0] ?? ''
  t.equal((await post(issuer, '/v1/token', { client_id: 'near', audience: 'other' }, cookie)).status, 200)
  t.equal((await fetch(`${issuer}/readyz`)).status, 404, 'probes have a listener of their own')

  // The tests' services hash with less; nothing that a process is told does.
  const ofProduction = /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/
  t.match((await sql`select phc from passwords`)[0]?.phc, ofProduction, 'by the command')
  const light = await hash(goodPassword, { algorithm: 2, memoryCost: 8, timeCost: 1, parallelism: 1 })
  await sql`update passwords set phc = ${light}`
  const again = await post(issuer, '/v1/session', { email: 'ada@example.com', password: goodPassword })
  t.equal(again.status, 201)
  await eventually(async () => ofProduction.test((await sql`select phc from passwords`)[0]?.phc))

  // A sign-in is under way (a hash takes a while) when the signal comes: it is answered, and then all is over.
  const underWay = post(issuer, '/v1/session', { email: 'ada@example.com', password: goodPassword })
  await eventually(async () => {
    const lines = await fetch(`${probes}/healthz`)
    return lines.ok || undefined
  })
  running.child.kill('SIGTERM')
  t.equal((await underWay).status, 201, 'what is under way is finished')
  t.equal(await running.exited, 0)
  await t.rejects(fetch(issuer), 'nobody listens any more')
  const lines = running
    .stdout()
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line))
  t.ok(lines.some(line => line.msg === 'closed'))
  const requests = lines.filter(line => line.msg === 'request')
  t.ok(
    requests.length > 0 &&
      requests.every(line => line.route && line.status && line.durationMs >= 0 && line.requestId),
  )
})

test('production refuses a database that is not migrated, and one that cannot be reached', async t => {
  const cwd = await folder(t)
  await mkdir(join(cwd, 'keys'))
  await writeFile(join(cwd, 'keys', 'main.kek'), kek, { mode: 0o600 })
  const env = { ISSUER: 'http://localhost:4000', MINTMARK_OUTBOX_FOLDER: 'mail' }
  const port = await freePort()
  const unreachable = run(t, 'main.js', [], cwd, {
    ...env,
    DATABASE_URL: `postgres://u:hidden@127.0.0.1:${port}/db`,
  })
  t.equal(await unreachable.exited, 1)
  t.match(unreachable.stderr(), /cannot be reached.*ECONNREFUSED.*check DATABASE_URL/)
  t.notMatch(unreachable.stderr(), 'hidden')

  const withoutKey = run(t, 'main.js', [], await folder(t), {
    ...env,
    DATABASE_URL: 'postgres://u@127.0.0.1/db',
  })
  t.equal(await withoutKey.exited, 1)
  t.match(withoutKey.stderr(), /no key-encryption key.*openssl rand/)
})

test('with an empty keys folder the start says of a sealed database which key is missing, and of no other', async t => {
  const service = await testService(t)
  const start = async (database: TestDatabase) => {
    const { cwd, env } = await surroundings(t, database, 'empty')
    const refused = run(t, 'main.js', [], cwd, env)
    t.equal(await refused.exited, 1)
    return refused.stderr()
  }
  const sealed = await start(service.database)
  t.match(sealed, /of this database is missing in empty: put first\.kek back into empty/)
  t.notMatch(sealed, /openssl rand|make one/)
  const fresh = await start(await testDatabase(t))
  t.match(fresh, /make one \(mkdir -p empty .*openssl rand/)
  t.notMatch(fresh, /put .* back/)
})

test('the embedded default keeps people, sessions and keys over kill -9, and refuses a second start', async t => {
  const cwd = await folder(t)
  const first = await start(t, cwd)
  t.match(first.running.stdout(), `Mintmark listens on ${first.issuer}`)
  await post(first.issuer, '/v1/sign-up', { email: 'ada@example.com' })
  const printed = await eventually(() => /#token=(\S+)/.exec(first.running.stdout()) ?? undefined)
  const verified = await post(first.issuer, '/v1/sign-up/verify', {
    token: printed[1],
    password: goodPassword,
  })
  const cookie = (verified.headers.get('set-cookie') ?? '').split(';', 1)[0] ?? ''
  t.equal(verified.status, 201)
  t.notMatch(first.running.stderr(), printed[1] as string, 'a link never passes through the logger')
  t.equal((await stat(join(cwd, 'keys', 'first.kek'))).mode & 0o777, 0o600)
  const keys = await (await fetch(`${first.issuer}/.well-known/jwks.json`)).text()

  const second = run(t, 'main.js', [], cwd, {
    MINTMARK_LISTEN: '127.0.0.1:0',
    MINTMARK_HEALTH_LISTEN: '127.0.0.1:0',
  })
  t.equal(await second.exited, 1)
  t.match(second.stderr(), String(first.running.child.pid), 'it names who holds the folder')

  const cli = run(t, 'cli.js', ['applications', 'create', 'beside', '--audience', 'api'], cwd, {})
  t.equal(await cli.exited, 0, cli.stderr())

  first.running.child.kill('SIGKILL')
  await first.running.exited
  const again = await start(t, cwd, {
    ISSUER: first.issuer,
    MINTMARK_LISTEN: first.issuer.replace('http://localhost', '127.0.0.1'),
  })
  t.equal(
    (await fetch(`${again.issuer}/v1/session`.replace(again.issuer, first.issuer), { headers: { cookie } }))
      .status,
    200,
  )
  t.equal(await (await fetch(`${first.issuer}/.well-known/jwks.json`)).text(), keys)
  again.running.child.kill('SIGTERM')
  t.equal(await again.running.exited, 0)

  await rm(join(cwd, 'keys', 'first.kek'))
  const keyless = run(t, 'main.js', [], cwd, {
    ISSUER: first.issuer,
    MINTMARK_LISTEN: '127.0.0.1:0',
    MINTMARK_HEALTH_LISTEN: '127.0.0.1:0',
  })
  t.equal(await keyless.exited, 1)
  t.match(keyless.stderr(), /first\.kek/, 'a lost key-encryption key is never replaced silently')
  await writeFile(join(cwd, 'keys', 'first.kek'), kek, { mode: 0o600 })
  const wrong = run(t, 'main.js', [], cwd, {
    ISSUER: first.issuer,
    MINTMARK_LISTEN: '127.0.0.1:0',
    MINTMARK_HEALTH_LISTEN: '127.0.0.1:0',
  })
  t.equal(await wrong.exited, 1)
  t.match(wrong.stderr(), /it was sealed with another one/)
  const moved = run(t, 'main.js', [], cwd, {
    MINTMARK_LISTEN: `127.0.0.1:${await freePort()}`,
    MINTMARK_HEALTH_LISTEN: '127.0.0.1:0',
  })
  t.equal(await moved.exited, 1)
  t.match(
    moved.stderr(),
    /made for another issuer than http:\/\/localhost:\d+: set ISSUER back if it has changed/,
  )
})
