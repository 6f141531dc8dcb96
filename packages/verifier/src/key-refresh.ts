/** Owns what the feed does to the list of keys: which of them sign messages, and when the list is fetched again. */
import { chance } from './chance.js'
import { type Clock, monotonic } from './clock.js'
import type { IssuerKeys } from './keys.js'
import type { PublicKey } from './public-key.js'

/** From one fetch that the feed asks for to the next. */
const leastMilliseconds = 10_000
/** After a kill the list is asked for until it is new enough, and no more often than this. The usual refresh goes on. */
const mostTries = 3

export class KeyRefresh {
  readonly #keys: IssuerKeys
  readonly #clock: Clock
  #fetchedAt = Number.NEGATIVE_INFINITY
  #scheduled: { readonly at: number; readonly cancel: () => void } | undefined
  #digest: { readonly of: object; readonly text: Promise<string> } | undefined
  #dead = 0
  #tries = 0
  #closed = false

  constructor(keys: IssuerKeys, clock: Clock) {
    this.#keys = keys
    this.#clock = clock
  }

  ready(): Promise<void> {
    return this.#keys.ready()
  }

  kids(): readonly string[] {
    return [...(this.#keys.known()?.keys.keys() ?? [])]
  }

  async find(kid: string): Promise<PublicKey | undefined> {
    const held = this.#keys.held(kid)
    if (held || this.#keys.killed.has(kid)) return held
    await this.#fetch()
    return this.#keys.held(kid)
  }

  /** SHA-256 of the kids, sorted and joined, as messages have it. */
  async digest(): Promise<string | undefined> {
    const known = this.#keys.known()
    if (known && this.#digest?.of !== known) this.#digest = { of: known, text: digestOf(known.kids) }
    return known && this.#digest?.text
  }

  /** After a message that names this list. */
  async check(jwks: string): Promise<void> {
    const dead = this.kids().filter(kid => this.#keys.killed.has(kid)).length
    if (dead !== this.#dead) this.#tries = 0
    this.#dead = dead
    if (dead > 0 && this.#tries++ < mostTries) this.#schedule(0)
    const differs = async () => (await this.digest()) !== jwks
    if (await differs()) this.#schedule(chance() * leastMilliseconds, differs)
  }

  close(): void {
    this.#closed = true
    this.#scheduled?.cancel()
  }

  /** By then it may be needed no more: a fetch was under way. */
  #schedule(milliseconds: number, isNeeded = async () => true): void {
    const now = monotonic(this.#clock)
    const earliest = Math.max(this.#fetchedAt + leastMilliseconds - now, this.#keys.attempts.pause())
    const wait = Math.max(milliseconds, earliest)
    if (this.#closed || (this.#scheduled && this.#scheduled.at <= now + wait)) return
    this.#scheduled?.cancel()
    const cancel = this.#clock.after(wait, () => {
      this.#scheduled = undefined
      void isNeeded().then(needed => (needed ? this.#fetch() : undefined))
    })
    this.#scheduled = { at: now + wait, cancel }
  }

  async #fetch(): Promise<void> {
    const now = monotonic(this.#clock)
    if (now - this.#fetchedAt < leastMilliseconds || this.#keys.attempts.pause() > 0) return
    this.#fetchedAt = now
    await this.#keys.attempts.make()
  }
}

async function digestOf(kids: readonly string[]): Promise<string> {
  const bytes = new TextEncoder().encode([...kids].sort().join(''))
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
  return btoa(String.fromCharCode(...hash))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replace('=', '')
}
