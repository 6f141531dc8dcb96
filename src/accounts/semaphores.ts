/** So many at a time of each name: what one name has too many of waits, or is turned away, and takes nobody else's place. */

interface Name {
  taken: number
  readonly waiting: (() => void)[]
}

/** Answers how a place is given back. `full`: neither was one free, nor had fewer than `mostWaiting` come for it. */
export function createSemaphores(most: number, mostWaiting = 0) {
  const names = new Map<string, Name>()

  return async function takePlace(name: string): Promise<(() => void) | 'full'> {
    const own = names.get(name) ?? { taken: 0, waiting: [] }
    names.set(name, own)
    if (own.taken < most) own.taken++
    else if (own.waiting.length >= mostWaiting) return 'full'
    else await new Promise<void>(resolve => own.waiting.push(resolve))
    let given = false
    return () => {
      if (given) return
      given = true
      // Handed over, not freed: a newcomer does not slip in before one who waits.
      const next = own.waiting.shift()
      if (next) next()
      else if (--own.taken === 0) names.delete(name)
    }
  }
}
