/** The commands about applications, sessions and the audit log, in both forms, beside a running service. */
import { randomUUID } from 'node:crypto'
import tap, { test } from 'tap'
import { freshAddress, person, session, tenant } from '../harness/world.js'
import { operator } from '../support/operator.js'
import { redisServer, skipWithoutRedis as skip } from '../support/redis.js'
import { appOrigin, eventually } from '../support/service.js'

const { service, prose, document, refusal, api } = await operator(tap)
const { sql } = service.database

test('applications are created, listed and shown as the admin API has them', async t => {
  const created = await document(
    t,
    ...['applications', 'create', 'web', '--audience', 'orders', 'bills', '--grant', 'account', 'admin'],
    ...['--origin', 'http://localhost:5173', '--lifetime', '120'],
  )
  t.match(created, {
    client_id: 'web',
    name: 'web',
    audiences: ['orders', 'bills'],
    token_lifetime_seconds: 120,
  })
  t.same(created, await api('applications/web'))
  t.equal(await prose(t, 'applications', 'create', 'cli', '--audience', 'orders'), 'Created cli.\n')
  t.same(await document(t, 'applications', 'show', 'web'), created)
  const text = await prose(t, 'applications', 'show', 'web')
  t.match(
    text,
    /^client id +web\nname +web\nstate +enabled\norigins +http:\/\/localhost:5173\nreturn to +-\naudiences +orders, bills\n/,
  )
  t.match(text, /\ngrants +account, admin\n/)
  const { items } = await api('applications')
  t.same(await document(t, 'applications', 'list'), { items })
  t.match(
    await prose(t, 'applications', 'list'),
    /^CLIENT ID +NAME +STATE +GRANTS +AUDIENCES +ORIGINS\ncli +cli +enabled +- +orders +-\n/,
  )
})

test('applications change in the lists that are given, and keep the others', async t => {
  await prose(t, 'applications', 'create', 'spa', '--audience', 'a', '--origin', 'http://localhost:6000')
  const changed = await document(
    t,
    'applications',
    'change',
    'spa',
    '--audience',
    'b',
    'c',
    '--grant',
    'account',
  )
  t.match(changed, { origins: ['http://localhost:6000'], audiences: ['b', 'c'], grants: ['account'] })
  t.same(changed, await api('applications/spa'))
  t.equal(
    await prose(t, 'applications', 'change', 'spa', '--no-grants', '--no-origins', '--name', 'Shop'),
    'Changed spa.\n',
  )
  t.match(await api('applications/spa'), { name: 'Shop', origins: [], grants: [], audiences: ['b', 'c'] })
  const bad: [string[], RegExp][] = [
    [['create', 'spa', '--audience', 'a'], /the application spa already exists/],
    [
      ['create', 'X', '--audience', 'a b', '--lifetime', 'soon'],
      /client id(.|\n)*white space(.|\n)*60 to 900/,
    ],
    [['change', 'spa'], /nothing to change: give at least one of --name/],
    [['change', 'spa', '--origin', 'https://app.example.org'], /not same-site with the issuer/],
    [['change', 'nothing', '--name', 'x'], /there is no application nothing/],
    [['show', 'nothing'], /there is no application nothing/],
  ]
  await Promise.all(bad.map(async ([args, said]) => t.match(await refusal(t, 'applications', ...args), said)))
})

test('a disabled or deleted application gets no token from then on', async t => {
  const mint = async (cookie: string) => {
    const browser = service.browser(null)
    browser.cookie = cookie
    return (await browser.post('/v1/token', { client_id: 'job' })).statusCode
  }
  const me = await person(sql)
  await prose(t, 'applications', 'create', 'job', '--audience', 'a')
  t.equal(await mint(me.cookie), 200)
  t.equal(await prose(t, 'applications', 'disable', 'job'), 'Disabled job.\n')
  t.equal(await mint(me.cookie), 400)
  t.match(await document(t, 'applications', 'disable', 'job'), { client_id: 'job', state: 'disabled' })
  t.match(await document(t, 'applications', 'enable', 'job'), { client_id: 'job', state: 'enabled' })
  t.equal(await mint(me.cookie), 200)
  t.equal(await prose(t, 'applications', 'enable', 'job'), 'Enabled job.\n')
  t.equal(await prose(t, 'applications', 'delete', 'job'), 'Deleted job.\n')
  t.equal(await mint(me.cookie), 400)
  await prose(t, 'applications', 'create', 'job', '--audience', 'a')
  t.same(await document(t, 'applications', 'delete', 'job'), { client_id: 'job', deleted: true })
  t.equal(
    await refusal(t, 'applications', 'delete', 'job'),
    'there is no application job: run `mintmark applications list` to see all\n',
  )
  t.match(await refusal(t, 'applications', 'delete', 'mintmark'), /the hosted pages and cannot be removed/)
})

test('what becomes of an origin is known to running instances at once, by way of Redis', {
  skip,
}, async t => {
  const redis = await redisServer(t)
  redis.start()
  // An hour: what is seen here was announced.
  const beside = await operator(t, { env: { REDIS_URL: redis.url }, lookEveryMs: 3_600_000 })
  const allowed = async () =>
    (await beside.service.browser(appOrigin).delete('/v1/session')).statusCode === 204
  await eventually(async () => {
    const probe = await fetch(`${beside.service.addresses.probes}/readyz`)
    return ((await probe.json()) as { redis: string }).redis === 'connected' || undefined
  })
  const steps: [boolean, ...string[]][] = [
    [true, 'create', 'spa', '--audience', 'a', '--origin', appOrigin],
    [false, 'disable', 'spa'],
    [true, 'enable', 'spa'],
    [false, 'change', 'spa', '--no-origins'],
    [true, 'change', 'spa', '--origin', appOrigin],
    [false, 'delete', 'spa'],
  ]
  for (const [expected, ...args] of steps) {
    await beside.document(t, 'applications', ...args)
    await eventually(async () => (await allowed()) === expected || undefined)
  }
  await redis.stop()
  t.match(
    await beside.prose(t, 'applications', 'create', 'spa', '--audience', 'a'),
    /^Created spa\.\nRedis cannot be reached \(.*ECONNREFUSED.*: check REDIS_URL, .*\): instances apply the change within seconds\.\n$/,
  )
  t.match(await beside.document(t, 'applications', 'delete', 'spa'), { deleted: true })
})

test('sessions are listed and ended as JSON, in the words of the admin API', async t => {
  const me = await person(sql)
  await session(sql, me.id)
  const { items } = await api(`users/${me.id}/sessions`)
  t.equal(items.length, 2)
  t.same(await document(t, 'sessions', 'list', me.email), { items })
  t.same(await document(t, 'sessions', 'end', me.session), { id: me.session, ended: true })
  t.same(await document(t, 'sessions', 'end-all', me.email), { ended: 1 })
  t.same(await document(t, 'sessions', 'list', me.email), { items: [] })
})

test('audit list is the newest first, of all or of one tenant, also of a deleted one', async t => {
  const place = await tenant(sql)
  const me = await person(sql)
  await prose(t, 'members', 'set', place, me.id, '--role', 'r1')
  await prose(t, 'tenants', 'delete', place)
  const { items } = await api(`audit?limit=3`)
  t.same(await document(t, 'audit', 'list', '--limit', '3'), { items })
  const row = (action: string, subject: string) =>
    `\\S+Z  ${action.padEnd(14)}  done     -       -      ${subject}\n`
  t.match(
    await prose(t, 'audit', 'list', '--tenant', place),
    new RegExp(
      `^TIME +ACTION +OUTCOME  REASON  ACTOR  SUBJECT\n${row('tenant.deleted', place)}${row('membership.set', me.id)}$`,
    ),
  )
  t.equal(await prose(t, 'audit', 'list', '--tenant', randomUUID()), 'No audit events.\n')
  t.match(await refusal(t, 'audit', 'list', '--tenant', freshAddress()), /is not a tenant id/)
})
