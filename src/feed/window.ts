/** What an instance has of the feed in memory: every handle that a token of now could carry, by position. */
import type { Handle } from '../core/handle.js'
import { beginning, type Cursor } from './cursor.js'
import type { FeedReading } from './store.js'

/** Seconds that an entry is needed: the longest lifetime of a token, the leeway of verifiers, and a reserve. */
export const windowSeconds = 990

export class Window {
  #generation = -1
  #handles: Handle[] = []
  /** The position of the first one. */
  #first = 1
  /** Up to which position the feed was read, and as of when. */
  #marks: { readonly position: number; readonly asof: number }[] = []

  get generation(): number {
    return this.#generation
  }

  /** The last position that was read. */
  get head(): number {
    return this.#first + this.#handles.length - 1
  }

  /** The position of the oldest one. */
  get first(): number {
    return this.#first
  }

  get size(): number {
    return this.#handles.length
  }

  clear(): void {
    this.#generation = -1
    this.#handles = []
    this.#first = 1
    this.#marks = []
  }

  /** False: the reading does not follow on what is here, which must be read anew then. */
  add({ generation, head, entries, asof }: FeedReading): boolean {
    const next = entries[0]?.[0]
    if (this.#generation < 0) {
      this.#generation = generation
      this.#first = next ?? head + 1
    } else if (
      generation !== this.#generation ||
      head < this.head ||
      (next ?? this.head + 1) !== this.head + 1
    ) {
      return false
    }
    for (const [, handle] of entries) this.#handles.push(handle)
    if (entries.length > 0) this.#marks.push({ position: this.head, asof })
    this.#forget(asof - windowSeconds)
    return true
  }

  /** Undefined: it is not in here (any more). */
  cursorAt(position: number): Cursor | undefined {
    if (position === 0) return beginning
    const tag = this.#handles[position - this.#first]
    return tag === undefined ? undefined : { position, tag }
  }

  /** Those after `from`, up to and including `to`. What is older than the window is in no token any more. */
  between(from: number, to: number): readonly Handle[] {
    return this.#handles.slice(Math.max(0, from + 1 - this.#first), Math.max(0, to + 1 - this.#first))
  }

  /** By the clock that says what was read when. The last one stays: it is the tag of the head. */
  #forget(before: number): void {
    let over = 0
    while ((this.#marks[over]?.asof ?? before) < before) over++
    const until = Math.min(this.#marks[over - 1]?.position ?? 0, this.head - 1)
    this.#marks.splice(0, over)
    if (until < this.#first) return
    this.#handles.splice(0, until + 1 - this.#first)
    this.#first = until + 1
  }
}
