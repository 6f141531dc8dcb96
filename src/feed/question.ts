/** What a reader asks the feed, and what it is answered. */
import type { Cursor } from './cursor.js'
import type { FeedPosition } from './verifiers.js'

export interface Question {
  /** Undefined: from the beginning, and answered by the next look. */
  readonly after: Cursor | undefined
  /** How long there may be no news. */
  readonly waitMs: number
  /** Hears, once or more often, that `after` is a place of this database: the reader has applied all up to there. */
  readonly applied?: (at: FeedPosition) => void
}

/** One message, or several lines of them. `forked`: the cursor is none of this database. */
export type FeedAnswer = { readonly messages: string } | 'forked'

export interface FeedState {
  readonly generation: number
  readonly head: number
  /** Entries in memory. */
  readonly entries: number
  /** Milliseconds that the last look took; undefined before the first. */
  readonly tickMs: number | undefined
  /** Milliseconds since the begin of the last look that succeeded; undefined before it. */
  readonly ageMs: number | undefined
  readonly waiting: number
}
