// Argon2id hashes of passwords, made and compared by a bounded number of workers.
import { parseOptions } from '@node-rs/argon2'
import { createHashThreads, type HashThreads } from './hash-threads.js'
import { createHashTurns, type HashingLimits } from './hash-turns.js'
import { createDecoys, type ParametersInUse } from './password-decoys.js'
import type { NormalisedPassword } from './password-policy.js'

/** `memoryKib` of memory, passed over `passes` times by `lanes` threads; all three stand in every hash. */
export type Argon2Parameters = { memoryKib: number; passes: number; lanes: number }

/** OWASP's first choice: 19 MiB, two passes. */
export const DEFAULT_PARAMETERS: Argon2Parameters = { memoryKib: 19456, passes: 2, lanes: 1 }

/**
 * Stored parameters are obeyed only up to here, so that a planted or imported row can't exhaust memory. Under it
 * lies every parameter set in common recommendation except RFC 9106's first (2 GiB).
 */
const MOST_MEMORY_KIB = 262_144
const MOST_KIB_PASSES = 4 * MOST_MEMORY_KIB
const MOST_LANES = 16

/** What a thread takes beside the memory of its hash, and keeps (measured: 11.4 MiB). */
const THREAD_KIB = 12_288

/** What the rest of the service takes under load (measured: 164 MiB), and something for bad days. */
const OTHERS_KIB = 196_608

export { type HashingLimits, HashQueueFull } from './hash-turns.js'

/**
 * As many hashes at once as leave a processor to the requests, and the memory that they need or half of it, whichever is
 * more; and at least one. A host may have many more processors than its container may use.
 */
export function hashingWithin(
  { memoryBytes, processors }: { readonly memoryBytes: number; readonly processors: number },
  { memoryKib }: Argon2Parameters = DEFAULT_PARAMETERS,
): HashingLimits {
  const wholeKib = Math.floor(memoryBytes / 1024)
  const shareKib = Math.min(Math.floor(wholeKib / 2), wholeKib - OTHERS_KIB)
  const most = Math.min(Math.floor(processors) - 1, Math.floor(shareKib / (memoryKib + THREAD_KIB)))
  const concurrency = Math.max(1, most)
  return { concurrency, memoryKib: Math.max(memoryKib, shareKib - concurrency * THREAD_KIB) }
}

/** `match-outdated-parameters`: the password is right, and its hash should be replaced by one made now. */
export type PasswordMatch = 'match' | 'match-outdated-parameters' | 'mismatch'

export interface PasswordHasher {
  /** A PHC string with a salt of its own. Rejects with `HashQueueFull`. `caller` is who waits behind themselves. */
  hash(password: NormalisedPassword, caller?: string): Promise<string>
  /**
   * With `undefined` (no such user, or one without a password) the password is compared with the decoy of the `caller`,
   * so that the time taken does not say who exists; so too where the stored parameters are absurd.
   *
   * Rejects with `HashQueueFull`, and with an ordinary error on a stored hash that isn't one (corruption).
   */
  verify(phc: string | undefined, password: NormalisedPassword, caller?: string): Promise<PasswordMatch>
  /** Decoys have these parameters from now on. Before the first call they have today's. */
  learn(inUse: ParametersInUse): void
  /** How many wait for a worker, not counting those being worked on. */
  queued(): number
}

/**
 * @param memoryKib a stored hash that wants more than is free of it waits, and one that wants more than all of it is
 *   refused like one with absurd parameters.
 * @param queueLimit how many may wait, of all callers together; callers take turns.
 */
export function createPasswordHasher(settings: {
  concurrency: number
  memoryKib?: number
  queueLimit: number
  parameters?: Argon2Parameters | undefined
  threads?: HashThreads
}): PasswordHasher {
  const { concurrency, memoryKib = Number.POSITIVE_INFINITY, queueLimit } = settings
  const { parameters = DEFAULT_PARAMETERS, threads = createHashThreads() } = settings
  if (!Number.isInteger(concurrency) || concurrency < 1)
    throw new RangeError('concurrency must be at least 1')
  if (!Number.isInteger(queueLimit) || queueLimit < 0) throw new RangeError('queueLimit must be at least 0')

  const options = {
    algorithm: 2, // argon2id; the binding's enums have no value at run time
    version: 1, // 0x13
    memoryCost: parameters.memoryKib,
    timeCost: parameters.passes,
    parallelism: parameters.lanes,
  }
  const isBearable = (wanted: Cost) => wanted.memoryCost <= memoryKib && isOrdinary(wanted)
  if (!isBearable(options))
    throw new RangeError('these argon2 parameters are more than a stored hash may ask for')
  const today = `$argon2id$v=19$m=${parameters.memoryKib},t=${parameters.passes},p=${parameters.lanes}`
  const decoys = createDecoys(today)
  const current = parseOptions(decoys.withParameters(today))
  const turns = createHashTurns({ concurrency, memoryKib }, queueLimit)
  const isUsable = (inUse: string) => {
    try {
      return isBearable(parseOptions(decoys.withParameters(inUse)))
    } catch {
      return false
    }
  }

  return {
    queued: turns.queued,
    learn: ({ key, counts }) =>
      decoys.learn({ key, counts: new Map([...counts].filter(([inUse]) => isUsable(inUse))) }),
    hash: (password, caller = '') => turns.run(caller, options, () => threads.hash(password.utf8(), options)),
    async verify(phc, password, caller = '') {
      const stored = phc === undefined ? undefined : parseStored(phc)
      const usable = phc !== undefined && stored !== undefined && isBearable(stored)
      const compared = usable ? phc : decoys.decoyOf(caller)
      const cost = usable ? stored : parseOptions(compared)
      const matches = await turns.run(caller, cost, () => threads.verify(compared, password.utf8()))
      if (!usable || !matches) return 'mismatch'
      return isSame(stored, current) ? 'match' : 'match-outdated-parameters'
    },
  }
}

type Parsed = ReturnType<typeof parseOptions>

function parseStored(phc: string): Parsed {
  try {
    return parseOptions(phc)
  } catch {
    // Without its cause: a hash, even a broken one, doesn't belong in a log.
    throw new Error('a stored password hash is not an argon2 PHC string')
  }
}

type Cost = Pick<Parsed, 'memoryCost' | 'timeCost' | 'parallelism'>

const isOrdinary = (a: Cost) =>
  a.memoryCost <= MOST_MEMORY_KIB &&
  a.memoryCost * a.timeCost <= MOST_KIB_PASSES &&
  a.parallelism <= MOST_LANES

const isSame = (a: Parsed, b: Parsed) =>
  (['algorithm', 'version', 'memoryCost', 'timeCost', 'parallelism', 'outputLen'] as const).every(
    k => a[k] === b[k],
  )
