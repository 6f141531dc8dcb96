/** Owns the issuer's keys while the program runs: found, refreshed before they grow old, kept through an outage. */
import { Attempts } from './attempts.js'
import type { Cache } from './cache.js'
import { chance } from './chance.js'
import { type Clock, elapsed } from './clock.js'
import { type DiscoveryFault, discover, type Places } from './discovery.js'
import { exchange, type Means } from './exchange.js'
import { type KeySet, type KnownKeys, kidsOf, readKeySet } from './key-set.js'
import { KilledKeys, readPosition } from './killed-keys.js'
import type { PublicKey } from './public-key.js'
import { type Refused, refused } from './refusal.js'
import { type JsonObject, strictObject } from './strict-json.js'

export type KeysFault = DiscoveryFault | 'key_set' | 'old_document'

export interface Keys {
  find(kid: string): Promise<PublicKey | Refused<'unknown_key' | 'keys_unavailable'>>
  ready(): Promise<unknown>
  /** Whatever is known, however old. */
  known(): KnownKeys | undefined
}

/** The issuer says that a list may be this old (`max-age`). It is fetched again after 60 to 90 percent of it. */
const freshMilliseconds = 300_000
/** So old may the last good list be while the issuer cannot be reached. */
export const lastGoodMilliseconds = 3_600_000
const discoveryMilliseconds = 86_400_000
/** A `Date` has whole seconds, and instances of the issuer have clocks of their own. */
const disorderMilliseconds = 60_000
const mostBytes = 65_536

export class IssuerKeys implements Keys {
  readonly attempts: Attempts<KeysFault>
  readonly killed = new KilledKeys()
  readonly #issuer: string
  readonly #means: Means
  readonly #kept: Cache
  readonly #clock: Clock
  #known: KnownKeys | undefined
  #refreshAfter = 0
  #places: (Places & { readonly foundAt: number }) | undefined
  #cancelTimer = () => {}
  #closed = false

  constructor(issuer: string, means: Means, cache: Cache) {
    this.#issuer = issuer
    this.#means = means
    this.#clock = means.clock
    this.#kept = cache
    this.attempts = new Attempts(
      means.clock,
      isNewest => this.#fetch(isNewest),
      () => this.#setTimer(),
    )
  }

  known(): KnownKeys | undefined {
    return this.#known
  }

  usable(): boolean {
    return this.#age() < lastGoodMilliseconds
  }

  async find(kid: string): Promise<PublicKey | Refused<'unknown_key' | 'keys_unavailable'>> {
    await this.#loaded()
    if (this.killed.has(kid)) return refused('unknown_key')
    const known = this.#usableKey(kid)
    if (known) {
      // Not waited for: this token's key is here.
      if (this.#isDue()) void this.attempts.make()
      return known
    }
    await this.attempts.make()
    const found = this.#usableKey(kid)
    if (found) return found
    // While the issuer cannot be asked, nobody knows whether this key is one of its own by now.
    if (this.usable() && this.attempts.fault === undefined) return refused('unknown_key')
    return refused('keys_unavailable', { retryAfterSeconds: Math.ceil(this.attempts.pause() / 1000) || 1 })
  }

  /** Keys that the caller kept, or an attempt to fetch some. */
  async ready(): Promise<void> {
    await this.#loaded()
    if (!this.#isDue()) return
    const attempt = this.attempts.make()
    if (!this.usable()) await attempt
  }

  async places(): Promise<Places | undefined> {
    await this.#loaded()
    if (!this.#places) await this.attempts.make()
    return this.#places
  }

  /** No request begins afterwards by itself. */
  close(): void {
    this.#closed = true
    this.#cancelTimer()
  }

  #age(): number {
    return this.#known ? elapsed(this.#known.madeAt, this.#clock.now()) : Number.POSITIVE_INFINITY
  }

  #isDue(): boolean {
    return this.#age() >= this.#refreshAfter
  }

  /** Of those that are here: nothing is fetched. */
  held(kid: string): PublicKey | undefined {
    return this.killed.has(kid) ? undefined : this.#usableKey(kid)
  }

  #usableKey(kid: string): PublicKey | undefined {
    return this.usable() ? this.#known?.keys.get(kid) : undefined
  }

  async #loaded(): Promise<void> {
    const { keys } = await this.#kept.load()
    this.#known ??= keys
  }

  /** Without traffic too: an outage must not find the list an hour old already. */
  #setTimer(): void {
    if (this.#closed) return
    const next = this.attempts.fault === undefined ? this.#refreshAfter - this.#age() : 0
    this.#cancelTimer()
    this.#cancelTimer = this.#clock.after(
      Math.max(next, this.attempts.pause()),
      () => void this.attempts.make(),
    )
  }

  async #fetch(isNewest: () => boolean): Promise<KeysFault | undefined> {
    const places = await this.#discover()
    if ('failed' in places) return places.failed
    const accept = 'application/jwk-set+json, application/json'
    const answer = await exchange({ url: places.keys, accept, mostBytes }, this.#means)
    if ('failed' in answer) return answer.failed
    const document = strictObject(answer.bytes)
    const keys = await readKeySet(document)
    if (!document || !keys) return 'key_set'
    const { madeAt } = answer
    const isOld = this.usable() && (this.#known?.madeAt ?? 0) - madeAt > disorderMilliseconds
    if (isOld || elapsed(madeAt, this.#clock.now()) >= lastGoodMilliseconds) return 'old_document'
    if (isNewest()) {
      this.killed.listed([...keys.keys()], readPosition(answer.headers.get('mintmark-feed')))
      this.#replace(keys, madeAt, document)
    }
    return undefined
  }

  #replace(keys: KeySet, madeAt: number, document: JsonObject): void {
    this.#known = { keys, madeAt, kids: kidsOf(document) }
    this.#refreshAfter = freshMilliseconds * (0.6 + 0.3 * chance())
    this.#kept.saveKeys(document, madeAt)
  }

  /** Once a day, and again after an attempt that failed: an issuer may move its keys. */
  async #discover(): Promise<Places | { readonly failed: DiscoveryFault }> {
    const now = this.#clock.now()
    const known = this.#places
    if (known && this.attempts.fault === undefined && elapsed(known.foundAt, now) < discoveryMilliseconds)
      return known
    const found = await discover(this.#issuer, this.#means)
    if (!('failed' in found)) this.#places = { ...found, foundAt: now }
    return found
  }
}
