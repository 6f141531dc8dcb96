/** The operator's commands about people and sessions: what they say, and that it holds at once on a running service. */
import tap, { test } from 'tap'
import { person, session } from '../harness/world.js'
import { Browser } from '../support/browser.js'
import { commandLine } from '../support/command.js'
import { goodPassword, issuer, testService } from '../support/service.js'

const service = await testService(tap)
const { sql } = service.database
const mintmark = await commandLine(tap, service.database)
const status = async (cookie: string) =>
  (await new Browser(service.app, issuer, cookie).get('/v1/session')).statusCode
const audited = async (action: string, subject: string) =>
  (await sql`select actor, outcome from audit_events where action = ${action} and subject = ${subject}`).map(
    row => ({ ...row }),
  )

test('sessions list names the live devices of a person, by address or id', async t => {
  const me = await person(sql)
  const other = await session(sql, me.id)
  await sql`update sessions set ended_at = now(), ended_reason = 'signed-out' where id = ${other.session}`
  for (const who of [me.email, me.id, me.email.toUpperCase()]) {
    const { code, out } = await mintmark('sessions', 'list', who)
    t.equal(code, 0)
    t.match(out, /^SESSION +SINCE +LAST SEEN +DEVICE +ADDRESS\n/)
    t.match(out, new RegExp(`\n${me.session}  \\S+Z  \\S+Z  -       127\\.0\\.0\\.1\n$`))
  }
  await mintmark('sessions', 'end', me.session)
  t.match(await mintmark('sessions', 'list', me.id), { code: 0, out: 'No active sessions.\n' })
})

test('sessions end ends that one at once, and again is no error', async t => {
  const me = await person(sql)
  const other = await session(sql, me.id)
  for (const _ of ['first', 'again'])
    t.match(await mintmark('sessions', 'end', me.session), { code: 0, out: `Ended ${me.session}.\n` })
  t.same([await status(me.cookie), await status(other.cookie)], [401, 200])
  t.match(await mintmark('sessions', 'end', 'nonsense'), { code: 1, err: /there is no session nonsense/ })
  t.same(await audited('session.ended', me.id), [{ actor: null, outcome: 'done' }])
})

test('sessions end takes an id that begins with a dash', async t => {
  const me = await person(sql)
  const id = `-${me.session.slice(1)}`
  await sql`update sessions set id = ${id} where id = ${me.session}`
  t.match(await mintmark('sessions', 'end', id), { code: 0, out: `Ended ${id}.\n` })
  t.match(await mintmark('sessions', 'end', id, '--json'), { code: 0 })
})

test('sessions end-all ends those of one person, or everybody’s where it is said', async t => {
  const [me, you] = [await person(sql), await person(sql)]
  const other = await session(sql, me.id)
  t.match(await mintmark('sessions', 'end-all', me.email), { code: 0, out: 'Ended 2 session(s).\n' })
  t.same([await status(me.cookie), await status(other.cookie), await status(you.cookie)], [401, 401, 200])
  for (const args of [
    ['sessions', 'end-all'],
    ['sessions', 'end-all', you.email, '--everybody'],
  ])
    t.match(await mintmark(...args), { code: 1, err: /name one user or give --everybody/ })
  t.equal(await status(you.cookie), 200, 'and nothing was ended')
  t.match(await mintmark('sessions', 'end-all', '--everybody'), { code: 0, out: /^Ended \d+ session/ })
  t.equal(await status(you.cookie), 401)
})

test('users disable ends all and lets nobody in; enable lets them sign in again and brings nothing back', async t => {
  const me = await person(sql)
  const signIn = () =>
    new Browser(service.app, issuer).post('/v1/session', { email: me.email, password: goodPassword })
  t.match(await mintmark('users', 'disable', me.email), { code: 0, out: `Disabled ${me.id}.\n` })
  t.equal(await status(me.cookie), 401)
  t.equal((await signIn()).statusCode, 401)
  t.match(await mintmark('users', 'enable', me.id), { code: 0, out: `Enabled ${me.id}.\n` })
  t.equal(await status(me.cookie), 401)
  t.equal((await signIn()).statusCode, 201)
  for (const action of ['account.disabled', 'account.enabled'])
    t.same(await audited(action, me.id), [{ actor: null, outcome: 'done' }])
})

test('users delete removes the person at once; who is unknown is said', async t => {
  const me = await person(sql)
  t.match(await mintmark('users', 'delete', me.id), { code: 0, out: `Deleted ${me.id}.\n` })
  t.equal(await status(me.cookie), 401)
  t.equal((await sql`select from users where id = ${me.id}`).length, 0)
  t.same(await audited('account.deleted', me.id), [{ actor: null, outcome: 'done' }])
  for (const who of [me.id, me.email])
    t.match(await mintmark('users', 'delete', who), {
      code: 1,
      err: `there is no user ${who}: run \`mintmark users list\` to see all\n`,
    })
  t.match(await mintmark('users', 'disable', 'not an address'), {
    code: 1,
    err: /neither a user id nor an email address/,
  })
})
