/** The commands about second factors: in both forms, and in force at once on a running service. */
import { randomBytes } from 'node:crypto'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import tap, { test } from 'tap'
import { person } from '../harness/world.js'
import { Browser } from '../support/browser.js'
import { commandLine, surroundings } from '../support/command.js'
import { enrolled } from '../support/enrolled.js'
import { mailReceiver } from '../support/mail-receiver.js'
import { operator } from '../support/operator.js'
import { run } from '../support/process.js'
import { goodPassword, issuer, testService } from '../support/service.js'

const { service, prose, document, refusal, api } = await operator(tap)
const { sql } = service.database
const signIn = async (email: string, browser = service.browser()) =>
  (await browser.post('/v1/session', { email, password: goodPassword })).statusCode

async function audited(subject: string) {
  const rows = await sql`select action, actor from audit_events
    where subject = ${subject} and action like 'factors.%' order by id`
  return [...rows]
}

test('users factors says the same as the admin API', async t => {
  const me = await enrolled(sql, service)
  t.same(await document(t, 'users', 'factors', me.email), await api(`users/${me.id}/factors`))
  await sql`update totp_factors set last_used_at = '2026-01-02T03:04:05Z', last_used_address = '203.0.113.9'
    where id = ${me.factor}`
  await sql`insert into factor_failures (user_id, totp) values (${me.id}, 10)`
  const text = await prose(t, 'users', 'factors', me.id)
  t.match(text, /^FACTOR +KIND +NAME +SINCE +LAST USED +ADDRESS\n/)
  t.match(text, new RegExp(`\n${me.factor}  totp  Phone  \\S+Z  2026-01-02T03:04:05Z  203\\.0\\.113\\.9\n`))
  t.match(text, /\n\nrecovery codes {2}10\nlocked +codes of the app\nreset due +-\n$/)
  t.equal(await prose(t, 'users', 'factors', (await person(sql)).id), 'No second factors.\n')
  t.match(await refusal(t, 'users', 'factors', 'nobody@example.com'), /^there is no user nobody@example.com/)
})

test('users reset-factors waits for the delay, and is carried out by the next sign-in', async t => {
  const me = await enrolled(sql, service)
  const said = await prose(t, 'users', 'reset-factors', me.email)
  t.match(
    said,
    new RegExp(
      `^The second factors of ${me.id} will be removed by the first sign-in after \\S+Z, unless the user stops it\\.\nMail: .*\\.eml\n$`,
    ),
  )
  const { due_at } = await document(t, 'users', 'reset-factors', me.email)
  t.match(said, new Date(due_at * 1000).toISOString().slice(0, 19), 'again, and it keeps its time')
  t.match(await api(`users/${me.id}/factors`), { reset_due_at: due_at })
  t.equal(await signIn(me.email), 202)
  await sql`update factor_resets set due_at = now() where user_id = ${me.id}`
  t.equal(await signIn(me.email), 201)
  t.match(await audited(me.id), [
    { action: 'factors.reset-requested', actor: null },
    { action: 'factors.reset-requested', actor: null },
    { action: 'factors.reset', actor: null },
  ])
})

test('users reset-factors --now removes all at once, whatever was requested before', async t => {
  const me = await enrolled(sql, service)
  await prose(t, 'users', 'reset-factors', me.id)
  t.match(
    await prose(t, 'users', 'reset-factors', me.id, '--now', '--wait', '1'),
    new RegExp(
      `(^|\n)Removed the second factors of ${me.id}, and ended all sessions of the user\\.\nEvery other verifier `,
    ),
  )
  t.equal((await new Browser(service.app, issuer, me.cookie).get('/v1/session')).statusCode, 401)
  t.equal(await signIn(me.email), 201)
  const other = await enrolled(sql, service)
  const done = await document(t, 'users', 'reset-factors', other.id, '--now', '--wait', '1')
  t.match(done, { id: other.id, due_at: null, revocation: { confirmed: [] } })
  t.same(await document(t, 'users', 'factors', other.id), {
    items: [],
    recovery_codes: 0,
    codes_locked: false,
    reset_due_at: null,
  })
  t.match(
    await refusal(t, 'users', 'reset-factors', other.id, '--now'),
    /has no second factor: see `mintmark users factors/,
  )
})

test('users reset-factors without mail that works resets nothing', async t => {
  const me = await enrolled(sql, service)
  const { cwd, env } = await surroundings(t, service.database, undefined, {
    MINTMARK_OUTBOX_FOLDER: '',
    SMTP_URL: 'smtp://127.0.0.1:1',
  })
  const command = run(t, 'cli.js', ['users', 'reset-factors', me.id, '--now'], cwd, env)
  t.equal(await command.exited, 1)
  t.match(command.stderr(), /^mail cannot be sent at the moment \(.*\), so nothing was reset: check SMTP_URL/)
  t.equal(await signIn(me.email), 202)
})

test('users reset-factors whose mail was not taken says so, and the reset stays', async t => {
  const me = await enrolled(sql, service)
  const receiver = await mailReceiver(t)
  receiver.refuseNext(550)
  const { cwd, env } = await surroundings(t, service.database, undefined, {
    MINTMARK_OUTBOX_FOLDER: '',
    SMTP_URL: `smtp://127.0.0.1:${receiver.port}`,
  })
  const command = run(t, 'cli.js', ['users', 'reset-factors', me.id], cwd, env)
  t.equal(await command.exited, 1)
  t.match(command.stdout(), /^The second factors of/)
  t.match(
    command.stderr(),
    /^the email about the reset of \S+ was not sent \(.*\): let them know yourself\n$/,
  )
  t.match(await api(`users/${me.id}/factors`), { reset_due_at: Number })
})

test('the setting is of the commands, too', async t => {
  const me = await enrolled(sql, service)
  const { cwd, env } = await surroundings(t, service.database, undefined, {
    MINTMARK_FACTOR_RESET_HOURS: '0',
  })
  const command = run(t, 'cli.js', ['users', 'reset-factors', me.id], cwd, env)
  t.equal(await command.exited, 0)
  t.match(command.stdout(), /^Removed the second factors of/)
  const [mail = ''] = await readdir(join(cwd, 'mail'))
  t.match(await readFile(join(cwd, 'mail', mail), 'utf8'), /Your second factors for Mintmark were removed/)
})

test('users unlock-factors lifts the lock of wrong codes', async t => {
  const me = await enrolled(sql, service)
  await sql`insert into factor_failures (user_id, totp) values (${me.id}, 10)`
  const browser = service.browser()
  await signIn(me.email, browser)
  const second = async () =>
    (await browser.post('/v1/session/second-factor', { code: await me.code() })).statusCode
  t.equal(await second(), 403)
  t.equal(await prose(t, 'users', 'unlock-factors', me.email), `Unlocked the second factors of ${me.id}.\n`)
  t.equal(await second(), 201)
  t.same(await document(t, 'users', 'unlock-factors', me.id), { id: me.id, unlocked: true })
  t.match(await audited(me.id), [{ action: 'factors.unlocked', actor: null }])
  t.equal((await audited(me.id)).length, 1)
})

test('keys reseal moves the secrets of apps, and recover says what it did to sign-ins and factors', async t => {
  const own = await testService(t)
  const { sql } = own.database
  const keys = join(own.folder, 'keys')
  const mintmark = await commandLine(t, own.database, keys)
  const me = await enrolled(sql, own)
  await writeFile(join(keys, 'second.kek'), randomBytes(32).toString('base64'), { mode: 0o600 })
  t.equal((await mintmark('keys', 'reseal', '--dry-run')).code, 0)
  t.match(await sql`select kek_id from totp_factors`, [{ kek_id: 'first' }])
  t.equal((await mintmark('keys', 'reseal')).code, 0)
  t.match(await sql`select kek_id from totp_factors`, [{ kek_id: 'second' }])
  const another = await testService(t, { beside: own })
  const browser = another.browser()
  await signIn(me.email, browser)
  t.equal((await browser.post('/v1/session/second-factor', { code: await me.code() })).statusCode, 201)

  await signIn(me.email, another.browser())
  await mintmark('users', 'reset-factors', me.id)
  const recovered = await mintmark('recover')
  t.equal(recovered.code, 0, recovered.err)
  t.match(recovered.out, /\n {2}1 sign-in\(s\) that still needed a second factor dropped\n/)
  t.match(recovered.out, /\n {2}1 requested reset\(s\) of second factors dropped/)
  t.match(
    recovered.out,
    /\n {2}second factors and recovery codes stay; every earlier code of an app is void\n/,
  )
  t.match(
    await sql`select (select count(*)::int from totp_factors) as factors,
    (select count(*)::int from factor_resets) as resets`,
    [{ factors: 1, resets: 0 }],
  )
})
