// What the benches share: a service in a process of its own on one core, the load on another, and what both cost.
import { fork, spawn, spawnSync } from 'node:child_process'
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startEmbeddedPostgres } from '@mintmark/dev-postgres'
import autocannon from 'autocannon'
import { makeFirstKey } from '../dist/sealing/key-encryption-keys.js'

/** A Postgres and a key-encryption key of the bench's own, gone when it is over. */
export async function withPostgres(work) {
  const folder = await mkdtemp(join(tmpdir(), 'mintmark-bench-'))
  await chmod(folder, 0o755)
  const server = await startEmbeddedPostgres({ folder: join(folder, 'data') })
  try {
    await makeFirstKey(join(folder, 'keys'))
    await work(server.connection, join(folder, 'keys'))
  } finally {
    await server.stop()
    await rm(folder, { recursive: true, force: true })
  }
}

/** One that forgets all when it is stopped. */
export async function startRedis() {
  const port = 20_000 + Math.floor(Math.random() * 10_000)
  const options = ['--port', port, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no']
  const child = spawn('redis-server', options.map(String), { stdio: 'ignore' })
  await new Promise(resolve => setTimeout(resolve, 500))
  return { url: `redis://127.0.0.1:${port}`, stop: () => child.kill() }
}

/** Pinned to the first core, where the machine can; the load (this process) to the second. */
export async function start(script, settings) {
  const nowhere = openSync('/dev/null', 'w')
  const env = { ...process.env, BENCH: JSON.stringify(settings) }
  const child = fork(new URL(script, import.meta.url), { env, stdio: ['ignore', nowhere, 'inherit', 'ipc'] })
  closeSync(nowhere)
  const url = await new Promise((resolve, reject) => {
    child.once('message', resolve)
    child.once('exit', code => reject(new Error(`${script} ended with ${code}`)))
  })
  pin(child.pid, 0)
  pin(process.pid, 1)
  return { child, pid: child.pid, url }
}

function pin(pid, core) {
  spawnSync('taskset', ['-acp', String(core), String(pid)])
}

export function unpin(pid) {
  spawnSync('taskset', ['-acp', '0-1', String(pid)])
}

export const checksOf = cookies =>
  cookies.map(cookie => ({ method: 'GET', path: '/v1/session', headers: { cookie } }))

export const mintsOf = cookies =>
  cookies.map(cookie => ({
    method: 'POST',
    path: '/v1/token',
    headers: { cookie, 'x-mintmark': '1', 'content-type': 'application/json' },
    body: '{"client_id":"bench"}',
  }))

/** Each connection has a share of the requests, and sends them in turn. `also`: processes whose time counts, too. */
export async function load({ url, pid }, requests, duration, connections = 32, also = () => []) {
  const before = cpuSeconds([pid, ...also()])
  const latencies = []
  let begun = 0
  const setupClient = client => {
    const mine = begun++
    client.setRequests(requests.filter((_, index) => index % connections === mine % connections))
  }
  const run = autocannon({ url, connections, duration, setupClient })
  run.on('response', (_client, _status, _bytes, milliseconds) => latencies.push(milliseconds))
  const result = await run
  if (result.non2xx || result.errors) throw new Error(`${result.non2xx} refused, ${result.errors} errors`)
  const answered = result.requests.total
  latencies.sort((a, b) => a - b)
  return {
    rate: answered / result.duration,
    p50: result.latency.p50,
    p99: result.latency.p99,
    p50Exact: latencies[latencies.length >> 1],
    cpu: ((cpuSeconds([pid, ...also()]) - before) / answered) * 1e6,
  }
}

/** Postgres's processes that work on this database. */
export function backendsOf(database) {
  return processes().filter(({ command }) => command.startsWith('postgres: ') && command.includes(database))
}

function processes() {
  const pids = readdirSync('/proc').filter(name => /^\d+$/.test(name))
  return pids.map(pid => ({ pid, command: read(`/proc/${pid}/cmdline`) }))
}

/** User and system time of processes, from /proc/<pid>/stat (proc(5): fields 14 and 15, in ticks of 10 ms). */
export function cpuSeconds(all) {
  let ticks = 0
  for (const one of all) {
    const fields = read(`/proc/${one.pid ?? one}/stat`)
      .split(') ')
      .at(-1)
      .split(' ')
    if (fields.length > 12) ticks += Number(fields[11]) + Number(fields[12])
  }
  return ticks / 100
}

/** Empty for a process that has ended meanwhile. */
function read(path) {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[sorted.length >> 1]
}
