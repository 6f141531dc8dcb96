/**
 * The feed as a model: rows with locks and slow commits, mints whose time precedes their snapshot, two instances, a lossy
 * and hostile way, two verifiers, a fail-over. Pure: a seed makes one schedule, on which a rule or a planted mistake plays.
 * All times are milliseconds; a token lives for four seconds, and an entry is kept for a tenth longer.
 */
import { type Chance, chance } from '../fault/random/prng.js'
import { ModelInstance } from './model-instance.js'
import { type Entry, lifetime, type Message, type Plant, type Row, type Token } from './model-parts.js'
import { ModelVerifier } from './model-verifier.js'

const busyMs = 8_000
const endMs = 15_000

interface Cause {
  readonly row: string
  readonly truth: number
  readonly generation: number
  readonly startedAt: number
  returnedAt: number
}

export interface Tally {
  /** Accepted, though its cause had returned before the moment up to which the verifier says that it knows all. */
  late: number
  /** Refused, though nothing that concerns it had happened since before its mint. */
  falsely: number
  /** Verifiers that are not fresh in the end. */
  stuck: number
  accepted: number
  refused: number
}

export class World {
  readonly plant: Plant
  readonly dice: Chance
  readonly tally: Tally = { late: 0, falsely: 0, stuck: 0, accepted: 0, refused: 0 }
  now = 0
  generation = 1
  head = 0
  entries: Entry[] = []
  /** False from a fail-over until `recover`. */
  trusted = true
  /** Messages that a relay has seen, of both verifiers. */
  readonly seen: Message[] = []
  readonly instances: readonly ModelInstance[]
  readonly verifiers: readonly ModelVerifier[]
  readonly #moments: (() => void)[][] = []
  readonly #rows: Row[]
  readonly #active = new Set<number>()
  readonly #causes: Cause[] = []
  #undo: { readonly at: number; readonly work: () => void }[] = []
  #recoveredAt = Number.POSITIVE_INFINITY
  #ids = 0
  #xids = 0
  #truths = 0

  constructor(seed: number, plant: Plant) {
    this.plant = plant
    this.dice = chance(seed)
    this.#rows = ['a', 'b', 'c'].map(name => ({ name, ...this.#fresh(name, 0), locked: false, waiting: [] }))
    this.instances = [new ModelInstance(this), new ModelInstance(this)]
    this.verifiers = [new ModelVerifier(this), new ModelVerifier(this)]
  }

  play(): Tally {
    const { dice } = this
    for (const instance of this.instances) this.in(dice.between(0, 100), () => instance.tick())
    for (const verifier of this.verifiers) this.in(dice.between(0, 50), () => verifier.ask())
    for (let at = 50; at < busyMs; at += dice.between(5, 120)) this.in(at, () => this.#change())
    for (let at = 50; at < busyMs; at += dice.between(2, 60)) this.in(at, () => this.#mint())
    if (dice.next() < 0.5) this.in(dice.between(3_000, 5_000), () => this.#failOver())
    this.in(dice.between(1_000, busyMs), () => {
      if (this.verifiers[1]) this.verifiers[1].wallAhead = dice.between(-20_000, 20_000)
    })
    for (; this.now < endMs; this.now++) for (const work of this.#moments[this.now] ?? []) work()
    this.tally.stuck = this.verifiers.filter(verifier => !verifier.isFresh()).length
    return this.tally
  }

  in(milliseconds: number, work: () => void): void {
    const at = this.now + Math.max(0, Math.floor(milliseconds))
    const list = this.#moments[at]
    if (list) list.push(work)
    else this.#moments[at] = [work]
  }

  get isQuiet(): boolean {
    return this.now > busyMs
  }

  /** What is committed has a position from now on: in the order of ids, after the head. */
  sequence(): void {
    for (const entry of this.entries.filter(({ position }) => position === 0).sort((a, b) => a.id - b.id))
      entry.position = ++this.head
  }

  #fresh(name: string, counter: number): Pick<Row, 'truth' | 'handle' | 'counter'> {
    const truth = ++this.#truths
    return { truth, counter, handle: this.plant === 'counters' ? `${name}${counter}` : `#${truth}` }
  }

  #change(): void {
    const { dice } = this
    const row = dice.of(this.#rows)
    const startedAt = this.now
    const { generation } = this
    const xid = ++this.#xids
    const before = row.handle
    const [isSlow, isUndone, isMadeAnew] = [dice.next() < 0.06, dice.next() < 0.08, dice.next() < 0.1]
    const [lasts, told] = [dice.between(1, isSlow ? 1_500 : 25), dice.between(0, dice.next() < 0.2 ? 300 : 5)]
    this.#active.add(xid)
    const locked = () => {
      row.locked = true
      const handle = this.plant === 'value read before the lock' ? before : row.handle
      const entry: Entry = {
        ...{ row: row.name, handle, xid, id: ++this.#ids, now: startedAt },
        ...{ insertedAt: this.now, committedAt: 0, position: 0 },
      }
      this.in(lasts, () => {
        this.#active.delete(xid)
        // Whoever waits for the row goes on once this is over.
        const release = () => {
          row.locked = false
          row.waiting.shift()?.()
        }
        this.in(0, release)
        if (isUndone || generation !== this.generation || !this.trusted) return
        const { truth, counter } = row
        const cause = { row: row.name, truth, generation, startedAt, returnedAt: Number.POSITIVE_INFINITY }
        this.#causes.push(cause)
        entry.committedAt = this.now
        this.entries.push(entry)
        const old = { truth, counter, handle: row.handle }
        this.#undo.push({ at: this.now, work: () => Object.assign(row, old) })
        // Deleted and inserted again: its counter begins anew.
        Object.assign(row, this.#fresh(row.name, isMadeAnew ? 0 : counter + 1))
        this.in(told, () => {
          cause.returnedAt = this.now
          dice.of(this.instances).kick()
        })
      })
    }
    if (row.locked) row.waiting.push(locked)
    else locked()
  }

  /** Its `now()`, then its snapshot, then its answer. */
  #mint(): void {
    const { dice } = this
    const rows = dice.next() < 0.5 ? [dice.of(this.#rows)] : this.#rows.slice(dice.between(0, 1))
    const startedAt = this.now
    const steps = [
      dice.between(0, 10),
      dice.between(0, 15),
      dice.between(1, 10),
      dice.between(0, 30),
    ] as const
    this.in(steps[0], () => {
      const iat = this.now
      this.in(steps[1], () => {
        if (!this.trusted) return
        const { generation } = this
        const seen = this.entries.map(({ id }) => id)
        const rest = {
          rows: rows.map(({ name }) => name),
          truths: rows.map(({ truth }) => truth),
          mostId: Math.max(0, ...seen),
          head: this.head,
          xmin: Math.min(this.#xids + 1, ...this.#active),
        }
        const read = rows.map(({ handle }) => handle)
        this.in(steps[2], () => {
          if (generation !== this.generation || !this.trusted) return
          const handles =
            this.plant === 'handle by a second statement' ? rows.map(({ handle }) => handle) : read
          const token = { ...rest, handles, generation, startedAt, iat, exp: iat + lifetime }
          this.in(steps[3], () => this.#use(token))
        })
      })
    })
  }

  /** At once, and again until it expires. */
  #use(token: Token): void {
    const last = token.exp - this.now - 1
    for (const after of [0, 30, 90, 250, 600, 1_200, lifetime / 2, lifetime * 0.7, last])
      this.in(Math.min(after, last), () => {
        for (const verifier of this.verifiers) this.#judge(token, verifier)
      })
  }

  #judge(token: Token, verifier: ModelVerifier): void {
    if (this.now >= token.exp || !verifier.isFreshFor(token)) return
    const { tally } = this
    if (verifier.isStale(token)) {
      tally.refused++
      if (token.generation < this.generation || this.#causes.some(cause => this.#mayConcern(cause, token)))
        return
      tally.falsely++
      return
    }
    tally.accepted++
    const knows = verifier.knows()
    const isOver = token.generation < this.generation && this.#recoveredAt < knows
    const isRevoked = this.#causes.some(
      ({ truth, generation, returnedAt }) =>
        generation === token.generation && returnedAt < knows && token.truths.includes(truth),
    )
    if (isOver || isRevoked) tally.late++
  }

  #mayConcern({ row, generation, returnedAt }: Cause, token: Token): boolean {
    return generation === token.generation && token.rows.includes(row) && returnedAt >= token.startedAt
  }

  /** Commits of lately are lost, and nothing is believed until `recover` begins a new generation. */
  #failOver(): void {
    const lostFrom = this.now - this.dice.between(0, 400)
    for (const { work } of this.#undo.filter(({ at }) => at >= lostFrom).reverse()) work()
    this.#undo = []
    this.trusted = false
    for (const instance of this.instances) instance.remember()
    this.in(this.dice.between(50, 600), () => {
      this.generation++
      this.head = 0
      this.entries = []
      this.trusted = true
      this.#recoveredAt = this.now
    })
  }
}
