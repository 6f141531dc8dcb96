/** `mintmark invitations`: as the admin API has them, and the link in the mail is one that works. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import tap, { test } from 'tap'
import { freshAddress, tenant } from '../harness/world.js'
import { commandLine } from '../support/command.js'
import { testDatabase } from '../support/database.js'
import { freePort } from '../support/free-port.js'
import { mailReceiver } from '../support/mail-receiver.js'
import { operator } from '../support/operator.js'
import { goodPassword } from '../support/service.js'

const outbox = { MINTMARK_OUTBOX_FOLDER: join(tap.testdir(), 'mail') }
const { service, prose, document, refusal, api, mintmark } = await operator(tap, { env: outbox })
const { sql } = service.database

/** What was written into the outbox of the command. */
async function tokenFrom(said: string): Promise<string> {
  const file = /^Mail: (.*\.eml)$/m.exec(said)?.[1] ?? ''
  const mail = (await readFile(file, 'utf8')).replaceAll(/=\r?\n/g, '').replaceAll('=3D', '=')
  return /#token=([\w-]{43})/.exec(mail)?.[1] ?? `no link in ${file}`
}

test('an address that is invited by a command makes an account with the link, and is a member', async t => {
  const acme = await tenant(sql)
  const email = freshAddress()
  const said = await mintmark('invitations', 'create', acme, email, '--role', 'member')
  t.equal(said.code, 0, said.err)
  t.match(said.out, new RegExp(`^Mail: .*\nInvited ${email} \\(\\S{36}\\)\\.\n$`))
  const listed = await document(t, 'invitations', 'list', acme)
  t.same(listed.items, (await api(`tenants/${acme}/invitations`)).items)
  t.match(listed.items, [{ email, roles: ['member'], inviter: null, tenant: acme }])
  t.match(
    await prose(t, 'invitations', 'list', acme),
    new RegExp(`^INVITATION .*\n\\S{36}  ${email}  member`),
  )

  const joined = await service
    .browser()
    .post('/v1/invitations/sign-up', { token: await tokenFrom(said.out), password: goodPassword })
  t.equal(joined.statusCode, 201, joined.body)
  const { items } = await api(`tenants/${acme}/members`)
  t.match(items, [{ user: { email }, roles: ['member'] }])
  t.match(await prose(t, 'invitations', 'list', acme), /^No invitations\.\n$/)
  const [row] = await sql`select actor, service_key from audit_events where action = 'invitation.created'`
  t.same(row, { actor: null, service_key: null }, 'an operator acts without a person')
})

test('a link that was withdrawn, or replaced by another, opens nothing', async t => {
  const acme = await tenant(sql)
  const email = freshAddress()
  const first = await mintmark('invitations', 'create', acme, email, '--no-roles')
  const second = await mintmark('invitations', 'create', acme, email, '--no-roles')
  const [one] = (await document(t, 'invitations', 'list', acme)).items
  t.same(await document(t, 'invitations', 'withdraw', acme, one.id), { id: one.id, withdrawn: true })
  for (const { out } of [first, second]) {
    const taken = { token: await tokenFrom(out), password: goodPassword }
    t.equal((await service.browser().post('/v1/invitations/sign-up', taken)).json().code, 'link_invalid')
  }
  t.match(await refusal(t, 'invitations', 'withdraw', acme, one.id), /there is no invitation .*list/)
  t.match(await refusal(t, 'invitations', 'create', acme, email), /give the complete list/)
})

test('an invitation that cannot be mailed is not made, and one whose mail was lost says so', async t => {
  const database = await testDatabase(t)
  const acme = await tenant(database.sql)
  const create = ['invitations', 'create', acme, 'ada@example.com', '--role', 'member']
  const away = await commandLine(t, database, undefined, {
    SMTP_URL: `smtp://127.0.0.1:${await freePort()}`,
    MINTMARK_OUTBOX_FOLDER: '',
  })
  t.match(await away(...create), {
    code: 1,
    out: '',
    err: /mail cannot be sent at the moment.*nothing was changed/,
  })
  t.equal((await database.sql`select from invitations`).length, 0)

  const mail = await mailReceiver(t)
  const say = await commandLine(t, database, undefined, {
    SMTP_URL: `smtp://127.0.0.1:${mail.port}`,
    MINTMARK_OUTBOX_FOLDER: '',
  })
  mail.refuseNext(451)
  t.match(await say(...create), { code: 1, err: /the invitation was not sent \(.*invitations create/ })
  t.equal((await say(...create)).code, 0)
  t.equal((await database.sql`select from invitations`).length, 1)
})
