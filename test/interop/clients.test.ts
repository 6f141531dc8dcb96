/** Clients that off-the-shelf generators make of openapi.yaml: they compile, their types have our names, and they work. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import tap, { test } from 'tap'
import { createVerifier } from '../../packages/verifier/src/index.js'
import { person, serviceKey } from '../harness/world.js'
import { freePort } from '../support/free-port.js'
import { goodPassword, testService } from '../support/service.js'
import { goClient, pythonClient } from './generated.js'

// Before the service is there: a build holds this process up, and with it the service's own clockwork.
const clients = { 'openapi-python-client': pythonClient(), 'openapi-generator for Go': goClient() }

const port = await freePort()
const issuer = `http://localhost:${port}`
const env = { ISSUER: issuer, MINTMARK_LISTEN: `127.0.0.1:${port}` }
const { sql } = (await testService(tap, { env })).database
const verifier = createVerifier({ issuer, audience: 'mintmark' })

for (const [name, client] of Object.entries(clients)) {
  test(`a client made by ${name} signs in, asks, mints, signs out, and administers by key`, async t => {
    if ('missing' in client) {
      if (process.env.CI) t.fail(`${name} needs ${client.missing}`)
      else t.pass(name, { skip: `no ${client.missing}` })
      return
    }
    const { id, email } = await person(sql)
    const { key } = await serviceKey(sql, { scopes: ['users:read', 'tenants:write'] })
    const [command = '', ...first] = client.command
    const { stdout } = await promisify(execFile)(
      command,
      [...first, issuer, email, goodPassword, key],
      client.options,
    )
    const said = JSON.parse(stdout)
    t.match(await verifier.verify(said.token.jwt), { principal: { sub: id } }, 'the token is one of ours')
    const problem = (code: string, status: number, ...faults: string[][]) => ({
      ...{ type: 'Problem', code, status, faults },
    })
    t.same(said, {
      refused: problem('invalid_credentials', 401),
      signedIn: { type: 'SignedIn', user: id },
      who: { type: 'WhoAmI', email, profile: 'UserProfile' },
      token: { type: 'AccessToken', sub: id, jwt: said.token.jwt },
      left: 204,
      gone: problem('unauthenticated', 401),
      users: { type: 'UserPage', items: [['User', id, email]], createdAt: said.users.createdAt },
      malformed: problem('invalid_request', 400, ['RequestFault', '/limit', 'Has an invalid format.']),
      tenant: { type: 'Tenant', name: 'Acme', role: 'Role' },
    })
    t.type(said.users.createdAt, 'number')
  })
}
