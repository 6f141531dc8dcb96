/** The messages that a relay has, in a row: each goes on from the one before, and is served as it came. */
import { type Cursor, parseCursor } from '../feed/cursor.js'

export interface Link {
  readonly line: string
  readonly generation: number
  readonly from: Cursor
  readonly to: Cursor
  readonly more: boolean
  readonly dead: number
}

/** A relay believes nothing: it reads where a message belongs, and who asks for it verifies it. */
export function readLink(line: string): Link | undefined {
  try {
    const { gen, from, to, more, dead } = JSON.parse(
      Buffer.from(line.split('.')[1] ?? '', 'base64url').toString(),
    )
    const [start, end] = [from, to].map(cursor => parseCursor(String(cursor)))
    if (!Number.isSafeInteger(gen) || !start || !end || typeof more !== 'boolean' || !Array.isArray(dead))
      return undefined
    return { line, generation: gen, from: start, to: end, more, dead: dead.length }
  } catch {
    return undefined
  }
}

export class Chain {
  #links: Link[] = []

  get length(): number {
    return this.#links.length
  }

  get isComplete(): boolean {
    return this.#links.at(-1)?.more === false
  }

  /** The cursor to ask on from; empty at the beginning. */
  get cursor(): string {
    const { position, tag = '' } = this.#links.at(-1)?.to ?? {}
    return position === undefined ? '' : `${position}.${tag}`
  }

  /** False: it does not go on from here, and the chain must be begun anew. */
  add(link: Link): boolean {
    const last = this.#links.at(-1)
    if (!last ? link.from.position !== 0 : link.generation !== last.generation) return false
    if (last && (link.from.position > last.to.position || link.to.position < last.to.position)) return false
    // A heartbeat says no more than the next one does.
    if (last && last.dead === 0 && last.from.position === last.to.position && this.#links.length > 1)
      this.#links.pop()
    this.#links.push(link)
    return true
  }

  /** What a reader with this cursor lacks, and the last message in any case. `forked`: it comes from elsewhere. */
  after(cursor: Cursor | undefined): readonly string[] | 'forked' {
    if (cursor === undefined || cursor.position === 0) return this.#links.map(({ line }) => line)
    const { position, tag } = cursor
    const at = (other: Cursor) => other.position === position && other.tag !== tag
    if (position > (this.#links.at(-1)?.to.position ?? 0)) return 'forked'
    if (this.#links.some(({ from, to }) => at(from) || at(to))) return 'forked'
    const first = this.#links.findLastIndex(({ from }) => from.position <= position)
    return this.#links.slice(Math.max(0, first)).map(({ line }) => line)
  }
}
