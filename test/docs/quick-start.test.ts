/** The README's quick start, executed: each command, in its order, against the service as a newcomer starts it. */
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { freePort } from '../support/free-port.js'
import { ready, run } from '../support/process.js'
import { quickStart, runQuickStart } from '../support/quick-start.mjs'

async function start(t: Test) {
  const folder = await mkdtemp(join(tmpdir(), 'mintmark-quick-start-'))
  // Otherwise, as root, the data would be kept elsewhere, and stay there.
  await chmod(folder, 0o755)
  const [port, probePort] = [await freePort(), await freePort()]
  const running = run(t, 'main.js', [], folder, {
    MINTMARK_LISTEN: `127.0.0.1:${port}`,
    MINTMARK_HEALTH_LISTEN: `127.0.0.1:${probePort}`,
  })
  t.teardown(async () => {
    running.child.kill('SIGTERM')
    await running.exited
    await rm(folder, { recursive: true, force: true })
  })
  await ready(running, `http://127.0.0.1:${probePort}`)
  return { issuer: `http://localhost:${port}`, output: running.stdout }
}

test('the quick start of the README does what it says', async t => {
  const { issuer, output } = await start(t)
  const results = await runQuickStart(issuer, output)
  t.equal(results.length, quickStart().length - 1, 'every block but the one that starts the service was run')
  for (const { rule, printed, passed, skipped } of results) {
    if (skipped && !process.env.CI) t.pass(rule, { skip: skipped })
    else t.ok(passed, rule, { printed: printed ?? skipped })
  }
})
