/** A provider's own document, read and judged, and the client that is made of it; kept for an hour, and on through an outage. */
import { createRemoteJWKSet, customFetch, errors, type JWTVerifyGetKey } from 'jose'
import * as client from 'openid-client'
import { type BoundedFetch, boundedFetch, isAllowed, ProviderUnavailable } from './bounded-fetch.js'
import { algorithms } from './id-token.js'
import { directoryPlace, type Provider, type ProviderConfig } from './provider.js'

/** Milliseconds after which a document is read again, and until which the last good one serves while that fails. */
const freshMs = 3_600_000
const keptMs = 86_400_000
/** Milliseconds for which it serves after a failure before the next one waits for the provider. */
const pauseMs = 60_000

export interface Connection {
  readonly config: client.Configuration
  /** Kept for five minutes; an unknown one is looked for at once, every five seconds at most. */
  readonly keys: JWTVerifyGetKey | undefined
  /** Of the signatures that are read at all those that its document lists. */
  readonly algorithms: string[]
  readonly hasUserInfo: boolean
}

/** A client as the provider knows it. */
export type Connections = ReturnType<typeof createConnections>

interface Kept {
  /** The row that it was made of. */
  readonly of: string
  readonly connection: Connection
  readonly askAt: number
  readonly until: number
}

/** `uptimeMs` is a monotonic clock. */
export function createConnections(uptimeMs = () => performance.now()) {
  const kept = new Map<string, Kept>()
  /** Anybody who comes meanwhile waits for the same answer. */
  const asking = new Map<string, Promise<Connection>>()

  /** What was asked for a row that has changed since is kept for nobody: `of` is compared. */
  function ask(provider: Provider, secret: string, of: string): Promise<Connection> {
    const question = `${provider.id} ${of}`
    const asked = asking.get(question) ?? connect(provider, secret).finally(() => asking.delete(question))
    asking.set(question, asked)
    return asked
  }

  return {
    /** Throws `ProviderUnavailable`. A changed row is another client at once. */
    async to(provider: Provider, secret: string): Promise<Connection> {
      const of = `${provider.changedAt} ${provider.issuer} ${provider.clientId}`
      const found = kept.get(provider.id)
      const last = found?.of === of && uptimeMs() < found.until ? found : undefined
      if (last && uptimeMs() < last.askAt) return last.connection
      try {
        const connection = await ask(provider, secret, of)
        kept.set(provider.id, { of, connection, askAt: uptimeMs() + freshMs, until: uptimeMs() + keptMs })
        return connection
      } catch (error) {
        if (!last) throw error
        kept.set(provider.id, { ...last, askAt: uptimeMs() + pauseMs })
        return last.connection
      }
    },
  }
}

export async function connect(provider: ProviderConfig, secret: string): Promise<Connection> {
  const fetch = boundedFetch(provider)
  const config =
    provider.kind === 'github' ? github(provider, secret) : await discover(provider, secret, fetch)
  config[client.customFetch] = fetch as client.CustomFetch
  if (provider.issuer.startsWith('http:')) client.allowInsecureRequests(config)
  // Each look at the metadata copies all of it: once is enough.
  const metadata = config.serverMetadata()
  const { jwks_uri: keysAt, id_token_signing_alg_values_supported: listed = ['RS256'] } = metadata
  return {
    config,
    algorithms: algorithms.filter(one => listed.includes(one)),
    hasUserInfo: metadata.userinfo_endpoint !== undefined,
    keys: keysAt === undefined ? undefined : keysFrom(new URL(keysAt), fetch),
  }
}

/** That no key fits is the token's fault; that the set, or the one that fits, cannot be read is the provider's. */
function keysFrom(url: URL, fetch: BoundedFetch): JWTVerifyGetKey {
  const read = createRemoteJWKSet(url, {
    [customFetch]: (url, init) => fetch(url, init as RequestInit),
    cacheMaxAge: 300_000,
    cooldownDuration: 5000,
  })
  return async (header, token) => {
    try {
      return await read(header, token)
    } catch (error) {
      if (error instanceof ProviderUnavailable) throw error
      const { JWKSNoMatchingKey, JWKSMultipleMatchingKeys, JOSENotSupported } = errors
      if ([JWKSNoMatchingKey, JWKSMultipleMatchingKeys, JOSENotSupported].some(kind => error instanceof kind))
        throw error
      throw new ProviderUnavailable(`its keys cannot be read: ${(error as Error).message}`, { cause: error })
    }
  }
}

/** Times are judged by the database's clock, in `exchange`: the library would judge them by this machine's as well. */
const anyTime = { [client.clockTolerance]: Number.MAX_SAFE_INTEGER }

/** GitHub has no document. GitHub Enterprise has the same paths under its own host. */
function github({ issuer, clientId }: ProviderConfig, secret: string): client.Configuration {
  return new client.Configuration(
    {
      issuer,
      authorization_endpoint: `${issuer}/login/oauth/authorize`,
      token_endpoint: `${issuer}/login/oauth/access_token`,
      code_challenge_methods_supported: ['S256'],
    },
    clientId,
    anyTime,
    client.ClientSecretPost(secret),
  )
}

async function discover(provider: ProviderConfig, secret: string, fetch: BoundedFetch) {
  const { issuer, clientId } = provider
  const answer = await fetch(documentAddress(issuer), { headers: { accept: 'application/json' } })
  const document = await readDocument(answer)
  const methods = judged(provider, document)
  const authentication = methods.includes('client_secret_basic')
    ? client.ClientSecretBasic(secret)
    : client.ClientSecretPost(secret)
  try {
    if (!issuer.includes(directoryPlace))
      return new client.Configuration(document, clientId, anyTime, authentication)
    // The library knows issuers with a place for the directory as Microsoft's, by the address of their document.
    return await client.discovery(new URL(microsoft), clientId, anyTime, authentication, {
      [client.customFetch]: async () => Response.json(document),
    })
  } catch (cause) {
    // One that is nested deeper than it can be copied, for one.
    throw new ProviderUnavailable('its discovery document cannot be used', { cause })
  }
}

const microsoft = 'https://login.microsoftonline.com/common/v2.0'

/** OpenID Connect Discovery 1.0, section 4.1. */
function documentAddress(issuer: string): string {
  const base = issuer.replace(directoryPlace, 'common').replace(/\/$/, '')
  return `${base}/.well-known/openid-configuration`
}

async function readDocument(answer: Response): Promise<client.ServerMetadata> {
  if (answer.status !== 200)
    throw new ProviderUnavailable(`its discovery document was answered with ${answer.status}`)
  const document: unknown = await answer.json().catch(() => undefined)
  if (typeof document !== 'object' || document === null || Array.isArray(document))
    throw new ProviderUnavailable('its discovery document is not a JSON object')
  return document as client.ServerMetadata
}

/** What we ask with stands in the address once, as we say it. */
const parameters = new Set([
  ...['response_type', 'response_mode', 'client_id', 'redirect_uri', 'scope', 'state', 'nonce', 'prompt'],
  ...['max_age', 'code_challenge', 'code_challenge_method', 'request', 'request_uri'],
])

/** Answers how a client may prove itself. A document that says it is another's, or sends us elsewhere, is not one. */
function judged(provider: ProviderConfig, document: client.ServerMetadata): readonly string[] {
  if (document.issuer !== provider.issuer)
    throw new ProviderUnavailable(
      `its discovery document has the issuer ${JSON.stringify(document.issuer)?.slice(0, 300)}, not ${provider.issuer}; they must be identical`,
    )
  for (const name of ['authorization_endpoint', 'token_endpoint', 'jwks_uri', 'userinfo_endpoint'] as const) {
    const to = document[name]
    if (to === undefined && name === 'userinfo_endpoint') continue
    if (typeof to !== 'string' || !isAllowed(provider, to))
      throw new ProviderUnavailable(
        `its discovery document has as ${name} ${JSON.stringify(to)?.slice(0, 300)}, which is not https, or not on the issuer's host or a configured host`,
      )
  }
  const carried = new URL(document.authorization_endpoint as string).searchParams
  const ours = [...carried.keys()].find(name => parameters.has(name))
  if (ours !== undefined)
    throw new ProviderUnavailable(`its authorization_endpoint already has the parameter ${ours}`)
  const signs = document.id_token_signing_alg_values_supported
  if (signs !== undefined && !Array.isArray(signs))
    throw new ProviderUnavailable('its discovery document does not list its signing algorithms')
  const methods = document.token_endpoint_auth_methods_supported ?? ['client_secret_basic']
  const usable = ['client_secret_basic', 'client_secret_post']
  if (!Array.isArray(methods) || !methods.some(method => usable.includes(method)))
    throw new ProviderUnavailable(
      'its token endpoint supports neither client_secret_basic nor client_secret_post',
    )
  return methods
}
