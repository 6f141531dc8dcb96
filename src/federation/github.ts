/** GitHub, which is OAuth 2.0 without OpenID: there is no ID token, so its API is asked who the token is of. */
import * as client from 'openid-client'
import type { Connection } from './metadata.js'
import type { Claims } from './profile.js'
import type { ProviderConfig } from './provider.js'

/** `https://api.github.com`; on GitHub Enterprise a path of its own host. */
const apiOf = (issuer: string) =>
  issuer === 'https://github.com' ? 'https://api.github.com' : `${issuer}/api/v3`

/**
 * In the words of OpenID. `sub` is the account's number: a name can be given up, and taken by somebody else. Of its
 * addresses the primary one counts, and it is verified only where GitHub says so.
 */
export async function gitHubClaims(
  { issuer }: ProviderConfig,
  { config }: Connection,
  accessToken: string,
): Promise<(Claims & { readonly sub: string }) | undefined> {
  const ask = async (path: string): Promise<unknown> => {
    const headers = new Headers({ accept: 'application/vnd.github+json', 'user-agent': 'mintmark' })
    const url = new URL(`${apiOf(issuer)}${path}`)
    const answer = await client.fetchProtectedResource(config, accessToken, url, 'GET', undefined, headers)
    return answer.status === 200 ? answer.json() : undefined
  }
  const account = (await ask('/user')) as Record<string, unknown> | undefined
  if (typeof account !== 'object' || account === null) return undefined
  const { id } = account
  if (!Number.isSafeInteger(id) || (id as number) < 1) return undefined
  const addresses = await ask('/user/emails')
  const primary = (Array.isArray(addresses) ? addresses : []).find(one => one?.primary === true)
  return {
    sub: String(id),
    preferred_username: account.login,
    name: account.name,
    ...(primary && { email: primary.email, email_verified: primary.verified === true }),
  }
}
