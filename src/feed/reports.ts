/** The contract of what operators' commands read of the feed: where it is, what it holds, and what comes. */
import type { FeedPosition } from './verifiers.js'

export interface FeedFacts extends FeedPosition {
  /** Entries that a token of now could carry. */
  readonly entries: number
  /** Entries that are committed and have no position yet. */
  readonly unsequenced: number
}

/** Never a handle: those that are dead say nothing to an operator. */
export interface FeedEntry {
  readonly position: number
  readonly kind: string
  /** A NumericDate: when it got its position. */
  readonly at: number
}

/** Rules: `position` and `after` first give a position to what is committed. */
export interface FeedReports {
  facts(): Promise<FeedFacts>
  /** That covers everything that was committed before. */
  position(): Promise<FeedPosition>
  after(position: number, most: number): Promise<readonly FeedEntry[]>
}
