/** The contract of the registry's store: which processes follow the feed, and up to where each has applied it. */
import type { Actor } from '../audit/events.js'
import type { ServiceKeyId } from '../core/principal.js'
import type { FeedTerms } from '../core/service-key.js'

/** A place of the feed, as `Mintmark-Revocation` names it. */
export interface FeedPosition {
  readonly generation: number
  readonly position: number
}

/** As the header, a receipt and the list of verifiers write it. */
export function writePosition({ generation, position }: FeedPosition): string {
  return `${generation}.${position}`
}

/** What an instance has seen of a verifier by itself. */
export interface Sighting {
  readonly key: ServiceKeyId
  /** Its own random id. */
  readonly v: string
  readonly jwks: string | undefined
  readonly applied: FeedPosition | undefined
  /** Seconds since its last request came. */
  readonly seenAgo: number
  /** Seconds since it hung up; undefined while it follows. */
  readonly leftAgo: number | undefined
}

/** Times are NumericDates with a fraction, by the clock of the store. */
export interface Verifier extends FeedTerms {
  readonly key: ServiceKeyId
  readonly v: string
  /** Of its key. */
  readonly name: string
  readonly jwks: string | null
  readonly applied: FeedPosition | undefined
  readonly firstSeenAt: number
  readonly lastSeenAt: number
  readonly leftAt: number | null
}

export interface RegistryReading {
  readonly now: number
  readonly generation: number
  readonly head: number
  /** Seconds: of any token. */
  readonly longestLifetime: number
  readonly verifiers: readonly Verifier[]
}

/**
 * Rules (test/feed/receipts.test.ts):
 * - Name, mode and largest age are those of the service key, whatever a verifier says of itself. A sighting by a key that
 *   is not there is dropped.
 * - `write` takes what is newer than what is stored, and leaves the rest.
 * - `read` is one fresh reading of the primary.
 */
export interface VerifierStore {
  write(sightings: readonly Sighting[]): Promise<void>
  read(): Promise<RegistryReading>
  /** When a position of this generation was given; undefined if it is forgotten. */
  givenAt(position: number): Promise<number | undefined>
  /** Until then every instance writes once a second what its verifiers have applied. */
  announceWait(seconds: number): Promise<void>
  forget(key: ServiceKeyId, v: string, actor: Actor): Promise<'removed' | 'unknown'>
}

/** As it is shown. */
export function verifierName({ name, v }: Pick<Verifier, 'name' | 'v'>): string {
  return `${name}/${v}`
}
