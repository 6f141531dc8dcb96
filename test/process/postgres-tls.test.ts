/** What `sslmode` asks for is done: the connection is encrypted, and the server is the one that the address names. */
import { type Test, test } from 'tap'
import { surroundings } from '../support/command.js'
import { type TestDatabase, testDatabase } from '../support/database.js'
import { run } from '../support/process.js'
import { forwarded } from '../support/tcp.js'
import { certificateFor, tlsFront } from '../support/tls-front.js'

async function migrations(t: Test, database: TestDatabase) {
  const { cwd, env } = await surroundings(t, database)
  const { user, password, database: name } = database.address
  return async (hostAndPort: string, query: string, more: Record<string, string> = {}) => {
    const DATABASE_URL = `postgres://${user}:${encodeURIComponent(password || 'p')}@${hostAndPort}/${name}${query}`
    const command = run(t, 'cli.js', ['migrate'], cwd, { ...env, DATABASE_URL, ...more })
    const code = await command.exited
    return { code, said: command.stdout() + command.stderr() }
  }
}

const done = { code: 0, said: /up to date/ }

test('a server whose certificate is of an authority that is known, and for its name, is trusted, and no other', async t => {
  const migrate = await migrations(t, await testDatabase(t))
  const certificate = certificateFor(t, 'DNS:localhost')
  const port = await tlsFront(t, certificate)
  const known = { NODE_EXTRA_CA_CERTS: certificate.authority }
  t.match(await migrate(`localhost:${port}`, '?sslmode=verify-full', known), done)
  t.match(await migrate(`localhost:${port}`, '?sslmode=require'), done, 'encrypted, whoever it is')
  const check = /check DATABASE_URL: its host must match .*NODE_EXTRA_CA_CERTS must contain the authority/
  t.match(await migrate(`localhost:${port}`, '?sslmode=verify-full'), { code: 1, said: check })
  // The certificate is for the name alone.
  t.match(await migrate(`127.0.0.1:${port}`, '?sslmode=verify-full', known), { code: 1, said: check })
  const off = { ...known, NODE_TLS_REJECT_UNAUTHORIZED: '0' }
  const refused = { code: 1, said: /NODE_TLS_REJECT_UNAUTHORIZED=0 accepts every certificate: remove it/ }
  t.match(await migrate(`localhost:${port}`, '?sslmode=verify-full', off), refused)
})

test('an address is checked against the addresses of the certificate, not against a name', async t => {
  const migrate = await migrations(t, await testDatabase(t))
  const certificate = certificateFor(t, 'IP:127.0.0.1')
  const port = await tlsFront(t, certificate)
  const known = { NODE_EXTRA_CA_CERTS: certificate.authority }
  t.match(await migrate(`127.0.0.1:${port}`, '?sslmode=verify-full', known), done)
  t.match(await migrate(`localhost:${port}`, '?sslmode=verify-full', known), { code: 1 })
})

test('a server without TLS is not spoken to where it was asked for', async t => {
  const migrate = await migrations(t, await testDatabase(t))
  const port = await forwarded(t)
  for (const mode of ['require', 'verify-full']) {
    const refused = {
      code: 1,
      said: /that the server supports TLS \(or use sslmode=disable on a private network\)/,
    }
    t.match(await migrate(`127.0.0.1:${port}`, `?sslmode=${mode}`), refused, mode)
  }
  t.match(await migrate(`127.0.0.1:${port}`, '?sslmode=disable'), done)
  t.match(await migrate(`127.0.0.1:${port}`, ''), done, 'on loopback nothing leaves the machine')
})
