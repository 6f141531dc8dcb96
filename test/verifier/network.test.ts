/** The same over real connections, with the platform's own fetch: what is refused is also cut off. */
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Test, test } from 'tap'
import { createVerifier } from '../../packages/verifier/src/index.js'
import {
  audience,
  claimsAt,
  handClock,
  headerOf,
  signed,
  start,
  testKey,
  until,
} from '../support/token-issuer.js'

async function listening(t: Test, listener: RequestListener) {
  const server = createServer(listener)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    return new Promise(resolve => server.close(resolve))
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** An issuer of one key; `jwks` answers in its place from the second time on. */
async function stage(t: Test, jwks: RequestListener) {
  const key = testKey()
  const clock = handClock()
  let fetched = 0
  const issuer: string = await listening(t, (request, response) => {
    response.setHeader('date', new Date(clock.now()).toUTCString())
    if (request.url !== '/.well-known/jwks.json')
      return void response.end(JSON.stringify({ issuer, jwks_uri: `${issuer}/.well-known/jwks.json` }))
    if (++fetched > 1) return jwks(request, response)
    response.end(JSON.stringify({ keys: [key.jwk] }))
  })
  const verifier = createVerifier({ issuer, audience, clock, revocation: 'off' })
  t.teardown(() => verifier.close())
  await verifier.ready()
  const token = signed(key, { ...claimsAt(start), iss: issuer, exp: start + 900 }, headerOf(key))
  const refresh = () => clock.advance(270)
  const settled = () => until(() => !verifier.health().fetching)
  return { issuer, clock, verifier, token, refresh, settled, fetched: () => fetched }
}

test('a redirection is not followed', async t => {
  let visits = 0
  const elsewhere = await listening(t, (_request, response) => {
    visits++
    response.end('{"keys":[]}')
  })
  const { verifier, token, refresh, settled } = await stage(t, (_request, response) =>
    response.writeHead(302, { location: `${elsewhere}/jwks.json` }).end(),
  )
  refresh()
  await settled()
  t.match(verifier.health(), { fetches: 2, fault: 'status', usable: true })
  t.match(await verifier.verify(token), { ok: true })
  t.equal(visits, 0)
})

test('a body without an end is cut off', async t => {
  let sent = 0
  let closed = false
  const { verifier, token, refresh, settled } = await stage(t, (_request, response) => {
    response.on('close', () => {
      closed = true
    })
    const more = () => {
      while (!closed && response.write(' '.repeat(16_384))) sent += 16_384
    }
    response.on('drain', more)
    more()
  })
  refresh()
  await settled()
  t.match(verifier.health(), { fault: 'too_large', usable: true })
  t.match(await verifier.verify(token), { ok: true })
  await until(() => closed)
  t.ok(sent < 50_000_000, `${sent} bytes`)
})

test('a body that drips is given up after five seconds, whatever came by then', async t => {
  let closed = false
  const { clock, verifier, token, refresh, settled, fetched } = await stage(t, (_request, response) => {
    response.on('close', () => {
      closed = true
    })
    response.write('{"keys":')
  })
  refresh()
  await until(() => fetched() === 2)
  clock.advance(4)
  t.equal(verifier.health().fetching, true)
  t.match(await verifier.verify(token), { ok: true }, 'and nobody waits for it')
  clock.advance(1)
  await settled()
  t.match(verifier.health(), { fault: 'timeout', usable: true })
  await until(() => closed)
})

test('an issuer that is away is an outage', async t => {
  const { verifier, token, refresh, settled } = await stage(t, request => request.socket.destroy())
  refresh()
  await settled()
  t.match(verifier.health(), { fault: 'network', usable: true })
  t.match(await verifier.verify(token), { ok: true })
})
