/**
 * The feed of one instance: it looks into the database ten times a second while anybody asks, and at once after a change
 * of its own, and answers each reader from a look that began after the reader had asked.
 */
import { Outage } from '../core/errors.js'
import type { Kid } from '../core/principal.js'
import type { PublishedSet } from '../keys/key-ring.js'
import type { SigningKey } from '../keys/signing-key.js'
import type { Cursor } from './cursor.js'
import { signMessage } from './message.js'
import { Pages } from './pages.js'
import type { FeedAnswer, FeedState, Question } from './question.js'
import { type FeedReading, type FeedStore, mostEntries } from './store.js'
import type { FeedPosition } from './verifiers.js'
import { Window } from './window.js'

export interface FeedParts {
  readonly issuer: string
  readonly store: FeedStore
  readonly signer: (kid: Kid | undefined) => Promise<SigningKey>
  /** Throws `Outage` when the list of keys is too old. */
  readonly published: () => PublishedSet
  /** That it failed, once until it works again; and `undefined` then. */
  readonly failing: (error: Error | undefined) => void
  /** Hears of each look while anybody waits for a receipt. */
  readonly waited: () => void
  /** Milliseconds between two looks. */
  readonly everyMs?: number
}

export type Feed = ReturnType<typeof createFeed>

interface Waiting {
  readonly since: number
  readonly until: number
  /** Of the last look before it. */
  readonly generation: number
  readonly question: Question
  readonly answer: (answer: FeedAnswer | Promise<FeedAnswer>) => void
  readonly fail: (error: Error) => void
}

/** Longer than a look may take: an outage is answered, and not waited out. */
const mostLookingMs = 4000

export function createFeed({ issuer, store, signer, published, everyMs = 100, ...told }: FeedParts) {
  const window = new Window()
  const pages = new Pages(window)
  const waiting = new Set<Waiting>()
  const looks = new Set<{ readonly since: number; readonly done: (error?: Error) => void }>()
  let asof = 0
  let kid: Kid | undefined
  let lookedAt: number | undefined
  let tickMs: number | undefined
  let kicked = false
  let running = false
  let closed = false
  let wake = () => {}
  let failed = false

  /** One look after the other: two at once would both read after the same head. */
  async function run(): Promise<void> {
    if (running || closed) return
    running = true
    // Not while nobody asks. An instance that comes back later reads on from where it was.
    while (!closed && (waiting.size > 0 || looks.size > 0)) {
      const begun = performance.now()
      kicked = false
      const error = await look().then(() => undefined, asError)
      tickMs = performance.now() - begun
      if (failed !== (error !== undefined)) told.failing(error)
      failed = error !== undefined
      if (!error) lookedAt = begun
      finish(begun, error)
      await pause(begun)
    }
    running = false
  }

  /**
   * The time of the first reading, and the entries of the last: whatever had returned by then was committed before the
   * numbering began, which gives a position to all that it finds.
   */
  async function look(): Promise<void> {
    let reading = await readOn()
    const asOf = reading.asof
    while (reading.unsequenced && (await store.sequence()) === mostEntries) reading = await readOn()
    if (reading.unsequenced) reading = await readOn()
    while (window.head < reading.head) reading = await readOn()
    asof = asOf
    kid = reading.kid
    pages.turn(asof)
  }

  async function readOn(): Promise<FeedReading> {
    const known = window.generation >= 0
    const reading = await store.read(known ? window.head : undefined)
    if (reading.waited) told.waited()
    if (window.add(reading)) return reading
    window.clear()
    pages.clear()
    const anew = await store.read(undefined)
    if (!window.add(anew)) throw new Outage('nothing', 'the revocation feed could not be read')
    return anew
  }

  function finish(begun: number, error: Error | undefined): void {
    for (const one of looks) {
      if (one.since > begun && !error) continue
      looks.delete(one)
      one.done(error)
    }
    const now = performance.now()
    for (const one of waiting) {
      acknowledge(one.question)
      const isOver = now >= one.until
      if (error) {
        if (now < Math.min(one.until, one.since + mostLookingMs)) continue
        waiting.delete(one)
        one.fail(error)
      } else if (one.since <= begun && (isOver || isNews(one))) {
        waiting.delete(one)
        one.answer(answerTo(one.question.after))
      }
    }
  }

  /** A tag is chosen at random: anybody who names it was told of it, and goes on from there. */
  function acknowledge({ after, applied }: Question): void {
    if (!after?.tag || window.cursorAt(after.position)?.tag !== after.tag) return
    applied?.({ generation: window.generation, position: after.position })
  }

  function isNews({ question: { after }, generation }: Waiting): boolean {
    if (after === undefined || (generation >= 0 && generation !== window.generation)) return true
    return after.position !== window.head || window.cursorAt(after.position)?.tag !== after.tag
  }

  async function answerTo(after: Cursor | undefined): Promise<FeedAnswer> {
    if (after && (await isForeign(after))) return 'forked'
    const position = after?.position ?? 0
    const message = await pages.messageFor(position, asof, async page => {
      const { generation } = window
      const key = await signer(kid)
      return signMessage(issuer, { ...page, generation, asof, jwks: published().digest }, key)
    })
    return { messages: `${message}\n` }
  }

  async function isForeign({ position, tag }: Cursor): Promise<boolean> {
    if (position > window.head) return true
    const here = window.cursorAt(position)
    if (here) return here.tag !== tag
    const before = await store.at(position)
    return before !== undefined && before !== tag
  }

  /** Sooner after a kick, but no closer to the last one than it takes to answer everybody. */
  function pause(begun: number): Promise<void> {
    return new Promise(resolve => {
      let timer: NodeJS.Timeout
      const at = (ms: number) => {
        clearTimeout(timer)
        timer = setTimeout(resolve, Math.max(0, begun + ms - performance.now()))
      }
      wake = () => at(closed ? 0 : pacingMs(waiting.size))
      at(everyMs)
      if (kicked || closed) wake()
    })
  }

  return {
    ask(question: Question): Promise<FeedAnswer> {
      const { after } = question
      acknowledge(question)
      const isKnown = after === undefined || window.cursorAt(after.position)?.tag === after.tag
      if (lookedAt !== undefined && running && isKnown && pages.isFull(after?.position ?? 0))
        return answerTo(after)
      const since = performance.now()
      return new Promise((answer, fail) => {
        if (closed) return fail(closing())
        const { generation } = window
        waiting.add({ since, until: since + question.waitMs, generation, question, answer, fail })
        void run()
      })
    },

    /** A change was committed here. */
    kick(): void {
      kicked = true
      wake()
    },

    /** Resolves with the position that covers every change that had been committed when this was called. */
    async position(): Promise<FeedPosition> {
      await new Promise<void>((resolve, reject) => {
        if (closed) return reject(closing())
        const done = (error?: Error) => (error ? reject(error) : resolve())
        looks.add({ since: performance.now(), done })
        void run()
        kicked = true
        wake()
      })
      return { generation: window.generation, position: window.head }
    },

    /** Where a reader's own connection has closed. */
    forget(question: Question): void {
      for (const one of waiting) if (one.question === question) waiting.delete(one)
    },

    /** Whether this cursor, at this generation, is one of this database; judged by a look from now. */
    async knows(generation: number, cursor: Cursor): Promise<boolean> {
      const here = await this.position()
      return here.generation !== generation || !(await isForeign(cursor))
    },

    state(): FeedState {
      const ageMs = lookedAt === undefined ? undefined : performance.now() - lookedAt
      const { generation, head, size: entries } = window
      return { generation, head, entries, tickMs, ageMs, waiting: waiting.size }
    },

    close(): void {
      closed = true
      wake()
      const error = closing()
      for (const one of waiting) one.fail(error)
      for (const one of looks) one.done(error)
      waiting.clear()
      looks.clear()
    },
  }
}

/** Milliseconds between two answers to everybody: sending to one costs 80 µs, and takes half a core at most. */
export function pacingMs(readers: number): number {
  return Math.min(500, Math.max(20, readers * 0.17))
}

const closing = () => new Outage('nothing', 'the service is closing')

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
