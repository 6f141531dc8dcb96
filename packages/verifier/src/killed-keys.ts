/** Owns the keys that the feed has killed. A dead key stays dead, until a newer list of keys still contains it. */
import { isGeneration } from './handles.js'

/** Of an entry in the feed. */
export interface Position {
  readonly generation: number
  readonly number: number
}

/** A key that is dead, since when, and by whose word. */
export interface Kill {
  readonly kid: string
  readonly at: Position
  readonly by: string
}

/** The header `Mintmark-Feed`: where the feed was when the list of keys was read. */
export function readPosition(header: string | null): Position | undefined {
  const [, generation, number] = /^(\d{1,16})\.(\d{1,16})$/.exec(header ?? '') ?? []
  const position = { generation: Number(generation), number: Number(number) }
  return isGeneration(position.generation) && isGeneration(position.number) ? position : undefined
}

export class KilledKeys {
  #dead = new Map<string, Kill>()
  /** Keys that a list still contained after they were killed, and how far into the feed it was read. */
  readonly #survived = new Map<string, Position>()
  /** Told of each key that is alive again. */
  revived: (kid: string) => void = () => {}
  /** Asked of each key that is listed: where the feed was, by then, if it has killed this key before it was known. */
  deadSince: (kid: string) => Position | undefined = () => undefined

  has(kid: string): boolean {
    return this.#dead.has(kid)
  }

  /** Whether a list that is as new as this kill still contained the key. */
  survived(kid: string, at: Position): boolean {
    const listed = this.#survived.get(kid)
    return listed !== undefined && isAtOrAfter(listed, at)
  }

  kill(kill: Kill): void {
    this.#dead.set(kill.kid, kill)
    // A thief of this key may have killed others, at a position that no list reaches. This kill decides for them, too.
    for (const other of this.#dead.values())
      if (other.by === kill.kid && other.kid !== kill.kid)
        this.#dead.set(other.kid, { ...other, at: kill.at })
  }

  /** These keys are published, at this position of the feed. A list that does not say where it was read revives nothing. */
  listed(kids: readonly string[], at: Position | undefined): void {
    for (const kid of kids) {
      const since = this.has(kid) ? undefined : this.deadSince(kid)
      if (since) this.#dead.set(kid, { kid, at: since, by: kid })
      if (!at) continue
      const kill = this.#dead.get(kid)
      if (!kill || !isAtOrAfter(at, kill.at)) continue
      this.#dead.delete(kid)
      this.#survived.set(kid, at)
      this.revived(kid)
    }
  }

  all(): readonly Kill[] {
    return [...this.#dead.values()]
  }

  restore(kills: readonly Kill[]): void {
    for (const kill of kills) if (!this.has(kill.kid)) this.#dead.set(kill.kid, kill)
  }
}

function isAtOrAfter(one: Position, other: Position): boolean {
  return one.generation === other.generation ? one.number >= other.number : one.generation > other.generation
}
