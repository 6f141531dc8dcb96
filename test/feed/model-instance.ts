/** An instance of the model: it looks every 100 ms, and answers from a look that began after the question had come. */
import type { World } from './model.js'
import { type Cursor, type Entry, type Message, windowMs } from './model-parts.js'

interface Question {
  readonly since: number
  readonly until: number
  readonly after: Cursor | undefined
  readonly answer: (answer: Message | 'forked') => void
}

interface Reading {
  readonly generation: number
  readonly entries: readonly Entry[]
}

/** Entries in one message. */
const page = 6

export class ModelInstance {
  readonly #world: World
  #waiting: Question[] = []
  #generation = 0
  #entries: Entry[] = []
  #marks = new Map<Entry, number>()
  #first = 1
  #asof = 0
  #running = false
  #kicked = false
  /** What the former primary would answer. */
  #former: (() => Message) | undefined

  constructor(world: World) {
    this.#world = world
  }

  kick(): void {
    if (this.#running) {
      this.#kicked = this.#world.plant !== 'kick joins tick'
      return
    }
    this.tick(false)
  }

  ask(after: Cursor | undefined, answer: (answer: Message | 'forked') => void): void {
    const { now } = this.#world
    const waits = after ? this.#world.dice.between(50, 500) : 0
    this.#waiting.push({ since: now, until: now + waits, after, answer })
  }

  /** As it was before the fail-over, and signed as of now. */
  remember(): void {
    const [generation, entries, first] = [this.#generation, [...this.#entries], this.#first]
    this.#former = () => ({
      ...{ generation, asof: this.#world.now, from: cursorOf(undefined), more: false },
      ...{ to: { number: first + entries.length - 1, tag: entries.at(-1)?.handle ?? '' }, dead: entries },
    })
  }

  former(): Message | undefined {
    return this.#former?.()
  }

  /** Reads, numbers what has none, and reads on. */
  tick(again = true): void {
    const world = this.#world
    const { dice, plant } = world
    if (again) world.in(100, () => this.tick())
    if (this.#running) return
    this.#running = true
    const begun = world.now
    const steps = [dice.between(0, 8), dice.between(0, 15), dice.between(0, 40), dice.between(0, 30)] as const
    let asof = begun
    world.in(steps[0], () => {
      const unsequenced = world.entries.some(({ position }) => position === 0)
      const first = this.#read()
      world.in(unsequenced ? steps[1] : 0, () => {
        if (unsequenced && plant !== 'reader id > last' && world.trusted) world.sequence()
        world.in(unsequenced ? steps[2] : 0, () => {
          if (plant === 'asof after the read') asof = world.now
          const last = unsequenced ? this.#read() : first
          world.in(steps[3], () => {
            this.#running = false
            if (last) {
              this.#take(last)
              this.#asof = asof
              this.#finish(begun)
            }
            if (!this.#kicked) return
            this.#kicked = false
            this.tick(false)
          })
        })
      })
    })
  }

  get #head(): number {
    return this.#first + this.#entries.length - 1
  }

  /** Undefined where nobody may be believed. */
  #read(): Reading | undefined {
    const { entries, generation, plant, trusted } = this.#world
    if (!trusted) return undefined
    if (plant !== 'reader id > last')
      return { generation, entries: entries.filter(({ position }) => position > 0).map(one => ({ ...one })) }
    // A position is the place in what was read: whatever comes with a lower id is passed over.
    const last = generation === this.#generation ? (this.#entries.at(-1)?.id ?? 0) : 0
    const next = entries.filter(({ id }) => id > last).sort((a, b) => a.id - b.id)
    const begin = generation === this.#generation ? this.#head : 0
    return { generation, entries: next.map((one, at) => ({ ...one, position: begin + at + 1 })) }
  }

  #take({ generation, entries }: Reading): void {
    if (generation !== this.#generation) {
      this.#generation = generation
      this.#entries = []
      this.#first = 1
    }
    const { now } = this.#world
    for (const entry of [...entries].sort((a, b) => a.position - b.position))
      if (entry.position === this.#head + 1) {
        this.#entries.push(entry)
        this.#marks.set(entry, now)
      }
    while (this.#entries.length > 1 && (this.#marks.get(this.#entries[0] as Entry) ?? now) < now - windowMs) {
      this.#entries.shift()
      this.#first++
    }
  }

  #finish(begun: number): void {
    const { now, plant } = this.#world
    this.#waiting = this.#waiting.filter(question => {
      const { since, until, after, answer } = question
      if (since > begun && plant !== 'kick joins tick') return true
      if (after && after.number === this.#head && after.generation === this.#generation && now < until)
        return true
      answer(this.#answer(after))
      return false
    })
  }

  #answer(after: Cursor | undefined): Message | 'forked' {
    const number = after?.number ?? 0
    if (number > this.#head) return 'forked'
    const here = this.#at(number)
    if (here && here.handle !== after?.tag) return 'forked'
    const begin = Math.max(number, this.#first - 1)
    const end = Math.min(begin + page, this.#head)
    return {
      ...{ generation: this.#generation, asof: this.#asof, more: end < this.#head },
      ...{ from: cursorOf(this.#at(begin)), to: cursorOf(this.#at(end)) },
      dead: this.#entries.slice(begin + 1 - this.#first, end + 1 - this.#first),
    }
  }

  #at(position: number): Entry | undefined {
    return this.#entries[position - this.#first]
  }
}

const cursorOf = (entry: Entry | undefined) => ({ number: entry?.position ?? 0, tag: entry?.handle ?? '' })
