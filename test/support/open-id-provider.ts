/** A certified OpenID provider in this process, with a sign-in form: what an honest stranger's implementation does. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Configuration, InteractionResults } from 'oidc-provider'
import { providerKey } from './hostile-keys.js'

export interface OpenIdPerson {
  readonly sub: string
  readonly email: string
  readonly email_verified: boolean
  readonly name: string
  readonly groups?: readonly string[]
}

export interface OpenIdProviderOptions {
  readonly redirectUri: string
  readonly backchannelLogoutUri?: string
  readonly postLogoutRedirectUri?: string
  /** By default Ada, who has a group, and Bob, whose address is not verified. */
  readonly people?: readonly OpenIdPerson[]
}

/** What became of a call to the client's back-channel address. */
export interface LogoutCall {
  readonly sub: string
  readonly sid: string
  readonly error?: string
}

export interface OpenIdProvider {
  readonly issuer: string
  readonly clientId: string
  readonly clientSecret: string
  readonly people: readonly OpenIdPerson[]
  readonly logouts: readonly LogoutCall[]
  /** Tells the client that this session is over, as when an administrator ends it: no browser takes part. */
  endSession(sub: string, sid: string): Promise<void>
  close(): Promise<void>
}

/** What the package's types leave out. */
interface Told {
  backchannelLogout(sub: string, sid: string): Promise<void>
}

/** The form's fields; every person has this password. */
export const password = 'correct horse battery staple'
/** `acr` without and with the form's box for a second factor ticked. */
export const acrs = { one: 'urn:provider:one-factor', two: 'urn:provider:two-factors' }

const ada: OpenIdPerson = {
  sub: 'ada-1815',
  email: 'ada@example.com',
  email_verified: true,
  name: 'Ada Lovelace',
  groups: ['engineers'],
}
const bob: OpenIdPerson = { sub: 'bob-2', email: 'bob@example.com', email_verified: false, name: 'Bob' }

const clientId = 'mintmark'
const clientSecret = 'a-secret-of-the-tests-that-is-long-enough'

const page = (body: string) =>
  `<!doctype html><html lang="en"><title>Provider</title><body>${body}</body></html>`
const form = (problem = '') =>
  page(`<h1>Sign in to the provider</h1><p>${problem}</p><form method="post">
  <label>E-mail <input name="login" type="email" required autofocus></label>
  <label>Password <input name="password" type="password" required></label>
  <label><input name="second_factor" type="checkbox" value="yes"> with a second factor</label>
  <button type="submit">Sign in</button></form>`)

/** The package complains of Node 20 as it is loaded, and of an adapter that forgets: here both are meant. */
async function quietly<Value>(work: () => Promise<Value>): Promise<Value> {
  const { warn } = console
  console.warn = () => {}
  try {
    return await work()
  } finally {
    console.warn = warn
  }
}

export async function startOpenIdProvider(options: OpenIdProviderOptions): Promise<OpenIdProvider> {
  const { people = [ada, bob] } = options
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const issuer = `http://127.0.0.1:${(server.address() as { port: number }).port}`
  const provider = await quietly(async () => {
    const { default: Provider } = await import('oidc-provider')
    return new Provider(issuer, await configuration(options, people))
  })
  const logouts: LogoutCall[] = []
  provider.on('backchannel.success', (_ctx, _client, sub, sid) => void logouts.push({ sub, sid }))
  provider.on('backchannel.error', (_ctx, error, _client, sub, sid) => {
    logouts.push({ sub, sid, error: error.message })
  })
  provider.on('server_error', (_ctx, error) => void process.stderr.write(`provider: ${error.stack}\n`))
  const handle = provider.callback()

  /** One prompt is left to the form, `login`: what a client may see is granted beforehand. */
  async function interaction(request: IncomingMessage, reply: ServerResponse): Promise<void> {
    const html = (body: string) => void reply.setHeader('content-type', 'text/html; charset=utf-8').end(body)
    if (request.method === 'GET') return html(form())
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const filled = new URLSearchParams(Buffer.concat(chunks).toString())
    const person = people.find(({ email }) => email === filled.get('login'))
    if (!person || filled.get('password') !== password) return html(form('Wrong e-mail or password.'))
    const two = filled.has('second_factor')
    const login = {
      accountId: person.sub,
      acr: two ? acrs.two : acrs.one,
      amr: two ? ['pwd', 'otp', 'mfa'] : ['pwd'],
    }
    const result: InteractionResults = { login, consent: {} }
    return provider.interactionFinished(request, reply, result, { mergeWithLastSubmission: false })
  }

  server.on('request', (request, reply) => {
    if (!request.url?.startsWith('/interaction/')) return void handle(request, reply)
    // Such as a page that was opened twice.
    interaction(request, reply).catch(error => reply.writeHead(400).end(page(String(error))))
  })

  return {
    issuer,
    clientId,
    clientSecret,
    people,
    logouts,
    async endSession(sub, sid) {
      const client = (await provider.Client.find(clientId)) as unknown as Told
      await client.backchannelLogout(sub, sid)
    },
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function configuration(
  { redirectUri, backchannelLogoutUri, postLogoutRedirectUri }: OpenIdProviderOptions,
  people: readonly OpenIdPerson[],
): Promise<Configuration> {
  const { exportJWK } = await import('jose')
  const key = await providerKey('ES256')
  return {
    clients: [
      {
        client_id: clientId,
        client_secret: clientSecret,
        redirect_uris: [redirectUri],
        post_logout_redirect_uris: postLogoutRedirectUri ? [postLogoutRedirectUri] : [],
        id_token_signed_response_alg: 'ES256',
        require_auth_time: true,
        ...(backchannelLogoutUri !== undefined && {
          backchannel_logout_uri: backchannelLogoutUri,
          backchannel_logout_session_required: true,
        }),
      },
    ],
    jwks: { keys: [{ ...(await exportJWK(key.private)), kid: key.kid, alg: 'ES256', use: 'sig' }] },
    cookies: { keys: ['a-key-of-the-tests'] },
    scopes: ['openid', 'email', 'profile', 'groups'],
    acrValues: Object.values(acrs),
    claims: {
      openid: ['sub', 'acr', 'amr', 'auth_time', 'sid'],
      email: ['email', 'email_verified'],
      profile: ['name'],
      groups: ['groups'],
    },
    // In the ID token too, as many providers have it.
    conformIdTokenClaims: false,
    pkce: { required: () => true },
    features: {
      devInteractions: { enabled: false },
      backchannelLogout: { enabled: true },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource: (ctx, logoutForm) => {
          const button = '<button type="submit" name="logout" value="yes">Sign out</button></form>'
          ctx.body = page(`<h1>Sign out?</h1>${logoutForm.replace('</form>', button)}`)
        },
      },
    },
    interactions: { url: (_ctx, { uid }) => `/interaction/${uid}` },
    async loadExistingGrant(ctx) {
      const accountId = ctx.oidc.session?.accountId
      if (accountId === undefined) return undefined
      const grant = new ctx.oidc.provider.Grant({ clientId, accountId })
      grant.addOIDCScope('openid email profile groups')
      await grant.save()
      return grant
    },
    findAccount(_ctx, sub) {
      const person = people.find(one => one.sub === sub)
      return person && { accountId: sub, claims: () => ({ ...person, groups: [...(person.groups ?? [])] }) }
    },
    // Its own dispatcher refuses loopback addresses, where the client under test listens.
    fetch(url, init) {
      const { dispatcher: _, ...rest }: RequestInit & { dispatcher?: unknown } = init ?? {}
      return fetch(url, rest)
    },
    ttl: {
      AccessToken: 300,
      AuthorizationCode: 60,
      Grant: 3600,
      IdToken: 300,
      Interaction: 600,
      Session: 3600,
    },
    renderError(ctx, out) {
      ctx.type = 'html'
      ctx.body = page(`<h1>${out.error}</h1><p>${String(out.error_description).replaceAll('<', '&lt;')}</p>`)
    },
  }
}
