// Argon2id hashes of passwords, made and compared by a bounded number of workers.
import { randomBytes } from 'node:crypto'
import { hashSync, parseOptions } from '@node-rs/argon2'
import { createHashThreads } from './hash-threads.js'
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

/**
 * Every worker is busy and the queue is full: the caller is asked to come back (503 with Retry-After). Nothing
 * was hashed and nothing is known about the password.
 */
export class HashQueueFull extends Error {
  override readonly name = 'HashQueueFull'
  constructor() {
    super('the queue of password hashes is full')
  }
}

/** `match-outdated-parameters`: the password is right, and its hash should be replaced by one made now. */
export type PasswordMatch = 'match' | 'match-outdated-parameters' | 'mismatch'

export interface PasswordHasher {
  /** A PHC string with a salt of its own. Rejects with `HashQueueFull`. */
  hash(password: NormalisedPassword): Promise<string>
  /**
   * With `undefined` (no such user, or one without a password) the same work is done against a hash that nothing
   * matches, so that the time taken doesn't say who exists; so too where the stored parameters are absurd. The
   * time still differs while hashes with outdated parameters remain.
   *
   * Rejects with `HashQueueFull`, and with an ordinary error on a stored hash that isn't one (corruption).
   */
  verify(phc: string | undefined, password: NormalisedPassword): Promise<PasswordMatch>
  /** How many wait for a worker, not counting those being worked on. */
  queued(): number
}

/**
 * @param concurrency hashes computed at the same time: max(1, cores − 1) leaves a core to the requests of others.
 *   Each has a thread of its own, at a lower priority.
 * @param queueLimit how many may wait, first come first served; the next one is refused at once.
 */
export function createPasswordHasher(settings: {
  concurrency: number
  queueLimit: number
  parameters?: Argon2Parameters | undefined
}): PasswordHasher {
  const { concurrency, queueLimit, parameters = DEFAULT_PARAMETERS } = settings
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
  if (!isBearable(options))
    throw new RangeError('these argon2 parameters are more than a stored hash may ask for')
  const decoy = hashSync(randomBytes(32), options)
  const current = parseOptions(decoy)
  const inTurn = createTurnstile(concurrency, queueLimit)
  const threads = createHashThreads()

  return {
    queued: inTurn.queued,
    hash: password => inTurn.run(() => threads.hash(password.utf8(), options)),
    async verify(phc, password) {
      const stored = phc === undefined ? undefined : parseStored(phc)
      const usable = phc !== undefined && stored !== undefined && isBearable(stored)
      const matches = await inTurn.run(() => threads.verify(usable ? phc : decoy, password.utf8()))
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

const isBearable = (a: Pick<Parsed, 'memoryCost' | 'timeCost' | 'parallelism'>) =>
  a.memoryCost <= MOST_MEMORY_KIB &&
  a.memoryCost * a.timeCost <= MOST_KIB_PASSES &&
  a.parallelism <= MOST_LANES

const isSame = (a: Parsed, b: Parsed) =>
  (['algorithm', 'version', 'memoryCost', 'timeCost', 'parallelism', 'outputLen'] as const).every(
    k => a[k] === b[k],
  )

function createTurnstile(concurrency: number, queueLimit: number) {
  const waiting: (() => void)[] = []
  let running = 0
  return {
    queued: () => waiting.length,
    async run<T>(work: () => Promise<T>): Promise<T> {
      if (running < concurrency) running++
      else if (waiting.length >= queueLimit) throw new HashQueueFull()
      else await new Promise<void>(resolve => waiting.push(resolve))
      try {
        return await work()
      } finally {
        // A place is handed over, not freed, so that a newcomer can't slip in before the one who waited.
        const next = waiting.shift()
        if (next) next()
        else running--
      }
    },
  }
}
