/** Owns what a service's own health page and metrics can show of a verifier. */
import type { RevocationMode } from './options.js'
import type { RefusalCode, Refused } from './refusal.js'

export interface KeysHealth {
  /** Whether there are keys, young enough to verify with. */
  readonly usable: boolean
  /** Their kids. */
  readonly keys: readonly string[]
  /** How old the newest list is; undefined without one, and for keys given as data. */
  readonly ageSeconds: number | undefined
  /** An attempt to fetch the keys is under way. */
  readonly fetching: boolean
  /** Attempts to fetch the keys since the start, and how many of them failed. */
  readonly fetches: number
  readonly failures: number
  readonly failuresInARow: number
  /** Why the last attempt failed; undefined when it did not. */
  readonly fault: string | undefined
  /** The same of the key history, which only `verifyAt` asks for. */
  readonly historyFault: string | undefined
  /** Loads and saves by the caller's store that failed. */
  readonly storeFailures: number
}

export interface RevocationHealth {
  readonly mode: RevocationMode
  /** `loading`: not complete yet, and nothing is wrong. `stale`: older than it may be; `preferred` goes on without it. */
  readonly state: 'off' | 'loading' | 'fresh' | 'stale'
  /** How old it is; undefined when it is not complete. */
  readonly ageSeconds: number | undefined
  /** Dead handles that are remembered. */
  readonly entries: number
  readonly generation: number | undefined
  /** The number of the last entry. */
  readonly head: number
  /** Why the last answer brought nothing. */
  readonly fault?: string
}

export interface Health extends KeysHealth {
  readonly revocation: RevocationHealth
  readonly accepted: number
  /** How many answers were refusals, by their code. */
  readonly refused: Readonly<Partial<Record<RefusalCode, number>>>
}

export class Counters {
  #accepted = 0
  readonly #refused: Partial<Record<RefusalCode, number>> = {}

  /** Answers with what it was given. */
  count<Answer extends { readonly ok: true } | Refused>(answer: Answer): Answer {
    if (answer.ok) this.#accepted++
    else this.#refused[answer.code] = (this.#refused[answer.code] ?? 0) + 1
    return answer
  }

  totals(): Pick<Health, 'accepted' | 'refused'> {
    return { accepted: this.#accepted, refused: { ...this.#refused } }
  }
}
