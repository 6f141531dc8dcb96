// The load figures of the README: our check and our mint beside the hand-written limit (bench/limit.mjs), on the same
// Postgres, a process each on one core, the load on another, in interleaved rounds.
//
//   npm run bench                 five rounds of four seconds, with 100 000 people in 1 000 tenants
//   npm run bench -- 3 2 10000    three rounds of two, with 10 000 people in 100 tenants
import { fork, spawnSync } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { availableParallelism, cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import autocannon from 'autocannon'
import postgres from 'postgres'
import { makeFirstKey } from '../dist/keyring/key-encryption-keys.js'
import { newCredential } from '../dist/session/credential.js'
import { startEmbeddedPostgres } from '../dist/store/postgres/embedded/launch.js'
import { migrate } from '../dist/store/postgres/migrate.js'
import { seed, signInBody } from './seed.mjs'

const [rounds = 5, seconds = 4, people = 100_000] = process.argv.slice(2).map(Number)
const connections = 32
const notes = []
const folder = await mkdtemp(join(tmpdir(), 'mintmark-bench-'))
await chmod(folder, 0o755)
const server = await startEmbeddedPostgres({ folder: join(folder, 'data') })
const address = server.connection
try {
  await migrate(address)
  await makeFirstKey(join(folder, 'keys'))
  const sql = postgres({ ...address, max: 1, onnotice: () => {} })
  const cookies = await seed(sql, people, newCredential())
  await sql.end()
  await measure(cookies)
} finally {
  await server.stop()
  await rm(folder, { recursive: true, force: true })
}

async function measure(cookies) {
  const check = cookies.map(cookie => ({ method: 'GET', path: '/v1/session', headers: { cookie } }))
  const mint = cookies.map(cookie => ({
    method: 'POST',
    path: '/v1/token',
    headers: { cookie, 'x-mintmark': '1', 'content-type': 'application/json' },
    body: '{"client_id":"bench"}',
  }))
  console.log(
    `${cpus()[0]?.model.trim()}, ${availableParallelism()} cores, Node ${process.version}, Postgres 18`,
  )
  console.log(
    `${rounds} interleaved rounds of ${seconds} s, ${connections} connections, ${people} people in ${Math.ceil(people / 100)} tenants\n`,
  )
  console.log(
    '| | ours, requests/s | limit, requests/s | ratio | p50 ms | p99 ms | limit p99 ms | CPU µs a request | limit CPU µs |',
  )
  console.log('|---|---|---|---|---|---|---|---|---|')
  for (const logLevel of ['info', 'silent']) {
    const servers = { ours: await start('ours.mjs', logLevel), limit: await start('limit.mjs', logLevel) }
    const suffix = logLevel === 'info' ? '' : ', without logging'
    await pair(`\`GET /v1/session\`${suffix}`, servers, check)
    await pair(`\`POST /v1/token\`${suffix}`, servers, mint)
    if (logLevel === 'info') await underSignIns(servers.ours, mint)
    for (const { child } of Object.values(servers)) child.disconnect()
  }
  for (const line of notes) console.log(line)
}

async function pair(name, servers, requests) {
  const results = { ours: [], limit: [] }
  for (const target of ['ours', 'limit']) await load(servers[target], requests, 1)
  for (let round = 0; round < rounds; round++) {
    for (const target of ['ours', 'limit'])
      results[target].push(await load(servers[target], requests, seconds))
  }
  const of = (target, figure) => median(results[target].map(result => result[figure]))
  const ratio = median(results.ours.map((ours, round) => ours.rate / results.limit[round].rate))
  const row = [name, of('ours', 'rate').toFixed(0), of('limit', 'rate').toFixed(0), ratio.toFixed(2)]
  row.push(
    of('ours', 'p50'),
    of('ours', 'p99'),
    of('limit', 'p99'),
    of('ours', 'cpu').toFixed(0),
    of('limit', 'cpu').toFixed(0),
  )
  console.log(`| ${row.join(' | ')} |`)
}

/** How much a mint waits for password hashes: eight people sign in without a pause, four connections mint. */
async function underSignIns(target, mint) {
  const quiet = []
  const busy = []
  for (let round = 0; round < rounds; round++) {
    quiet.push((await load(target, mint, seconds, 4)).p50Exact)
    let over = false
    const headers = { 'x-mintmark': '1', 'content-type': 'application/json' }
    const people = Array.from({ length: 8 }, async (_, index) => {
      while (!over) {
        const answer = await fetch(`${target.url}/v1/session`, {
          method: 'POST',
          headers,
          body: signInBody(index),
        })
        if (answer.status !== 201) throw new Error(`a sign-in was answered ${answer.status}`)
        await answer.arrayBuffer()
      }
    })
    busy.push((await load(target, mint, seconds, 4)).p50Exact)
    over = true
    await Promise.all(people)
  }
  const [q, b] = [median(quiet), median(busy)]
  notes.push(
    `\nA mint's p50 with 4 connections: ${q.toFixed(2)} ms quiet, ${b.toFixed(2)} ms while 8 people sign in without a pause (${(b / q).toFixed(2)} times).`,
  )
}

/** The requests in turn, each connection beginning at another of them. */
async function load({ url, pid }, requests, duration, parallel = connections) {
  const before = cpuSeconds(pid)
  const latencies = []
  let begun = 0
  const setupClient = client => {
    const place = (begun++ * 31) % requests.length
    client.setRequests([...requests.slice(place), ...requests.slice(0, place)])
  }
  const run = autocannon({ url, connections: parallel, duration, setupClient })
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
    cpu: ((cpuSeconds(pid) - before) / answered) * 1e6,
  }
}

/** User and system time of a process, from /proc/<pid>/stat (proc(5): fields 14 and 15, in ticks of 10 ms). */
function cpuSeconds(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

/** Pinned to the first core, where the machine can; the load (this process) to the second. */
async function start(script, logLevel) {
  const nowhere = openSync('/dev/null', 'w')
  const env = {
    ...process.env,
    BENCH: JSON.stringify({ address, logLevel, keysFolder: join(folder, 'keys') }),
  }
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

function median(values) {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[sorted.length >> 1]
}
