/** Owns what the issuer says about itself (RFC 8414), found from its name alone. */
import { type ExchangeFault, exchange, isSecure, type Means } from './exchange.js'
import { strictObject } from './strict-json.js'

export interface Places {
  readonly keys: URL
  readonly history: URL
  readonly introspection: URL | undefined
}

export type DiscoveryFault = ExchangeFault | 'metadata' | 'issuer'

const mostBytes = 65_536

/** Throws for an issuer that cannot be one: that is a mistake in the caller's configuration. */
export function issuerUrl(issuer: string): URL {
  const url = URL.canParse(issuer) ? new URL(issuer) : undefined
  const bare = url && !url.username && !url.password && !/[?#]/.test(issuer)
  if (!bare || !isSecure(url))
    throw new TypeError(
      `issuer ${issuer} must be an https address without a query (http is allowed on loopback)`,
    )
  return url
}

/** RFC 8414, section 3.1: the well-known path stands before the issuer's own. */
export function metadataUrl(issuer: string): URL {
  const url = issuerUrl(issuer)
  url.pathname = `/.well-known/oauth-authorization-server${url.pathname.replace(/\/$/, '')}`
  return url
}

export async function discover(
  issuer: string,
  means: Means,
): Promise<Places | { readonly failed: DiscoveryFault }> {
  const answer = await exchange({ url: metadataUrl(issuer), accept: 'application/json', mostBytes }, means)
  if ('failed' in answer) return answer
  const metadata = strictObject(answer.bytes)
  if (!metadata) return { failed: 'metadata' }
  // Section 3.3: identical, code point by code point.
  if (metadata.issuer !== issuer) return { failed: 'issuer' }
  const keys = at(metadata.jwks_uri, issuer)
  if (!keys) return { failed: 'metadata' }
  return {
    keys,
    history: new URL('historical-keys', keys),
    introspection: at(metadata.introspection_endpoint, issuer),
  }
}

/** At the issuer's own origin: anybody who can change one document there shall not send us, or a service key, elsewhere. */
function at(address: unknown, issuer: string): URL | undefined {
  if (typeof address !== 'string' || !URL.canParse(address)) return undefined
  const url = new URL(address)
  return url.origin === new URL(issuer).origin && !url.username && !url.password ? url : undefined
}
