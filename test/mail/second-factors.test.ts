/** What users are told of their second factors, through a real mail server: what happened, and what to do if it was somebody else. */
import { test } from 'tap'
import type { Mail } from '../../src/core/mail.js'
import { administrator, person } from '../harness/world.js'
import { Browser } from '../support/browser.js'
import { enrolled } from '../support/enrolled.js'
import { mailerTo, mailReceiver } from '../support/mail-receiver.js'
import { eventually, goodPassword, issuer, testService } from '../support/service.js'
import { codeAt } from '../support/totp.js'

const to = 'ada@example.com'
const page = 'https://id.example.com/second-factors'
const at = Date.UTC(2026, 10, 30, 12, 5) / 1000

const mails: readonly (readonly [mail: Mail, subject: RegExp, says: readonly RegExp[]])[] = [
  [
    { kind: 'factor-added', to, name: 'My phone' },
    /^A second factor was added to your account at Mintmark$/,
    [/“My phone” was added/, /recovery code/],
  ],
  [
    { kind: 'factor-removed', to, name: 'My phone', last: false },
    /^A second factor was removed from your account at Mintmark$/,
    [/“My phone” was removed/],
  ],
  [
    { kind: 'factor-removed', to, name: 'My phone', last: true },
    /^A second factor was removed from your account at Mintmark$/,
    [/last second factor/, /recovery codes were removed too/],
  ],
  [
    { kind: 'recovery-codes-replaced', to },
    /^New recovery codes were created for your account at Mintmark$/,
    [/Earlier codes no longer work/],
  ],
  [
    { kind: 'recovery-code-used', to, left: 1 },
    /^A recovery code was used to sign in to Mintmark$/,
    [/\b1 code is left/, /lost your authenticator app/],
  ],
  [
    { kind: 'recovery-code-used', to, left: 0 },
    /^A recovery code was used to sign in to Mintmark$/,
    [/\b0 codes are left/],
  ],
  [
    { kind: 'factors-reset-requested', to, dueAt: at, page },
    /^Your second factors for Mintmark will be removed$/,
    [/30 November 2026, 12:05 UTC/, /stop it/],
  ],
  [
    { kind: 'factors-reset', to },
    /^Your second factors for Mintmark were removed$/,
    [/signed out on all devices/, /set up a new second factor/],
  ],
  [
    { kind: 'factors-reset-stopped', to },
    /^Your second factors for Mintmark stay$/,
    [/stopped from one of your devices/],
  ],
]

test('each mail says what happened and what to do if it was somebody else, as text and HTML', async t => {
  const receiver = await mailReceiver(t)
  const mailer = mailerTo(t, receiver)
  for (const [mail, subject, says] of mails) {
    await mailer.send(mail)
    const got = receiver.received.at(-1)
    const text = String(got?.text).replace(/\s+/g, ' ')
    const html = String(got?.html).replace(/&#(\d+);/g, (_all, code) => String.fromCodePoint(Number(code)))
    t.same(got?.envelope.to, [to], mail.kind)
    t.match(got?.subject, subject)
    for (const words of [...says, /contact the operator|reset your password/i]) {
      t.match(text, words, `${mail.kind} as text`)
      t.match(html.replace(/\s+/g, ' '), words, `${mail.kind} as HTML`)
    }
    const linked = [...String(got?.html).matchAll(/<a href="([^"]*)"/g)].map(([, address]) => address)
    t.same(linked, mail.kind === 'factors-reset-requested' ? [page] : [], 'no other link')
    t.notMatch(`${got?.subject} ${text}`, /\b\d{6}\b|otpauth|[0-9A-Z]{4}-[0-9A-Z]{4}/, 'and no secret')
  }
})

test('what users and operators do is mailed through the service, without a secret', async t => {
  const receiver = await mailReceiver(t)
  const mailer = mailerTo(t, receiver)
  const service = await testService(t, { mailer })
  const { sql } = service.database
  const admin = new Browser(service.app, issuer, (await administrator(sql)).cookie)
  const next = async (subject: RegExp) => {
    const found = await eventually(() =>
      receiver.received.find(({ subject: one }) => subject.test(String(one))),
    )
    return String(found.text)
  }

  const me = await person(sql)
  const browser = new Browser(service.app, issuer, me.cookie)
  const { secret } = (await browser.post('/v1/totp', { name: 'Blue phone' })).json()
  const { recovery_codes: codes } = (await browser.post('/v1/totp/confirm', { code: codeAt(secret) })).json()
  t.match(await next(/was added/), /“Blue phone”/)

  const again = service.browser()
  await again.post('/v1/session', { email: me.email, password: goodPassword })
  await again.post('/v1/session/second-factor', { recovery_code: codes[0] })
  t.match(await next(/recovery code was used/), /9 codes are left/)

  const { recovery_codes: fresh } = (await again.post('/v1/recovery-codes')).json()
  t.match(await next(/New recovery codes/), /no longer work/)

  await admin.post(`/v1/admin/users/${me.id}/factors/reset`)
  t.match(await next(/will be removed/), `${issuer}/second-factors`)
  await again.delete('/v1/factor-reset')
  await next(/ stay$/)

  await admin.post(`/v1/admin/users/${me.id}/factors/reset`)
  await sql`update factor_resets set due_at = now() where user_id = ${me.id}`
  const last = service.browser()
  t.equal((await last.post('/v1/session', { email: me.email, password: goodPassword })).statusCode, 201)
  await next(/were removed/)

  const other = await enrolled(sql, service)
  const theirs = new Browser(service.app, issuer, other.cookie)
  await theirs.post('/v1/session/step-up', { code: await other.code() })
  t.equal((await theirs.delete(`/v1/factors/${other.factor}`)).statusCode, 204)
  t.match(await next(/was removed from/), /last second factor/)

  const all = receiver.received.map(({ raw }) => raw).join('\n')
  for (const one of [secret, other.secret, ...codes, ...fresh, ...other.recoveryCodes])
    t.notOk(all.includes(one))
})
