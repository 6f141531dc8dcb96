/** Owns when something may be fetched: one attempt at a time, none too soon after the last, none that never ends. */
import { type Clock, elapsed } from './clock.js'
import { deadlineMilliseconds } from './exchange.js'

/** Milliseconds from the beginning of one attempt to that of the next, whatever made it and however it ended. */
const cooldownMilliseconds = 5_000
/** So much at most after attempts that failed in a row. */
const longestPauseMilliseconds = 60_000
/** A platform may stop a request, and with it the attempt that it began, without a word. An attempt has two deadlines. */
const givenUpMilliseconds = 3 * deadlineMilliseconds

export class Attempts<Fault extends string> {
  readonly #clock: Clock
  readonly #work: (isNewest: () => boolean) => Promise<Fault | undefined>
  readonly #ended: () => void
  #pending: { readonly promise: Promise<void>; readonly number: number } | undefined
  #begun = 0
  #applied = 0
  #lastBegan = Number.NEGATIVE_INFINITY
  failuresInARow = 0
  failures = 0
  /** Why the last attempt failed; undefined when it did not. */
  fault: Fault | undefined

  /** `work` answers with a fault, or nothing. It may change what is known only if `isNewest()`, asked right then. */
  constructor(
    clock: Clock,
    work: (isNewest: () => boolean) => Promise<Fault | undefined>,
    ended: () => void = () => {},
  ) {
    this.#clock = clock
    this.#work = work
    this.#ended = ended
  }

  get count(): number {
    return this.#begun
  }

  get pending(): boolean {
    return this.#pending !== undefined
  }

  /** Milliseconds until the next one may begin. */
  pause(): number {
    const wanted = Math.min(
      cooldownMilliseconds * 2 ** Math.max(this.failuresInARow - 1, 0),
      longestPauseMilliseconds,
    )
    return Math.max(wanted - elapsed(this.#lastBegan, this.#clock.now()), 0)
  }

  /** Joins the attempt under way, or begins one where that is allowed; settles with it, and never rejects. */
  async make(): Promise<void> {
    const waited = elapsed(this.#lastBegan, this.#clock.now())
    if (this.#pending && waited < givenUpMilliseconds)
      return this.#within(this.#pending.promise, givenUpMilliseconds - waited)
    if (this.pause() > 0) return
    const number = ++this.#begun
    this.#lastBegan = this.#clock.now()
    this.#pending = { number, promise: this.#run(number) }
    return this.#pending.promise
  }

  /** Who joins an attempt that will never end does not wait for ever either. */
  async #within(promise: Promise<void>, milliseconds: number): Promise<void> {
    let cancel = () => {}
    const over = new Promise<void>(resolve => {
      cancel = this.#clock.after(milliseconds, resolve)
    })
    await Promise.race([promise, over])
    cancel()
  }

  async #run(number: number): Promise<void> {
    const fault = await this.#work(() => {
      // An older answer that comes late changes nothing.
      if (number < this.#applied) return false
      this.#applied = number
      return true
    })
    if (this.#pending?.number !== number) return
    this.#pending = undefined
    this.fault = fault
    this.failures += fault === undefined ? 0 : 1
    this.failuresInARow = fault === undefined ? 0 : this.failuresInARow + 1
    this.#ended()
  }
}
