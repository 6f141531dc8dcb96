/** Owns what the caller keeps for us between two starts: one text, loaded once, saved after each change. */
import { type KeptFeed, readKeptFeed } from './feed-kept.js'
import { type History, readEntries } from './history.js'
import { type KnownKeys, kidsOf, readKeySet } from './key-set.js'
import { isObject, type JsonObject, strictObject } from './strict-json.js'

/** Believed as much as the program itself: anybody who can write it can choose the keys. */
export interface Store {
  /** What was saved last; undefined at the first start. */
  readonly load: () => Promise<string | undefined>
  readonly save: (text: string) => Promise<void>
}

export interface Content {
  readonly keys?: KnownKeys
  readonly history?: History
  readonly feed?: KeptFeed
}

/** The members of the text. */
interface Written {
  readonly keys?: { readonly document: JsonObject; readonly madeAt: number }
  readonly history?: { readonly issuedAt: number; readonly entries: readonly object[] }
  readonly feed?: KeptFeed
}

export class Cache {
  readonly #issuer: string
  readonly #store: Store | undefined
  #content: Promise<Content> | undefined
  #written: Written = {}
  #next: string | undefined
  #saving = false
  #readable = true
  /** Loads and saves that went wrong. Neither stops a verification. */
  failures = 0

  constructor(issuer: string, store: Store | undefined) {
    this.#issuer = issuer
    this.#store = store
  }

  /** Whether anything is kept at all. */
  get keeps(): boolean {
    return this.#store !== undefined && this.#readable
  }

  load(): Promise<Content> {
    this.#content ??= this.#load()
    return this.#content
  }

  saveKeys(document: JsonObject, madeAt: number): void {
    this.#save({ keys: { document, madeAt } })
  }

  saveHistory({ issuedAt, keys }: History): void {
    this.#save({ history: { issuedAt, entries: [...keys.values()].map(({ entry }) => entry) } })
  }

  saveFeed(feed: KeptFeed): void {
    this.#save({ feed })
  }

  #save(part: Written): void {
    // What could not be read may hold a history that must not be lost.
    if (!this.#store || !this.keeps) return
    this.#written = { ...this.#written, ...part }
    this.#next = JSON.stringify({ issuer: this.#issuer, ...this.#written })
    if (!this.#saving) void this.#drain(this.#store)
  }

  async #load(): Promise<Content> {
    try {
      const text = await this.#store?.load()
      if (text === undefined) return {}
      const written = strictObject(new TextEncoder().encode(text))
      if (written?.issuer !== this.#issuer) throw new Error('the stored text is not of this issuer')
      const content = {
        ...(await cachedKeys(written.keys)),
        ...(await cachedHistory(written.history)),
        ...cachedFeed(written.feed),
      }
      this.#written = written
      return content
    } catch {
      this.failures++
      this.#readable = false
      return {}
    }
  }

  /** One after another: an older text must not land on a newer one. */
  async #drain(store: Store): Promise<void> {
    this.#saving = true
    while (this.#next !== undefined) {
      const text = this.#next
      this.#next = undefined
      await store.save(text).catch(() => this.failures++)
    }
    this.#saving = false
  }
}

async function cachedKeys(written: unknown): Promise<Content> {
  if (written === undefined) return {}
  const { document, madeAt } = isObject(written) ? written : {}
  const keys = isObject(document) ? await readKeySet(document) : undefined
  if (!keys || !Number.isSafeInteger(madeAt)) throw new Error('the stored text has no valid keys')
  return { keys: { keys, madeAt: madeAt as number, kids: kidsOf(document as JsonObject) } }
}

async function cachedHistory(written: unknown): Promise<Content> {
  if (written === undefined) return {}
  const { entries, issuedAt } = isObject(written) ? written : {}
  const keys = await readEntries(entries)
  if (!keys || !Number.isSafeInteger(issuedAt)) throw new Error('the stored text has no valid history')
  return { history: { issuedAt: issuedAt as number, keys } }
}

function cachedFeed(written: unknown): Content {
  if (written === undefined) return {}
  const feed = readKeptFeed(written)
  if (!feed) throw new Error('the stored text has no valid feed')
  return { feed }
}
