/** The contract of second factors: authenticator apps, passkeys and recovery codes, and how they change. */
import type { Actor } from '../audit/events.js'
import type { AssuranceLevel, FactorId, FactorProof, SessionId, UserId } from '../core/principal.js'

/** Wrong codes of an app in a row after which only another factor or an operator helps (NIST SP 800-63B-4, section 3.2.2). */
export const mostWrongCodes = 10

/** Minutes within which an app that is being set up is confirmed. */
export const enrolmentMinutes = 15

/** A factor, as its user and an operator see it. Times are NumericDates. */
export interface Factor {
  readonly id: FactorId
  readonly kind: 'totp' | 'passkey'
  /** Of a passkey: it signs its user in without a password. */
  readonly firstStep: boolean
  readonly name: string
  readonly createdAt: number
  /** Null: not yet. */
  readonly lastUsedAt: number | null
  /** The network address of the last use. */
  readonly lastUsedAddress: string | null
}

export interface Factors {
  readonly factors: readonly Factor[]
  /** Recovery codes that were not used yet. */
  readonly recoveryCodes: number
  /** Wrong codes in a row have closed the app. Recovery codes are closed by nothing: they cannot be guessed. */
  readonly codesLocked: boolean
  /** When an operator's reset removes all of it; null: there is none. */
  readonly resetDueAt: number | null
}

/** The secret of an app, sealed for its user. */
export interface SealedTotp {
  readonly id: FactorId
  readonly sealed: Buffer
  readonly kekId: string
  /** The database's clock in seconds, by which codes are judged. */
  readonly now: number
}

/** Of a change of factors: by whom, and how strong the session is that asks. Judged again in its transaction. */
export interface FactorActor {
  readonly user: UserId
  readonly session: SessionId
  readonly acr: AssuranceLevel
  readonly actor: Actor
}

/** `weak`: the account has a factor by now, and the session does not rest on one. */
export type Weak = 'weak'

/**
 * Rules (test/conformance/second-factors.ts):
 * - An app that is not confirmed is no factor. Only the session that sets it up sees its secret and confirms it; what
 *   another session sets up takes its place.
 * - `attemptTotp` counts a code as wrong before it is looked at; the transaction that accepts a code, a recovery code or
 *   a passkey forgets the count. At the bound it answers nothing, until an operator or another factor helps. A right
 *   password changes nothing of it.
 * - Each change is one transaction with its audit row, judged by `FactorActor` in it, and ends no session.
 * - With the last factor its recovery codes go. A passkey that is the last way in is not removed.
 */
export interface FactorStore {
  of(user: UserId): Promise<Factors>

  /**
   * The confirmed app whose code is tried next; the attempt is counted. Not where its key-encryption key (`opens`) is not
   * here: nothing is wrong with the code then.
   */
  attemptTotp(
    user: UserId,
    opens: (kekId: string) => boolean,
  ): Promise<SealedTotp | 'none' | 'locked' | { readonly missingKek: string }>
  /** A right code could not be used: its attempt does not count. */
  giveBack(user: UserId): Promise<void>
  isUnusedCode(user: UserId, hash: Buffer): Promise<boolean>

  /** Sets one up in place of another that was not confirmed. */
  enrol(by: FactorActor, id: FactorId, name: string, sealed: SealedSecret): Promise<'enrolled' | Weak>
  /** The one that this session is setting up. */
  unconfirmed(user: UserId, session: SessionId): Promise<SealedTotp | undefined>
  /**
   * It becomes the factor, in place of an earlier one. `codes` are the hashes of new recovery codes, stored where the
   * account had no factor. `unknown`: it is not being set up any more, or the code was used.
   */
  confirm(
    by: FactorActor,
    proof: Extract<FactorProof, { kind: 'totp' }>,
    codes: readonly Buffer[],
  ): Promise<{ readonly codesStored: boolean; readonly name: string } | 'unknown' | Weak>
  rename(by: FactorActor, id: FactorId, name: string): Promise<'renamed' | 'unknown' | Weak>
  remove(
    by: FactorActor,
    id: FactorId,
  ): Promise<{ readonly removed: Factor; readonly last: boolean } | 'unknown' | 'last-way-in' | Weak>
  /** In place of all earlier ones. `unknown`: the account has no factor that they could stand in for. */
  replaceCodes(by: FactorActor, codes: readonly Buffer[]): Promise<'replaced' | 'unknown' | Weak>

  /** An operator forgets the wrong codes of a user. `forbidden`: of somebody who holds more than they do. */
  lift(user: UserId, actor: Actor): Promise<'lifted' | 'unknown' | 'forbidden'>
  /** Of key-encryption keys, all that apps are sealed under. */
  kekIds(): Promise<readonly string[]>
  /**
   * Seals every secret again that lies under one of these keys, some in a transaction: after a failure it is repeated.
   * Answers how many.
   */
  reseal(
    from: readonly string[],
    again: (user: UserId, sealed: Omit<SealedTotp, 'now'>) => SealedSecret,
    actor: Actor,
  ): Promise<number>
}

export interface SealedSecret {
  readonly sealed: Buffer
  readonly kekId: string
}

/** As JSON shows them. */
export function describeFactors({ factors, recoveryCodes, codesLocked, resetDueAt }: Factors) {
  return {
    items: factors.map(describeFactor),
    recovery_codes: recoveryCodes,
    codes_locked: codesLocked,
    reset_due_at: resetDueAt,
  }
}

export function describeFactor({ firstStep, createdAt, lastUsedAt, lastUsedAddress, ...factor }: Factor) {
  return {
    ...factor,
    first_step: firstStep,
    created_at: createdAt,
    last_used_at: lastUsedAt,
    last_used_address: lastUsedAddress,
  }
}
