/** openid-client with nothing added: proves the providers of the tests before anything is measured with them. */
import * as client from 'openid-client'

export interface Party {
  readonly issuer: string
  readonly clientId: string
  readonly clientSecret: string
  readonly redirectUri: string
  readonly scope?: string
}

export interface SignedIn {
  readonly claims: client.IDToken
  readonly userinfo: client.UserInfoResponse
  readonly idToken: string
  readonly config: client.Configuration
}

/** `browse` goes from the authorization request to the callback, as a person does; `more` is asked for in addition. */
export async function signInBy(
  { issuer, clientId, clientSecret, redirectUri, scope = 'openid email profile' }: Party,
  browse: (url: URL) => Promise<URL>,
  more: Record<string, string> = {},
): Promise<SignedIn> {
  const execute = [client.allowInsecureRequests, client.enableNonRepudiationChecks]
  const config = await client.discovery(new URL(issuer), clientId, clientSecret, undefined, {
    execute,
    timeout: 5,
  })
  const verifier = client.randomPKCECodeVerifier()
  const [state, nonce] = [client.randomState(), client.randomNonce()]
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri: redirectUri,
    scope,
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    nonce,
    ...more,
  })
  const tokens = await client.authorizationCodeGrant(config, await browse(url), {
    pkceCodeVerifier: verifier,
    expectedState: state,
    expectedNonce: nonce,
    idTokenExpected: true,
  })
  const claims = tokens.claims()
  if (!claims || tokens.id_token === undefined) throw new Error('no ID token')
  const userinfo = await client.fetchUserInfo(config, tokens.access_token, claims.sub)
  return { claims, userinfo, idToken: tokens.id_token, config }
}
