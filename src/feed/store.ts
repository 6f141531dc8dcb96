/** The contract of the feed's store: what is dead, as the primary has it in one moment. */
import type { Handle } from '../core/handle.js'
import type { Kid } from '../core/principal.js'

/** The most entries of one reading, and the most that one call numbers or forgets (drizzle/0018_revocation_feed.sql). */
export const mostEntries = 10_000

export interface FeedReading {
  /** The database's clock in seconds, taken before the snapshot of this reading. */
  readonly asof: number
  readonly generation: number
  /** The last position that was given. */
  readonly head: number
  /** Entries are committed that have no position yet. */
  readonly unsequenced: boolean
  /** In the order of their positions, without a gap. */
  readonly entries: readonly (readonly [position: number, handle: Handle])[]
  /** Somebody waits for a receipt, at any instance. */
  readonly waited: boolean
  /** The key that signs now. */
  readonly kid: Kid | undefined
}

/**
 * Rules (test/feed/):
 * - `read` is one fresh statement on the trusted primary; it throws `Outage` when the primary cannot be asked. Without
 *   `after` it begins with what a token of now could carry, or with the head if there is nothing younger.
 * - `sequence` gives positions to entries that are committed when it begins, `mostEntries` at most, and answers how many
 *   it gave. A position is given once, is never lower than one that was given before, and is durable once it answers.
 */
export interface FeedStore {
  read(after: number | undefined): Promise<FeedReading>
  sequence(): Promise<number>
  /** The handle that has this position; undefined if it is forgotten. */
  at(position: number): Promise<Handle | undefined>
}
