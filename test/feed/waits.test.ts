/** RV-11: what waits for the feed is bounded, and a revocation stands whatever the feed does. */
import tap, { test } from 'tap'
import { administrator, person, serviceKey } from '../harness/world.js'
import { Browser } from '../support/browser.js'
import { verifier } from '../support/feed.js'
import { eventually, issuer, testService } from '../support/service.js'

const service = await testService(tap)
const { sql } = service.database
const admin = new Browser(service.app, issuer, (await administrator(sql)).cookie)

test('a revocation stands while nothing can be numbered: its answer comes in time, and without a position', async t => {
  const { id, session } = await person(sql)
  await sql.begin(async held => {
    await held`select from revocation_feed for update`
    const began = performance.now()
    const answer = await admin.delete(`/v1/admin/sessions/${session}`, { prefer: 'wait=10' })
    const ms = performance.now() - began
    t.equal(answer.statusCode, 204)
    t.notOk(answer.headers['mintmark-revocation'])
    t.notOk(answer.headers['preference-applied'])
    t.ok(ms < 2000, `${Math.round(ms)} ms`)
    const [row] = await sql`select ended_at from sessions where id = ${session}`
    t.ok(row?.ended_at)
  })
  const next = await admin.delete(`/v1/admin/users/${id}/sessions`)
  t.ok(next.headers['mintmark-revocation'], 'and the feed goes on')
})

test('a hundred wait at an instance, and further ones are answered at once; nobody waits for who has hung up', async t => {
  const { key } = await serviceKey(sql, { scopes: ['feed'], name: 'mute' })
  await verifier(service, key, 'm1')
  await eventually(async () => (await sql`select from feed_verifiers`).length > 0)
  const { id } = await person(sql)
  const { main } = service.addresses
  const end = async (key: string, wait: number, signal: AbortSignal | null = null) => {
    const headers = { authorization: `Bearer ${key}`, prefer: `wait=${wait}` }
    const url = `${main}/v1/admin/users/${id}/sessions`
    const { status, headers: told } = await fetch(url, { method: 'DELETE', headers, signal })
    return { status, waited: told.get('preference-applied') === 'wait' }
  }
  // Four of one caller at once: its turns.
  const keyOf = async () => (await serviceKey(sql, { scopes: ['sessions:write'], audiences: [] })).key
  const keys = await Promise.all(Array.from({ length: 27 }, keyOf))
  const answers = await Promise.all(keys.flatMap(key => Array.from({ length: 4 }, () => end(key, 6))))
  t.strictSame(new Set(answers.map(({ status }) => status)), new Set([200]))
  t.equal(answers.filter(({ waited }) => waited).length, 100)
  const hangUp = new AbortController()
  const gone = keys.slice(0, 25).flatMap(key => Array.from({ length: 4 }, () => end(key, 10, hangUp.signal)))
  const ended = Promise.allSettled(gone)
  const last = keys[26] ?? ''
  await eventually(async () => ((await end(last, 0)).waited ? undefined : true), 10)
  hangUp.abort()
  await ended
  t.ok(await eventually(async () => (await end(last, 0)).waited || undefined), 'their places are free again')
})
