/** Owns the following of the feed (docs/feed.md): one request at a time, for as long as somebody verifies. */
import { chance } from './chance.js'
import { monotonic, stayAlive } from './clock.js'
import { type AnswerFault, type AnswerParts, readAnswer } from './feed-answer.js'
import type { FeedAnswer, Sender } from './feed-request.js'

export type FeedFault =
  | AnswerFault
  | 'timeout'
  | 'network'
  | 'status'
  | 'unavailable'
  | 'service_key_refused'
  | 'internal'

export interface FeedParts extends AnswerParts {
  readonly url: string
  readonly serviceKey: string | undefined
  readonly sender: Sender
  /** Restores what was kept. */
  readonly restored: () => Promise<void>
  /** Told after each answer. */
  readonly answered: () => void
}

const deadlineMilliseconds = 8_000
/** Answers without news come no faster. */
const shortestMilliseconds = 250
const refusedMilliseconds = 60_000
const longestPauseMilliseconds = 10_000
/** A platform may stop a request without a word. After so long without a step the feed is begun again. */
const givenUpMilliseconds = 3 * deadlineMilliseconds

export class Feed {
  readonly #parts: FeedParts
  /** So that the issuer counts one verifier. Made with the first question: a Worker has no chance before a request. */
  #process: string | undefined
  #waiters: (() => void)[] = []
  #run = 0
  #closed = false
  #errors = 0
  #reported = false
  #triesCursor = false
  /** Monotonic: the next step comes by then, or never. */
  #expectedBy = Number.NEGATIVE_INFINITY
  #hurriedAt = Number.NEGATIVE_INFINITY
  #pausesUntil = Number.NEGATIVE_INFINITY
  #interrupt = () => {}
  /** Seconds that the issuer may wait for news. */
  wait: number
  /** Why the last answer brought nothing; undefined when it did. */
  fault: FeedFault | undefined

  constructor(parts: FeedParts, wait: number) {
    this.#parts = parts
    this.wait = wait
  }

  start(): void {
    if (this.#closed || this.#now() <= this.#expectedBy) return
    this.#interrupt()
    this.#expectedBy = this.#now() + givenUpMilliseconds
    void this.#follow(++this.#run)
  }

  /** Asks at once, where it paused or waited for news; once in a second at most. */
  hurry(): void {
    if (this.#now() - this.#hurriedAt < 1_000) return
    this.#hurriedAt = this.#now()
    this.#interrupt()
  }

  /** When it is worth asking again what is not known now. */
  get retryAfterSeconds(): number {
    return Math.max(Math.ceil((this.#pausesUntil - this.#now()) / 1000), 1)
  }

  /** Settles with the first complete load, when there will be none, or after eight seconds. */
  async ready(): Promise<void> {
    this.start()
    if (this.#parts.state.wasLoaded || this.#closed) return
    const leave = stayAlive()
    let cancel = () => {}
    await new Promise<void>(resolve => {
      this.#waiters.push(resolve)
      cancel = this.#parts.clock.after(deadlineMilliseconds, resolve)
    })
    cancel()
    leave()
  }

  close(): void {
    this.#closed = true
    this.#run++
    this.#interrupt()
    this.#settle()
    this.#parts.keys.close()
    this.#parts.sender.close()
  }

  async #follow(run: number): Promise<void> {
    await this.#parts.restored()
    while (run === this.#run) {
      const pause = await this.#ask(run).catch(() => this.#failed('internal'))
      if (run !== this.#run) return
      this.#parts.answered()
      if (this.#parts.state.wasLoaded) this.#settle()
      if (pause > 0) await this.#sleep(pause)
    }
  }

  /** Milliseconds until the next one. */
  async #ask(run: number): Promise<number> {
    const { state, keys } = this.#parts
    await keys.ready()
    // A 409 may have been wrong, of a relay: every other time after a fork the cursor itself is tried.
    this.#triesCursor = state.isForked && !this.#triesCursor
    const after = this.#triesCursor ? state.cursor() : state.after()
    const url = await this.#question(after)
    if (run !== this.#run) return 0
    const sentAt = this.#now()
    const answer = await this.#exchange(url)
    if (run !== this.#run || answer === 'interrupted') return 0
    if (typeof answer === 'string') return this.#failed(answer)
    if (answer.status === 200) return this.#read(answer.text, sentAt)
    if (answer.status !== 409 || after === '') return this.#rejected(answer)
    state.suspectFork()
    return 0
  }

  async #read(text: string | undefined, sentAt: number): Promise<number> {
    const brought = await readAnswer(text, sentAt, this.#parts)
    const { state } = this.#parts
    if (state.isForked) void this.#testify()
    if (brought !== 'news' && brought !== 'beat' && brought !== 'reload') return this.#failed(brought)
    this.#errors = 0
    this.fault = undefined
    return brought === 'beat' ? Math.max(shortestMilliseconds - (this.#now() - sentAt), 0) : 0
  }

  #rejected({ status, retryAfter }: FeedAnswer): number {
    if (status === 401 || status === 403) {
      this.#settle()
      this.#failed('service_key_refused')
      return refusedMilliseconds
    }
    // An issuer without a feed: nobody waits for what will not come.
    if (status === 404) this.#settle()
    if (status !== 429 && status !== 503) return this.#failed('status')
    const asked = Math.min(Number(retryAfter) || 0, 60) * 1_000
    const pause = this.#failed('unavailable')
    return asked > 0 ? asked + chance() * 1_000 : pause
  }

  #failed(fault: FeedFault): number {
    this.fault = fault
    const most = Math.min(2_000 * 2 ** this.#errors++, longestPauseMilliseconds)
    return Math.max(chance() * most, shortestMilliseconds)
  }

  async #question(after: string): Promise<URL> {
    const url = new URL(this.#parts.url)
    this.#process ??= crypto.randomUUID()
    const held = await this.#parts.keys.digest()
    // Nobody waits for news while something is missing.
    const isComplete = this.#parts.state.wasLoaded && !this.#parts.state.isLoading && this.fault === undefined
    const wait = String(isComplete ? this.wait : 0)
    const asked = { after, wait, v: this.#process, ...(held && { jwks: held }) }
    for (const [name, value] of Object.entries(asked)) url.searchParams.set(name, value)
    return url
  }

  async #exchange(url: URL, body?: string): Promise<FeedAnswer | 'timeout' | 'network' | 'interrupted'> {
    const { clock, sender, serviceKey } = this.#parts
    this.#expectedBy = this.#now() + givenUpMilliseconds
    const controller = new AbortController()
    let cancel = () => {}
    const ended = new Promise<'timeout' | 'interrupted'>(resolve => {
      cancel = clock.after(deadlineMilliseconds, () => resolve('timeout'))
      if (body === undefined) this.#interrupt = () => resolve('interrupted')
    })
    const headers = {
      accept: 'text/plain',
      ...(serviceKey !== undefined && { authorization: `Bearer ${serviceKey}` }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
    }
    const request = { url, headers, ...(body !== undefined && { body }) }
    const sent = sender.send(request, controller.signal).catch(() => 'network' as const)
    const answer = await Promise.race([sent, ended])
    cancel()
    controller.abort()
    return answer
  }

  /** Sends the last message once to an issuer that has lost what it says. */
  async #testify(): Promise<void> {
    const { lastMessage } = this.#parts.state
    if (this.#reported || !lastMessage) return
    this.#reported = true
    const url = new URL(this.#parts.url)
    url.pathname += '/fork'
    const answer = await this.#exchange(url, JSON.stringify({ message: lastMessage }))
    // It did not arrive: it is sent with the next answer.
    if (typeof answer === 'string' || answer.status >= 500) this.#reported = false
  }

  #sleep(milliseconds: number): Promise<void> {
    this.#pausesUntil = this.#now() + milliseconds
    this.#expectedBy = this.#pausesUntil + givenUpMilliseconds
    return new Promise(resolve => {
      const cancel = this.#parts.clock.after(milliseconds, resolve)
      this.#interrupt = () => {
        cancel()
        resolve()
      }
    })
  }

  #settle(): void {
    for (const waiter of this.#waiters.splice(0)) waiter()
  }

  #now(): number {
    return monotonic(this.#parts.clock)
  }
}
