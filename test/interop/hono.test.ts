/** Hono's own jwk middleware, configured as its documentation says: it takes our tokens when it is told their type. */
import { Hono } from 'hono'
import { jwk } from 'hono/jwk'
import type { JwtVariables } from 'hono/jwt'
import { test } from 'tap'
import { application, person } from '../harness/world.js'
import { freePort } from '../support/free-port.js'
import { testService } from '../support/service.js'

test('hono/jwk verifies a token from the keys alone, and wants to be told its type', async t => {
  const port = await freePort()
  const issuer = `http://localhost:${port}`
  const service = await testService(t, { env: { ISSUER: issuer, MINTMARK_LISTEN: `127.0.0.1:${port}` } })
  await application(service.database.sql, { clientId: 'app', audiences: ['api', 'other'] })
  const browser = service.browser(null)
  browser.cookie = (await person(service.database.sql)).cookie
  const tokenFor = async (audience: string): Promise<string> =>
    (await browser.post('/v1/token', { client_id: 'app', audience })).json().access_token

  const app = new Hono<{ Variables: JwtVariables }>()
  const [jwks_uri, alg] = [`${issuer}/.well-known/jwks.json`, ['ES256' as const]]
  app.use('/typed', jwk({ jwks_uri, alg, verification: { iss: issuer, aud: 'api', typ: 'at+jwt' } }))
  app.use('/untyped', jwk({ jwks_uri, alg, verification: { iss: issuer, aud: 'api' } }))
  for (const path of ['/typed', '/untyped'] as const)
    app.get(path, context => context.json(context.get('jwtPayload')))
  const ask = (path: string, token: string) =>
    app.request(path, { headers: { authorization: `Bearer ${token}` } })

  const token = await tokenFor('api')
  const answer = await ask('/typed', token)
  t.equal(answer.status, 200)
  t.match(await answer.json(), { iss: issuer, aud: 'api', client_id: 'app' })
  t.equal((await ask('/untyped', token)).status, 401, 'without the type it takes JWT alone')
  t.equal((await ask('/typed', await tokenFor('other'))).status, 401, 'another audience')
  t.equal((await ask('/typed', `${token.slice(0, -4)}AAAA`)).status, 401, 'another signature')
})
