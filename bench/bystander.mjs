// What one caller costs a bystander who signs in, mints a token and signs out: for each kind of refusal, and for right
// sign-ins, 32 requests at once without a pause, beside quiet rounds of the same run. Read the ratio.
//
//   npm run bench:bystander           two rounds of four seconds for each kind
//   npm run bench:bystander -- 1 2    one of two seconds
import { availableParallelism, cpus } from 'node:os'
import postgres from 'postgres'
import { migrate } from '../dist/store/postgres/migration/migrate.js'
import { attack, goRound, prepare } from './refusals.mjs'
import { median, start, withPostgres } from './support.mjs'

const [rounds = 2, seconds = 4] = process.argv.slice(2).map(Number)
const atOnce = 32
/** Before this process is pinned to one. */
const cores = availableParallelism()

await withPostgres(async (address, keysFolder) => {
  await migrate(address)
  const sql = postgres({ ...address, max: 1, onnotice: () => {} })
  await sql`insert into applications (client_id, name, audiences) values ('bench', 'Bench', '{bench-api}')`
  const { attackers, regular, bystander } = await prepare(sql, 'http://localhost:4000')
  const target = await start('ours.mjs', {
    address,
    keysFolder,
    logLevel: 'info',
    trustedProxies: '127.0.0.1',
  })
  console.log(`${cpus()[0]?.model.trim()}, ${cores} cores, Node ${process.version}, Postgres 18`)
  console.log(`${rounds} rounds of ${seconds} s for each kind, ${atOnce} requests at once\n`)
  console.log(
    '| one caller: is refused, or signs in | bystander | ms quiet | ms beside | ratio | answers/s | rows | rows written |',
  )
  console.log('|---|---|---|---|---|---|---|---|')
  for (const attacker of [...attackers, regular]) await measure(sql, target, attacker, bystander)
  target.child.disconnect()
  await sql.end()
})

async function measure(sql, { url }, attacker, bystander) {
  const quiet = []
  const beside = []
  const refused = []
  let answers = 0
  let succeeded = 0
  const go = async (until, into) => {
    while (performance.now() < until()) {
      const { statuses, milliseconds } = await goRound(url, bystander)
      into.push(milliseconds)
      if (String(statuses) === '201,200,204') succeeded++
    }
  }
  for (let round = 0; round < rounds; round++) {
    const calm = performance.now() + seconds * 1000
    await go(() => calm, quiet)
    const end = performance.now() + seconds * 1000
    const attacking = attack(
      url,
      attacker,
      atOnce,
      () => performance.now() >= end,
      (status, request) => {
        answers++
        if (status !== 429 && status < 500) refused.push(request)
      },
    )
    await go(() => end, beside)
    await attacking
  }
  const [q, b] = [median(quiet), median(beside)]
  const written = await rowsOf(sql, refused)
  const share = ((100 * succeeded) / (quiet.length + beside.length)).toFixed(1)
  const figures = [q.toFixed(0), b.toFixed(0), (b / q).toFixed(1), (answers / seconds / rounds).toFixed(0)]
  console.log(
    `| ${[`\`${attacker.kind}\``, `${share} %`, ...figures, refused.length, written].join(' | ')} |`,
  )
}

/** How many of these requests have their row, as soon as all have: what is answered may be on its way there. */
async function rowsOf(sql, requests) {
  for (const end = performance.now() + 30_000; ; await new Promise(resolve => setTimeout(resolve, 50))) {
    const [{ written }] = await sql`
      select count(distinct request_id)::int as written from audit_events
      where outcome = 'refused' and request_id = any(${requests})`
    if (written >= requests.length || performance.now() > end) return written
  }
}
