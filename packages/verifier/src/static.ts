/** Owns keys and a history that the caller gives as data, and vouches for: nothing is fetched. */

import { type History, type HistoryFault, readHistory } from './history.js'
import { type HistorySource, signer } from './history-source.js'
import { type KnownKeys, kidsOf, readKeySet } from './key-set.js'
import type { Keys } from './keys.js'
import type { PublicKey } from './public-key.js'
import { type Refused, refused } from './refusal.js'
import type { JsonObject } from './strict-json.js'

/** They do not grow old. */
export class StaticKeys implements Keys {
  readonly #document: JsonObject
  #known: Promise<KnownKeys | undefined> | undefined
  #read: KnownKeys | undefined

  constructor(document: JsonObject) {
    this.#document = document
  }

  known(): KnownKeys | undefined {
    return this.#read
  }

  ready(): Promise<KnownKeys | undefined> {
    this.#known ??= readKeySet(this.#document).then(keys => {
      this.#read = keys && { keys, madeAt: Number.NEGATIVE_INFINITY, kids: kidsOf(this.#document) }
      return this.#read
    })
    return this.#known
  }

  async find(kid: string): Promise<PublicKey | Refused<'unknown_key' | 'keys_unavailable'>> {
    const known = await this.ready()
    return known?.keys.get(kid) ?? refused(known ? 'unknown_key' : 'keys_unavailable')
  }
}

/** Signed by one of the given keys. */
export class StaticHistory implements HistorySource {
  readonly #read: () => Promise<History | HistoryFault>
  #known: Promise<History | HistoryFault> | undefined

  constructor(jws: string, issuer: string, keys: StaticKeys, now: () => number) {
    this.#read = () => readHistory(jws, issuer, signer(keys), now() / 1000)
  }

  async current(): Promise<History | undefined> {
    this.#known ??= this.#read()
    const known = await this.#known
    return typeof known === 'string' ? undefined : known
  }
}
