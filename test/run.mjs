// Runs the tests against real servers: compiles them, starts a Postgres of its own, migrates a template database,
// runs the files, stops what it started, and ends with the verdict line `N passed, N failed, N skipped`.
//
//   node test/run.mjs                              what changes often: every file but the slow ones
//   node test/run.mjs --slow                       the slow ones: processes, faults, browsers, other languages, packages
//   node test/run.mjs <test file…>                 these
//   TEST_TAP=tests.tap                             everything that was asserted, too, at the end of that file
//   TEST_POSTGRES_BIN=/usr/lib/postgresql/15/bin   that Postgres instead of the embedded one
import { spawn, spawnSync } from 'node:child_process'
import { appendFileSync, chmodSync, chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startEmbeddedPostgres } from '@mintmark/dev-postgres'
import postgres from 'postgres'
import { migrate } from '../dist/store/postgres/migration/migrate.js'
import { compileTests } from './compile.mjs'
import { isSlow } from './kinds.mjs'

// Debian keeps haproxy and pgbouncer where an ordinary user's shell does not look.
process.env.PATH += ':/usr/sbin'
const nobody = 65534
const asRoot = process.getuid?.() === 0
const folder = mkdtempSync(join(tmpdir(), 'mt-'))
chmodSync(folder, 0o755)
const stops = []

async function main() {
  const connection = process.env.TEST_POSTGRES_BIN
    ? installedPostgres(process.env.TEST_POSTGRES_BIN)
    : await embedded()
  const template = await makeTemplate(connection)
  const env = {
    ...process.env,
    TEST_POSTGRES: JSON.stringify({ ...connection, template }),
    ...(installed('redis-server', '--version') && { TEST_REDIS_SERVER: 'redis-server' }),
    ...(installed('haproxy', '-v') && { TEST_HAPROXY: 'haproxy' }),
    ...(installed('pgbouncer', '--version') && { TEST_PGBOUNCER: 'pgbouncer' }),
  }
  return runFiles(env, availableParallelism(), chosen)
}

function choose() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { slow: { type: 'boolean', default: false } },
  })
  const missing = positionals.filter(file => !existsSync(file))
  if (missing.length > 0) throw new Error(`there is no ${missing.join(', ')}`)
  if (positionals.length > 0) return positionals
  const all = readdirSync('test', { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.test.ts'))
    .map(name => `test/${name}`)
    .sort()
  return all.filter(file => isSlow(file) === values.slow)
}

// Nothing here must survive a crash of the machine, so nothing waits for the disk.
const fast = { fsync: 'off', full_page_writes: 'off', max_connections: '300' }

async function embedded() {
  const server = await startEmbeddedPostgres({ folder: join(folder, 'pg'), settings: fast })
  stops.push(() => server.stop())
  return server.connection
}

function installedPostgres(bin) {
  const data = mkdtempSync(join(folder, 'pg-'))
  const sockets = mkdtempSync(join(folder, 's-'))
  if (asRoot) for (const path of [data, sockets]) chownSync(path, nobody, nobody)
  const user = asRoot ? { uid: nobody, gid: nobody } : {}
  const run = (command, ...args) => {
    const { status, stderr } = spawnSync(join(bin, command), args, {
      ...user,
      cwd: '/',
      encoding: 'utf8',
      env: { PATH: process.env.PATH, LC_ALL: 'C.UTF-8' },
    })
    if (status !== 0) throw new Error(`${command} failed: ${stderr}`)
  }
  run('initdb', '-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '-N')
  const settings = Object.entries({ ...fast, listen_addresses: '', unix_socket_directories: sockets })
  const options = settings.map(([name, value]) => `-c ${name}='${value}'`).join(' ')
  run('pg_ctl', '-D', data, '-l', join(data, 'log'), '-w', '-o', options, 'start')
  stops.push(() => run('pg_ctl', '-D', data, '-m', 'immediate', '-w', 'stop'))
  return { host: sockets, port: 5432, user: 'postgres', password: '', database: 'postgres' }
}

async function makeTemplate(connection) {
  const template = 'mintmark_template'
  const sql = postgres({ ...connection, max: 1, onnotice: () => {} })
  await sql.unsafe(`create database ${template}`)
  await sql.end()
  await migrate({ ...connection, database: template })
  return template
}

/** Suites that need a server start one of their own; they are skipped visibly without it, and fail in CI. */
function installed(command, version) {
  const there = spawnSync(command, [version]).status === 0
  if (!there && process.env.CI) throw new Error(`CI needs ${command}`)
  return there
}

function runFiles(env, jobs, files) {
  return new Promise(resolve => {
    const running = spawn(process.execPath, ['test/files.mjs', String(jobs), ...files], { env })
    let counts = ''
    let rest = ''
    running.stdout.setEncoding('utf8').on('data', text => {
      if (process.env.TEST_TAP) appendFileSync(process.env.TEST_TAP, text)
      const lines = (rest + text).split('\n')
      rest = lines.pop()
      for (const line of lines) {
        // One line a file, everything that failed, and why.
        if (explains(line) || /^(ok|not ok|#|Bail)/.test(line)) process.stdout.write(`${line}\n`)
        if (/^# \{ total: /.test(line)) counts = line
      }
    })
    running.stderr.pipe(process.stderr)
    running.on('close', code => resolve({ code, counts }))
  })
}

let explaining = false
/** A failed assertion, and the YAML block behind it. */
function explains(line) {
  if (/^\s+not ok/.test(line)) explaining = true
  else if (/^\s*(ok|#)/.test(line)) explaining = false
  return explaining
}

function verdict({ code, counts }) {
  const count = name => Number(new RegExp(`${name}: (\\d+)`).exec(counts)?.[1] ?? 0)
  const passed = count('pass')
  const failed = count('fail')
  const skipped = count('skip') + count('todo')
  process.stdout.write(`${passed} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ''}\n`)
  return code === 0 && failed === 0 && passed > 0 && !(process.env.CI && skipped) ? 0 : 1
}

const chosen = choose()
compileTests()
let outcome
try {
  outcome = await main()
} finally {
  for (const stop of stops.reverse()) await stop()
  rmSync(folder, { recursive: true, force: true })
}
process.exitCode = verdict(outcome)
