/** How many readers are served at once: strangers, and each of their addresses, never take what those with a key need. */
import type { ServiceKeyId } from '../core/principal.js'

export interface Reader {
  /** Of a service key. Undefined: a stranger. */
  readonly key: ServiceKeyId | undefined
  readonly address: string
}

/** Of strangers from one network address: their verifiers may share one. */
const mostOfAddress = 50

/** Answers how a place is given back; `full` if there is none. */
export function createPlaces(most: number) {
  const strangers = new Map<string, number>()
  let taken = 0
  let takenByStrangers = 0

  return function enter({ key, address }: Reader): (() => void) | 'full' {
    if (taken >= most) return 'full'
    if (key === undefined) {
      const own = strangers.get(address) ?? 0
      if (takenByStrangers >= most / 10 || own >= mostOfAddress) return 'full'
      strangers.set(address, own + 1)
      takenByStrangers++
    }
    taken++
    let inside = true
    return () => {
      if (!inside) return
      inside = false
      taken--
      if (key !== undefined) return
      takenByStrangers--
      const left = (strangers.get(address) ?? 1) - 1
      if (left === 0) strangers.delete(address)
      else strangers.set(address, left)
    }
  }
}
