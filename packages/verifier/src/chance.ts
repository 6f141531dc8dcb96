/** Owns chance: what keeps many verifiers from asking at the same moment. */

/** From 0 to 1. */
export function chance(): number {
  return (crypto.getRandomValues(new Uint32Array(1))[0] ?? 0) / 2 ** 32
}
