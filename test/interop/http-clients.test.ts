/** HTTP clients of other languages in their default settings, as a newcomer takes them: every request is answered. */
import { execFile, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { test } from 'tap'
import { freePort } from '../support/free-port.js'
import { root } from '../support/project.mjs'
import { testService } from '../support/service.js'

const hasJava = spawnSync('java', ['-version']).status === 0
if (!hasJava && process.env.CI) throw new Error('CI needs a JDK')

test("Java's HttpClient, which offers h2c with every request, is answered in HTTP/1.1", {
  skip: !hasJava && 'java is not installed',
}, async t => {
  const port = await freePort()
  const issuer = `http://localhost:${port}`
  await testService(t, { env: { ISSUER: issuer, MINTMARK_LISTEN: `127.0.0.1:${port}` } })
  const program = join(root, 'test/interop/java/HttpClients.java')
  const { stdout } = await promisify(execFile)('java', ['-XX:TieredStopAtLevel=1', program, issuer], {
    timeout: 120_000,
  })
  t.same(stdout.trim().split('\n'), [
    '200 HTTP_1_1 true',
    '202 HTTP_1_1 {"accepted":true}',
    '202 HTTP_1_1 {"accepted":true}',
  ])
})
