/** Whose hash is next: so many at once, the others wait, and each caller waits behind themselves. */

export interface HashingLimits {
  /** Hashes computed at the same time, each by a thread of its own at a lower priority. */
  readonly concurrency: number
  /** What all of them together may take, threads left out. */
  readonly memoryKib: number
}

/**
 * Every worker is busy and the queue is full: the caller is asked to come back (503 with Retry-After). Nothing
 * was hashed and nothing is known about the password.
 */
export class HashQueueFull extends Error {
  override readonly name = 'HashQueueFull'
  constructor() {
    super('the password hash queue is full')
  }
}

/** KiB of memory that a hash takes while it is worked on. */
type Cost = { readonly memoryCost: number }

interface Waiting {
  readonly cost: Cost
  readonly go: () => void
  readonly turnAway: (error: HashQueueFull) => void
}

/**
 * Callers take turns, so that one with a thousand hashes costs another the time of one. `queueLimit` is for all of
 * them together: when it is reached, anybody who has the most waiting loses the one that came last, unless that is the
 * newcomer.
 */
export function createHashTurns({ concurrency, memoryKib }: HashingLimits, queueLimit: number) {
  /** In the order of the callers' turns. */
  const waiting = new Map<string, Waiting[]>()
  let queued = 0
  let running = 0
  let takenKib = 0

  const enter = ({ memoryCost }: Cost): boolean => {
    if (running >= concurrency || takenKib + memoryCost > memoryKib) return false
    running++
    takenKib += memoryCost
    return true
  }

  function makeRoomFor(caller: string): void {
    const own = waiting.get(caller)?.length ?? 0
    const [name, longest] = [...waiting].reduce(
      (most, one) => (one[1].length > most[1].length ? one : most),
      ['', [] as Waiting[]],
    )
    if (longest.length <= own + 1) throw new HashQueueFull()
    longest.pop()?.turnAway(new HashQueueFull())
    queued--
    if (longest.length === 0) waiting.delete(name)
  }

  function wait(caller: string, cost: Cost): Promise<void> {
    if (queued >= queueLimit) makeRoomFor(caller)
    queued++
    return new Promise((go, turnAway) => {
      const own = waiting.get(caller) ?? []
      own.push({ cost, go, turnAway })
      waiting.set(caller, own)
    })
  }

  /** The one who is next goes before any other, however small that is: a large one waits no longer than its turn. */
  function letIn(): void {
    for (const [caller, own] of waiting) {
      const [next] = own
      if (!next || !enter(next.cost)) return
      queued--
      own.shift()
      waiting.delete(caller)
      // Behind all others.
      if (own.length > 0) waiting.set(caller, own)
      next.go()
    }
  }

  return {
    queued: () => queued,
    async run<T>(caller: string, cost: Cost, work: () => Promise<T>): Promise<T> {
      // A newcomer does not slip in before one who waits.
      if (queued > 0 || !enter(cost)) await wait(caller, cost)
      try {
        return await work()
      } finally {
        running--
        takenKib -= cost.memoryCost
        letIn()
      }
    },
  }
}
