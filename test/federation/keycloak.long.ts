/** Keycloak signs people in with its own form, and tells of every sign-out: not part of `npm test`, since it takes a minute. */
import { createRemoteJWKSet, jwtVerify } from 'jose'
import * as client from 'openid-client'
import { test } from 'tap'
import { FormBrowser } from '../support/form-browser.js'
import { skipWithoutKeycloak, startKeycloak } from '../support/keycloak.js'
import { keycloakPassword } from '../support/keycloak-realm.js'
import { backChannel } from './back-channel.js'
import { type Party, signInBy } from './relying-party.js'

const redirectUri = 'http://127.0.0.1:9/callback'

test('Keycloak signs people in, and tells the client when a session ends', {
  skip: skipWithoutKeycloak(),
  timeout: 600_000,
}, async t => {
  const { tokens, uri } = await backChannel(t)
  const began = performance.now()
  const keycloak = await startKeycloak({ redirectUri, backchannelLogoutUri: uri })
  t.teardown(() => keycloak.close())
  t.comment(`ready after ${Math.round(performance.now() - began)} ms`)
  const party: Party = { ...keycloak, redirectUri }
  const as = (username: string) => {
    const browser = new FormBrowser(redirectUri)
    return (url: URL) => browser.signIn(url, { username, password: keycloakPassword })
  }

  const { claims, userinfo, config } = await signInBy(party, as('ada@example.com'))
  const ada = { email: 'ada@example.com', email_verified: true, name: 'Ada Lovelace', groups: ['engineers'] }
  t.match(claims, { ...ada, sid: String })
  t.match(userinfo, ada)
  const bob = await signInBy(party, as('bob@example.com'))
  t.match(bob.claims, { email: 'bob@example.com', email_verified: false })

  await keycloak.endSessions('ada@example.com')
  t.equal(tokens.length, 1)
  const keys = createRemoteJWKSet(new URL(config.serverMetadata().jwks_uri ?? ''))
  const { payload, protectedHeader } = await jwtVerify(tokens[0] ?? '', keys, {
    issuer: keycloak.issuer,
    audience: keycloak.clientId,
  })
  t.equal(protectedHeader.typ, 'logout+jwt')
  t.match(payload, { sub: claims.sub, sid: claims.sid })

  await keycloak.alter('bob@example.com', { enabled: false })
  await t.rejects(signInBy(party, as('bob@example.com')), /disabled/)
  const plain = new URL(client.buildAuthorizationUrl(config, { redirect_uri: redirectUri, scope: 'openid' }))
  t.equal(
    (await as('ada@example.com')(plain)).searchParams.get('error'),
    'invalid_request',
    'PKCE is required',
  )
})
