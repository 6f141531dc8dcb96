/** What one caller costs the others: 32 refusals at once of each kind, beside a bystander, in a container's limits. */
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { availableParallelism, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { hashingWithin } from '../../src/accounts/password-hash.js'
import { controlGroup } from '../support/control-group.js'
import { testDatabase } from '../support/database.js'
import { freePort } from '../support/free-port.js'
import { ready, run } from '../support/process.js'
import { rootUrl } from '../support/project.mjs'
import { eventually } from '../support/service.js'
import { forwarded } from '../support/tcp.js'

const atOnce = 32
/** Fewer than a caller may be refused. */
const requests = 8 * atOnce
const limits = { memoryBytes: 256 * 2 ** 20, processors: 1.5 }

interface Refusals {
  prepare(
    sql: unknown,
    issuer: string,
  ): Promise<{ attackers: { kind: string }[]; regular: object; bystander: object }>
  attack(
    url: string,
    attacker: object,
    atOnce: number,
    over: () => boolean,
    told: (status: number, request: string) => void,
  ): Promise<void>
  goRound(url: string, bystander: object): Promise<{ statuses: number[] }>
}

async function started(t: Test) {
  const cwd = await mkdtemp(join(tmpdir(), 'mintmark-bystander-'))
  t.teardown(() => rm(cwd, { recursive: true, force: true }))
  await mkdir(join(cwd, 'keys'))
  await writeFile(join(cwd, 'keys', 'main.kek'), randomBytes(32).toString('base64'), { mode: 0o600 })
  const { address, sql } = await testDatabase(t)
  await sql`insert into applications (client_id, name, audiences) values ('bench', 'Bench', '{bench-api}')`
  const group = controlGroup(t, limits)
  const [port, probePort] = [await freePort(), await freePort()]
  const [url, probes] = [`http://localhost:${port}`, `http://127.0.0.1:${probePort}`]
  const env = {
    DATABASE_URL: `postgres://${address.user}:${address.password}@127.0.0.1:${await forwarded(t)}/${address.database}`,
    ISSUER: url,
    MINTMARK_OUTBOX_FOLDER: 'mail',
    MINTMARK_LISTEN: `127.0.0.1:${port}`,
    MINTMARK_HEALTH_LISTEN: `127.0.0.1:${probePort}`,
    MINTMARK_TRUSTED_PROXIES: '127.0.0.1,::1',
  }
  const running = run(t, 'main.js', [], cwd, env, group?.prefix)
  await ready(running, probes)
  return { running, sql, url, probes, group }
}

test('whoever is refused, 32 times at once, costs a bystander no success, the audit log no row, and nothing grows', async t => {
  const { running, sql, url, probes, group } = await started(t)
  if (!group) t.comment('no control group can be made here: the machine itself is the limit')
  const share = group ? limits : { memoryBytes: totalmem(), processors: availableParallelism() }
  const { concurrency } = hashingWithin(share)
  const lines = () => running.stdout().split('\n').slice(0, -1)
  const told = lines().map(line => JSON.parse(line))
  if (group)
    t.match(
      told.find(({ msg }) => msg === 'resources available to this process'),
      { ...limits, hashesAtOnce: concurrency },
    )
  const script = new URL('bench/refusals.mjs', rootUrl).href
  const { prepare, attack, goRound } = (await import(script)) as Refusals
  const { attackers, bystander } = await prepare(sql, url)
  // Whatever is started at the first need is there now.
  await goRound(url, bystander)
  const threads = async () => (await readdir(`/proc/${running.child.pid}/task`)).length
  const before = await threads()
  t.ok(attackers.length > 10)

  for (const attacker of attackers) {
    let begun = 0
    let answered = 0
    const refused: string[] = []
    const attacking = attack(
      url,
      attacker,
      atOnce,
      () => begun++ >= requests,
      (status, request) => {
        answered++
        if (status !== 429 && status < 500) refused.push(request)
      },
    )
    let rounds = 0
    for (; rounds < 3 || answered < requests; rounds++) {
      const { statuses } = await goRound(url, bystander)
      if (String(statuses) !== '201,200,204')
        t.fail(`${attacker.kind}: the bystander was answered ${statuses}`)
    }
    await attacking
    t.equal(answered, requests, attacker.kind)
    t.ok(refused.length >= 10, `${attacker.kind}: ${refused.length} were refused beside ${rounds} rounds`)
    const rows = await eventually(async () => {
      const rows = await sql`select request_id from audit_events
        where outcome = 'refused' and action = ${attacker.kind.replace(/:.*/, '')} and request_id = any(${refused})`
      return rows.length >= refused.length ? rows : undefined
    }, 30)
    t.equal(rows.length, refused.length, 'a row each')
    const [backends] = await sql`select count(*)::int as count from pg_stat_activity
      where datname = current_database() and application_name = 'mintmark'`
    t.ok(backends?.count <= 15, `${backends?.count} connections`)
  }
  t.ok((await threads()) <= before + concurrency - 1, 'no threads but those of hashes')
  const metrics = await (await fetch(`${probes}/metrics`)).text()
  t.match(metrics, /^mintmark_refusals_queued 0$/m)
  t.notMatch(metrics, /mintmark_background_total\{job="audit",outcome="(failed|dropped)"\}/)
  running.child.kill('SIGTERM')
  t.equal(await running.exited, 0)
})

test('whoever signs in rightly, more often at once than there are places for hashes, takes nobody else’s', async t => {
  const { running, sql, url } = await started(t)
  const script = new URL('bench/refusals.mjs', rootUrl).href
  const { prepare, attack, goRound } = (await import(script)) as Refusals
  const { regular, bystander } = await prepare(sql, url)
  const answers = new Map<number, number>()
  let over = false
  const many = attack(
    url,
    regular,
    150,
    () => over,
    status => answers.set(status, (answers.get(status) ?? 0) + 1),
  )
  await eventually(() => answers.get(503) || undefined, 30)
  for (let round = 0; round < 10; round++)
    t.same((await goRound(url, bystander)).statuses, [201, 200, 204], 'the bystander')
  over = true
  await many
  t.ok(answers.get(201), 'the other one has places as well')
  running.child.kill('SIGTERM')
  t.equal(await running.exited, 0)
})
