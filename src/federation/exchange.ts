/** The protocol, by openid-client: the address a user is sent to, and what comes of the code they bring back. */
import { errors, jwtVerify } from 'jose'
import * as client from 'openid-client'
import { ProviderUnavailable, visible } from './bounded-fetch.js'
import type { Binding, Purpose } from './flow.js'
import { gitHubClaims } from './github.js'
import { expectedIssuer, idTokenFault, leewaySeconds } from './id-token.js'
import type { Connection } from './metadata.js'
import { type Claims, type ProviderProfile, profileOf, subjectOf } from './profile.js'
import type { Provider } from './provider.js'

/** `declined`: the provider says that the user, or it itself, does not want to. `refused`: its answer is not believed. */
export type Exchanged =
  | { readonly profile: ProviderProfile }
  | { readonly declined: string }
  | { readonly refused: string }
  | { readonly unavailable: string }

/** Seconds: how old an authentication that counts may be for a sign-in. Anybody who is asked for it says when the authentication was. */
const mostProofAge = 2_592_000

/** At a step-up the user shall prove themselves to the provider now, whatever session they have there. */
export async function authorizationAddress(
  provider: Provider,
  { config }: Connection,
  redirectUri: string,
  { state, nonce, codeVerifier }: Binding,
  purpose: Purpose,
): Promise<string> {
  const openid = provider.kind === 'openid'
  const address = client.buildAuthorizationUrl(config, {
    redirect_uri: redirectUri,
    scope: provider.scopes.join(' '),
    state,
    code_challenge: await client.calculatePKCECodeChallenge(codeVerifier),
    code_challenge_method: 'S256',
    ...(openid && { nonce }),
    ...(openid && purpose === 'step-up' && { prompt: 'login', max_age: '0' }),
    ...(openid && purpose !== 'step-up' && provider.countsAsProof && { max_age: String(mostProofAge) }),
  })
  return address.href
}

/**
 * `answer` is the query of the callback, as it came; `now` the database's clock. Throws nothing that a provider or a
 * browser can cause.
 */
export async function exchange(
  provider: Provider,
  connection: Connection,
  redirectUri: string,
  answer: string,
  binding: Binding,
  now: number,
): Promise<Exchanged> {
  try {
    const brought = { provider, connection, at: new URL(`${redirectUri}?${answer}`), binding, now }
    return provider.kind === 'github' ? await byOAuth(brought) : await byOpenId(brought)
  } catch (error) {
    if (error instanceof client.AuthorizationResponseError) return { declined: shortened(error.error) }
    const unavailable = causes(error).find(cause => cause instanceof ProviderUnavailable)
    if (unavailable) return { unavailable: unavailable.message }
    if (
      error instanceof client.ClientError ||
      error instanceof client.ResponseBodyError ||
      isMalformedAnswer(error)
    )
      return {
        refused: shortened(
          causes(error)
            .map(cause => (cause instanceof SyntaxError ? 'it is not JSON' : cause.message))
            .join(': '),
        ),
      }
    throw error
  }
}

/** What a browser came back with, and what it is compared with. */
interface Brought {
  readonly provider: Provider
  readonly connection: Connection
  readonly at: URL
  readonly binding: Binding
  readonly now: number
}

async function byOpenId({ provider, connection, at, binding, now }: Brought): Promise<Exchanged> {
  const tokens = await client.authorizationCodeGrant(connection.config, at, {
    expectedState: binding.state,
    expectedNonce: binding.nonce,
    pkceCodeVerifier: binding.codeVerifier,
    idTokenExpected: true,
  })
  if (tokens.id_token === undefined || !connection.keys) return { refused: 'there is no ID token' }
  const { payload: idToken, protectedHeader } = await jwtVerify(tokens.id_token, connection.keys, {
    algorithms: connection.algorithms,
    currentDate: new Date(now * 1000),
    clockTolerance: leewaySeconds,
  })
  const fault = idTokenFault(provider, idToken, protectedHeader, tokens.access_token, now)
  const subject = subjectOf(idToken.sub)
  const issuer = expectedIssuer(provider, idToken)
  if (fault !== undefined || !subject || !issuer) return { refused: fault ?? 'sub is not a subject' }
  // What the ID token says counts; what it does not say is asked for. The subject must be the same (section 5.3.2).
  const more = lacks(provider, idToken) && connection.hasUserInfo
  const asked = more ? await client.fetchUserInfo(connection.config, tokens.access_token, subject) : {}
  return { profile: profileOf(provider, { issuer, subject, now }, together(provider, idToken, asked)) }
}

/** An address is verified by the document that says it; what the other one says may be of another address. */
function together(
  { claims: { email_verified: name = 'email_verified' } }: Provider,
  idToken: Claims,
  asked: Claims,
) {
  const all: Claims = { ...asked, ...idToken }
  const one = !Object.hasOwn(idToken, 'email') ? asked : idToken.email === asked.email ? all : idToken
  return { ...all, [name]: Object.hasOwn(one, name) ? one[name] : undefined }
}

async function byOAuth({ provider, connection, at, binding, now }: Brought): Promise<Exchanged> {
  const checks = { expectedState: binding.state, pkceCodeVerifier: binding.codeVerifier }
  const tokens = await client.authorizationCodeGrant(connection.config, at, checks)
  const claims = await gitHubClaims(provider, connection, tokens.access_token)
  if (!claims) return { refused: 'the API did not return the user' }
  return { profile: profileOf(provider, { issuer: provider.issuer, subject: claims.sub, now }, claims) }
}

function lacks({ claims, grants }: Provider, idToken: Claims): boolean {
  const wanted = ['email', claims.name, claims.email_verified, ...grants.map(({ claim }) => claim)]
  return wanted.some(name => name !== undefined && !Object.hasOwn(idToken, name))
}

/** What the library throws of answers that are not in their form. */
const isMalformedAnswer = (error: unknown) =>
  error instanceof TypeError ||
  error instanceof SyntaxError ||
  error instanceof errors.JOSEError ||
  error instanceof client.WWWAuthenticateChallengeError

function causes(error: unknown): Error[] {
  const found: Error[] = []
  for (let one = error; one instanceof Error && found.length < 8; one = one.cause) found.push(one)
  return found
}

/** For the log: what a stranger wrote is cut. */
const shortened = (text: string) => visible(text.slice(0, 300))
