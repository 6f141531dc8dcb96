/** The main job, as a person and a second program live it. */
import { createRemoteJWKSet, jwtVerify } from 'jose'
import { test } from 'tap'
import { goodPassword, issuer, testService, tokenIn } from '../support/service.js'

test('sign up, link, session, token, verified by a program that knows only the issuer', async t => {
  const service = await testService(t, { env: { ISSUER: issuer } })
  const browser = service.browser()

  t.same((await browser.post('/v1/sign-up', { email: 'Ada@Example.com' })).json(), { accepted: true })
  const mail = await service.mailTo('Ada@Example.com')
  const verified = await browser.post('/v1/sign-up/verify', {
    token: tokenIn(mail),
    password: goodPassword,
    name: 'Ada',
  })
  t.equal(verified.statusCode, 201)

  const me = (await browser.get('/v1/session')).json()
  t.match(me, {
    user: { email: 'Ada@Example.com', name: 'Ada' },
    session: { amr: ['pwd'], acr: 'aal1' },
    tenant: null,
  })

  const minted = await browser.post('/v1/token', { audience: 'mintmark' })
  t.equal(minted.statusCode, 200)
  const { jwks_uri } = (await browser.get('/.well-known/openid-configuration')).json()
  const keys = createRemoteJWKSet(new URL(jwks_uri.replace(issuer, service.addresses.main)))
  const { payload, protectedHeader } = await jwtVerify(minted.json().access_token, keys, {
    issuer,
    audience: 'mintmark',
    typ: 'at+jwt',
    algorithms: ['ES256'],
  })
  t.match(payload, { sub: me.user.id, sid: me.session.id, client_id: 'mintmark', acr: 'aal1', amr: ['pwd'] })
  t.same(Object.keys(protectedHeader).sort(), ['alg', 'kid', 'typ'])
})
