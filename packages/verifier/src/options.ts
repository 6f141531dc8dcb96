/** Owns what a caller may say, and refuses what makes no sense before anything is fetched. */

import type { Store } from './cache.js'
import type { Clock } from './clock.js'
import { issuerUrl } from './discovery.js'
import { type Fetch, isSecure } from './exchange.js'
import type { JsonObject } from './strict-json.js'

/** What to do with tokens while the feed of revocations is not fresh: reject them, accept them, or there is no feed. */
export type RevocationMode = 'required' | 'preferred' | 'off'

export interface RevocationOptions {
  readonly mode: RevocationMode
  /** Whole seconds, 5 to 3600: older than this the feed is not fresh. Default: 15. */
  readonly maxAgeSeconds?: number
  /** Where the feed is, for a relay. Default: `<issuer>/v1/feed`. A service key is sent there, too. */
  readonly url?: string
}

interface Common {
  /** As it stands in tokens, to the letter: `https://id.example.com`. */
  readonly issuer: string
  /** What this service is called in the tokens that are meant for it. */
  readonly audience: string
  readonly clock?: Clock
}

/** Keys are found from the issuer alone, and kept fresh. */
export interface OnlineOptions extends Common {
  /** `mintmark_sk_…`, for `introspect` and, with the scope `feed`, for the feed of revocations. */
  readonly serviceKey?: string
  /** Default: `preferred`. */
  readonly revocation?: RevocationMode | RevocationOptions
  /** Where keys and history outlive the process. */
  readonly store?: Store
  readonly fetch?: Fetch
  readonly keys?: never
}

/** Nothing is ever fetched. */
export interface OfflineOptions extends Common {
  /** A key set, as the issuer serves it. */
  readonly keys: JsonObject | { readonly keys: readonly object[] }
  /** A key history, as the issuer serves it: a compact JWS. */
  readonly history?: string
  readonly serviceKey?: never
  readonly revocation?: 'off'
}

export type VerifierOptions = OnlineOptions | OfflineOptions

/** Throws a TypeError that says what to fix. */
export function assertOptions(options: VerifierOptions): void {
  const { issuer, audience, serviceKey } = options
  issuerUrl(issuer)
  if (typeof audience !== 'string' || audience === '')
    throw new TypeError('audience must be a non-empty string')
  if (serviceKey !== undefined && !/^[\x21-\x7e]+$/.test(serviceKey))
    throw new TypeError('serviceKey must be printable ASCII characters without spaces')
  if (options.keys !== undefined && ['serviceKey', 'store', 'fetch'].some(name => name in options))
    throw new TypeError(
      'with keys as data nothing is fetched or stored: leave out serviceKey, store and fetch',
    )
  assertRevocation(options)
  if (options.keys === undefined && 'history' in options)
    throw new TypeError('a history as data needs keys as data: pass both, or no history')
}

/** With its defaults. */
export function revocationOf(options: VerifierOptions): Required<RevocationOptions> {
  const { issuer, revocation = options.keys === undefined ? 'preferred' : 'off' } = options
  const given = typeof revocation === 'string' ? { mode: revocation } : revocation
  return { maxAgeSeconds: 15, url: `${issuer}/v1/feed`, ...given }
}

function assertRevocation(options: VerifierOptions): void {
  const { revocation } = options
  const isObject = typeof revocation === 'object' && revocation !== null
  if (revocation !== undefined && typeof revocation !== 'string' && !isObject)
    throw new TypeError('revocation must be required, preferred, off, or an object with a mode')
  const { mode, maxAgeSeconds, url } = revocationOf(options)
  if (!['required', 'preferred', 'off'].includes(mode))
    throw new TypeError('revocation must have the mode required, preferred or off')
  if (!Number.isSafeInteger(maxAgeSeconds) || maxAgeSeconds < 5 || maxAgeSeconds > 3600)
    throw new TypeError('revocation.maxAgeSeconds must be a whole number from 5 to 3600')
  const place = typeof url === 'string' && URL.canParse(url) ? new URL(url) : undefined
  if (!place || !isSecure(place) || place.username || place.password || /[?#]/.test(url))
    throw new TypeError(
      'revocation.url must be an https address without a query (http is allowed on loopback)',
    )
  if (options.keys !== undefined && mode !== 'off')
    throw new TypeError('with keys as data nothing is fetched: revocation must be off, or left out')
}
