/** What a password is compared with where no hash is stored: a hash that costs what a stored one might cost. */
import { createHmac, randomBytes } from 'node:crypto'

/** The parameters of the stored hashes, as a PHC string has them before its salt, and how many have them. */
export interface ParametersInUse {
  /** A secret of the installation. It stays the same, so that an address keeps its decoy, on every instance. */
  readonly key: string
  readonly counts: ReadonlyMap<string, number>
}

/**
 * An address without a hash has a decoy whose parameters follow from the address. Each set of parameters is as frequent
 * among decoys as among stored hashes, so the time that an address takes says nothing about whether it has an account.
 * As stored hashes are replaced, decoys follow, and none becomes outdated again (weighted rendezvous hashing).
 */
export function createDecoys(current: string) {
  const base64 = (bytes: number) => randomBytes(bytes).toString('base64').replace(/=+$/, '')
  const tail = `$${base64(16)}$${base64(32)}`
  let inUse: ParametersInUse = { key: '', counts: new Map() }

  function parametersOf(name: string): string {
    let chosen = current
    let lowest = Number.POSITIVE_INFINITY
    for (const [parameters, count] of inUse.counts) {
      const digest = createHmac('sha256', inUse.key).update(`${parameters}\n${name}`).digest()
      const uniform = (digest.readUIntBE(0, 6) + 0.5) / 2 ** 48
      const score = -Math.log(uniform) / count
      if (score < lowest) [chosen, lowest] = [parameters, score]
    }
    return chosen
  }

  return {
    /** A PHC string with these parameters that no password matches. */
    withParameters: (parameters: string) => parameters + tail,
    decoyOf: (name: string) => parametersOf(name) + tail,
    learn(found: ParametersInUse): void {
      inUse = found
    },
  }
}
