/** Clean-up: what ended goes, what lives stays, and nobody waits for it. */
import tap, { test } from 'tap'
import { batchRows, cleanUp } from '../../src/store/postgres/clean-up.js'
import { Database } from '../../src/store/postgres/database.js'
import { link, person } from '../harness/world.js'
import { eventually, testService } from '../support/service.js'

const service = await testService(tap)
const { sql, address } = service.database
const database = new Database(address)
tap.teardown(() => database.close())

const count = async (table: string) =>
  (await sql`select count(*)::int as n from ${sql(table)}`)[0]?.n as number

test('what has been over by its own time for a day goes; what lives, or could be asked for, stays', async t => {
  const keep = await person(sql)
  const today = await person(sql)
  await sql`update sessions set ended_at = now(), ended_reason = 'signed-out' where id = ${today.session}`
  const gone = await person(sql)
  await sql`update sessions set ended_at = now() - interval '9 days', ended_reason = 'signed-out',
    ends_at = now() - interval '25 hours' where id = ${gone.session}`
  const ended = await person(sql)
  await sql`update sessions set ended_at = now() - interval '9 days', ended_reason = 'signed-out'
    where id = ${ended.session}`
  const expired = await person(sql)
  await sql`update sessions set ends_at = now() - interval '25 hours' where id = ${expired.session}`
  const idle = await person(sql)
  await sql`update sessions set last_seen_at = now() - interval '20 days' where id = ${idle.session}`
  await link(sql, 'sign-up', 'fresh@example.com')
  await link(sql, 'sign-up', 'old@example.com')
  await sql`update mail_links set expires_at = now() - interval '25 hours' where email = 'old@example.com'`
  await sql`insert into provider_logouts (issuer, jti, issued_at, created_at)
    values ('i', 'old', now(), now() - interval '25 hours'), ('i', 'new', now(), now())`

  t.same(
    await cleanUp(database),
    new Map([
      ['sessions', 2],
      ['provider_logouts', 1],
      ['mail_links', 1],
    ]),
  )
  const left = await sql`select id from sessions`
  t.same(left.map(({ id }) => id).sort(), [keep, today, ended, idle].map(one => one.session).sort())
  t.same(
    (await sql`select email from mail_links`).map(({ email }) => email),
    ['fresh@example.com'],
  )
  t.same(await cleanUp(database), new Map(), 'again finds nothing')
  const browser = service.browser().withCookie(keep.cookie)
  t.equal((await browser.get('/v1/session')).statusCode, 200)
  t.equal((await service.browser().withCookie(gone.cookie).get('/v1/session')).statusCode, 401)
})

async function over(rows: number): Promise<void> {
  const me = await person(sql)
  await sql`insert into sessions (id, user_id, secret_hash, service_epoch, user_epoch, amr, acr, ends_at,
      idle_seconds, user_agent, address, ended_at, ended_reason)
    select left(md5(${me.id} || n) || md5('x' || n), 22), ${me.id}, sha256('x'), 1, 1, '{pwd}', 'aal1',
      now() - interval '2 days', 60, '', '', now() - interval '2 days', 'signed-out' from generate_series(1, ${rows}) n`
}

test('many rows go in batches, and one that somebody holds is left for later', async t => {
  const before = await count('sessions')
  await over(3 * batchRows + 7)
  const holder = await sql.reserve()
  await holder`begin`
  const [held] =
    await holder`select id from sessions where ends_at < now() - interval '1 day' limit 1 for update`
  const removed = await cleanUp(database)
  t.same(removed, new Map([['sessions', 3 * batchRows + 6]]), 'nothing waited for the lock')
  t.same((await sql`select id from sessions where ends_at < now() - interval '1 day'`)[0]?.id, held?.id)
  await holder`commit`
  holder.release()
  t.same(await cleanUp(database), new Map([['sessions', 1]]))
  t.equal(await count('sessions'), before + 1)
})

test('of several instances one cleans at a time, and together they leave nothing', async t => {
  const before = await count('sessions')
  await over(2000)
  let removed = 0
  for (let round = 0; round < 20 && removed < 2000; round++) {
    const answers = await Promise.all([cleanUp(database), cleanUp(database), cleanUp(database)])
    for (const answer of answers) if (answer !== 'elsewhere') removed += answer.get('sessions') ?? 0
  }
  t.equal(removed, 2000, 'each row once')
  t.equal(await count('sessions'), before + 1)
})

test('the service does it by itself, and counts', async t => {
  await over(3)
  const other = await testService(t, { beside: service, cleanEveryMs: 20 })
  const metrics = async () => (await fetch(`${other.addresses.probes}/metrics`)).text()
  const line = /mintmark_cleaned_rows_total\{table="sessions"\} (\d+)/
  t.equal(await eventually(async () => line.exec(await metrics())?.[1], 30), '3')
})
