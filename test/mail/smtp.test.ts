/** Mail by SMTP, against a server that receives it: what arrives, over what, and what an outage may cost. */
import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { SMTPServerOptions } from 'smtp-server'
import { type Test, test } from 'tap'
import { linkMinutes } from '../../src/accounts/links.js'
import { parseConfig } from '../../src/boot/config.js'
import type { Mail, Mailer } from '../../src/core/mail.js'
import { openMailer } from '../../src/mail/mailer.js'
import { retryDelaysMs, retrying } from '../../src/mail/retrying.js'
import { openSmtp, Undeliverable } from '../../src/mail/smtp.js'
import { testDatabase } from '../support/database.js'
import { freePort } from '../support/free-port.js'
import { certificate, type MailReceiver, mailReceiver, skipWithoutOpenssl } from '../support/mail-receiver.js'
import { ready, run } from '../support/process.js'
import { rootUrl } from '../support/project.mjs'
import { eventually, goodPassword, type TestService, testService } from '../support/service.js'
import { forwarded } from '../support/tcp.js'

const link = 'https://id.example.com/sign-up/verify#token=THE-TOKEN'
const resetPage = 'https://id.example.com/password/reset'
const notice: Mail = { kind: 'password-changed', to: 'ada@example.com' }

function smtp(t: Test, url: string, more: { product?: string; sender?: string; host?: string } = {}) {
  const mailer = openSmtp({
    url,
    product: 'Mintmark',
    sender: 'Mintmark <id@example.com>',
    host: 'id.example.com',
    ...more,
  })
  t.teardown(() => mailer.close())
  return mailer
}

const local = ({ port }: MailReceiver) => `smtp://127.0.0.1:${port}`
/** This machine by an address that is no loopback address. */
const elsewhere = ({ port }: MailReceiver) => `smtp://0.0.0.0:${port}`

test('every kind of mail arrives as text and HTML, says whose it is and that no person wrote it', async t => {
  const receiver = await mailReceiver(t)
  const product = 'Käse & <Co>'
  const mailer = smtp(t, local(receiver), { product, sender: '"Käse & Co" <no-reply@kaese.example>' })
  await mailer.check()
  const to = 'Ada.Lovelace+x@example.com'
  const mails: [Mail, RegExp, string?][] = [
    [{ kind: 'sign-up', to, link, validMinutes: 30 }, /^Finish signing up to/, link],
    [{ kind: 'already-registered', to, resetPage }, /^You already have an account at/, resetPage],
    [{ kind: 'password-reset', to, link, validMinutes: 30 }, /^Choose a new password for/, link],
    [{ kind: 'welcome', to, link, validDays: 7, resetPage }, /^Your account at/, link],
    [{ kind: 'password-changed', to }, /^Your password for .* was changed$/],
    [
      { kind: 'password-changed', to, providers: ['Acme', 'Käse & Co'] },
      /^Your password for .* was changed$/,
    ],
    [
      { kind: 'account-reclaimed', to, password: true, factors: true, providers: ['Acme'] },
      /^Earlier sign-in methods of your account at .* were removed$/,
    ],
    [{ kind: 'identity-linked', to, provider: 'Acme' }, /^Acme was linked to your account at .*$/],
  ]
  for (const [mail, subject, address] of mails) {
    await mailer.send(mail)
    const got = receiver.received.at(-1)
    t.same(got?.envelope, { from: 'no-reply@kaese.example', to: [to], tls: false }, mail.kind)
    t.match(got?.subject, subject)
    t.match(got?.subject, product)
    t.equal(got?.from?.text, '"Käse & Co" <no-reply@kaese.example>')
    t.equal([got?.to].flat()[0]?.text, to)
    t.equal(got?.headers.get('auto-submitted'), 'auto-generated', 'RFC 3834: nobody answers it')
    t.match(got?.headers.get('message-id'), /^<[^<>@\s]+@kaese\.example>$/)
    t.ok(got?.headers.has('date'))
    t.match(got?.headers.get('content-type'), { value: 'multipart/alternative' })
    t.same(got?.attachments, [])
    const html = String(got?.html)
    t.match(got?.text, product, 'as it is in the text')
    t.match(html, 'Käse &#38; &#60;Co&#62;', 'escaped in the HTML')
    t.notMatch(html, '<Co>')
    t.notMatch(html, /<(img|script|link|style|iframe)|\son\w+=/i, 'nothing is loaded, nothing runs')
    if (address !== undefined) {
      t.ok(got?.text?.split('\n').includes(address), 'the link has a line of its own')
      t.match(html, `<a href="${address}">`)
    } else t.notMatch(html, '<a ')
    t.notOk(got?.subject?.includes('TOKEN'), 'a subject is shown on locked screens')
  }
  t.equal(receiver.received.length, mails.length)
})

test('HT-10: no name and no address becomes a header, a second recipient or a command', async t => {
  const receiver = await mailReceiver(t)
  const breaks = ['\r\n', '\n', '\r', '\r\n\r\n', '\0\r\n', '%0d%0a', '\u2028', '\u0085']
  const inject = (text: string, end: string) =>
    [`Bcc: b@evil.example${end}`, `.${end}MAIL FROM:<b@evil.example>${end}`, `X-Evil: 1${end}`].map(
      line => `${text}${end}${line}`,
    )
  const outcomes: Promise<unknown>[] = []
  for (const end of breaks) {
    for (const hostile of inject('Mint', end)) {
      outcomes.push(smtp(t, local(receiver), { product: hostile }).send(notice))
      outcomes.push(smtp(t, local(receiver), { sender: `${hostile} <id@example.com>` }).send(notice))
      outcomes.push(smtp(t, local(receiver)).send({ ...notice, to: `ada@example.com${hostile}` }))
    }
  }
  for (const to of [
    'ada@example.com, b@evil.example',
    'ada@example.com> RCPT TO:<b@evil.example',
    '"ada, b@evil.example" <b@evil.example>',
    'ada@example.com;b@evil.example',
    'ada@example.com SIZE=1',
  ])
    outcomes.push(smtp(t, local(receiver)).send({ ...notice, to }))
  await Promise.allSettled(outcomes)
  t.ok(receiver.received.length > 0, 'what can be said harmlessly is')
  for (const { envelope, headers, headerLines, raw } of receiver.received) {
    t.equal(envelope.to.length, 1)
    t.notMatch(envelope.to[0], /^b@evil\.example$/)
    const names = headerLines.map(({ key }) => key)
    t.equal(new Set(names).size, names.length, 'no header twice')
    for (const name of ['bcc', 'cc', 'x-evil', 'reply-to']) t.notOk(headers.has(name), raw.slice(0, 300))
  }
  for (const name of ['MINTMARK_PRODUCT', 'MINTMARK_MAIL_FROM'])
    t.throws(() => parseConfig({ [name]: 'Mint\r\nBcc: b@evil.example' }), { message: name })
})

test('towards loopback mail may go without TLS; anywhere else it is refused, and nothing is said in the open', async t => {
  const said: string[] = []
  const receiver = await mailReceiver(t, {
    hideSTARTTLS: true,
    disabledCommands: ['STARTTLS'],
    allowInsecureAuth: true,
    authOptional: true,
    onAuth({ username }, _session, callback) {
      said.push(String(username))
      callback(null, { user: username })
    },
  })
  await smtp(t, local(receiver)).send(notice)
  await smtp(t, `smtp://localhost:${receiver.port}`).send(notice)
  t.equal(receiver.received.length, 2)
  const mailer = smtp(t, `smtp://user:secret@0.0.0.0:${receiver.port}`)
  await t.rejects(mailer.check(), { message: /^SMTP: ETLS/ })
  await t.rejects(mailer.send(notice), { message: /^SMTP: ETLS/ })
  t.same([receiver.received.length, receiver.attempts.length, said], [2, 2, []])
  await smtp(t, `${elsewhere(receiver)}?tls=none`).send(notice)
  t.equal(receiver.received.length, 3, 'unless the operator says so')
})

test('a certificate that nobody vouches for is refused, by smtps:// and by STARTTLS, loopback or not', {
  skip: skipWithoutOpenssl,
}, async t => {
  const { key, cert } = await certificate(t, 'IP:127.0.0.1', 'IP:0.0.0.0', 'DNS:localhost')
  const direct = await mailReceiver(t, { key, cert, secure: true, authOptional: true })
  const upgrading = await mailReceiver(t, { key, cert, authOptional: true })
  for (const url of [
    `smtps://127.0.0.1:${direct.port}`,
    `smtps://0.0.0.0:${direct.port}`,
    local(upgrading),
    elsewhere(upgrading),
  ]) {
    await t.rejects(smtp(t, url).check(), { message: /^SMTP: (ESOCKET|ETLS)$/ }, url)
    await t.rejects(smtp(t, url).send(notice), { message: /^SMTP: (ESOCKET|ETLS)$/ }, url)
  }
  t.same([...direct.attempts, ...upgrading.attempts], [], 'and nothing is sent without TLS instead')
})

/** Sends one mail from a process that trusts this certificate, and answers what became of it. */
async function sendTrusting(file: string, url: string): Promise<string> {
  const script = `
    const { openSmtp } = await import(${JSON.stringify(new URL('dist/mail/smtp.js', rootUrl).href)})
    const mailer = openSmtp({ url: process.argv[1], product: 'Mintmark', sender: 'id@example.com', host: 'id.example.com' })
    try {
      await mailer.check()
      await mailer.send({ kind: 'password-changed', to: 'ada@example.com' })
      console.log('sent')
    } catch (error) {
      console.log(error.message)
    }
    mailer.close()`
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--input-type=module', '-e', script, '--', url],
    { env: { NODE_EXTRA_CA_CERTS: file } },
  )
  return stdout.trim()
}

test('smtps:// and STARTTLS deliver to a server whose certificate is trusted and names it, with TLS 1.2 or later', {
  skip: skipWithoutOpenssl,
}, async t => {
  const { key, cert, file } = await certificate(t, 'IP:0.0.0.0')
  const open = (options: SMTPServerOptions) => mailReceiver(t, { key, cert, authOptional: true, ...options })
  const direct = await open({ secure: true })
  const upgrading = await open({})
  t.equal(await sendTrusting(file, `smtps://0.0.0.0:${direct.port}`), 'sent')
  t.equal(await sendTrusting(file, elsewhere(upgrading)), 'sent')
  for (const { received } of [direct, upgrading])
    t.match(received[0]?.envelope, { to: ['ada@example.com'], tls: true })
  for (const url of [`smtps://127.0.0.1:${direct.port}`, `smtp://localhost:${upgrading.port}`])
    t.match(await sendTrusting(file, url), /^SMTP: (ESOCKET|ETLS)$/, 'it names another host')
  const old = await open({
    secure: true,
    minVersion: 'TLSv1',
    maxVersion: 'TLSv1.1',
    ciphers: 'ALL:@SECLEVEL=0',
  })
  t.match(await sendTrusting(file, `smtps://0.0.0.0:${old.port}`), /^SMTP: /)
  t.same([direct.received.length, upgrading.received.length, old.received.length], [1, 1, 0])
})

test('user and password of the address let in; a wrong one is named without being repeated, and tried again later', async t => {
  const receiver = await mailReceiver(t, {
    hideSTARTTLS: true,
    disabledCommands: ['STARTTLS'],
    allowInsecureAuth: true,
    onAuth({ username, password }, _session, callback) {
      if (username === 'mint@example.com' && password === 'p@ss:/w?rd')
        return callback(null, { user: username })
      callback(Object.assign(new Error(`${username} ${password} is wrong`), { responseCode: 535 }))
    },
  })
  const user = encodeURIComponent('mint@example.com')
  const right = smtp(t, `smtp://${user}:${encodeURIComponent('p@ss:/w?rd')}@127.0.0.1:${receiver.port}`)
  await right.check()
  await right.send(notice)
  t.equal(receiver.received.length, 1)
  const wrong = smtp(t, `smtp://${user}:guess@127.0.0.1:${receiver.port}`)
  for (const outcome of [wrong.check(), wrong.send(notice)]) {
    const error = await outcome.then(
      () => undefined,
      (error: Error) => error,
    )
    t.equal(error?.message, 'SMTP: EAUTH (535)')
    t.notOk(error instanceof Undeliverable, 'an operator mends it while the mail waits')
    t.notMatch(`${error?.stack} ${JSON.stringify(error)} ${error?.cause}`, /mint@|guess|ada@/)
  }
})

test("the server is greeted with the issuer's host, and one that wants a full name takes the mail", async t => {
  const greeted: string[] = []
  const receiver = await mailReceiver(t, {
    authOptional: true,
    hideSTARTTLS: true,
    disabledCommands: ['STARTTLS'],
    // As Postfix does with reject_invalid_helo_hostname and reject_non_fqdn_helo_hostname: at RCPT.
    onRcptTo(_address, { hostNameAppearsAs }, callback) {
      greeted.push(hostNameAppearsAs)
      if (/^\[(IPv6:)?[\da-f.:]+\]$|^[\w-]+(\.[\w-]+)+$/i.test(hostNameAppearsAs)) return callback()
      const words = `5.5.2 <${hostNameAppearsAs}>: Helo command rejected: need fully-qualified hostname`
      callback(Object.assign(new Error(words), { responseCode: 504 }))
    },
  })
  for (const host of ['id.example.com', '127.0.0.1', '[::1]']) {
    await smtp(t, local(receiver), { host }).send(notice)
  }
  t.same(
    greeted,
    ['id.example.com', '[127.0.0.1]', '[ipv6:::1]'],
    'as this server writes them: in small letters',
  )
  t.equal(receiver.received.length, 3)
  await t.rejects(smtp(t, local(receiver), { host: 'localhost' }).send(notice), {
    message: 'SMTP: EENVELOPE (504): 5.5.2 <localhost>: Helo command rejected: need fully-qualified hostname',
  })
  const config = parseConfig({
    DATABASE_URL: 'postgres://mint@127.0.0.1/mint',
    ISSUER: 'https://login.example.org',
    SMTP_URL: local(receiver),
  })
  const mailer = await openMailer(config)
  t.teardown(() => mailer.close())
  await mailer.send(notice)
  t.equal(greeted.at(-1), 'login.example.org', 'as it is configured')
})

test('a server that accepts and says nothing is given up on', async t => {
  const silent = createServer(socket => socket.on('error', () => {}))
  await new Promise<void>(resolve => silent.listen(0, '127.0.0.1', resolve))
  t.teardown(() => silent.close())
  const { port } = silent.address() as { port: number }
  const mailer = smtp(t, `smtp://127.0.0.1:${port}`)
  await Promise.all([
    t.rejects(mailer.check(), { message: 'SMTP: ETIMEDOUT' }),
    t.rejects(mailer.send(notice), { message: 'SMTP: ETIMEDOUT' }),
  ])
  const refusing = smtp(t, `smtp://127.0.0.1:${await freePort()}`)
  await t.rejects(refusing.check(), { message: /^SMTP: (ESOCKET|ECONNECTION)$/ })
})

test('a refusal for now is tried again after each delay in turn, and the mail arrives once', async t => {
  const receiver = await mailReceiver(t)
  const delays = [11, 13, 17]
  const waited: number[] = []
  const { setTimeout: real } = globalThis
  t.teardown(() => {
    globalThis.setTimeout = real
  })
  globalThis.setTimeout = ((work: () => void, ms: number, ...more: []) => {
    if (delays.includes(ms)) waited.push(ms)
    return real(work, ms, ...more)
  }) as typeof real
  const mailer = retrying(smtp(t, local(receiver)), delays)
  receiver.refuseNext(451, 452, 450)
  await mailer.send(notice)
  t.same(waited, delays)
  t.same([receiver.attempts.length, receiver.received.length], [4, 1])

  receiver.refuseNext(451, 451, 451, 451)
  await t.rejects(
    mailer.send(notice),
    { message: 'SMTP: EENVELOPE (451): … is not wanted' },
    'after the last one it is given up',
  )
  t.same([receiver.attempts.length, receiver.received.length], [8, 1])
  const total = retryDelaysMs.reduce((sum, ms) => sum + ms, 0)
  t.ok(total < linkMinutes * 60_000, 'no link is mailed that has expired')
})

test('a refusal for good is not tried again, and says nothing of whom it was about', async t => {
  const receiver = await mailReceiver(t)
  const mailer = retrying(smtp(t, local(receiver)), [3_600_000])
  receiver.refuseNext(550)
  const error = await mailer.send({ kind: 'sign-up', to: 'ada@example.com', link, validMinutes: 30 }).then(
    () => undefined,
    (error: Error) => error,
  )
  t.ok(error instanceof Undeliverable)
  t.equal(error?.message, 'SMTP: EENVELOPE (550): … is not wanted')
  t.notMatch(`${error?.stack} ${JSON.stringify(error)} ${error?.cause}`, /ada@|TOKEN/)
  t.equal(receiver.attempts.length, 1)
  await mailer.send(notice)
  t.equal(receiver.received.length, 1, 'the next mail is another matter')
})

test('what waits for another try is given up when the service closes', async t => {
  const receiver = await mailReceiver(t)
  const mailer = retrying(smtp(t, local(receiver)), [3_600_000])
  receiver.refuseNext(451, 451, 451)
  const waiting = [mailer.send(notice), mailer.send(notice)].map(sent =>
    sent.catch((error: Error) => error.message),
  )
  await eventually(() => receiver.attempts.length === 2 || undefined)
  mailer.close()
  t.same(await Promise.all(waiting), Array(2).fill('SMTP: EENVELOPE (451): … is not wanted'))
  await t.rejects(
    mailer.send(notice),
    { message: 'SMTP: EENVELOPE (451): … is not wanted' },
    'nothing begins to wait any more',
  )
})

test('no more mails wait than memory has room for', async t => {
  const under: (() => void)[] = []
  const stuck: Mailer = { send: () => new Promise(resolve => under.push(resolve)) }
  const mailer = retrying(stuck, [], 10)
  const sent = Array.from({ length: 10 }, () => mailer.send(notice))
  await t.rejects(mailer.send(notice), { message: 'too many mails are waiting' })
  t.equal(under.length, 10)
  under[0]?.()
  await sent[0]
  sent.push(mailer.send(notice))
  t.equal(under.length, 11, 'one has gone, one may come')
  for (const done of under) done()
  await Promise.all(sent)
})

/** A service that mails by SMTP. */
async function mailing(t: Test, receiver: MailReceiver, delays?: number[]): Promise<TestService> {
  const mailer = retrying(smtp(t, local(receiver)), delays)
  t.teardown(() => mailer.close())
  return testService(t, { mailer })
}

const tokenOf = (text: string | undefined) => /#token=([A-Za-z0-9_-]{43})$/m.exec(text ?? '')?.[1] ?? 'none'

test('an answer does not wait for the mail: it comes while the mail server holds everything', async t => {
  const receiver = await mailReceiver(t)
  const service = await mailing(t, receiver)
  const release = receiver.hold()
  const email = 'ada@example.com'
  const signUp = await service.browser().post('/v1/sign-up', { email })
  t.equal(signUp.statusCode, 202)
  await eventually(() => receiver.attempts.length === 1 || undefined)
  t.equal(receiver.received.length, 0, 'it is held')
  const { sql } = service.database
  await sql`insert into users (email, canonical_email) values ('bob@example.com', 'bob@example.com')`
  for (const [route, email] of [
    ['/v1/password/forgot', 'bob@example.com'],
    ['/v1/password/forgot', 'nobody@example.com'],
    ['/v1/sign-up', 'bob@example.com'],
  ]) {
    const answer = await service.browser().post(String(route), { email })
    t.same([answer.statusCode, answer.body], [202, signUp.body], `${route} ${email}`)
  }
  t.equal(receiver.received.length, 0)
  release()
  await eventually(() => receiver.received.length === 3 || undefined)
  const token = tokenOf(receiver.received.find(({ envelope }) => envelope.to[0] === email)?.text)
  const verified = await service.browser().post('/v1/sign-up/verify', { token, password: goodPassword })
  t.equal(verified.statusCode, 201, 'and the link works')
})

test('a link that waits for another try lies in Postgres as a hash only, and in no line of the log', async t => {
  const receiver = await mailReceiver(t)
  const service = await mailing(t, receiver, [50, 50, 50])
  const { sql } = service.database
  const email = 'zephyrine@example.com'
  receiver.refuseNext(451, 421)
  await service.browser().post('/v1/sign-up', { email })
  await eventually(() => receiver.attempts.length >= 1 || undefined)
  const stored = await everything(sql)
  await eventually(() => receiver.received.length === 1 || undefined)
  const token = tokenOf(receiver.received[0]?.text)
  const bytes = Buffer.from(token, 'base64url')
  t.equal(bytes.length, 32)
  t.ok(stored.includes(createHash('sha256').update(bytes).digest('hex')), 'the hash is there')
  for (const form of [token, bytes.toString('hex'), bytes.toString('base64'), '#token'])
    t.notOk((stored + (await everything(sql))).includes(form), 'the link is not')

  const verified = await service.browser().post('/v1/sign-up/verify', { token, password: goodPassword })
  t.equal(verified.statusCode, 201)
  receiver.refuseNext(550)
  await service.browser().post('/v1/password/forgot', { email })
  await eventually(() => service.logLines.some(line => line.includes('background work failed')) || undefined)
  receiver.refuseNext(451, 451, 451, 451)
  await service.browser().post('/v1/password/forgot', { email })
  await eventually(
    () => service.logLines.filter(line => line.includes('background work failed')).length === 2 || undefined,
  )
  const log = service.logLines.join('')
  t.match(log, 'SMTP: EENVELOPE (550): … is not wanted', 'the operator sees what went wrong')
  t.match(log, 'SMTP: EENVELOPE (451): … is not wanted')
  t.notMatch(log, /zephyrine|#token|Finish signing up/)
  t.notOk(log.includes(token))
})

/** Every row of every table as text. */
async function everything(sql: TestService['database']['sql']): Promise<string> {
  const tables = await sql<{ name: string }[]>`
    select table_name as name from information_schema.tables
    where table_schema = 'public' and table_type = 'BASE TABLE'`
  const rows = await Promise.all(
    tables.map(({ name }) => sql.unsafe(`select string_agg(r::text, '|') as text from "${name}" r`)),
  )
  return rows.map(([row]) => row?.text ?? '').join('\n')
}

test('a mail server that is away, or lets nobody in, is a warning at the start; people come in all the same', async t => {
  const cwd = await mkdtemp(join(tmpdir(), 'mintmark-smtp-'))
  t.teardown(() => rm(cwd, { recursive: true, force: true }))
  await mkdir(join(cwd, 'keys'))
  const kek = `${randomBytes(32).toString('base64')}\n`
  await writeFile(join(cwd, 'keys', 'main.kek'), kek, { mode: 0o600 })
  const [port, probes, nowhere] = [await freePort(), await freePort(), await freePort()]
  const { user, password, database } = (await testDatabase(t)).address
  const running = run(t, 'main.js', [], cwd, {
    DATABASE_URL: `postgres://${user}:${password}@127.0.0.1:${await forwarded(t)}/${database}`,
    ISSUER: `http://localhost:${port}`,
    MINTMARK_LISTEN: `127.0.0.1:${port}`,
    MINTMARK_HEALTH_LISTEN: `127.0.0.1:${probes}`,
    SMTP_URL: `smtp://mailer:hunter2@127.0.0.1:${nowhere}`,
  })
  await ready(running, `http://127.0.0.1:${probes}`)
  const warning = await eventually(() => running.stdout().match(/.*mail cannot be sent at the moment.*/)?.[0])
  t.match(JSON.parse(warning), { level: 40, mail: /^SMTP: E[A-Z]+$/ })
  const answer = await fetch(`http://localhost:${port}/v1/sign-up`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-mintmark': '1' },
    body: JSON.stringify({ email: 'ada@example.com' }),
  })
  t.equal(answer.status, 202)
  running.child.kill('SIGTERM')
  t.equal(await running.exited, 0, 'and a mail that waits does not keep it from ending')
  t.notMatch(running.stdout() + running.stderr(), /hunter2|mailer|ada@|#token/)
})
