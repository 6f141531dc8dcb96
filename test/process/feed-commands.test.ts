/** The commands about the feed: where it is, who follows it, what comes, and who has applied what a command ended. */
import tap, { test } from 'tap'
import { person, serviceKey } from '../harness/world.js'
import { surroundings } from '../support/command.js'
import { verifier } from '../support/feed.js'
import { operator } from '../support/operator.js'
import { run } from '../support/process.js'
import { eventually } from '../support/service.js'

const { service, prose, document, refusal, api } = await operator(tap)
const { sql } = service.database

async function followed(t: { teardown: (end: () => Promise<void>) => void }) {
  const { id, key } = await serviceKey(sql, { scopes: ['feed'], name: 'orders-api', feedMode: 'required' })
  await sql`update users set epoch = random_handle() where id = ${(await person(sql)).id}`
  const it = await verifier(service, key, 'a1')
  const following = it.follow()
  t.teardown(async () => {
    it.stop()
    await following
  })
  await eventually(async () => (await sql`select from feed_verifiers where v = 'a1'`).length > 0)
  return id
}

test('a key says what its verifiers do without the feed, by command as by the admin API', async t => {
  const create = ['service-keys', 'create', 'orders-api', '--scope']
  const { key: _, ...made } = await document(
    t,
    ...create,
    'feed',
    '--feed-mode',
    'required',
    '--feed-max-age',
    '20',
  )
  t.strictSame(made.feed, { mode: 'required', max_age_seconds: 20 })
  t.same(made, await api(`service-keys/${made.id}`))
  const plain = await document(t, ...create, 'feed')
  t.strictSame(plain.feed, { mode: 'preferred', max_age_seconds: 15 })
  t.equal((await document(t, ...create, 'users:read')).feed, null)
  t.match(await prose(t, 'service-keys', 'list'), /FEED\n(.*\n)*.*required, 20 s/)
  t.match(await refusal(t, ...create, 'users:read', '--feed-mode', 'required'), /need the scope feed/)
  t.match(
    await refusal(t, ...create, 'feed', '--feed-mode', 'off'),
    /Allowed choices are required, preferred/,
  )
  t.match(await refusal(t, ...create, 'feed', '--feed-max-age', '4'), /from 5 to 900/)
})

test('an end by command says who has applied it', async t => {
  await followed(t)
  const { session } = await person(sql)
  const { revocation, ...ended } = await document(t, 'sessions', 'end', session, '--wait', '4')
  t.strictSame(ended, { id: session, ended: true })
  t.strictSame(revocation.confirmed, ['orders-api/a1'])
  t.equal(revocation.effective, 'everywhere_known')
  t.same(await api(`revocations/${revocation.position}`), revocation)
  // Who is silent may not know it: the sessions have ended all the same.
  const { key } = await serviceKey(sql, { scopes: ['feed'], name: 'billing' })
  await verifier(service, key, 'mute')
  await eventually(async () => (await sql`select from feed_verifiers where v = 'mute'`).length > 0)
  const said = await prose(t, 'sessions', 'end-all', (await person(sql)).email, '--wait', '2')
  t.match(
    said,
    /^Ended 1 session\(s\)\.\nApplied by: orders-api\/a1\.\nNot applied yet by: billing\/mute\.\nEvery other verifier rejects the tokens at the latest at \S+Z\.\n$/,
  )
  t.match(await refusal(t, 'sessions', 'end', session, '--wait', '11'), /from 1 to 10/)
})

test('the status, the list, and a verifier that is forgotten', async t => {
  const key = await followed(t)
  const status = await document(t, 'feed', 'status')
  const [row] =
    await sql`select s.generation::float8 as generation, f.head::float8 as head from service s, revocation_feed f`
  t.match(status, { ...row, unsequenced: 0 })
  t.ok(status.entries > 0)
  t.ok(status.verifiers.confirmed + status.verifiers.waiting > 0)
  t.match(await prose(t, 'feed', 'status'), /^generation +\d+\nhead +\d+\n/)
  const id = `${key}/a1`
  const { items } = await document(t, 'feed', 'verifiers')
  t.match(
    items.find((one: { id: string }) => one.id === id),
    { verifier: 'orders-api/a1', mode: 'required', max_age_seconds: 15, left_at: null },
  )
  t.match(
    await prose(t, 'feed', 'verifiers', 'list'),
    /^ID +NAME +MODE +MAX AGE +STATE +APPLIED +LAST SEEN +LEFT\n/,
  )
  t.equal(await prose(t, 'feed', 'verifiers', 'forget', id), `Forgot ${id}.\n`)
  const [event] = await sql`select subject from audit_events where action = 'feed.verifier-forgotten'`
  t.equal(event?.subject, id)
  t.match(await refusal(t, 'feed', 'verifiers', 'forget', '-x'), /there is no verifier -x/)
})

test('the tail prints positions and kinds, never a handle, until it is interrupted', async t => {
  const [row] = await sql`select head::float8 as head from revocation_feed`
  const { cwd, env } = await surroundings(t, service.database)
  const tail = run(t, 'cli.js', ['feed', 'tail', '--since', String(row?.head)], cwd, env)
  const { id } = await person(sql)
  await sql`update users set state = 'disabled' where id = ${id}`
  await eventually(() => tail.stdout().includes('user') || undefined, 20)
  t.match(tail.stdout(), new RegExp(`^\\S+Z  ${Number(row?.head) + 1}  user\\n$`))
  tail.child.kill('SIGINT')
  t.equal(await tail.exited, 0)
})
