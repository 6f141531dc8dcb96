/** A rotation waits for verifiers that have said that they do not hold the next key; metrics say how many there are. */
import { join } from 'node:path'
import tap, { test } from 'tap'
import type { Kid } from '../../src/core/principal.js'
import { digestOf, lackingOf } from '../../src/keys/held-lists.js'
import type { Key, Ring } from '../../src/keys/store.js'
import { administrator, serviceKey } from '../harness/world.js'
import { Browser } from '../support/browser.js'
import { commandLine } from '../support/command.js'
import { ask, verifier } from '../support/feed.js'
import { eventually, issuer, testService } from '../support/service.js'

const service = await testService(tap)
const mintmark = await commandLine(tap, service.database, join(service.folder, 'keys'))
const { sql } = service.database

test('a rotation is refused by name while a verifier holds a list without the next key, and made by force', async t => {
  const admin = new Browser(service.app, issuer, (await administrator(sql)).cookie)
  const rotate = (body: object) => admin.post('/v1/admin/signing-keys/rotate', body)
  const { key } = await serviceKey(sql, { scopes: ['feed'], name: 'orders-api', feedMode: 'required' })
  const now = (await ask(service, '', key)).messages.at(-1)?.jwks ?? ''
  await verifier(service, key, 'current', now)
  await verifier(service, key, 'unsaid')
  await eventually(async () => (await sql`select from feed_verifiers`).length === 2)
  t.equal((await rotate({ dry_run: true })).statusCode, 200, 'who holds it, or says nothing, is in no way')
  const [{ id: other } = { id: '' }] = await sql<
    { id: string }[]
  >`select id from service_keys where name = 'orders-api'`
  await sql`insert into feed_verifiers (key_id, v, name, mode, max_age_seconds, jwks, first_seen_at, last_seen_at)
    values (${other}, 'gone', 'orders-api', 'preferred', 15, ${'x'.repeat(43)}, now(), now() - interval '301 seconds')`
  t.equal((await rotate({ dry_run: true })).statusCode, 200, 'nor is one that was not seen for 5 minutes')
  await verifier(service, key, 'behind', 'x'.repeat(43))
  await eventually(async () => (await sql`select from feed_verifiers`).length === 4)
  const refused = await rotate({})
  t.equal(refused.statusCode, 400)
  t.match(refused.json().detail, /^These verifiers do not hold the next key yet: orders-api\/behind\. Wait /)
  const said = await mintmark('keys', 'rotate')
  t.match(said, { code: 1, out: '' })
  t.match(said.err, /orders-api\/behind.*or give --force/)
  t.match(await mintmark('keys', 'rotate', '--force', '--dry-run'), { code: 0, out: /^Dry run/ })
  t.match((await rotate({ force: true })).json(), { changed: true })
})

test('a list that has the next key is sound, whatever else was in it at its time', t => {
  const key = (kid: string, publishedAt: number, unpublishedAt: number | null) =>
    ({ kid: kid as Kid, publishedAt, unpublishedAt }) as Key
  const keys = [key('old', 0, 50), key('signer', 10, null), key('next', 20, null), key('later', 60, null)]
  const ring = { keys, now: 100 } as unknown as Ring
  const plan = { publish: [], alter: [{ kid: 'next' as Kid, signsFrom: 200 }] }
  const lacks = (...kids: string[]) =>
    lackingOf(ring, plan, [{ verifier: 'v', digest: digestOf(kids as Kid[]) }]).length > 0
  t.notOk(lacks('signer', 'next', 'later'), 'as it is')
  t.notOk(lacks('next', 'signer'), 'before the last one came')
  t.notOk(lacks('old', 'signer', 'next'), 'while the old one was there')
  t.ok(lacks('old', 'signer'), 'before the next one came')
  t.ok(lacks('signer'), 'a list that there never was')
  t.end()
})

test('metrics count verifiers by mode and state, and say how far the last one is behind', async t => {
  const scrape = async () => (await fetch(`${service.addresses.probes}/metrics`)).text()
  await sql`update service set epoch = random_handle()`
  await service.browser().delete('/v1/session')
  const text = await eventually(async () => {
    const found = await scrape()
    return /feed_verifiers\{mode="required",state="waiting"\} 3/.test(found) ? found : undefined
  })
  t.match(text, 'mintmark_feed_verifiers{mode="preferred",state="waiting"} 1')
  t.match(text, 'mintmark_feed_verifiers{mode="required",state="confirmed"} 0')
  const [row] = await sql`select head::float8 as head from revocation_feed`
  t.match(text, `mintmark_feed_lag_entries ${row?.head}`)
})
