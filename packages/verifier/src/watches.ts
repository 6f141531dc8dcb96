/** Owns the signals that tell of the end of a principal, for connections that outlive the request that opened them. */
import { isLater } from './handles.js'
import { type Refused, type RevocationFault, refused } from './refusal.js'

/** What a token rests on: its own handles with that of its session, and that of its key. */
export interface Grounds {
  readonly generation: number | undefined
  readonly handles: readonly string[]
  /** That of the key, which dies in every generation. */
  readonly key: string
}

interface Watch extends Grounds {
  readonly controller: AbortController
}

export class Watches {
  readonly #all = new Set<Watch>()
  readonly #byHandle = new Map<string, Set<Watch>>()

  get size(): number {
    return this.#all.size
  }

  /** Is let go when `until` is aborted. */
  add(grounds: Grounds, until: AbortSignal | undefined): AbortSignal {
    const controller = new AbortController()
    const { signal } = controller
    if (until?.aborted) return signal
    const watch = { ...grounds, controller }
    this.#all.add(watch)
    for (const handle of handlesOf(watch)) {
      const watches = this.#byHandle.get(handle) ?? new Set()
      this.#byHandle.set(handle, watches.add(watch))
    }
    until?.addEventListener('abort', () => this.#drop(watch), { once: true, signal })
    return signal
  }

  /** In this generation: a token of a later one rests on handles of its own. A key dies in all of them. */
  died(handles: readonly string[], generation: number | undefined): void {
    if (this.#all.size === 0) return
    for (const handle of handles)
      for (const watch of this.#byHandle.get(handle) ?? [])
        if (handle === watch.key || !isLater(watch.generation, generation))
          this.#end(watch, refused('stale_token'))
  }

  /** Tokens of earlier generations are stale. */
  reached(generation: number | undefined): void {
    if (generation === undefined) return
    for (const watch of this.#all)
      if (watch.generation !== undefined && watch.generation < generation)
        this.#end(watch, refused('stale_token'))
  }

  endAll(refusal: Refused<RevocationFault>): void {
    for (const watch of this.#all) this.#end(watch, refusal)
  }

  #end(watch: Watch, refusal: Refused<RevocationFault>): void {
    this.#drop(watch)
    watch.controller.abort(refusal)
  }

  #drop(watch: Watch): void {
    this.#all.delete(watch)
    for (const handle of handlesOf(watch)) {
      const watches = this.#byHandle.get(handle)
      watches?.delete(watch)
      if (watches?.size === 0) this.#byHandle.delete(handle)
    }
  }
}

const handlesOf = ({ handles, key }: Grounds): string[] => [...handles, key]
