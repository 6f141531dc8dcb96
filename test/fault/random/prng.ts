/** Seeded chance: the same seed makes the same choices. */

export interface Chance {
  /** 0 ≤ x < 1. */
  next(): number
  /** Whole, least ≤ x ≤ most. */
  between(least: number, most: number): number
  of<T>(choices: readonly T[]): T
  /** By weight. */
  weighted<T>(choices: readonly (readonly [weight: number, choice: T])[]): T
  /** Another stream, which does not depend on how far this one is. */
  fork(name: number): Chance
}

/** mulberry32. */
export function chance(seed: number): Chance {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const of = <T>(choices: readonly T[]) => choices[Math.floor(next() * choices.length)] as T
  return {
    next,
    of,
    between: (least, most) => least + Math.floor(next() * (most - least + 1)),
    weighted(choices) {
      let left = next() * choices.reduce((sum, [weight]) => sum + weight, 0)
      for (const [weight, choice] of choices) {
        left -= weight
        if (left < 0) return choice
      }
      return of(choices)[1]
    },
    fork: name => chance(Math.imul(seed ^ 0x9e3779b9, 2 * name + 3)),
  }
}
