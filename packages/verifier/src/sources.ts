/** Owns where keys and history come from: the issuer, with what the caller keeps, or data alone. */

import { Cache } from './cache.js'
import { systemClock } from './clock.js'
import type { Places } from './discovery.js'
import type { Fetch, Means } from './exchange.js'
import type { KeysHealth } from './health.js'
import { type HistorySource, IssuerHistory } from './history-source.js'
import { IssuerKeys, type Keys } from './keys.js'
import { assertOptions, revocationOf, type VerifierOptions } from './options.js'
import { openRevocation, type Revocation } from './revocation.js'
import { StaticHistory, StaticKeys } from './static.js'
import type { JsonObject } from './strict-json.js'

export interface Sources {
  readonly means: Means
  readonly keys: Keys
  readonly historySource: HistorySource | undefined
  readonly places: () => Promise<Places | undefined>
  /** Undefined: it is off. */
  readonly revocation: Revocation | undefined
  readonly health: () => KeysHealth
  readonly close: () => void
}

export function openSources(options: VerifierOptions): Sources {
  assertOptions(options)
  const { issuer, clock = systemClock } = options
  if (options.keys !== undefined) {
    const means = { clock, fetch: nowhere }
    const keys = new StaticKeys(options.keys as JsonObject)
    const historySource =
      options.history === undefined ? undefined : new StaticHistory(options.history, issuer, keys, clock.now)
    const health = () => ({ ...resting, ...described(keys, clock.now()), usable: keys.known() !== undefined })
    const revocation = undefined
    return { means, keys, historySource, revocation, places: async () => undefined, health, close: () => {} }
  }
  // Looked up at each call: a program may replace the platform's own, to trace it.
  const { fetch = (url, init) => globalThis.fetch(url, init) } = options
  const means = { clock, fetch }
  const cache = new Cache(issuer, options.store)
  const keys = new IssuerKeys(issuer, means, cache)
  const historySource = new IssuerHistory(issuer, keys, means, cache)
  const health = () => ({
    ...described(keys, clock.now()),
    usable: keys.usable(),
    fetching: keys.attempts.pending,
    fetches: keys.attempts.count,
    failures: keys.attempts.failures,
    failuresInARow: keys.attempts.failuresInARow,
    fault: keys.attempts.fault,
    historyFault: historySource.attempts.fault,
    storeFailures: cache.failures,
  })
  const settings = revocationOf(options)
  const revocation =
    settings.mode === 'off' ? undefined : openRevocation({ options, settings, clock, keys, cache })
  const close = () => {
    keys.close()
    revocation?.close()
  }
  return { means, keys, historySource, revocation, places: () => keys.places(), health, close }
}

const nowhere: Fetch = () => Promise.reject(new Error('with keys as data nothing is fetched'))

/** The state of what fetches nothing. */
const resting = {
  fetching: false,
  fetches: 0,
  failures: 0,
  failuresInARow: 0,
  fault: undefined,
  historyFault: undefined,
  storeFailures: 0,
}

function described(keys: Keys, now: number): Pick<KeysHealth, 'keys' | 'ageSeconds'> {
  const known = keys.known()
  const ageSeconds = known && Number.isFinite(known.madeAt) ? (now - known.madeAt) / 1000 : undefined
  return { keys: [...(known?.keys.keys() ?? [])], ageSeconds }
}
