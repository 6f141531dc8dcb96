/** Owns the only clock and the only timers of this package. Tests replace both. */

export interface Clock {
  /** Milliseconds since 1970. */
  now(): number
  /** Milliseconds from any beginning, never set back nor forward. Default: `now`. */
  monotonic?(): number
  /** Does `work` after so many milliseconds, unless the function that it returns is called before. */
  after(milliseconds: number, work: () => void): () => void
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(milliseconds, work) {
    const timer: { unref?(): void } | number = setTimeout(work, milliseconds)
    // No timer of ours keeps a process alive. Outside of Node a timer is a number.
    if (typeof timer === 'object') timer.unref?.()
    return () => clearTimeout(timer as Parameters<typeof clearTimeout>[0])
  },
}

/**
 * Milliseconds from `since` to `now`. A clock that was set back by more than a minute has made `since` worthless:
 * it counts as long ago, lest keys stay for as long as the clock was wrong.
 */
export function elapsed(since: number, now: number): number {
  return since - now > 60_000 ? Number.POSITIVE_INFINITY : Math.max(now - since, 0)
}

/** For durations alone. */
export const monotonic = (clock: Clock): number => clock.monotonic?.() ?? clock.now()

/** Until the function that it returns is called, the process stays: somebody waits for what keeps no process alive. */
export function stayAlive(): () => void {
  const timer = setInterval(() => {}, 60_000)
  return () => clearInterval(timer)
}
