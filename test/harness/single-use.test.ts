/** H1: every single-use thing redeemed 50 times in parallel on three instances on one database: exactly one success. */
import { randomInt } from 'node:crypto'
import { join } from 'node:path'
import type { LightMyRequestResponse } from 'fastify'
import tap, { type Test, test } from 'tap'
import { limits } from '../../src/accounts/throttle.js'
import { generateSealedKey } from '../../src/keys/signing-key.js'
import { loadKeyEncryptionKeys } from '../../src/sealing/key-encryption-keys.js'
import { Database } from '../../src/store/postgres/database.js'
import { recover } from '../../src/store/recovery.js'
import { callbackFrom, federationWorld } from '../federation/world.js'
import { Browser } from '../support/browser.js'
import { enrol } from '../support/enrolled.js'
import { eventually, goodPassword, issuer, type TestService, testService } from '../support/service.js'
import { pendingSignIn } from './factors.js'
import { signInAnswer } from './passkeys.js'
import { codeOf } from './routes.js'
import { singleUseColumns, singleUsePurposes } from './schema.js'
import { freshAddress, invitation, link, type Person, person, session } from './world.js'

const federation = await federationWorld(tap)
const { service } = federation
const instances = [
  service,
  await testService(tap, { beside: service }),
  await testService(tap, { beside: service }),
]
const { sql } = service.database
const newPassword = 'quite other words now'
const times = 50

interface SingleUse {
  readonly what: string
  /** Where it is stored: `table.column`, and of mail_links the purpose. The completeness test below reads these. */
  readonly storedIn: string
  readonly prepare: () => Promise<{ me: Person; value: string }>
  readonly redeem: (at: TestService, thing: { me: Person; value: string }) => Promise<LightMyRequestResponse>
  readonly success: number
  /** What each loser may be told. */
  readonly losers: readonly string[]
  /** Of the losers, how many may have been throttled before they raced; none where it is not said. */
  readonly mostThrottled?: number
  /** What must be true afterwards, beside the one success. */
  readonly afterwards: (t: Test, thing: { me: Person; value: string }, cookies: string[]) => Promise<void>
}

const bare = (at: TestService, cookie?: string) => new Browser(at.app, issuer, cookie)
const status = async (cookie: string) => (await bare(service, cookie).get('/v1/session')).statusCode

const things: readonly SingleUse[] = [
  {
    what: 'a sign-up link makes one account and one session',
    storedIn: 'mail_links.token_hash sign-up',
    prepare: async () => {
      const email = freshAddress()
      return { me: { ...(await person(sql)), email }, value: await link(sql, 'sign-up', email) }
    },
    redeem: (at, { value }) => bare(at).post('/v1/sign-up/verify', { token: value, password: goodPassword }),
    success: 201,
    losers: ['link_invalid'],
    afterwards: async (t, { me }, cookies) => {
      const [row] = await sql`select count(distinct u.id)::int as people, count(s.id)::int as sessions
        from users u left join sessions s on s.user_id = u.id where u.canonical_email = ${me.email}`
      t.same([row?.people, row?.sessions, cookies.length], [1, 1, 1])
      t.equal(await status(cookies[0] as string), 200)
    },
  },
  {
    what: 'a reset link sets one password',
    storedIn: 'mail_links.token_hash password-reset',
    prepare: async () => {
      const me = await person(sql)
      return { me, value: await link(sql, 'password-reset', me.email) }
    },
    redeem: (at, { value }) => bare(at).post('/v1/password/reset', { token: value, password: newPassword }),
    success: 204,
    losers: ['link_invalid'],
    afterwards: async (t, { me }, cookies) => {
      const [row] = await sql`select version from passwords where user_id = ${me.id}`
      t.equal(row?.version, 2, 'raised once')
      t.same(cookies, [], 'a reset signs nobody in')
      t.equal(await status(me.cookie), 401)
    },
  },
  {
    what: 'the secret of a session changes the password once, and one caller gets the next secret',
    storedIn: 'sessions.secret_hash',
    prepare: async () => {
      const me = await person(sql)
      await session(sql, me.id)
      return { me, value: me.cookie }
    },
    // The new password equals the old one, so that no loser is stopped by having proved the wrong one.
    redeem: (at, { value }) =>
      bare(at, value).put('/v1/password', { current_password: goodPassword, new_password: goodPassword }),
    success: 204,
    losers: ['session_superseded', 'wrong_password', 'too_many_requests'],
    // Each instance counts by itself here: what it lets one person try has raced.
    mostThrottled: times - instances.length * limits['current password by person'].points,
    afterwards: async (t, { me }, cookies) => {
      const [row] = await sql`select version from passwords where user_id = ${me.id}`
      t.equal(row?.version, 2, 'raised once')
      t.equal(cookies.length, 1)
      t.equal(await status(cookies[0] as string), 200)
      t.equal(await status(me.cookie), 401)
    },
  },
  {
    what: 'the secret of a session steps up once, and one tab gets the next secret',
    storedIn: 'sessions.secret_hash',
    prepare: async () => {
      const me = await person(sql)
      return { me, value: me.cookie }
    },
    redeem: (at, { value }) => bare(at, value).post('/v1/session/step-up', { password: goodPassword }),
    success: 200,
    losers: ['session_superseded', 'too_many_requests'],
    mostThrottled: times - instances.length * limits['current password by person'].points,
    afterwards: async (t, { me }, cookies) => {
      const [row] = await sql`select count(*)::int as proofs from audit_events
        where action = 'session.stepped-up' and outcome = 'done' and session = ${me.session}`
      t.equal(row?.proofs, 1)
      t.equal(cookies.length, 1)
      t.equal(await status(cookies[0] as string), 200)
      t.equal((await bare(service, me.cookie).get('/v1/session')).json().code, 'session_superseded')
    },
  },
  {
    what: 'a code from a provider opens one session, and is taken there once',
    storedIn: 'federation_flows.state_hash',
    prepare: async () => {
      const visitor = federation.visitor()
      const callback = await callbackFrom(await visitor.go())
      const value = `${visitor.cookies.get('__Host-federation')} ${callback}`
      return { me: await person(sql), value }
    },
    redeem: (at, { value }) => {
      const [cookie, callback = ''] = value.split(' ')
      return at.app.inject({ url: callback, headers: { cookie: `__Host-federation=${cookie}` } })
    },
    success: 303,
    losers: ['federation_failed'],
    afterwards: async (t, _thing, cookies) => {
      t.equal(cookies.length, 1)
      t.equal(await status(cookies[0] as string), 200)
      t.equal(federation.provider.count('token'), 1, 'FD-18: the provider was asked once')
    },
  },
  {
    what: 'an invitation makes one account and one member',
    storedIn: 'invitations.token_hash',
    prepare: async () => {
      const email = freshAddress()
      return { me: { ...(await person(sql)), email }, value: await invitation(sql, email) }
    },
    redeem: (at, { value }) =>
      bare(at).post('/v1/invitations/sign-up', { token: value, password: goodPassword }),
    success: 201,
    losers: ['link_invalid'],
    afterwards: async (t, { me }, cookies) => {
      const [row] = await sql`select count(distinct u.id)::int as people, count(m.user_id)::int as places
        from users u left join memberships m on m.user_id = u.id where u.canonical_email = ${me.email}`
      t.same([row?.people, row?.places, cookies.length], [1, 1, 1])
    },
  },
  {
    what: 'an invitation makes who is signed in a member once',
    storedIn: 'invitations.token_hash',
    prepare: async () => {
      const me = await person(sql)
      return { me, value: await invitation(sql, me.email) }
    },
    redeem: (at, { me, value }) => bare(at, me.cookie).post('/v1/invitations/accept', { token: value }),
    success: 200,
    losers: ['link_invalid'],
    afterwards: async (t, { me }) => {
      const [row] = await sql`select count(*)::int as places from memberships where user_id = ${me.id}`
      t.equal(row?.places, 1)
    },
  },
  {
    what: 'a pending sign-in opens one session, with one of its user’s codes',
    storedIn: 'pending_sign_ins.secret_hash',
    prepare: async () => {
      const me = await person(sql)
      const { recoveryCodes } = await enrol(sql, service, me.id)
      return { me, value: [await pendingSignIn(sql, me.id), ...recoveryCodes].join(' ') }
    },
    redeem: (at, { value }) => {
      const [pending, ...codes] = value.split(' ')
      const browser = bare(at)
      browser.pending = pending
      return browser.post('/v1/session/second-factor', { recovery_code: codes[randomInt(codes.length)] })
    },
    success: 201,
    losers: ['sign_in_expired', 'wrong_code'],
    afterwards: async (t, { me }, cookies) => {
      t.equal(cookies.length, 1)
      t.equal(await status(cookies[0] as string), 200)
      const [row] = await sql`select count(*)::int as used from recovery_codes
        where user_id = ${me.id} and used_at is not null`
      t.equal(row?.used, 1)
    },
  },
  {
    what: 'a recovery code opens one session, whatever the browser',
    storedIn: 'recovery_codes.code_hash',
    prepare: async () => {
      const me = await person(sql)
      const { recoveryCodes } = await enrol(sql, service, me.id)
      const pending = await Promise.all(Array.from({ length: times + 1 }, () => pendingSignIn(sql, me.id)))
      return { me, value: [recoveryCodes[0], ...pending].join(' ') }
    },
    redeem: (at, thing) => {
      const [code, next, ...others] = thing.value.split(' ')
      // Each has a browser of its own.
      thing.value = [code, ...others].join(' ')
      const browser = bare(at)
      browser.pending = next
      return browser.post('/v1/session/second-factor', { recovery_code: code })
    },
    success: 201,
    losers: ['wrong_code', 'sign_in_expired'],
    afterwards: async (t, { me }, cookies) => {
      t.equal(cookies.length, 1)
      t.equal(await status(cookies[0] as string), 200)
      const [row] = await sql`select count(*)::int as sessions from sessions
        where user_id = ${me.id} and id <> ${me.session}`
      t.equal(row?.sessions, 1)
    },
  },
  {
    what: 'a challenge is answered once, by the browser that it was made for',
    storedIn: 'passkey_challenges.challenge_hash',
    prepare: async () => {
      const me = await person(sql)
      return { me, value: JSON.stringify(await signInAnswer(sql, me.id)) }
    },
    redeem: (at, { value }) => {
      const { cookie, response } = JSON.parse(value)
      const browser = bare(at)
      browser.passkey = cookie
      return browser.post('/v1/passkey/sign-in', { response })
    },
    success: 201,
    losers: ['passkey_failed'],
    afterwards: async (t, { me }, cookies) => {
      t.equal(cookies.length, 1)
      t.equal(await status(cookies[0] as string), 200)
      const [row] = await sql`select counter::int from passkeys where user_id = ${me.id}`
      t.equal(row?.counter, 1)
    },
  },
]

for (const thing of things) {
  test(`H1: ${thing.what}, however many try at once`, async t => {
    const prepared = await thing.prepare()
    const answers = await Promise.all(
      Array.from({ length: times }, (_, index) =>
        thing.redeem(instances[index % instances.length] as TestService, prepared),
      ),
    )
    const won = answers.filter(answer => answer.statusCode === thing.success)
    t.equal(won.length, 1, 'exactly one success')
    const lost = answers.filter(answer => answer.statusCode !== thing.success)
    t.same(
      [...new Set(lost.map(codeOf))].filter(code => !thing.losers.includes(String(code))),
      [],
    )
    const throttled = lost.filter(answer => answer.statusCode === 429).length
    t.ok(throttled <= (thing.mostThrottled ?? 0), `the others raced: ${throttled} were throttled`)
    t.ok(
      lost.every(answer => !answer.headers['set-cookie']),
      'no loser gets a cookie',
    )
    const sessions = won.flatMap(answer => answer.cookies).filter(({ name }) => name === '__Host-session')
    const cookies = sessions.map(({ value }) => value)
    await thing.afterwards(t, prepared, cookies)
    const late = await thing.redeem(service, prepared)
    t.ok(late.statusCode >= 400, 'nor does anyone later')
  })
}

for (const [purpose, route, success] of [
  ['sign-up', '/v1/sign-up/verify', 201],
  ['password-reset', '/v1/password/reset', 204],
] as const) {
  test(`H1: of the ${purpose} links of one address, consumed in the same moment, one works and the others are refused`, async t => {
    const email = purpose === 'sign-up' ? freshAddress() : (await person(sql)).email
    const tokens = await Promise.all(instances.map(() => link(sql, purpose, email)))
    // Everyone has hashed and waits for a row that is held here; then all are let go at once.
    const gate = await sql.reserve()
    t.teardown(() => gate.release())
    await gate`begin`
    await gate`select from mail_links where canonical_email = ${email} for update`
    const redeemed = Promise.all(
      instances.map((at, index) => bare(at).post(route, { token: tokens[index], password: goodPassword })),
    )
    await eventually(async () => {
      const [row] = await sql`select count(*)::int as waiting from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'`
      return row?.waiting >= instances.length || undefined
    })
    await gate`commit`
    const answers = await redeemed
    t.equal(answers.filter(answer => answer.statusCode === success).length, 1)
    const others = answers.filter(answer => answer.statusCode !== success)
    t.same(
      [...new Set(others.map(answer => answer.json().code))],
      ['link_invalid'],
      'not a 503 that a deadlock made',
    )
  })
}

/** Tables whose rows stay: what they hold is over by the epoch of the service, or is good in a pending sign-in alone. */
const overByEpoch = new Set(['sessions', 'recovery_codes'])

test('H1: after `mintmark recover` nothing that was there before is redeemed, and nothing is left to be', async t => {
  const prepared = await Promise.all(things.map(async thing => ({ thing, prepared: await thing.prepare() })))
  const columns = await singleUseColumns(sql)
  const tables = [...new Set(columns.map(column => column.split('.')[0] as string))]
  for (const table of tables)
    t.ok((await sql`select from ${sql(table)} limit 1`).length > 0, `${table} has rows`)

  const database = new Database(service.database.address, { connections: 1, anyCluster: true })
  t.teardown(() => database.close())
  const { keys } = await loadKeyEncryptionKeys(join(service.folder, 'keys'))
  const { links, invitations, flows, pending } = await recover(
    database,
    () => generateSealedKey(issuer, keys),
    0,
  )
  t.ok(links > 1 && invitations > 1 && flows > 0 && pending > 1, 'it says how many there were')

  for (const table of tables.filter(table => !overByEpoch.has(table)))
    t.equal((await sql`select from ${sql(table)}`).length, 0, `${table} has no row that could be redeemed`)
  const before =
    await sql`select u.id, p.version, (select count(*) from memberships m where m.user_id = u.id) as places
    from users u left join passwords p on p.user_id = u.id order by u.id`
  for (const { thing, prepared: one } of prepared) {
    // Where the thing is not the session itself, its person has signed in again.
    const me = { ...one.me, ...(await session(sql, one.me.id)) }
    const answer = await thing.redeem(service, { ...one, me })
    const refusals = [...thing.losers, 'unauthenticated'].filter(code => code !== 'too_many_requests')
    t.ok(refusals.includes(String(codeOf(answer))), `${thing.what}: ${answer.statusCode} ${codeOf(answer)}`)
    t.notOk(answer.headers['set-cookie'], thing.what)
  }
  t.same(
    await sql`select u.id, p.version, (select count(*) from memberships m where m.user_id = u.id) as places
      from users u left join passwords p on p.user_id = u.id order by u.id`,
    before,
  )
})

test('H1 is complete: every column that holds the hash of something redeemable, and every purpose, is in it', async t => {
  const covered = new Set(things.map(thing => thing.storedIn))
  const expected: string[] = []
  for (const column of await singleUseColumns(sql)) {
    if (column !== 'mail_links.token_hash') expected.push(column)
    else for (const purpose of await singleUsePurposes(sql)) expected.push(`${column} ${purpose}`)
  }
  t.same([...covered].sort(), expected.sort())
})
