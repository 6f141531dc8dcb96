/** Every tampered token meets an off-the-shelf verifier that follows our documentation and knows only our JWKS. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createLocalJWKSet, jwtVerify } from 'jose'
import { test } from 'tap'
import { mint } from '../../src/tokens/mint.js'
import { basis, principal, testRing } from '../support/ring.js'
import { tamperedTokens } from './tokens.js'

const issuer = 'https://id.example.com'
const audience = 'https://api.example.com'

test('a tampered token is refused by jose through our JWKS, and the untouched one accepted', async t => {
  let asked = 0
  const canary = createServer((_request, response) => {
    asked++
    response.end()
  })
  canary.on('connection', () => asked++)
  await new Promise<void>(resolve => canary.listen(0, '127.0.0.1', resolve))
  t.teardown(() => canary.close())

  const { ring, signer, now } = await testRing(t, issuer)
  const keys = createLocalJWKSet(JSON.parse(ring.published().body))
  const order = { issuer, basis, audience, clientId: 'app' as never, lifetimeSeconds: 300 }
  const { token } = mint({ ...order, principal: principal(now) }, signer, now)
  const verify = (tampered: string) =>
    jwtVerify(tampered, keys, {
      issuer,
      audience,
      algorithms: ['ES256'],
      typ: 'at+jwt',
      clockTolerance: 30,
      requiredClaims: [
        'iss',
        'sub',
        'aud',
        'exp',
        'iat',
        'jti',
        'client_id',
        'sid',
        'auth_time',
        'acr',
        'amr',
      ],
      currentDate: new Date(now * 1000),
    })

  t.equal((await verify(token)).payload.sub, principal(now).user, 'the untouched one')
  const { port } = canary.address() as AddressInfo
  const table = tamperedTokens({
    token,
    private: signer.private,
    issuer,
    audience,
    canary: `http://127.0.0.1:${port}`,
  })
  t.equal(new Set(table.map(({ attack }) => attack)).size, table.length, 'each attack has a name of its own')
  for (const { attack, token: tampered, joseTakesIt } of table) {
    const answer = await verify(tampered).then(
      () => 'accepted',
      () => 'refused',
    )
    t.not(tampered, token, `${attack}: it is another token`)
    t.equal(
      answer,
      joseTakesIt === undefined ? 'refused' : 'accepted',
      `${attack}${joseTakesIt ? ` (${joseTakesIt})` : ''}`,
    )
  }
  t.equal(asked, 0, 'nobody asked at an address that a token named')
  t.equal((await verify(token)).payload.sub, principal(now).user, 'the untouched one still')
})
