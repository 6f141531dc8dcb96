/** Schemathesis makes requests of openapi.yaml, and holds the running service to what the document says of its answers. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'tap'
import { platformPermissions } from '../../src/core/authority.js'
import { person, serviceKey } from '../harness/world.js'
import { freePort } from '../support/free-port.js'
import { root } from '../support/project.mjs'
import { testService } from '../support/service.js'
import { pythonTools } from './generated.js'

// Before the service is there: a build holds this process up, and with it the service's own clockwork.
const tools = pythonTools('schemathesis')

/** All but those that take a body of the right form for accepted, or need a second caller's data. */
const checks = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_headers_conformance',
  'response_schema_conformance',
  'unsupported_method',
]

/** They would end the session that all others are asked by; the last also takes a form, of which it says what is wrong. */
const without = ['signOut', 'endSession', 'endSessions', 'completeFederation']

test('schemathesis finds no answer that the document does not have', async t => {
  if (tools === undefined) {
    if (process.env.CI) t.fail('schemathesis needs python3 with venv')
    else t.pass('schemathesis', { skip: 'no python3 with venv' })
    return
  }
  const port = await freePort()
  const issuer = `http://localhost:${port}`
  const env = { ISSUER: issuer, MINTMARK_LISTEN: `127.0.0.1:${port}` }
  const { sql } = (await testService(t, { env })).database
  const callers = {
    'by a service key': async () => {
      const { key } = await serviceKey(sql, { scopes: [...platformPermissions] })
      const checked = ['--checks', [...checks, 'negative_data_rejection'].join()]
      return [...checked, '--include-tag', 'admin', '--header', `Authorization: Bearer ${key}`]
    },
    'by a session': async () => [
      // It believes a cookie left out that it sends all the same, so it cannot judge what is rejected for the lack of it.
      ...['--checks', checks.join(), '--exclude-tag', 'admin', '--header', 'X-Mintmark: 1'],
      ...['--header', `Cookie: __Host-session=${(await person(sql)).cookie}`],
      ...without.flatMap(id => ['--exclude-operation-id', id]),
    ],
  }
  for (const [caller, options] of Object.entries(callers)) {
    // It leaves what it found where it runs.
    const { code, said } = await run(t.testdir(), join(tools, 'schemathesis'), [
      ...['run', join(root, 'openapi.yaml'), '--url', issuer],
      ...['--phases', 'examples,coverage,fuzzing', '--max-examples', '10', '--seed', '1', '--no-color'],
      ...['--generation-database', 'none', '--continue-on-failure', ...(await options())],
    ])
    t.equal(code, 0, `${caller}: ${said}`)
  }
})

/** Without blocking: the service is in this process. */
function run(
  cwd: string,
  command: string,
  args: readonly string[],
): Promise<{ code: number | null; said: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] })
    let said = ''
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', text => {
        said += text
      })
    child.on('error', reject)
    child.on('close', code => resolve({ code, said }))
  })
}
