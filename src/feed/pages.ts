/** Which message answers which cursor: shared by all that ask from the same place, signed once. */
import { beginning } from './cursor.js'
import type { FeedMessage } from './message.js'
import { mostEntries } from './store.js'
import type { Window } from './window.js'

/** A cursor that nobody was given lately is answered from the last multiple of this: as many messages are signed. */
const step = 250
/** Heads that were given to readers lately: what follows on one of them is answered exactly. */
const mostHeads = 64
/** Seconds for which the message of a full page is served again: its `exp` is a minute ahead. */
const pageSeconds = 30

export interface Page extends Pick<FeedMessage, 'from' | 'to' | 'dead' | 'more'> {}

export class Pages {
  readonly #window: Window
  readonly #heads: number[] = []
  /** Of the present tick, by where they begin. */
  readonly #messages = new Map<number, Promise<string>>()
  readonly #full = new Map<number, { readonly asof: number; readonly message: Promise<string> }>()

  constructor(window: Window) {
    this.#window = window
  }

  /** After each reading: what was signed before says when, and is not served again. */
  turn(asof: number): void {
    this.#messages.clear()
    for (const [at, page] of this.#full) if (asof - page.asof >= pageSeconds) this.#full.delete(at)
    const { head } = this.#window
    if (this.#heads.at(-1) === head) return
    this.#heads.push(head)
    if (this.#heads.length > mostHeads) this.#heads.shift()
  }

  clear(): void {
    this.#messages.clear()
    this.#full.clear()
    this.#heads.length = 0
  }

  /** The page of a position that is not beyond the head. */
  async messageFor(position: number, asof: number, write: (page: Page) => Promise<string>): Promise<string> {
    const page = this.#pageFor(position)
    const at = page.from.position
    if (!page.more) return kept(this.#messages, at, () => write(page))
    const before = this.#full.get(at)
    if (before && asof - before.asof < pageSeconds) return before.message
    const message = write(page)
    this.#full.set(at, { asof, message })
    return message
  }

  /** A page that does not end at the head says nothing of when, and is answered at once. */
  isFull(position: number): boolean {
    return this.#pageFor(position).more
  }

  #pageFor(after: number): Page {
    const { head, first } = this.#window
    const position = Math.max(after, first - 1)
    const begin = position - (position % mostEntries)
    const end = begin + mostEntries
    const more = end < head
    const exact = more ? begin : this.#heads.includes(position) ? position : position - (position % step)
    // What lies before the window is in no token any more, so a page from the beginning misses nothing.
    const from = this.#window.cursorAt(exact) ?? beginning
    const to = this.#window.cursorAt(more ? end : head) ?? beginning
    return { from, to, dead: this.#window.between(from.position, to.position), more }
  }
}

function kept(
  messages: Map<number, Promise<string>>,
  at: number,
  make: () => Promise<string>,
): Promise<string> {
  const known = messages.get(at)
  if (known) return known
  const made = make()
  messages.set(at, made)
  return made
}
