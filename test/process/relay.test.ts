/** `mintmark relay` as a process: it serves what the issuer signs, and ends with 0 when it is asked to. */
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'tap'
import { followedService } from '../support/followed.js'
import { freePort } from '../support/free-port.js'
import { run } from '../support/process.js'
import { eventually } from '../support/service.js'

test('a relay needs an issuer and a service key, and nothing else', async t => {
  const { service, key } = await followedService(t)
  const cwd = await mkdtemp(join(tmpdir(), 'mintmark-relay-'))
  await chmod(cwd, 0o755)
  t.teardown(() => rm(cwd, { recursive: true, force: true }))
  await writeFile(join(cwd, 'key'), `${key}\n`, { mode: 0o644 })
  const listen = `127.0.0.1:${await freePort()}`
  const options = ['--upstream', service.addresses.main, '--listen', listen, '--service-key-file', 'key']
  const relay = run(t, 'cli.js', ['relay', ...options], cwd, {})
  const answer = await eventually(async () => {
    const response = await fetch(`http://${listen}/v1/feed`).catch(() => undefined)
    return response?.status === 200 ? response : undefined
  }, 30)
  t.match(await answer.text(), /^[\w-]+\.[\w-]+\.[\w-]+\n$/)
  relay.child.kill('SIGTERM')
  t.equal(await relay.exited, 0)
  t.match(relay.stdout(), `The relay listens on ${listen}.`)
})
