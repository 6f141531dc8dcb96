/** Where the hostile provider's endpoints lie and what they say of a person: as OpenID, Microsoft and GitHub lay it out. */

export type Kind = 'openid' | 'microsoft' | 'github'
export type Endpoint = 'discovery' | 'authorize' | 'token' | 'jwks' | 'userinfo' | 'emails' | 'logout'

export interface Person {
  sub: string
  email?: string | null
  email_verified?: boolean
  name?: string | null
  [claim: string]: unknown
}

export const places: Record<Kind, Partial<Record<Endpoint, string>>> = {
  openid: {
    discovery: '/.well-known/openid-configuration',
    authorize: '/authorize',
    token: '/token',
    jwks: '/jwks',
    userinfo: '/userinfo',
    logout: '/logout',
  },
  microsoft: {
    discovery: '/common/v2.0/.well-known/openid-configuration',
    authorize: '/common/oauth2/v2.0/authorize',
    token: '/common/oauth2/v2.0/token',
    jwks: '/common/discovery/v2.0/keys',
    userinfo: '/oidc/userinfo',
    logout: '/common/oauth2/v2.0/logout',
  },
  github: {
    authorize: '/login/oauth/authorize',
    token: '/login/oauth/access_token',
    userinfo: '/api/v3/user',
    emails: '/api/v3/user/emails',
  },
}

/** Microsoft announces neither PKCE, which it supports, nor `iss` in its answers, which it does not send. */
export function discoveryDocument(kind: Kind, url: string, tenant: string, keys: readonly { alg: string }[]) {
  const at = (endpoint: Endpoint) => `${url}${places[kind][endpoint]}`
  return {
    issuer: issuerOf(kind, url, tenant),
    authorization_endpoint: at('authorize'),
    token_endpoint: at('token'),
    userinfo_endpoint: at('userinfo'),
    jwks_uri: at('jwks'),
    end_session_endpoint: at('logout'),
    scopes_supported: ['openid', 'email', 'profile', 'offline_access'],
    response_types_supported: ['code', 'id_token', 'code id_token'],
    response_modes_supported: ['query', 'fragment', 'form_post'],
    subject_types_supported: [kind === 'microsoft' ? 'pairwise' : 'public'],
    id_token_signing_alg_values_supported: [...new Set(keys.map(({ alg }) => alg))],
    token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'],
    ...(kind === 'microsoft'
      ? { tenant_region_scope: null, cloud_instance_name: 'microsoftonline.com', http_logout_supported: true }
      : {
          code_challenge_methods_supported: ['S256'],
          authorization_response_iss_parameter_supported: true,
          backchannel_logout_supported: true,
          backchannel_logout_session_supported: true,
        }),
  }
}

/** Microsoft answers under a tenant's name as under `common`; the document then has that tenant in it. */
export function endpointAt(kind: Kind, path: string): { endpoint: Endpoint | undefined; tenant: string } {
  const tenant = kind === 'microsoft' ? /^\/([0-9a-f-]{36})\//.exec(path)?.[1] : undefined
  const common = tenant === undefined ? path : path.replace(tenant, 'common')
  const all = Object.entries(places[kind]) as [Endpoint, string][]
  return { endpoint: all.find(([, place]) => place === common)?.[0], tenant: tenant ?? '{tenantid}' }
}

/** In Microsoft's `common` document the tenant is a blank that the client fills in from `tid`. */
export function issuerOf(kind: Kind, url: string, tenant: string): string {
  return kind === 'microsoft' ? `${url}/${tenant}/v2.0` : url
}

/** Microsoft has no `email_verified`: an address there is what the tenant's administrator typed. */
export function claimsOf(kind: Kind, person: Person, tenant: string): Record<string, unknown> {
  if (kind !== 'microsoft') return { ...person }
  const { email_verified: _, ...claims } = person
  return {
    ...claims,
    tid: tenant,
    oid: person.oid ?? person.sub,
    ver: '2.0',
    preferred_username: person.email,
  }
}

/** `email` is the public address, or null; which addresses are verified is told under /user/emails only. */
export function githubUser(person: Person, url: string) {
  const { sub, email: _, email_verified: __, name, ...more } = person
  const login = typeof more.login === 'string' ? more.login : `user-${sub}`
  return {
    login,
    id: Number(sub),
    node_id: Buffer.from(`04:User${sub}`).toString('base64'),
    avatar_url: `${url}/avatars/u/${sub}`,
    url: `${url}/api/v3/users/${login}`,
    html_url: `${url}/${login}`,
    type: 'User',
    site_admin: false,
    name: name ?? null,
    email: null,
    ...more,
  }
}

export interface GithubEmail {
  email: string
  primary: boolean
  verified: boolean
  /** Only the primary address has one. */
  visibility: 'private' | 'public' | null
}

export function githubEmails({ email, email_verified }: Person): GithubEmail[] {
  if (typeof email !== 'string') return []
  return [
    { email: `${email.split('@')[0]}@old.example`, primary: false, verified: true, visibility: null },
    { email, primary: true, verified: email_verified === true, visibility: 'private' },
  ]
}
