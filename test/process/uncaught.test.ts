/** A mistake of the program is told in the log, what can be closed in order is, and whoever watches sees that it failed. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'tap'
import { surroundings } from '../support/command.js'
import { testDatabase } from '../support/database.js'
import { run } from '../support/process.js'
import { eventually } from '../support/service.js'

test('an exception that nobody catches is logged, ends the service in order, and the code is not 0', async t => {
  const { cwd, env } = await surroundings(t, await testDatabase(t))
  const planted = join(cwd, 'planted.mjs')
  await writeFile(planted, "process.on('SIGUSR2', () => { throw new Error('planted') })")
  const service = run(t, 'main.js', [], cwd, {
    ...env,
    MINTMARK_LISTEN: '127.0.0.1:0',
    MINTMARK_HEALTH_LISTEN: '127.0.0.1:0',
    NODE_OPTIONS: `--import ${planted}`,
  })
  await eventually(() => /"listening"/.test(service.stdout()), 120)
  service.child.kill('SIGUSR2')
  t.equal(await service.exited, 1)
  const lines = service
    .stdout()
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line))
  const told = lines.find(({ level }) => level === 60)
  t.match(told, {
    msg: 'an unexpected error ended the process',
    err: { message: 'planted', stack: /planted\.mjs/ },
  })
  t.match(lines.at(-1), { msg: 'closed' })
})
