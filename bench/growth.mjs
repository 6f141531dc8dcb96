// What a growing table of sessions costs: checks, mints, sign-ins, the list of devices, and clean-up beside them, at
// several sizes in one run, a database each, in interleaved rounds.
//
//   npm run bench:growth                          10 000, a million and five million rows, five rounds of four seconds
//   npm run bench:growth -- 10000,200000 3 2      these sizes, three rounds of two
//   npm run bench:growth -- 10000,200000 3 2 redis   with the rows in a Redis of the bench's own
import { availableParallelism, cpus } from 'node:os'
import postgres from 'postgres'
import { openRows, sessionStores } from '../dist/boot/session-stores.js'
import { loadKeyEncryptionKeys } from '../dist/sealing/key-encryption-keys.js'
import { newCredential } from '../dist/sessions/credential.js'
import { cleanUp } from '../dist/store/postgres/clean-up.js'
import { Database } from '../dist/store/postgres/database.js'
import { checkStatement, HotReads, hotSettings } from '../dist/store/postgres/hot-reads.js'
import { migrate } from '../dist/store/postgres/migration/migrate.js'
import { connectRedis } from '../dist/store/redis/connection.js'
import { SessionRows } from '../dist/store/sessions/redis/session-rows.js'
import { seedGrowth } from './seed-growth.mjs'
import { backendsOf, checksOf, load, median, mintsOf, start, startRedis, withPostgres } from './support.mjs'

const [sizesGiven = '10000,1000000,5000000', roundsGiven = '5', secondsGiven = '4', store = 'postgres'] =
  process.argv.slice(2)
const sizes = sizesGiven.split(',').map(Number)
const [rounds, seconds] = [Number(roundsGiven), Number(secondsGiven)]
const connections = 32
const device = { userAgent: 'bench', address: '127.0.0.1' }
const context = { requestId: undefined, address: undefined }

await withPostgres(async (connection, keysFolder) => {
  const redis = store === 'redis' ? await startRedis() : undefined
  try {
    const { keys } = await loadKeyEncryptionKeys(keysFolder)
    const grown = []
    for (const [place, size] of sizes.entries())
      grown.push(await grow(size, connection, redis && { url: `${redis.url}/${place}`, keys }))
    await report(grown, keysFolder)
  } finally {
    redis?.stop()
  }
})

async function grow(size, connection, redis) {
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
  const blocks = await blocksOfACheck(sql, seeded.ids)
  return { size, address, sql, ...seeded, bytes, blocks, ...(redis && (await inRedis(sql, size, redis))) }
}

/** The rows of the table in Redis instead, as `mintmark sessions migrate` puts them there. */
async function inRedis(sql, size, { url, keys }) {
  const began = performance.now()
  const patience = { read: 60_000, write: 60_000 }
  const redis = connectRedis(url, null)
  await redis.connect()
  const before = await memoryOf(redis)
  const rows = new SessionRows(redis, keys, patience)
  const live = sql`select s.id, s.user_id::text as "user",
      jsonb_strip_nulls(to_jsonb(s) - 'last_seen_at')::text as row, extract(epoch from s.ends_at)::float8 * 1000 as "endsAt",
      to_char(s.last_seen_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as seen
    from sessions s where s.ends_at > now()`
  for await (const batch of live.cursor(2000))
    await Promise.all(batch.map(row => rows.copy({ ...row, now: Date.now() })))
  const bytes = Math.round(((await memoryOf(redis)) - before) / (size * 0.95))
  await redis.quit()
  await sql`truncate sessions`
  console.error(`${size} rows copied to Redis in ${((performance.now() - began) / 1000).toFixed(0)} s`)
  return { redisUrl: url, inMemory: `${bytes} bytes a session`, keys }
}

async function memoryOf(redis) {
  return Number(/used_memory:(\d+)/.exec(await redis.info('memory'))?.[1])
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
    const { address, redisUrl } = one
    one.server = await start('ours.mjs', { address, redisUrl, logLevel: 'silent', keysFolder })
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
  for (const { size, bytes, blocks, server, sql, inMemory } of grown) {
    const all = figures.get(size)
    const of = name => median(all[name])
    const ratio = median(all['check cpu'].map((cpu, round) => cpu / least['check cpu'][round]))
    const cells = [
      size.toLocaleString('en'),
      inMemory ?? bytes.table,
      inMemory ? '' : bytes.indexes,
      blocks,
      of('check rate').toFixed(0),
    ]
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
function opening(one) {
  let index = 0
  return withStores(one, 16, async ({ sessions }) => {
    const { id, secret } = newCredential()
    const user = one.users[index++ % one.users.length]
    const identity = { user, amr: ['pwd'], acr: 'aal1', credential: { kind: 'password', version: 1 } }
    const limits = { idleSeconds: 604_800, absoluteSeconds: 2_592_000 }
    const opened = { id, secretHash: secret.hash(), identity, device, context, ...limits }
    if ((await sessions.open(opened)) === 'credential-changed') throw new Error('it was not opened')
  })
}

function listing(one) {
  let index = 0
  return withStores(one, 8, ({ revocations }) => revocations.list(one.users[index++ % one.users.length]))
}

/** How often a second, so many at a time. */
async function withStores({ address, redisUrl, keys }, parallel, work) {
  const database = new Database(address)
  const hot = new HotReads(address)
  const opened = redisUrl && (await openRows({ redisUrl }, keys, { forCommand: true }))
  const stores = sessionStores({ database, hot, reserved: database, rows: opened?.rows })
  const until = performance.now() + seconds * 1000
  let done = 0
  const worker = async () => {
    while (performance.now() < until) {
      await work(stores)
      done++
    }
  }
  await Promise.all(Array.from({ length: parallel }, worker))
  await Promise.all([database.close(), hot.close(), opened?.close()])
  return done / seconds
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
