/** The contract of the key ring's store: rows whose state follows from times, never from a flag. */
import type { JWK } from 'jose'
import type { Actor } from '../audit/events.js'
import type { Kid } from '../core/principal.js'

/** A public P-256 key as JWKS publishes it (RFC 7517): kty, crv, x, y, kid, alg, use. */
export type PublicJwk = Required<Pick<JWK, 'kty' | 'crv' | 'x' | 'y' | 'kid' | 'alg' | 'use'>>

export interface SealedKey {
  readonly kid: Kid
  readonly publicJwk: PublicJwk
  /** AES-256-GCM under a key-encryption key; bound to `kid`, issuer and purpose. */
  readonly sealed: Buffer
  readonly kekId: string
}

/** Why a key may sign before every verifier can know it. */
export type Exemption = 'first' | 'compromise' | 'recovery'

/** A key that was ever published. Times are NumericDates with a fraction, by the clock of the store. */
export interface Key {
  readonly kid: Kid
  readonly publicJwk: PublicJwk
  /** Null once it can sign no more: the private half is erased. */
  readonly sealed: Buffer | null
  readonly kekId: string | null
  /** Every key-encryption key that it was ever sealed under. */
  readonly kekIds: readonly string[]
  readonly publishedAt: number
  /** Null for a standby that no rotation has scheduled. */
  readonly signsFrom: number | null
  /** Null until its successor has a time. */
  readonly signsUntil: number | null
  readonly unpublishedAt: number | null
  readonly compromised: { readonly at: number; readonly since: number | null } | null
  readonly exempt: Exemption | null
  /** Seconds from its publication to its first signature, at least. */
  readonly leastLead: number
}

/** Seconds. The names of DESIGN section 5 stand beside them. */
export interface Policy {
  /** T: the longest life of a token. */
  readonly tokenLifetime: number
  /** S: how far clocks may be apart, and how long a change that is planned lies ahead at least. */
  readonly skew: number
  /** P: how old a list an instance may serve while Postgres is away. */
  readonly listAge: number
  /** C: how old the list of a conforming verifier may be. */
  readonly verifierAge: number
  /** From the publication of a key to its first signature, as planned; at least P + C + S. */
  readonly lead: number
  /** From its last signature until it leaves the list; at least P + T + S. */
  readonly tail: number
  readonly rotateEvery: number
  readonly jitterPercent: number
}

export interface Ring {
  /** The store's clock, read after whatever this change had to wait for. */
  readonly now: number
  readonly policy: Policy
  /** Every key that was ever published, oldest first. */
  readonly keys: readonly Key[]
  /** Of the revocation feed, `<generation>.<position>`: what was killed by then, this list knows. */
  readonly feedPosition: string
}

/** What is to be done to a ring. Keys are made by anybody who does it: a plan is a pure function of the ring. */
export interface Plan {
  readonly publish: readonly { readonly signsFrom: number | null; readonly exempt: Exemption | null }[]
  readonly alter: readonly Alteration[]
}

export interface Alteration {
  readonly kid: Kid
  readonly signsFrom?: number | null
  readonly signsUntil?: number | null
  readonly unpublishedAt?: number | null
  readonly exempt?: Exemption
  /** It has been in other hands: since then, or for its whole life. */
  readonly compromised?: { readonly at: number; readonly since: number | null }
  readonly sealed?: { readonly sealed: Buffer; readonly kekId: string } | 'erased'
}

/**
 * Rules (test/conformance/key-ring-store.ts):
 * - `read` is what the primary holds now; it throws `Outage` when the primary cannot be asked.
 * - `change` decides on what `read` would answer, alone: of many at once each sees what the one before it did. It
 *   commits all of a plan, an audit row for each thing done, or nothing. A dry run is a change that is rolled back:
 *   what it answers has passed every check.
 * - The database refuses, from whomever: a key that signs before its lead, or leaves before its tail; a time that is
 *   past and is moved; a private half that comes back; a compromise that is taken back; a key that is deleted.
 */
export interface KeyRingStore {
  read(): Promise<Ring>
  /** How often in the last day a verifier has shown a message that we signed and this database does not know. */
  feedForks(): Promise<number>
  /** Answers the ring after it, or what `decide` answered in place of a plan. */
  change<Nothing extends string>(
    decide: (ring: Ring) => Plan | Nothing | Promise<Plan | Nothing>,
    make: () => Promise<SealedKey>,
    actor: Actor,
    dryRun?: boolean,
  ): Promise<Ring | Nothing>
}
