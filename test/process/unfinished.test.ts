/** No command ends with 0 before it is done: not where a provider or a mail server says nothing, nor where nobody reads. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { type Test, test } from 'tap'
import { clientSecret } from '../federation/world.js'
import { commandLine, commandLineWithInput, surroundings } from '../support/command.js'
import { testDatabase } from '../support/database.js'
import { freePort } from '../support/free-port.js'
import { mailReceiver } from '../support/mail-receiver.js'
import { rootUrl } from '../support/project.mjs'

/** A server on loopback that does that with each connection. */
async function server(t: Test, meet: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>()
  const listening = createServer({ allowHalfOpen: true }, socket => {
    sockets.add(socket)
    socket.on('error', () => {})
    meet(socket)
  })
  listening.listen(0, '127.0.0.1')
  await once(listening, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    listening.close()
  })
  return (listening.address() as { port: number }).port
}

const head = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n'

/** So many bytes a second that nothing is ever over. */
function drip(socket: Socket, text: string): void {
  let sent = 0
  const timer = setInterval(() => socket.write(text[sent++ % text.length] ?? ''), 200)
  socket.on('close', () => clearInterval(timer))
}

const providers: Record<string, (socket: Socket) => void> = {
  'closes at once': socket => socket.end(),
  'closes once it was asked': socket => socket.once('data', () => socket.end()),
  'resets at once': socket => socket.resetAndDestroy(),
  'resets once it was asked': socket => socket.once('data', () => socket.resetAndDestroy()),
  hangs: () => {},
  'closes after its head': socket =>
    socket.once('data', () => socket.end(`${head}content-length: 90\r\n\r\n`)),
  'closes in its body': socket =>
    socket.once('data', () => socket.end(`${head}content-length: 90\r\n\r\n{"issuer":`)),
  'hangs in its head': socket => socket.once('data', () => socket.write(head)),
  'hangs in its body': socket =>
    socket.once('data', () => socket.write(`${head}content-length: 90\r\n\r\n{`)),
  'drips its head': socket => drip(socket, 'HTTP/1.1 200 OK\r\nx-more: '.padEnd(5000, 'x')),
  'drips its body': socket =>
    socket.once('data', () => {
      socket.write(`${head}transfer-encoding: chunked\r\n\r\n`)
      drip(socket, '1\r\nx\r\n')
    }),
  'speaks another protocol': socket => socket.end('220 mail.example.com ESMTP\r\n'),
  'sends nothing as its document': socket =>
    socket.once('data', () => socket.end(`${head}content-length: 0\r\n\r\n`)),
}

test('a provider that closes, hangs or drips is refused in words, and nothing is stored', async t => {
  const database = await testDatabase(t)
  const say = await commandLineWithInput(t, database)
  const asked = Object.entries(providers).map(async ([what, meet], index) => {
    const issuer = `http://127.0.0.1:${await server(t, meet)}`
    const declared = ['--issuer', issuer, '--client-id', 'x', '--client-secret-stdin']
    const { code, out, err } = await say(`${clientSecret}\n`, 'providers', 'add', `p${index}`, ...declared)
    t.same({ code, out }, { code: 1, out: '' }, what)
    t.match(
      err,
      new RegExp(`^the provider p${index} cannot be used \\(.+\\): check .+\n$`),
      `${what}: ${err}`,
    )
  })
  await Promise.all(asked)
  t.same(await database.sql`select from providers`, [])
})

test('where nothing is left to wait for, a command that is not done says so and ends with 1', async t => {
  const program = new URL('dist/commands/program.js', rootUrl)
  const script = `
    import { Command } from 'commander'
    import { runProgram } from ${JSON.stringify(program.href)}
    const program = new Command()
    program.command('wait').action(() => new Promise(() => {}))
    void runProgram(program)`
  const cwd = fileURLToPath(rootUrl)
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, 'wait'], { cwd })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', text => {
    said += text
  })
  const [code] = await once(child, 'close')
  t.equal(code, 1)
  t.match(said, /ended before the command was finished.*run it again/)
})

test('what nobody reads is done all the same, and a list ends where its reader does', async t => {
  const database = await testDatabase(t)
  const { cwd, env } = await surroundings(t, database)
  const cli = fileURLToPath(new URL('dist/cli.js', rootUrl))
  const unread = async (...args: string[]) => {
    const child = spawn(process.execPath, [cli, ...args], { cwd, env: { PATH: process.env.PATH, ...env } })
    child.stdout.destroy()
    const [code] = await once(child, 'close')
    return code
  }
  t.equal(await unread('tenants', 'create', 'Acme'), 0)
  const rows = await database.sql`select name from tenants`
  t.same(
    rows.map(({ name }) => name),
    ['Acme'],
  )
  t.equal(await unread('tenants', 'list'), 0)
})

test('a person whose link cannot be mailed is not made, and the operator is told at once', async t => {
  const database = await testDatabase(t)
  const create = ['users', 'create', 'ada@example.com']
  const people = () => database.sql`select from users`
  const away = await commandLine(t, database, undefined, {
    SMTP_URL: `smtp://127.0.0.1:${await freePort()}`,
    MINTMARK_OUTBOX_FOLDER: '',
  })
  const refused = await away(...create)
  t.match(refused, {
    code: 1,
    out: '',
    err: /mail cannot be sent at the moment.*nothing was changed: check SMTP_URL/,
  })
  t.equal((await people()).length, 0)
})

test('a link that was lost on its way can be mailed again', async t => {
  const database = await testDatabase(t)
  const mail = await mailReceiver(t)
  const say = await commandLine(t, database, undefined, {
    SMTP_URL: `smtp://127.0.0.1:${mail.port}`,
    MINTMARK_OUTBOX_FOLDER: '',
  })
  mail.refuseNext(451)
  const lost = await say('users', 'create', 'ada@example.com')
  t.match(lost, {
    code: 1,
    out: /^Created /,
    err: /the account was created, but its link was not sent.*users send-link ada@example.com/,
  })
  t.match(await say('users', 'create', 'ada@example.com'), {
    code: 1,
    err: /users send-link ada@example.com/,
  })
  t.match(await say('users', 'send-link', 'ada@example.com'), {
    code: 0,
    out: 'Sent a link to ada@example.com.\n',
  })
  t.match(mail.received.at(-1)?.text, /password\/reset#token=/)
  await database.sql`insert into passwords (user_id, phc) select id, 'x' from users`
  t.match(await say('users', 'send-link', 'ada@example.com'), {
    code: 1,
    err: /has a password.*password\/forgot/,
  })
  t.match(await say('users', 'send-link', 'bob@example.com'), { code: 1, err: /there is no user/ })
})
