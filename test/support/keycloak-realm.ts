/** The realm that Keycloak is started with, and what its administrator does there while a test runs. */

export interface KeycloakPerson {
  readonly email: string
  readonly email_verified: boolean
  readonly name: string
  readonly groups: readonly string[]
}

/** Of everyone in the realm. */
export const keycloakPassword = 'correct horse battery staple'

export const people: readonly KeycloakPerson[] = [
  { email: 'ada@example.com', email_verified: true, name: 'Ada Lovelace', groups: ['engineers'] },
  { email: 'bob@example.com', email_verified: false, name: 'Bob Unverified', groups: [] },
]

interface Client {
  readonly clientId: string
  readonly clientSecret: string
  readonly redirectUri: string
  readonly backchannelLogoutUri?: string
  readonly postLogoutRedirectUri?: string
}

export function realmFile(client: Client): object {
  return {
    realm: 'mintmark',
    enabled: true,
    sslRequired: 'none',
    groups: [{ name: 'engineers' }],
    users: people.map(user),
    clients: [
      {
        clientId: client.clientId,
        secret: client.clientSecret,
        protocol: 'openid-connect',
        publicClient: false,
        standardFlowEnabled: true,
        implicitFlowEnabled: false,
        directAccessGrantsEnabled: false,
        redirectUris: [client.redirectUri],
        attributes: {
          'pkce.code.challenge.method': 'S256',
          'backchannel.logout.session.required': 'true',
          ...(client.backchannelLogoutUri && { 'backchannel.logout.url': client.backchannelLogoutUri }),
          ...(client.postLogoutRedirectUri && { 'post.logout.redirect.uris': client.postLogoutRedirectUri }),
        },
        protocolMappers: [groupsMapper],
      },
    ],
  }
}

const groupsMapper = {
  name: 'groups',
  protocol: 'openid-connect',
  protocolMapper: 'oidc-group-membership-mapper',
  config: {
    'claim.name': 'groups',
    // The name alone, without the path of the groups above.
    'full.path': 'false',
    'id.token.claim': 'true',
    'userinfo.token.claim': 'true',
    'access.token.claim': 'false',
  },
}

function user({ email, email_verified, name, groups }: KeycloakPerson): object {
  const [firstName, lastName] = name.split(' ')
  return {
    username: email,
    email,
    emailVerified: email_verified,
    firstName,
    lastName,
    enabled: true,
    groups: groups.map(group => `/${group}`),
    credentials: [{ type: 'password', value: keycloakPassword, temporary: false }],
  }
}

export interface KeycloakAdmin {
  /** Ends every session of theirs: Keycloak tells the client by the back channel. */
  endSessions(email: string): Promise<void>
  /** Alters the person, such as `{ enabled: false }` or `{ emailVerified: true }`. */
  alter(email: string, change: object): Promise<void>
}

export function administrator(url: string): KeycloakAdmin {
  const realm = `${url}/admin/realms/mintmark`
  async function call(path: string, init: RequestInit = {}): Promise<Response> {
    const form = { grant_type: 'password', client_id: 'admin-cli', username: 'admin', password: 'admin' }
    const endpoint = `${url}/realms/master/protocol/openid-connect/token`
    const tokens = await (await fetch(endpoint, { method: 'POST', body: new URLSearchParams(form) })).json()
    const { access_token } = tokens as { access_token: string }
    const headers = { authorization: `Bearer ${access_token}`, 'content-type': 'application/json' }
    const answer = await fetch(`${realm}${path}`, { ...init, headers })
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`)
    return answer
  }
  async function pathOf(email: string): Promise<string> {
    const found = await (await call(`/users?exact=true&email=${encodeURIComponent(email)}`)).json()
    return `/users/${(found as { id: string }[])[0]?.id}`
  }
  return {
    async endSessions(email) {
      await call(`${await pathOf(email)}/logout`, { method: 'POST' })
    },
    async alter(email, change) {
      await call(await pathOf(email), { method: 'PUT', body: JSON.stringify(change) })
    },
  }
}
