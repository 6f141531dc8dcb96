// The load figures of docs/growth.md: our check and our mint beside the hand-written limit (bench/limit.mjs), on the same
// Postgres, a process each on one core, the load on another, in interleaved rounds.
//
//   npm run bench                 five rounds of four seconds, with 100 000 people in 1 000 tenants
//   npm run bench -- 3 2 10000    three rounds of two, with 10 000 people in 100 tenants
import { availableParallelism, cpus } from 'node:os'
import postgres from 'postgres'
import { newCredential } from '../dist/sessions/credential.js'
import { migrate } from '../dist/store/postgres/migration/migrate.js'
import { seed, signInBody } from './seed.mjs'
import { checksOf, load, median, mintsOf, start, unpin, withPostgres } from './support.mjs'

const [rounds = 5, seconds = 4, people = 100_000] = process.argv.slice(2).map(Number)
const connections = 32
const notes = []

await withPostgres(async (address, keysFolder) => {
  await migrate(address)
  const sql = postgres({ ...address, max: 1, onnotice: () => {} })
  const cookies = await seed(sql, people, newCredential())
  await sql.end()
  await measure(cookies, { address, keysFolder })
})

async function measure(cookies, where) {
  const check = checksOf(cookies)
  const mint = mintsOf(cookies)
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
    const servers = {
      ours: await start('ours.mjs', { ...where, logLevel }),
      limit: await start('limit.mjs', { ...where, logLevel }),
    }
    const suffix = logLevel === 'info' ? '' : ', without logging'
    await pair(`\`GET /v1/session\`${suffix}`, servers, check)
    await pair(`\`POST /v1/token\`${suffix}`, servers, mint)
    if (logLevel === 'info') await underSignIns(servers.ours, mint)
    if (logLevel === 'info') await twoProcesses(servers.ours, check, mint, { ...where, logLevel })
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

/** A second process of ours beside the first, on the same Postgres: what both answer together. */
async function twoProcesses(first, check, mint, settings) {
  const second = await start('ours.mjs', settings)
  // Each may use both cores now, as two processes of a production machine would.
  for (const { pid } of [first, second]) unpin(pid)
  for (const [name, requests] of [
    ['checks', check],
    ['mints', mint],
  ]) {
    const ratios = []
    for (let round = 0; round < rounds; round++) {
      const alone = await load(first, requests, seconds)
      const both = await Promise.all(
        [first, second].map(one => load(one, requests, seconds, connections / 2)),
      )
      ratios.push((both[0].rate + both[1].rate) / alone.rate)
    }
    notes.push(
      `\nTwo processes answer ${median(ratios).toFixed(2)} times as many ${name} as one (Postgres and the load on the same cores).`,
    )
  }
  second.child.disconnect()
}
