// What a growing table of sessions costs: checks, mints, sign-ins, the list of devices, and clean-up beside them, at
// several sizes in one run, a database each, in interleaved rounds.
//
//   npm run bench:growth                          10 000, a million and five million rows, five rounds of four seconds
//   npm run bench:growth -- 10000,200000 3 2      these sizes, three rounds of two
import { availableParallelism, cpus } from 'node:os'
import postgres from 'postgres'
import { newCredential } from '../dist/session/credential.js'
import { cleanUp } from '../dist/store/postgres/clean-up.js'
import { Database } from '../dist/store/postgres/database.js'
import { checkStatement, HotReads, hotSettings } from '../dist/store/postgres/hot-reads.js'
import { migrate } from '../dist/store/postgres/migrate.js'
import { postgresRevocations } from '../dist/store/postgres/revocation-store.js'
import { postgresSessionStore } from '../dist/store/postgres/session-store.js'
import { seedGrowth } from './seed-growth.mjs'
import { backendsOf, checksOf, load, median, mintsOf, start, withPostgres } from './support.mjs'

const [sizesGiven = '10000,1000000,5000000', roundsGiven = '5', secondsGiven = '4'] = process.argv.slice(2)
const sizes = sizesGiven.split(',').map(Number)
const [rounds, seconds] = [Number(roundsGiven), Number(secondsGiven)]
const connections = 32
const device = { userAgent: 'bench', address: '127.0.0.1' }
const occasion = { requestId: undefined, address: undefined }

await withPostgres(async (connection, keysFolder) => {
  const grown = []
  for (const size of sizes) grown.push(await grow(size, connection))
  await report(grown, keysFolder)
})

async function grow(size, connection) {
  const database = `growth_${size}`
  const admin = postgres({ ...connection, max: 1, onnotice: () => {} })
  await admin.unsafe(`create database ${database}`)
  await admin.end()
  const address = { ...connection, database }
  await migrate(address)
  const sql = postgres({ ...address, max: 1, onnotice: () => {} })
  const began = performance.now()
  const seeded = await seedGrowth(sql, size, newCredential())
  const [bytes] = await sql`select pg_size_pretty(pg_table_size('sessions')) as "table",
    pg_size_pretty(pg_indexes_size('sessions')) as indexes, pg_total_relation_size('sessions') / ${size} as each`
  console.error(`${size} rows seeded in ${((performance.now() - began) / 1000).toFixed(0)} s`)
  return { size, address, sql, ...seeded, bytes, blocks: await blocksOfACheck(sql, seeded.ids) }
}

/** Pages that one check looks at: the same number each time, whatever else the machine does. */
async function blocksOfACheck(sql, ids) {
  for (const [name, value] of Object.entries(hotSettings)) await sql.unsafe(`set ${name} = '${value}'`)
  const counts = []
  for (const id of ids.slice(0, 21)) {
    const [row] = await sql.unsafe(
      `explain (analyze, buffers, format json) ${checkStatement.replaceAll('$1', `'${id}'`)}`,
    )
    const [{ Plan: plan }] = row['QUERY PLAN']
    counts.push(plan['Shared Hit Blocks'] + plan['Shared Read Blocks'])
  }
  return median(counts)
}

async function report(grown, keysFolder) {
  console.log(
    `${cpus()[0]?.model.trim()}, ${availableParallelism()} cores, Node ${process.version}, Postgres 18, ${rounds} interleaved rounds of ${seconds} s\n`,
  )
  for (const one of grown) {
    one.server = await start('ours.mjs', { address: one.address, logLevel: 'silent', keysFolder })
  }
  const figures = new Map(grown.map(({ size }) => [size, {}]))
  const note = (size, name, value) => {
    const all = figures.get(size)
    all[name] = [...(all[name] ?? []), value]
  }
  for (const one of grown) await costs(checksOf(one.cookies), one, 1)
  for (let round = 0; round < rounds; round++) {
    for (const one of grown) {
      for (const [name, value] of Object.entries(await costs(checksOf(one.cookies), one, seconds)))
        note(one.size, `check ${name}`, value)
      for (const [name, value] of Object.entries(await costs(mintsOf(one.cookies), one, seconds)))
        note(one.size, `mint ${name}`, value)
      note(one.size, 'opened', await opening(one))
      note(one.size, 'listed', await listing(one))
    }
  }
  for (const one of grown) {
    const beside = await besideCleanUp(one)
    note(one.size, 'cleaned', beside.cleaned)
    note(one.size, 'p99 beside', beside.p99)
  }
  const least = figures.get(sizes[0])
  console.log(
    '| rows | table | indexes | pages a check reads | checks/s | CPU µs a check (service + Postgres) | to the smallest | mints/s | CPU µs a mint | sessions opened/s | lists of devices/s | rows cleaned/s | check p99 ms, and beside clean-up |',
  )
  console.log('|---|---|---|---|---|---|---|---|---|---|---|---|---|')
  for (const { size, bytes, blocks, server, sql } of grown) {
    const all = figures.get(size)
    const of = name => median(all[name])
    const ratio = median(all['check cpu'].map((cpu, round) => cpu / least['check cpu'][round]))
    const cells = [size.toLocaleString('en'), bytes.table, bytes.indexes, blocks, of('check rate').toFixed(0)]
    cells.push(
      of('check cpu').toFixed(0),
      ratio.toFixed(2),
      of('mint rate').toFixed(0),
      of('mint cpu').toFixed(0),
    )
    cells.push(of('opened').toFixed(0), of('listed').toFixed(0), of('cleaned').toFixed(0))
    cells.push(`${of('check p99')}, ${of('p99 beside')}`)
    console.log(`| ${cells.join(' | ')} |`)
    server.child.disconnect()
    await sql.end()
  }
}

function costs(requests, { server, address }, duration) {
  return load(server, requests, duration, connections, () => backendsOf(address.database))
}

/** Without the password's hash, which takes the same whatever the table's size. */
async function opening({ address, users }) {
  const database = new Database(address)
  const hot = new HotReads(address)
  const store = postgresSessionStore(database, hot)
  let index = 0
  const rate = await inParallel(16, seconds, async () => {
    const { id, secret } = newCredential()
    const user = users[index++ % users.length]
    const identity = { user, amr: ['pwd'], acr: 'aal1', credential: { kind: 'password', version: 1 } }
    const limits = { idleSeconds: 604_800, absoluteSeconds: 2_592_000 }
    const answer = await store.open({ id, secretHash: secret.hash(), identity, device, occasion, ...limits })
    if (answer === 'credential-changed') throw new Error(answer)
  })
  await Promise.all([database.close(), hot.close()])
  return rate
}

async function listing({ address, users }) {
  const database = new Database(address)
  const revocations = postgresRevocations(database)
  let index = 0
  const rate = await inParallel(8, seconds, async () => {
    await revocations.list(users[index++ % users.length])
  })
  await database.close()
  return rate
}

/** Rounds of clean-up without a pause, until there is nothing left or the time is over. */
async function besideCleanUp(one) {
  const database = new Database(one.address, { connections: 2 })
  let rows = 0
  let over = false
  const began = performance.now()
  let took = 0
  const cleaning = (async () => {
    while (!over) {
      const removed = await cleanUp(database)
      const count = removed === 'elsewhere' ? 0 : (removed.get('sessions') ?? 0)
      rows += count
      took = performance.now() - began
      if (count === 0) break
    }
  })()
  const { p99 } = await costs(checksOf(one.cookies), one, seconds)
  over = true
  await cleaning
  await database.close()
  return { cleaned: (rows / took) * 1000, p99 }
}

async function inParallel(parallel, duration, work) {
  const until = performance.now() + duration * 1000
  let done = 0
  await Promise.all(
    Array.from({ length: parallel }, async () => {
      while (performance.now() < until) {
        await work()
        done++
      }
    }),
  )
  return done / duration
}
