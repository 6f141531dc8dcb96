/** Owns the key history while the program runs: fetched when it is asked for, kept, and never made less strict. */
import { Attempts } from './attempts.js'
import type { Cache } from './cache.js'
import { elapsed } from './clock.js'
import { type ExchangeFault, exchange, type Means } from './exchange.js'
import { extended, type History, type HistoryFault, longestHistory, readHistory } from './history.js'
import type { IssuerKeys, Keys } from './keys.js'

export interface HistorySource {
  /** The newest that is known, however old: its `issuedAt` is in every answer that rests on it. */
  current(): Promise<History | undefined>
}

const freshMilliseconds = 300_000
const utf8 = new TextDecoder('utf-8')

export class IssuerHistory implements HistorySource {
  readonly attempts: Attempts<ExchangeFault | HistoryFault | 'unknown_place'>
  readonly #issuer: string
  readonly #keys: IssuerKeys
  readonly #means: Means
  readonly #kept: Cache
  #known: History | undefined
  #fetchedAt = Number.NEGATIVE_INFINITY

  constructor(issuer: string, keys: IssuerKeys, means: Means, cache: Cache) {
    this.#issuer = issuer
    this.#keys = keys
    this.#means = means
    this.#kept = cache
    this.attempts = new Attempts(means.clock, isNewest => this.#fetch(isNewest))
  }

  async current(): Promise<History | undefined> {
    const { history } = await this.#kept.load()
    this.#known ??= history
    if (elapsed(this.#fetchedAt, this.#means.clock.now()) >= freshMilliseconds) await this.attempts.make()
    return this.#known
  }

  async #fetch(isNewest: () => boolean) {
    const url = (await this.#keys.places())?.history
    if (!url) return 'unknown_place'
    const { clock } = this.#means
    const wanted = { url, accept: 'application/jwk-set+jwt', mostBytes: longestHistory }
    const answer = await exchange(wanted, this.#means)
    if ('failed' in answer) return answer.failed
    const next = await readHistory(
      utf8.decode(answer.bytes),
      this.#issuer,
      signer(this.#keys),
      clock.now() / 1000,
    )
    const kept = typeof next === 'string' ? next : extended(this.#known, next)
    if (typeof kept === 'string') return kept
    if (isNewest()) {
      this.#known = kept
      this.#fetchedAt = clock.now()
      this.#kept.saveHistory(kept)
    }
    return undefined
  }
}

/** One of the keys that sign access tokens now. */
export function signer(keys: Keys) {
  return async (kid: string) => {
    const found = await keys.find(kid)
    return 'code' in found ? undefined : found
  }
}
