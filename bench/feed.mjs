// P7 measured: a real service in two processes, verifiers that follow its feed, and what the feed costs. One table a part;
// it ends with an error if anything was accepted a second after its revocation, or refused in error.
//
//   npm run drill -- feed                                  at full size, some ten minutes
//   node bench/feed.mjs --rounds 2 --readers 20 …          smaller: see `sizes`
import { fork } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'
import { parseArgs } from 'node:util'
import { createVerifier } from '@mintmark/verifier'
import postgres from 'postgres'
import { newServiceCredential, revealServiceCredential } from '../dist/core/service-key.js'
import { newCredential } from '../dist/sessions/credential.js'
import { migrate } from '../dist/store/postgres/migration/migrate.js'
import { cpuSeconds, start, withPostgres } from './support.mjs'

const sizes = {
  verifiers: '20',
  rounds: '20',
  readers: '1000',
  events: '40',
  entries: '100000',
  seconds: '60',
  costs: '300',
}
const options = Object.fromEntries(
  Object.entries(sizes).map(([name, value]) => [name, { type: 'string', default: value }]),
)
const given = parseArgs({ options }).values
const size = Object.fromEntries(Object.entries(given).map(([name, value]) => [name, Number(value)]))
const issuer = 'http://localhost:4000'
const pause = milliseconds => new Promise(resolve => setTimeout(resolve, milliseconds))
const wallNow = () => performance.timeOrigin + performance.now()
let late = 0
let falsely = 0

const places = [0.5, 0.9, 0.99, 1]
function quantiles(values) {
  const sorted = [...values].sort((a, b) => a - b)
  return places.map(place =>
    (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * place))] ?? Number.NaN).toFixed(1),
  )
}
const row = (...cells) => console.log(`| ${cells.join(' | ')} |`)
const head = (...cells) => {
  console.log()
  row(...cells)
  row(...cells.map(() => '---'))
}

await withPostgres(async (connection, keysFolder) => {
  await migrate(connection)
  const sql = postgres({ ...connection, max: 12, onnotice: () => {} })
  await sql`insert into applications (client_id, name, audiences) values ('bench', 'Bench', '{bench-api}')`
  const credential = newServiceCredential()
  await sql`insert into service_keys (id, secret_hash, name, scopes, audiences)
    values (${credential.id}, ${credential.secret.hash()}, 'Bench', '{feed}', '{bench-api}')`
  const key = revealServiceCredential(credential)
  const settings = { address: connection, keysFolder, logLevel: 'error', trustedProxies: '127.0.0.1' }
  const services = [await start('ours.mjs', settings), await start('ours.mjs', settings)]
  const world = { sql, key, services }
  console.log(
    `${cpus()[0]?.model.trim()}, ${cpus().length} cores, Node ${process.version}, load ${loadavg()
      .map(one => one.toFixed(1))
      .join(' ')}`,
  )
  try {
    await refusals(world)
    await fanOut(world)
    await manyEntries(world)
    await costs(world)
  } finally {
    for (const { child } of services) child.disconnect()
    await sql.end({ timeout: 1 })
  }
  console.log(`\nload ${loadavg()[0].toFixed(1)}; ${late} accepted late, ${falsely} refused in error`)
  if (late + falsely > 0) process.exitCode = 1
})

/** A person in a tenant of their own with the role `r1`, and a session. */
async function person(sql) {
  const [user, tenant] = [randomUUID(), randomUUID()]
  const email = `${user}@example.com`
  const { id, secret } = newCredential()
  await sql`insert into users (id, email, canonical_email) values (${user}, ${email}, ${email})`
  const roles = {
    r1: { name: 'r1', permissions: ['a:read', 'a:write'] },
    r2: { name: 'r2', permissions: [] },
  }
  await sql`insert into tenants (id, name, roles) values (${tenant}, 'Acme', ${sql.json(roles)})`
  await sql`insert into memberships (user_id, tenant_id, role_ids) values (${user}, ${tenant}, '{r1}')`
  await sql`insert into sessions (id, user_id, tenant_id, secret_hash, service_epoch, user_epoch, amr, acr, ends_at,
      idle_seconds, user_agent, address)
    select ${id}, u.id, ${tenant}, ${secret.hash()}, g.epoch, u.epoch, '{pwd}', 'aal1', now() + interval '30 days', 604800,
      'bench', '127.0.0.1' from users u, service g where u.id = ${user}`
  return { user, tenant, id, cookie: `__Host-session=${id}.${secret.reveal()}` }
}

async function ask({ url }, method, path, { cookie }, body) {
  const headers = { cookie, 'x-mintmark': '1', ...(body && { 'content-type': 'application/json' }) }
  const answer = await fetch(`${url}${path}`, {
    method,
    headers,
    ...(body && { body: JSON.stringify(body) }),
  })
  const text = await answer.text()
  if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${text}`)
  return text && JSON.parse(text)
}

async function mint(service, who) {
  const body = { client_id: 'bench', tenant: who.tenant }
  return (await ask(service, 'POST', '/v1/token', who, body)).access_token
}

async function follow({ url }, key) {
  const fetchThere = (address, init) => fetch(address.replace(issuer, url), init)
  const verifier = createVerifier({
    issuer,
    audience: 'bench-api',
    serviceKey: key,
    revocation: 'required',
    fetch: fetchThere,
  })
  const { revocation } = await verifier.ready()
  if (revocation.state !== 'fresh') throw new Error(`not fresh: ${JSON.stringify(revocation)}`)
  return verifier
}

/** (a) From the return of what revokes to the refusal, at verifiers of both instances. */
async function refusals({ sql, key, services }) {
  const [own] = services
  const verifiers = []
  for (let at = 0; at < size.verifiers; at++) verifiers.push(await follow(services[at % 2], key))
  const causes = {
    'a sign-out over HTTP, own instance': who => ask(own, 'DELETE', '/v1/session', who),
    'a role that is taken, by SQL': ({ user }) =>
      sql`update memberships set role_ids = '{r2}' where user_id = ${user}`,
    'a disabled user, by SQL': ({ user }) => sql`update users set state = 'disabled' where id = ${user}`,
    'a role that permits less, by SQL': ({ tenant }) =>
      sql`update tenants set roles = ${sql.json({ r1: { name: 'r1', permissions: ['a:read'] }, r2: { name: 'r2', permissions: [] } })} where id = ${tenant}`,
  }
  head('(a) from the return to the refusal', 'verifiers of', 'p50', 'p90', 'p99', 'max ms', 'samples')
  for (const [what, revoke] of Object.entries(causes)) {
    const times = [[], []]
    for (let round = 0; round < size.rounds; round++) {
      const who = await person(sql)
      const token = await mint(own, who)
      let returned
      const ends = verifiers.map(async (verifier, at) => {
        const verdict = await verifier.verify(token)
        if (!verdict.ok) throw new Error(`${verdict.code} before`)
        const signal = verifier.signal(verdict.principal)
        if (!signal.aborted)
          await Promise.race([new Promise(resolve => signal.addEventListener('abort', resolve)), pause(3000)])
        // Before the answer to who revoked: no time at all.
        times[at % 2].push(returned === undefined ? 0 : performance.now() - returned)
      })
      await pause(20 + 100 * Math.random())
      await revoke(who)
      returned = performance.now()
      await pause(1001)
      for (const verifier of verifiers) if ((await verifier.verify(token)).ok) late++
      await Promise.all(ends)
    }
    for (const [at, name] of ['the first instance', 'the second'].entries())
      row(what, name, ...quantiles(times[at]), times[at].length)
  }
  await mintedAfter(sql, services, verifiers)
  for (const verifier of verifiers) verifier.close()
}

async function mintedAfter(sql, services, verifiers) {
  let asked = 0
  for (let round = 0; round < size.rounds; round++) {
    const who = await person(sql)
    for (const roles of ['{r2}', '{r1}', '{r2}']) {
      await sql`update memberships set role_ids = ${roles} where user_id = ${who.user}`
      for (const wait of [0, 30, 60, 90]) {
        await pause(wait && 30)
        const token = await mint(services[asked % 2], who)
        for (let times = 0; times < 2; times++)
          for (const verifier of verifiers) {
            asked++
            if (!(await verifier.verify(token)).ok) falsely++
          }
      }
    }
  }
  console.log(
    `\nminted at once, and 30, 60, 90 ms after a change: ${falsely} of ${asked} verifications refused in error`,
  )
}

/** Megabytes. */
function memoryOf(pid) {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024
}

/** (b) Many readers of one instance, in one other process. */
async function fanOut({ sql, key, services: [service] }) {
  const memory = memoryOf(service.pid)
  const env = { ...process.env, READERS: JSON.stringify({ url: service.url, key, count: size.readers }) }
  const child = fork(new URL('feed-readers.mjs', import.meta.url), { env })
  await new Promise(resolve => child.once('message', resolve))
  const heard = () =>
    new Promise(resolve => {
      child.once('message', resolve)
      child.send('heard')
    })
  const loading = async () => {
    const began = performance.now()
    child.send('begin')
    for (let loaded = 0; loaded < size.readers; await pause(20)) loaded = (await heard()).loaded
    return performance.now() - began
  }
  const first = await loading()
  await pause(500)
  const [cpu, began] = [cpuSeconds([service.pid]), performance.now()]
  await pause(Math.min(10_000, size.events * 500))
  const idle = (100 * (cpuSeconds([service.pid]) - cpu)) / ((performance.now() - began) / 1000)
  const during = memoryOf(service.pid)
  const times = []
  const spent = cpuSeconds([service.pid])
  await heard()
  for (let event = 0; event < size.events; event++) {
    await sql`insert into revocations (handle, kind) values (random_handle(), 'session')`
    const returned = wallNow()
    await pause(800)
    const { heard: told } = await heard()
    times.push(...told.map(([, at]) => Math.max(0, at - returned)))
  }
  const each = (1000 * (cpuSeconds([service.pid]) - spent)) / size.events
  const storm = await loading()
  head(
    '(b) readers',
    'idle CPU',
    'MB before',
    'MB with them',
    'p50',
    'p90',
    'p99',
    'max ms',
    'heard',
    'CPU ms an event, with 0.8 s of waiting',
    'first load s',
    'all anew s',
  )
  const told = `${times.length} of ${size.readers * size.events}`
  row(
    size.readers,
    `${idle.toFixed(1)} %`,
    memory.toFixed(0),
    during.toFixed(0),
    ...quantiles(times),
    told,
    each.toFixed(0),
    (first / 1000).toFixed(1),
    (storm / 1000).toFixed(1),
  )
  child.disconnect()
}

/** (c) Very many sessions, ended one by one, and all by one value. */
async function manyEntries({ sql, key, services }) {
  const { entries } = size
  const who = await person(sql)
  await sql`insert into sessions (id, user_id, secret_hash, service_epoch, user_epoch, amr, acr, ends_at, idle_seconds,
      user_agent, address)
    select left(replace(gen_random_uuid()::text, '-', ''), 22), u.id, decode(repeat('ab', 32), 'hex'), g.epoch, u.epoch,
      '{pwd}', 'aal1', now() + interval '30 days', 604800, 'many', '127.0.0.1'
    from users u, service g, generate_series(1, ${2 * entries}) where u.id = ${who.user}`
  await sql`analyze sessions`
  const ids = (await sql`select id from sessions where user_agent = 'many' limit ${entries}`).map(
    ({ id }) => id,
  )
  const verifier = await follow(services[1], key)
  const other = await person(sql)
  const mints = []
  let over = false
  const minting = (async () => {
    while (!over) {
      const began = performance.now()
      await mint(services[0], other)
      mints.push(performance.now() - began)
      await pause(50)
    }
  })()
  const before = verifier.health().revocation.head
  const began = performance.now()
  let next = 0
  const end = async () => {
    for (let at = next++; at < ids.length; at = next++) {
      const due = began + (at / entries) * size.seconds * 1000
      if (due > performance.now() + 5) await pause(due - performance.now())
      await sql`update sessions set ended_at = now(), ended_reason = 'signed-out' where id = ${ids[at]}`
    }
  }
  await Promise.all(Array.from({ length: 8 }, end))
  const returned = performance.now()
  while (verifier.health().revocation.head < before + ids.length) await pause(5)
  const known = performance.now()
  const anew = await follow(services[0], key)
  const loaded = performance.now() - known
  over = true
  await minting
  const tokens = [await mint(services[0], other)]
  const signal = verifier.signal((await verifier.verify(tokens[0])).principal)
  const aborted = new Promise(resolve => signal.addEventListener('abort', () => resolve(performance.now())))
  await sql`update service set epoch = random_handle()`
  const all = performance.now()
  const refused = Math.max(0, (await Promise.race([aborted, pause(5000).then(() => Number.NaN)])) - all)
  head(
    '(c) sessions ended',
    'in s',
    'the last one known after ms',
    'a new verifier loads in ms',
    'mint beside: p50',
    'p90',
    'p99',
    'max ms',
    'MB of an instance',
  )
  row(
    `${entries} one by one`,
    ((returned - began) / 1000).toFixed(1),
    (known - returned).toFixed(0),
    loaded.toFixed(0),
    ...quantiles(mints),
    memoryOf(services[1].pid).toFixed(0),
  )
  row(`${entries} more, by one epoch`, '0.0', refused.toFixed(0), '', '', '', '', '', '')
  if (!(refused < 1000)) late++
  verifier.close()
  anew.close()
}

/** (d) What triggers cost: the same requests with them and without, in turn. */
async function costs({ sql, services: [service] }) {
  const tables = ['sessions', 'users', 'revoked_sessions']
  const requests = { 'a sign-out': '/v1/session', 'all sessions of a user': '/v1/sessions?scope=all' }
  head('(d) request', 'triggers', 'p50', 'p90', 'p99', 'max ms', 'p50 in parts of without')
  for (const [what, path] of Object.entries(requests)) {
    const times = { without: [], with: [] }
    for (let block = 0; block < 10; block++) {
      const which = block % 2 === 0 ? 'with' : 'without'
      for (const table of tables)
        await sql.unsafe(`alter table ${table} ${which === 'with' ? 'enable' : 'disable'} trigger user`)
      for (let count = 0; count < size.costs / 5; count++) {
        const who = await person(sql)
        const began = performance.now()
        await ask(service, 'DELETE', path, who)
        times[which].push(performance.now() - began)
      }
    }
    for (const table of tables) await sql.unsafe(`alter table ${table} enable trigger user`)
    const [plain] = quantiles(times.without)
    for (const [which, values] of Object.entries(times)) {
      const cells = quantiles(values)
      row(what, which, ...cells, (cells[0] / plain).toFixed(2))
    }
  }
}
