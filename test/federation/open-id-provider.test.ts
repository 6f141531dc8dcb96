/** The certified provider does all that a relying party is measured with: its form, signing in again, and the sign-out. */
import { createRemoteJWKSet, jwtVerify } from 'jose'
import * as client from 'openid-client'
import { test } from 'tap'
import { callbackOf, FormBrowser } from '../support/form-browser.js'
import { acrs, password, startOpenIdProvider } from '../support/open-id-provider.js'
import { backChannel } from './back-channel.js'
import { type Party, signInBy } from './relying-party.js'

const redirectUri = 'http://127.0.0.1:9/callback'

test('the certified provider signs people in by its form, again when asked, and tells of the sign-out', async t => {
  const { tokens, uri } = await backChannel(t)
  const home = 'http://127.0.0.1:9/home'
  const provider = await startOpenIdProvider({
    redirectUri,
    backchannelLogoutUri: uri,
    postLogoutRedirectUri: home,
  })
  t.teardown(() => provider.close())
  const party: Party = { ...provider, redirectUri, scope: 'openid email profile groups' }
  const browser = new FormBrowser('http://127.0.0.1:9/')
  const filled = { login: 'ada@example.com', password }
  const first = await signInBy(party, url => browser.signIn(url, filled))
  const person = { sub: 'ada-1815', email: 'ada@example.com', email_verified: true, name: 'Ada Lovelace' }
  t.match(first.claims, { ...person, groups: ['engineers'], acr: acrs.one, amr: ['pwd'], auth_time: Number })
  t.match(first.userinfo, person)

  const silent = async (url: URL) => callbackOf(await browser.open(url))
  t.equal((await signInBy(party, silent)).claims.sid, first.claims.sid, 'the provider knows the browser')
  await t.rejects(signInBy(party, silent, { prompt: 'login' }), /Sign in to the provider/)
  await t.rejects(signInBy(party, silent, { max_age: '0' }), /Sign in to the provider/)
  const strong = (url: URL) => browser.signIn(url, { ...filled, second_factor: 'yes' })
  const again = await signInBy(party, strong, { prompt: 'login', max_age: '0' })
  t.match(again.claims, { acr: acrs.two, amr: ['pwd', 'otp', 'mfa'] })
  const noPkce = new URL(
    client.buildAuthorizationUrl(again.config, { redirect_uri: redirectUri, scope: 'openid' }),
  )
  const refused = await silent(noPkce)
  t.equal(refused.searchParams.get('error'), 'invalid_request', 'PKCE is required')

  const asked = { id_token_hint: again.idToken, post_logout_redirect_uri: home, state: 'x' }
  const question = await browser.open(client.buildEndSessionUrl(again.config, asked))
  if (!('page' in question)) throw new Error('it does not ask')
  t.equal(callbackOf(await browser.submit(question.page, { logout: 'yes' })).href, `${home}?state=x`)
  t.same(provider.logouts, [{ sub: 'ada-1815', sid: again.claims.sid }])
  const keys = createRemoteJWKSet(new URL(again.config.serverMetadata().jwks_uri ?? ''))
  const { payload } = await jwtVerify(tokens[0] ?? '', keys, {
    issuer: provider.issuer,
    audience: provider.clientId,
  })
  t.match(payload, {
    sid: again.claims.sid,
    events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
  })
  await provider.endSession('bob-2', 'another')
  t.equal(tokens.length, 2)
})
