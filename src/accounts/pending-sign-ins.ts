/** Sign-ins that owe a second factor: the first step is proved, and no session exists yet. */
import type { Identity } from '../core/principal.js'

/** Minutes for which the second step may follow. */
export const pendingMinutes = 10
/** Codes that one pending sign-in may try. */
export const mostAttempts = 10

/** What was proved first. It is stored as JSON, and judged again when the session is opened. */
export type FirstStep = Omit<Identity, 'second'>

/** What a user may prove next, in the words of the API, the strongest first. */
export type NextStep = 'passkey' | 'totp' | 'recovery_code'

/**
 * Rules (test/conformance/second-factors.ts):
 * - Only SHA-256 hashes of secrets come in here.
 * - `begin` makes one only while the user is active and what was proved is current. It carries both epochs: whatever
 *   ends the user's sessions ends it as well.
 * - `attempt` takes one of its attempts, of parallel ones each its own, and answers nothing once they are used up.
 * - The transaction that opens the session consumes it (`SessionStore.open`). `cancel` ends it, whether it is there or not.
 */
export interface PendingSignIns {
  begin(secretHash: Buffer, first: FirstStep): Promise<readonly NextStep[] | 'credential-changed'>
  /** What it was begun with, and what may follow. Looking takes no attempt. */
  read(
    secretHash: Buffer,
  ): Promise<{ readonly first: FirstStep; readonly next: readonly NextStep[] } | undefined>
  attempt(secretHash: Buffer): Promise<FirstStep | undefined>
  cancel(secretHash: Buffer): Promise<void>
}
