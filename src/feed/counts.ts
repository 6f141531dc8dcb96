/** How many verifiers there are in which state, and how far the last one is behind: read in the background, for metrics. */
import { stateOf, type VerifierState, verifierStates } from './receipts.js'
import type { RegistryReading, Verifier } from './verifiers.js'

export interface VerifierCount {
  readonly mode: Verifier['mode']
  readonly state: VerifierState
  readonly count: number
}

export interface VerifierCounts {
  readonly counts: readonly VerifierCount[]
  /** Entries that the last one of those that follow now has not applied; undefined if there is none. */
  readonly lag: number | undefined
}

/** Seconds: a verifier asks again after 3, and after an error within 10. */
const followingWithin = 15

const modes = ['required', 'preferred'] as const

export function countsOf(reading: RegistryReading): VerifierCounts {
  const { generation, head, now, verifiers } = reading
  const at = { generation, position: head }
  const counts = modes.flatMap(mode =>
    verifierStates.map(state => {
      const those = verifiers.filter(one => one.mode === mode && stateOf(one, at, reading) === state)
      return { mode, state, count: those.length }
    }),
  )
  const lags = verifiers
    .filter(({ lastSeenAt, leftAt }) => leftAt === null && now - lastSeenAt < followingWithin)
    .map(({ applied }) => (applied?.generation === generation ? Math.max(0, head - applied.position) : head))
  return { counts, lag: lags.length === 0 ? undefined : Math.max(...lags) }
}

/** Answers at once with what was read last, and reads again for the next time: no scrape waits for Postgres. */
export function createVerifierCounts(read: () => Promise<RegistryReading>) {
  let known: VerifierCounts | undefined
  let reading = false
  return (): VerifierCounts | undefined => {
    if (!reading) {
      reading = true
      void read()
        .then(countsOf)
        .catch(() => undefined)
        .then(counts => {
          known = counts
          reading = false
        })
    }
    return known
  }
}
