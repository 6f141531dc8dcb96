/** A log that nobody reads any more: the service keeps answering. LG-09 of the attack list. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'tap'
import { testDatabase } from '../support/database.js'
import { freePort, ready, run } from '../support/process.js'
import { eventually } from '../support/service.js'
import { forwarded } from '../support/tcp.js'

test('LG-09: while nobody reads the log, every request is answered, and the log goes on afterwards', async t => {
  const cwd = await mkdtemp(join(tmpdir(), 'mintmark-log-'))
  t.teardown(() => rm(cwd, { recursive: true, force: true }))
  await mkdir(join(cwd, 'keys'))
  await writeFile(join(cwd, 'keys', 'main.kek'), Buffer.alloc(32, 7).toString('base64'), { mode: 0o600 })
  const { address } = await testDatabase(t)
  const [port, probePort] = [await freePort(), await freePort()]
  const running = run(t, 'main.js', [], cwd, {
    DATABASE_URL: `postgres://${address.user}:${address.password}@127.0.0.1:${await forwarded(t)}/${address.database}`,
    ISSUER: 'http://localhost:4000',
    MINTMARK_OUTBOX_FOLDER: 'mail',
    MINTMARK_LISTEN: `127.0.0.1:${port}`,
    MINTMARK_HEALTH_LISTEN: `127.0.0.1:${probePort}`,
  })
  await ready(running, `http://127.0.0.1:${probePort}`)
  const ask = async () => {
    const answer = await fetch(`http://127.0.0.1:${port}/.well-known/jwks.json`, {
      signal: AbortSignal.timeout(5000),
    })
    await answer.arrayBuffer()
    return answer.status
  }
  const askAll = async (count: number) => {
    let answered = 0
    for (let i = 0; i < count; i += 50) {
      const statuses = await Promise.all(Array.from({ length: 50 }, () => ask().catch(() => 0)))
      answered += statuses.filter(status => status === 200).length
      if (statuses.every(status => status === 0)) break
    }
    return answered
  }
  t.equal(await askAll(500), 500, 'while it is read')
  running.child.stdout?.pause()
  // A line is about 200 bytes, and a pipe takes 64 KiB: it is full after a few hundred.
  t.equal(await askAll(4000), 4000, 'and while it is not')
  running.child.stdout?.resume()
  t.equal(await ask(), 200)
  const lines = () =>
    running
      .stdout()
      .split('\n')
      .filter(line => line.includes('"msg":"request"')).length
  t.equal(await eventually(() => (lines() === 4501 ? lines() : undefined), 20), 4501, 'no line is lost')
  running.child.kill('SIGTERM')
  t.equal(await running.exited, 0, 'and it ends in order')
})
