/** Owns what a caller may say, and refuses what makes no sense before anything is fetched. */

import type { Store } from './cache.js'
import type { Clock } from './clock.js'
import { issuerUrl } from './discovery.js'
import type { Fetch } from './exchange.js'
import type { JsonObject } from './strict-json.js'

interface Common {
  /** As it stands in tokens, to the letter: `https://id.example.com`. */
  readonly issuer: string
  /** What this service is called in the tokens that are meant for it. */
  readonly audience: string
  readonly clock?: Clock
}

/** Keys are found from the issuer alone, and kept fresh. */
export interface OnlineOptions extends Common {
  /** `mintmark_sk_…`, for `introspect`. */
  readonly serviceKey?: string
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
  if (options.keys === undefined && 'history' in options)
    throw new TypeError('a history as data needs keys as data: pass both, or no history')
}
