/** Owns what is known of the feed (docs/feed.md), and the rules by which a message changes it. Nothing is asked here. */
import { DeadHandles } from './dead-handles.js'
import type { KeptFeed } from './feed-kept.js'
import { type Cursor, type FeedMessage, readCursor, writeCursor } from './feed-message.js'
import { handleOf, isLater } from './handles.js'
import type { KilledKeys, Position } from './killed-keys.js'

/** Characters of a message that the issuer takes back. */
const longestEvidence = 60_000

/** Why a message was not accepted. */
export type StateFault = 'old_generation' | 'gap' | 'replayed' | 'forked' | 'too_many'
/** `news`: accepted, and the cursor moved. `beat`: accepted, and it did not. `reload`: ask from the beginning. */
export type Outcome = 'news' | 'beat' | 'reload' | StateFault

interface Entries {
  readonly dead: DeadHandles
  cursor: Cursor
  /** Of the messages that they are from; undefined before the first. */
  generation: number | undefined
}

/** Where nothing was accepted yet. */
const beginning: Cursor = { number: 0, tag: '' }
const begin = (): Entries => ({ dead: new DeadHandles(), cursor: beginning, generation: undefined })
/** Some hundred megabytes. A Set has its own limit, and throws there. */
const mostEntries = 10_000_000
/** Seconds by which an `asof` may be old in front of our clock before it counts as old. */
const asofLeeway = 30

export class FeedState {
  generation: number | undefined
  /** The text of the last message that was accepted: it testifies against an issuer that has lost entries. */
  lastMessage: string | undefined
  readonly #killed: KilledKeys
  readonly #kids: () => readonly string[]
  /** Told of handles as they die, and of the generation in which they do. A key dies in all of them: undefined. */
  readonly #died: (handles: readonly string[], generation: number | undefined) => void
  /** The last complete ones; undefined before the first. */
  #held: Entries | undefined
  /** Those that will take their place once they are complete. */
  #loading: Entries | undefined = begin()
  #asof = Number.NEGATIVE_INFINITY
  /** Monotonic, in milliseconds: when the request was sent that was answered with the latest `asof`. */
  #sentAt: number | undefined
  #fork: 'no' | 'suspected' | 'found' = 'no'

  constructor(
    killed: KilledKeys,
    kids: () => readonly string[],
    died: (handles: readonly string[], generation: number | undefined) => void = () => {},
  ) {
    this.#killed = killed
    this.#kids = kids
    this.#died = died
    killed.revived = kid => this.#forget(handleOf(kid))
    killed.deadSince = kid => {
      const { generation, head: number } = this
      return generation !== undefined && this.isDead(handleOf(kid) ?? '') ? { generation, number } : undefined
    }
  }

  get isLoading(): boolean {
    return this.#loading !== undefined
  }

  /** Whether it was complete at any time since the start. */
  get wasLoaded(): boolean {
    return this.#sentAt !== undefined
  }

  get isForked(): boolean {
    return this.#fork === 'found'
  }

  get entries(): number {
    return (this.#held ?? this.#loading)?.dead.size ?? 0
  }

  get head(): number {
    return (this.#held ?? this.#loading)?.cursor.number ?? 0
  }

  /** What to ask with. After a fork it is the beginning. */
  after(): string {
    return this.#fork === 'no' ? this.cursor() : ''
  }

  /** The `to` of the last message that was accepted. */
  cursor(): string {
    const { cursor } = this.#newest()
    return cursor === beginning ? '' : writeCursor(cursor)
  }

  /** For a token of this generation. What an earlier one has killed may be alive in it: `recover` empties the list. */
  isDead(handle: string, generation?: number): boolean {
    return isDeadIn(this.#held, handle, generation) || isDeadIn(this.#loading, handle, generation)
  }

  /** Whether the issuer was recovered, and has not told us yet. */
  isUnheard(generation?: number): boolean {
    return isLater(generation, this.generation)
  }

  /** Seconds; infinite when what is held is not known to be complete. */
  age(monotonic: number, now: number): number {
    return this.#loading || this.#fork === 'found' ? Number.POSITIVE_INFINITY : this.silence(monotonic, now)
  }

  /** Seconds since the feed was last known to be complete, also while it is loaded again. Both in milliseconds. */
  silence(monotonic: number, now: number): number {
    if (this.#sentAt === undefined) return Number.POSITIVE_INFINITY
    return Math.max((monotonic - this.#sentAt) / 1000, now / 1000 - this.#asof - asofLeeway, 0)
  }

  /** The issuer does not know the cursor. */
  suspectFork(): void {
    if (this.#fork === 'no') this.#fork = 'suspected'
  }

  /** The steps 3 to 7 of docs/feed.md. `sentAt`: monotonic, when the request of this answer was sent. */
  accept(message: FeedMessage, sentAt: number): Outcome {
    const killed = this.#killKeys(message)
    if (killed && this.#killed.has(message.kid)) return 'reload'
    const { generation, from, to, more, asof } = message
    if (this.generation !== undefined && generation < this.generation) return 'old_generation'
    if (this.generation === generation && this.#fork !== 'no' && !this.#isContinued(from)) {
      this.#fork = 'found'
      return 'forked'
    }
    const raised = this.generation !== undefined && generation > this.generation
    if (raised) this.#loading = begin()
    this.generation = generation
    this.#fork = 'no'
    const { cursor } = this.#newest()
    if (cursor.number < from.number || to.number < cursor.number) return killed || raised ? 'reload' : 'gap'
    if ([from, to].some(({ number, tag }) => number === cursor.number && tag !== cursor.tag)) {
      this.#fork = 'found'
      return 'forked'
    }
    if (!more && asof <= this.#asof) return 'replayed'
    if (this.#newest().dead.size + message.dead.length > mostEntries) return 'too_many'
    this.#take(message, sentAt)
    return to.number > cursor.number ? 'news' : 'beat'
  }

  /** An issuer that goes on from the cursor itself has every entry up to there. */
  #isContinued({ number, tag }: Cursor): boolean {
    const { cursor } = this.#newest()
    return cursor.number > 0 && number === cursor.number && tag === cursor.tag
  }

  #take(message: FeedMessage, sentAt: number): void {
    const { to, more, asof } = message
    const entries = this.#newest()
    const survivors = this.#survivors(message)
    const dead = survivors.size > 0 ? message.dead.filter(one => !survivors.has(one)) : message.dead
    entries.dead.add(dead, asof)
    entries.cursor = to
    entries.generation = message.generation
    if (message.line.length <= longestEvidence) this.lastMessage = message.line
    if (!more) {
      this.#held = entries
      this.#loading = undefined
      this.#asof = asof
      this.#sentAt = sentAt
    }
    this.#died(dead, message.generation)
  }

  /** Whether a key of ours has died. A thief of it could have told us anything: all is loaded again. */
  #killKeys(message: FeedMessage): boolean {
    const survivors = this.#survivors(message)
    const died = this.#kids().filter(kid => {
      const handle = handleOf(kid) ?? ''
      return !this.#killed.has(kid) && message.dead.includes(handle) && !survivors.has(handle)
    })
    if (died.length === 0) return false
    for (const kid of died) this.#killed.kill({ kid, at: position(message), by: message.kid })
    this.#loading = begin()
    this.generation = undefined
    this.#asof = Number.NEGATIVE_INFINITY
    this.#fork = 'no'
    this.#died(
      died.map(kid => handleOf(kid) ?? ''),
      undefined,
    )
    return true
  }

  /** Handles of keys that a newer list than this message still contains. */
  #survivors(message: FeedMessage): ReadonlySet<string> {
    const alive = this.#kids().filter(kid => this.#killed.survived(kid, position(message)))
    return new Set(alive.map(kid => handleOf(kid) ?? ''))
  }

  #newest(): Entries {
    return this.#loading ?? this.#held ?? begin()
  }

  #forget(handle = ''): void {
    this.#held?.dead.forget(handle)
    this.#loading?.dead.forget(handle)
  }

  /** Undefined while nothing complete is there to be kept. */
  kept(): KeptFeed | undefined {
    const { generation } = this
    if (!this.#held || this.#loading || generation === undefined) return undefined
    return {
      generation,
      cursor: writeCursor(this.#held.cursor),
      asof: this.#asof,
      ...this.#held.dead.kept(),
      killed: this.#killed.all(),
      message: this.lastMessage ?? '',
    }
  }

  restore(kept: KeptFeed): void {
    this.generation = kept.generation
    this.#asof = kept.asof
    this.lastMessage = kept.message
    this.#killed.restore(kept.killed)
    const { generation } = kept
    this.#held = {
      dead: DeadHandles.restored(kept),
      cursor: readCursor(kept.cursor) ?? beginning,
      generation,
    }
    this.#loading = undefined
  }
}

function isDeadIn(entries: Entries | undefined, handle: string, generation?: number): boolean {
  if (!entries?.dead.has(handle)) return false
  return !isLater(generation, entries.generation)
}

const position = ({ generation, to }: FeedMessage): Position => ({ generation, number: to.number })
