/** Owns where keys and history come from: the issuer, with what the caller keeps, or data alone. */
import { systemClock } from './clock.js'
import type { Places } from './discovery.js'
import type { Fetch, Means } from './exchange.js'
import { GivenHistory, GivenKeys } from './given.js'
import type { KeysHealth } from './health.js'
import { type Histories, IssuerHistory } from './histories.js'
import { Kept } from './kept.js'
import { IssuerKeys, type Keys } from './keys.js'
import { assertOptions, type VerifierOptions } from './options.js'
import type { JsonObject } from './strict-json.js'

export interface Sources {
  readonly means: Means
  readonly keys: Keys
  readonly histories: Histories | undefined
  readonly places: () => Promise<Places | undefined>
  readonly health: () => KeysHealth
  readonly close: () => void
}

export function openSources(options: VerifierOptions): Sources {
  assertOptions(options)
  const { issuer, clock = systemClock } = options
  if (options.keys !== undefined) {
    const means = { clock, fetch: nowhere }
    const keys = new GivenKeys(options.keys as JsonObject)
    const histories =
      options.history === undefined ? undefined : new GivenHistory(options.history, issuer, keys, clock.now)
    const health = () => ({ ...resting, ...described(keys, clock.now()), usable: keys.known() !== undefined })
    return { means, keys, histories, places: async () => undefined, health, close: () => {} }
  }
  // Looked up at each call: a program may replace the platform's own, to trace it.
  const { fetch = (url, init) => globalThis.fetch(url, init) } = options
  const means = { clock, fetch }
  const kept = new Kept(issuer, options.store)
  const keys = new IssuerKeys(issuer, means, kept)
  const histories = new IssuerHistory(issuer, keys, means, kept)
  const health = () => ({
    ...described(keys, clock.now()),
    usable: keys.usable(),
    fetching: keys.attempts.pending,
    fetches: keys.attempts.count,
    failures: keys.attempts.failures,
    failuresInARow: keys.attempts.failuresInARow,
    fault: keys.attempts.fault,
    historyFault: histories.attempts.fault,
    storeFailures: kept.failures,
  })
  return { means, keys, histories, places: () => keys.places(), health, close: () => keys.close() }
}

const nowhere: Fetch = () => Promise.reject(new Error('nothing is fetched'))

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
