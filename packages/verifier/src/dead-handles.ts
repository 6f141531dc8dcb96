/** Owns the dead handles that are remembered: three sets by age, and a bitmap that answers most questions alone. */
import { sextets } from './handles.js'

/**
 * Seconds of `asof` from one shift to the next. A handle is kept for two of them at least: the longest lifetime of a
 * token, the leeway, and a reserve.
 */
const shiftSeconds = 495
const bits = 2 ** 24

export interface KeptHandles {
  readonly shiftedAt: number
  /** Of each set, the handles side by side. */
  readonly sets: readonly [string, string, string]
}

export class DeadHandles {
  /** The newest first. */
  #sets: [Set<string>, Set<string>, Set<string>] = [new Set(), new Set(), new Set()]
  #shiftedAt: number | undefined
  /** A bit for the first four characters of each handle. They are random, so they need no hash. */
  #seen: Uint8Array | undefined

  get size(): number {
    return this.#sets.reduce((sum, { size }) => sum + size, 0)
  }

  has(handle: string): boolean {
    const seen = this.#seen
    if (!seen) return false
    const at = indexOf(handle)
    if (((seen[at >> 3] as number) & (1 << (at & 7))) === 0) return false
    const [first, second, third] = this.#sets
    return first.has(handle) || second.has(handle) || third.has(handle)
  }

  /** `asof` in seconds: the issuer's time alone tells how old an entry is. */
  add(handles: readonly string[], asof: number): void {
    this.#shiftedAt ??= asof
    if (asof - this.#shiftedAt >= shiftSeconds) this.#shift(asof)
    for (const handle of handles) {
      this.#sets[0].add(handle)
      this.#mark(handle)
    }
  }

  forget(handle: string): void {
    for (const set of this.#sets) set.delete(handle)
  }

  kept(): KeptHandles {
    const [first, second, third] = this.#sets.map(set => [...set].join('')) as [string, string, string]
    return { shiftedAt: this.#shiftedAt ?? 0, sets: [first, second, third] }
  }

  static restored({ shiftedAt, sets }: KeptHandles): DeadHandles {
    const dead = new DeadHandles()
    dead.#shiftedAt = shiftedAt
    for (const [index, text] of sets.entries())
      for (let at = 0; at < text.length; at += 11) {
        dead.#sets[index]?.add(text.slice(at, at + 11))
        dead.#mark(text.slice(at, at + 11))
      }
    return dead
  }

  #shift(asof: number): void {
    const [first, second, dropped] = this.#sets
    this.#sets = [new Set(), first, second]
    this.#shiftedAt = asof
    if (dropped.size === 0) return
    this.#seen = undefined
    for (const set of this.#sets) for (const handle of set) this.#mark(handle)
  }

  #mark(handle: string): void {
    this.#seen ??= new Uint8Array(bits / 8)
    const at = indexOf(handle)
    this.#seen[at >> 3] = (this.#seen[at >> 3] ?? 0) | (1 << (at & 7))
  }
}

/** The first 24 bits. Written out: this is what every verification pays. */
function indexOf(handle: string): number {
  return (
    ((sextets[handle.charCodeAt(0)] as number) << 18) |
    ((sextets[handle.charCodeAt(1)] as number) << 12) |
    ((sextets[handle.charCodeAt(2)] as number) << 6) |
    (sextets[handle.charCodeAt(3)] as number)
  )
}
