/** A log that nobody reads any more: the service keeps answering, and ends when it is told to. LG-09 of the attack list. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { answersIn, exchange } from '../red/socket.js'
import { testDatabase } from '../support/database.js'
import { freePort } from '../support/free-port.js'
import { ready, run } from '../support/process.js'
import { eventually } from '../support/service.js'
import { forwarded } from '../support/tcp.js'

async function started(t: Test) {
  const cwd = await mkdtemp(join(tmpdir(), 'mintmark-log-'))
  t.teardown(() => rm(cwd, { recursive: true, force: true }))
  await mkdir(join(cwd, 'keys'))
  await writeFile(join(cwd, 'keys', 'main.kek'), randomBytes(32).toString('base64'), { mode: 0o600 })
  const { address } = await testDatabase(t)
  const [port, probePort] = [await freePort(), await freePort()]
  const running = run(t, 'main.js', [], cwd, {
    DATABASE_URL: `postgres://${address.user}:${address.password}@127.0.0.1:${await forwarded(t)}/${address.database}`,
    ISSUER: 'http://localhost:4000',
    MINTMARK_OUTBOX_FOLDER: 'mail',
    MINTMARK_LISTEN: `127.0.0.1:${port}`,
    MINTMARK_HEALTH_LISTEN: `127.0.0.1:${probePort}`,
  })
  const probes = `http://127.0.0.1:${probePort}`
  await ready(running, probes)
  const request = 'GET /.well-known/jwks.json HTTP/1.1\r\nHost: x\r\n'
  return {
    running,
    /** How many of so many requests were answered. */
    async ask(count: number) {
      let answered = 0
      for (let left = count; left > 0; left -= 500) {
        const now = Math.min(left, 500)
        const bytes = `${`${request}\r\n`.repeat(now - 1)}${request}Connection: close\r\n\r\n`
        const answers = answersIn(await exchange(`http://127.0.0.1:${port}`, bytes))
        answered += answers.filter(({ status }) => status === 200).length
      }
      return answered
    },
    async dropped() {
      const text = await (await fetch(`${probes}/metrics`)).text()
      return Number(/^mintmark_log_lines_dropped_total (\d+)$/m.exec(text)?.[1])
    },
    lines: () =>
      running
        .stdout()
        .split('\n')
        .slice(0, -1)
        .map(line => JSON.parse(line)),
  }
}

const requests = (lines: { msg: string }[]) => lines.filter(({ msg }) => msg === 'request').length

test('LG-09: while nobody reads the log, every request is answered, and the log goes on afterwards', async t => {
  const { running, ask, lines, dropped } = await started(t)
  t.equal(await ask(500), 500, 'while it is read')
  running.child.stdout?.pause()
  // A line is about 200 bytes, and what lies between takes some 200 KiB: it is full after a thousand.
  t.equal(await ask(4000), 4000, 'and while it is not')
  t.equal(await dropped(), 0)
  running.child.stdout?.resume()
  t.equal(await ask(1), 1)
  const all = await eventually(() => (requests(lines()) === 4501 ? lines() : undefined), 20)
  t.notOk(all.some(line => line.dropped !== undefined))
  running.child.kill('SIGTERM')
  t.equal(await running.exited, 0, 'it ends in order')
  t.equal(lines().at(-1).msg, 'closed', 'and nothing that waited is lost')
})

test('LG-09: what is too much is dropped and counted, and the log says so when it flows again', async t => {
  const { running, ask, lines, dropped } = await started(t)
  running.child.stdout?.pause()
  const count = 15_000
  t.equal(await ask(count), count)
  const lost = await dropped()
  t.ok(lost > 1000 && lost < count - 8000, `${lost} of ${count}`)
  running.child.stdout?.resume()
  const told = await eventually(() => lines().find(line => line.dropped !== undefined), 20)
  t.match(told, { level: 40, dropped: lost })
  t.equal(requests(lines()) + lost, count, 'a line is written whole, or counted')
  t.equal(await ask(1), 1)
  await eventually(() => requests(lines()) + lost === count + 1 || undefined)
  t.equal(await dropped(), lost)
  running.child.kill('SIGTERM')
  t.equal(await running.exited, 0)
})

test('LG-09: SIGTERM ends it, too, while nobody reads the log', async t => {
  const { running, ask } = await started(t)
  running.child.stdout?.pause()
  t.equal(await ask(4000), 4000)
  running.child.kill('SIGTERM')
  const [code, signal] = await once(running.child, 'exit', { signal: AbortSignal.timeout(15_000) })
  t.same([code, signal], [null, 'SIGTERM'])
  running.child.stdout?.resume()
})
