/** The hostile provider is honest unless it is told otherwise, as somebody else's client finds; and its lies are lies. */
import { createRemoteJWKSet, jwtVerify } from 'jose'
import * as client from 'openid-client'
import { test } from 'tap'
import { providerKey, unsigned, withAnotherKey, withSecret } from '../support/hostile-keys.js'
import { duplicateKid, hang, members, nestedText, reset } from '../support/hostile-lies.js'
import { credentials, hostile, type Read, read, redirectUri } from './hostile.js'
import { signInBy } from './relying-party.js'

for (const alg of ['ES256', 'RS256'] as const) {
  test(`the hostile provider is honest by default: ${alg}`, async t => {
    const { provider, party, browse } = await hostile(t, { alg })
    const { claims, userinfo } = await signInBy(party, browse)
    t.equal(claims.sub, provider.person.sub)
    t.equal(claims.sid, provider.sid)
    t.match(claims, { email: 'ada@example.com', email_verified: true, nonce: String })
    t.equal(userinfo.name, 'Ada Lovelace')
    t.same(
      provider.requests.map(({ endpoint }) => endpoint),
      ['discovery', 'authorize', 'token', 'jwks', 'userinfo'],
    )
  })
}

test('the hostile provider takes a code once, with its secret, its redirect URI and its verifier', async t => {
  const { provider } = await hostile(t)
  const verifier = client.randomPKCECodeVerifier()
  const challenge = await client.calculatePKCECodeChallenge(verifier)
  const honest = {
    grant_type: 'authorization_code',
    redirect_uri: redirectUri,
    client_id: credentials.clientId,
    client_secret: credentials.clientSecret,
    code_verifier: verifier,
  }
  const code = async () => {
    const asked = { response_type: 'code', client_id: credentials.clientId, redirect_uri: redirectUri }
    const query = new URLSearchParams({ ...asked, code_challenge: challenge, code_challenge_method: 'S256' })
    const answer = await fetch(`${provider.at('authorize')}?${query}`, { redirect: 'manual' })
    return new URL(answer.headers.get('location') ?? '').searchParams.get('code') ?? ''
  }
  const redeem = async (parameters: Record<string, string>) => {
    const answer = await fetch(provider.at('token'), {
      method: 'POST',
      body: new URLSearchParams(parameters),
    })
    return answer.status
  }
  const once = await code()
  t.equal(await redeem({ ...honest, code: once }), 200)
  t.equal(await redeem({ ...honest, code: once }), 400)
  t.equal(
    await redeem({ ...honest, code: await code(), code_verifier: client.randomPKCECodeVerifier() }),
    400,
  )
  t.equal(await redeem({ ...honest, code: await code(), redirect_uri: `${redirectUri}/` }), 400)
  t.equal(await redeem({ ...honest, code: await code(), client_secret: 'guessed' }), 401)
})

test('what the hostile provider lies about, a client of somebody else finds', async t => {
  const { provider, party, browse } = await hostile(t)
  const other = await providerKey()
  const lies: [name: string, lie: typeof provider.lies, code: string][] = [
    ['alg none', { sign: unsigned() }, 'OAUTH_INVALID_RESPONSE'],
    ['the secret as a key', { sign: withSecret }, 'OAUTH_INVALID_RESPONSE'],
    ['another key', { sign: withAnotherKey }, 'OAUTH_INVALID_RESPONSE'],
    ['two keys of one name', { jwks: duplicateKid(other.jwk) }, 'OAUTH_KEY_SELECTION_FAILED'],
    [
      'another audience',
      { claims: claims => ({ ...claims, aud: 'x' }) },
      'OAUTH_JWT_CLAIM_COMPARISON_FAILED',
    ],
    ['iss left out', { redirect: back => ({ ...back, iss: undefined }) }, 'OAUTH_INVALID_RESPONSE'],
    ['state of another', { redirect: back => ({ ...back, state: 'x' }) }, 'OAUTH_INVALID_RESPONSE'],
    ['another person', { userinfo: members({ sub: 'x' }) }, 'OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED'],
    ['no end', { claims: () => nestedText(3, '"x') }, 'OAUTH_PARSE_ERROR'],
  ]
  for (const [name, lie, code] of lies) {
    provider.lies = lie
    await t.rejects(signInBy(party, browse), { code }, name)
  }
  provider.lies = { jwks: reset }
  await t.rejects(signInBy(party, browse), TypeError, 'a connection that ends')
  provider.lies = { discovery: hang }
  const impatient = { execute: [client.allowInsecureRequests], timeout: 0.2 }
  const waiting = client.discovery(new URL(party.issuer), 'x', 'x', undefined, impatient)
  await t.rejects(waiting, { code: 'OAUTH_TIMEOUT' }, 'one that goes nowhere')
  provider.lies = {}
  t.equal((await signInBy(party, browse)).claims.sub, provider.person.sub, 'and it is honest again')
})

test('an answer by form is a page that posts the code', async t => {
  const { provider } = await hostile(t)
  provider.lies = { formPost: true, redirect: back => ({ ...back, error_description: '"><script>' }) }
  const asked = { response_type: 'code', client_id: credentials.clientId, redirect_uri: redirectUri }
  const answer = await fetch(`${provider.at('authorize')}?${new URLSearchParams(asked)}`)
  const html = await answer.text()
  t.match(html, `<form method="post" action="${redirectUri}">`)
  t.match(html, /name="code" value="[0-9a-f]{40}"/)
  t.notMatch(html, '"><script>"')
})

test('logout tokens are signed with the key that is published, before and after a rotation', async t => {
  const { provider, party, browse } = await hostile(t)
  await signInBy(party, browse)
  const early = await provider.logoutToken()
  await provider.rotate()
  const keys = createRemoteJWKSet(new URL(provider.at('jwks')))
  for (const token of [early, await provider.logoutToken({ sub: undefined, nonce: 'n' })]) {
    const checks = { issuer: provider.issuer, audience: credentials.clientId, typ: 'logout+jwt' }
    const { payload } = await jwtVerify(token, keys, checks)
    t.equal(payload.sid, provider.sid)
  }
  await provider.rotate({ forget: true })
  await t.rejects(jwtVerify(early, createRemoteJWKSet(new URL(provider.at('jwks'))), {}))
})

test("Microsoft's shape: the document has a blank for the tenant, the token has the tenant", async t => {
  const { provider, party, browse } = await hostile(t, { kind: 'microsoft' })
  t.match(party.issuer, /^http:\/\/127\.0\.0\.1:\d+\/\{tenantid\}\/v2\.0$/)
  const document = await read(provider.at('discovery'))
  t.equal(provider.at('discovery'), `${provider.url}/common/v2.0/.well-known/openid-configuration`)
  t.equal(document.issuer, party.issuer)
  const byDocument = { ...party, issuer: provider.at('discovery') }
  await t.rejects(signInBy(byDocument, browse), { code: 'OAUTH_JWT_CLAIM_COMPARISON_FAILED' })
  const own = { ...party, issuer: `${provider.url}/${provider.tenant}/v2.0` }
  const { claims } = await signInBy(own, browse)
  t.match(claims, { tid: provider.tenant, oid: provider.person.sub, ver: '2.0', email: 'ada@example.com' })
  t.notOk('email_verified' in claims)
})

test("GitHub's shape: no OpenID, refusals with status 200, addresses in a list of their own", async t => {
  const { provider } = await hostile(t, { kind: 'github' })
  const json = { accept: 'application/json' }
  const asked = { client_id: credentials.clientId, redirect_uri: redirectUri, scope: 'read:user user:email' }
  const answer = await fetch(`${provider.at('authorize')}?${new URLSearchParams({ ...asked, state: 's' })}`, {
    redirect: 'manual',
  })
  const back = new URL(answer.headers.get('location') ?? '')
  t.same([...back.searchParams.keys()], ['code', 'state'])
  const redeem = async (code: string, headers: Record<string, string> = json) => {
    const { clientId: client_id, clientSecret: client_secret } = credentials
    const body = new URLSearchParams({ client_id, client_secret, code, redirect_uri: redirectUri })
    return fetch(provider.at('token'), { method: 'POST', body, headers })
  }
  const wrong = await redeem('x')
  t.equal(wrong.status, 200)
  t.match(await wrong.json(), { error: 'bad_verification_code' })
  const tokens = (await (await redeem(back.searchParams.get('code') ?? '')).json()) as Read
  t.match(tokens, { access_token: /^\w+$/, scope: 'read:user,user:email', token_type: 'bearer' })
  const headers = { ...json, authorization: `Bearer ${tokens.access_token}` }
  t.match(await read(provider.at('userinfo'), headers), { id: 583231, email: null })
  t.match((await read(provider.at('emails'), headers))[1], {
    email: 'ada@example.com',
    primary: true,
    verified: true,
    visibility: 'private',
  })
  t.equal((await fetch(provider.at('emails'), { headers: json })).status, 401)
})
