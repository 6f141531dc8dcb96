/** A verifier of the model: the rules of docs/feed.md for messages and freshness, and each mistake in one place. */
import type { World } from './model.js'
import {
  type Cursor,
  type Entry,
  lifetime,
  type Message,
  type Plant,
  type Token,
  windowMs,
} from './model-parts.js'

/** Milliseconds after which the feed is too old. */
const mostAge = 2_000
const deadline = 800
const shift = windowMs / 2

/** What is dead: in three sets by age, as shipped; or by another clock, where that is the mistake. */
class Dead {
  #sets: Entry[][] = [[], [], []]
  #shiftedAt: number | undefined
  #added = new Map<Entry, number>()

  all(plant: Plant, asof: number, wall: number): readonly Entry[] {
    const all = this.#sets.flat()
    if (plant === 'evicted by the cause') return all.filter(({ now }) => asof - now <= windowMs)
    if (plant === 'evicted by own clock')
      return all.filter(one => wall - (this.#added.get(one) ?? wall) <= windowMs)
    if (plant === 'half a lifetime')
      return all.filter(({ committedAt }) => asof - committedAt <= lifetime / 2)
    return all
  }

  add(entries: readonly Entry[], asof: number, wall: number): void {
    this.#shiftedAt ??= asof
    if (asof - this.#shiftedAt >= shift) {
      this.#sets = [[], this.#sets[0] ?? [], this.#sets[1] ?? []]
      this.#shiftedAt = asof
    }
    for (const entry of entries) {
      this.#sets[0]?.push(entry)
      this.#added.set(entry, wall)
    }
  }
}

export class ModelVerifier {
  readonly #world: World
  /** By how much its wall clock is ahead. */
  wallAhead = 0
  generation = 0
  #held: { dead: Dead; cursor: Cursor } | undefined
  #loading: { dead: Dead; cursor: Cursor } | undefined = begin()
  #asof = Number.NEGATIVE_INFINITY
  #sentAt = Number.NEGATIVE_INFINITY
  #isForked = false
  /** The last message was an answer of the service: what a relay gives again says by its `asof` alone what it knows. */
  #isAnswer = true

  constructor(world: World) {
    this.#world = world
  }

  /** One question at a time. Its answer may be lost, late, an old one, or that of the former primary. */
  ask(): void {
    const world = this.#world
    const { dice } = world
    const sentAt = world.now
    let isOver = false
    const once = (work: () => void) => {
      if (isOver) return
      isOver = true
      work()
      world.in(5, () => this.ask())
    }
    world.in(deadline, () => once(() => {}))
    const { cursor } = this.#loading ?? this.#held ?? begin()
    const after =
      this.#isForked || cursor.number === 0 ? undefined : { ...cursor, generation: this.generation }
    const instance = dice.of(world.instances)
    const isBad = !world.isQuiet && dice.next() < 0.25
    const [there, back] = [dice.between(0, 20), dice.between(0, isBad ? 700 : 20)]
    if (isBad && dice.next() < 0.4) {
      const former = world.trusted && this.generation === world.generation ? instance.former() : undefined
      const old = former && dice.next() < 0.5 ? former : world.seen.length > 0 && dice.of(world.seen)
      if (old) {
        world.in(back, () => once(() => this.accept(old, sentAt, false)))
        return
      }
    }
    if (isBad && dice.next() < 0.4) return
    world.in(there, () =>
      instance.ask(after, answer =>
        world.in(back, () => {
          if (answer !== 'forked') world.seen.push(answer)
          once(() => {
            if (answer === 'forked') this.#isForked = true
            else this.accept(answer, sentAt)
          })
        }),
      ),
    )
  }

  accept({ generation, from, to, asof, more, dead }: Message, sentAt: number, isAnswer = true): void {
    const { plant, now } = this.#world
    if (generation < this.generation && plant !== 'older generation') return
    if (generation > this.generation && plant !== 'no reset') this.#loading = begin()
    if (generation === this.generation && this.#isForked) return
    this.generation = generation
    this.#isForked = false
    const entries = this.#loading ?? this.#held ?? begin()
    const { number, tag } = entries.cursor
    if (
      plant !== 'gap accepted' &&
      plant !== 'older generation' &&
      (number < from.number || to.number < number)
    )
      return
    if (plant !== 'gap accepted' && plant !== 'older generation') {
      if (number < from.number || to.number < number) return
      this.#isForked = [from, to].some(end => end.number === number && end.tag !== tag)
      if (this.#isForked) return
    }
    if (!more && asof <= this.#asof) return
    entries.dead.add(dead, asof, this.#wall)
    entries.cursor = to
    if (more) return
    this.#held = entries
    this.#loading = undefined
    this.#asof = asof
    this.#isAnswer = isAnswer
    this.#sentAt = plant === 'age by arrival' ? now : sentAt
  }

  isFresh(): boolean {
    return !this.#loading && !this.#isForked && this.#world.now - this.#sentAt <= mostAge
  }

  /** Up to when every revocation that had returned is known here, by the verifier's own word or the message's. */
  knows(): number {
    return this.#isAnswer ? Math.max(this.#sentAt, this.#asof) : this.#asof
  }

  /** Not of a generation that it has not heard of. */
  isFreshFor({ generation }: Token): boolean {
    return this.isFresh() && (generation <= this.generation || this.#world.plant === 'judges the unheard')
  }

  isStale(token: Token): boolean {
    if (token.generation < this.generation) return true
    const { plant } = this.#world
    const dead = [this.#held, this.#loading].flatMap(
      one => one?.dead.all(plant, this.#asof, this.#wall) ?? [],
    )
    return dead.some(entry => isDead(token, entry, plant))
  }

  get #wall(): number {
    return this.#world.now + this.wallAhead
  }
}

const begin = () => ({ dead: new Dead(), cursor: { number: 0, tag: '' } })
const seconds = (milliseconds: number) => Math.floor(milliseconds / 1000)

/** By the handles; or by one of the comparisons that were weighed in their place. */
function isDead({ rows, handles, iat, mostId, head, xmin }: Token, entry: Entry, plant: Plant): boolean {
  const concerns = rows.includes(entry.row)
  switch (plant) {
    case 'iat s < event':
      return concerns && seconds(iat) < seconds(entry.now)
    case 'iat s <= event':
      return concerns && seconds(iat) <= seconds(entry.now)
    case 'iat ms < now()':
      return concerns && iat < entry.now
    case 'iat ms < insert':
      return concerns && iat < entry.insertedAt
    case 'iat ms < commit':
      // By a clock that is read when it is over.
      return concerns && iat < entry.committedAt + 5
    case 'identity number':
      return concerns && mostId < entry.id
    case 'xid >= xmin':
      return concerns && entry.xid >= xmin
    case 'position < head':
      return concerns && head < entry.position
    default:
      return handles.includes(entry.handle)
  }
}
