/** `npm run example` finds the service where MINTMARK_LISTEN puts it. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'tap'
import { freePort } from '../support/free-port.js'
import { root } from '../support/project.mjs'
import { eventually } from '../support/service.js'

test('the example starts beside a service on another port', async t => {
  const folder = await mkdtemp(join(tmpdir(), 'mintmark-example-'))
  await chmod(folder, 0o755)
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const port = await freePort()
  const env = {
    PATH: process.env.PATH,
    MINTMARK_LISTEN: `127.0.0.1:${port}`,
    MINTMARK_HEALTH_LISTEN: '127.0.0.1:0',
    MINTMARK_DATA_FOLDER: join(folder, 'data'),
    MINTMARK_KEYS_FOLDER: join(folder, 'keys'),
    MINTMARK_OUTBOX_FOLDER: join(folder, 'outbox'),
  }
  const example = spawn(process.execPath, ['examples/spa/run.mjs'], { cwd: root, env })
  let said = ''
  for (const output of [example.stdout, example.stderr]) output.on('data', text => (said += text))
  const ended = once(example, 'exit')
  t.teardown(async () => {
    example.kill('SIGTERM')
    await ended
  })
  await eventually(() => /The example: open/.test(said) || example.exitCode !== null || undefined, 90)
  t.match(said, `Mintmark listens on http://localhost:${port}`)
  t.match(said, 'The example: open http://localhost:5173')
})
