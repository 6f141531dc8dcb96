/** Of events that each concern every session opened before some moment, finds the earliest for one session. */
import type { Entry } from '../history.js'

export interface Event {
  /** It concerns sessions that were opened before. */
  readonly openedBefore: number
  /** What is minimised: when it is known to be over, or when it can first have happened. */
  readonly at: number
  /** The session that it spares. */
  readonly except: string | undefined
  readonly entry: Entry
}

export interface Cover {
  earliest(opened: number, session: string): Event | undefined
}

/** Sorted once; each question is one binary search. */
export function cover(events: readonly Event[]): Cover {
  const sorted = [...events].sort((a, b) => a.openedBefore - b.openedBefore)
  // From each place to the end: the earliest of all, and the earliest that spares another session than that one.
  const best: { first: Event; other: Event | undefined }[] = []
  for (let index = sorted.length - 1; index >= 0; index--) {
    const event = sorted[index] as Event
    const next = best[index + 1]
    best[index] = next ? merge(next, event) : { first: event, other: undefined }
  }
  return {
    earliest(opened, session) {
      let low = 0
      let high = sorted.length
      while (low < high) {
        const middle = (low + high) >> 1
        if ((sorted[middle] as Event).openedBefore > opened) high = middle
        else low = middle + 1
      }
      const found = best[low]
      return found && (found.first.except === session ? found.other : found.first)
    },
  }
}

function merge({ first, other }: { first: Event; other: Event | undefined }, event: Event) {
  if (event.at < first.at) {
    // One without an exception concerns everyone: no second one is ever needed.
    return { first: event, other: event.except === first.except ? other : first }
  }
  const better = event.except !== first.except && (!other || event.at < other.at)
  return { first, other: better ? event : other }
}
