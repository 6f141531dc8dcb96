/** Owns what the caller keeps for us between two starts: one text, loaded once, saved after each change. */
import type { HistoryEntry } from './history.js'
import { isObject, type JsonObject, strictObject } from './strict-json.js'

/** Believed as much as the program itself: whoever can write it can choose the keys. */
export interface Store {
  /** What was saved last; undefined at the first start. */
  readonly load: () => Promise<string | undefined>
  readonly save: (text: string) => Promise<void>
}

export interface KeptKeys {
  readonly document: JsonObject
  readonly madeAt: number
}
export interface KeptHistory {
  readonly issuedAt: number
  readonly entries: readonly HistoryEntry[]
}
interface Content {
  readonly keys?: KeptKeys
  readonly history?: KeptHistory
}

export class Kept {
  readonly #issuer: string
  readonly #store: Store | undefined
  #content: Promise<Content> | undefined
  #known: Content = {}
  #next: string | undefined
  #saving = false
  /** Loads and saves that went wrong. Neither stops a verification. */
  failures = 0

  constructor(issuer: string, store: Store | undefined) {
    this.#issuer = issuer
    this.#store = store
  }

  load(): Promise<Content> {
    this.#content ??= this.#load()
    return this.#content
  }

  save(part: Content): void {
    if (!this.#store) return
    this.#known = { ...this.#known, ...part }
    this.#next = JSON.stringify({ issuer: this.#issuer, ...this.#known })
    if (!this.#saving) void this.#drain(this.#store)
  }

  async #load(): Promise<Content> {
    if (!this.#store) return {}
    try {
      const text = await this.#store.load()
      if (text === undefined) return {}
      const content = strictObject(new TextEncoder().encode(text))
      if (content?.issuer !== this.#issuer) throw new Error('another issuer’s')
      const { keys, history } = content
      this.#known = {
        ...(isObject(keys) && { keys: keys as unknown as KeptKeys }),
        ...(isObject(history) && { history: history as unknown as KeptHistory }),
      }
      return this.#known
    } catch {
      this.failures++
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
