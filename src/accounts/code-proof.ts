/** A code as a second factor: of an authenticator app, or a recovery code. */
import { Outage } from '../core/errors.js'
import type { FactorProof, UserId } from '../core/principal.js'
import type { FactorStore } from './factors.js'
import type { Parts } from './parts.js'
import { recoveryCodeHash } from './recovery-codes.js'
import { FactorKeyMissing, openTotp, stepOf } from './totp.js'

/** What somebody typed, and which of the two it is. */
export type Code = { readonly totp: string } | { readonly recoveryCode: string }

/** `locked`: too many wrong ones in a row. `no-factor`: the user has none of this kind. */
export type CodeRefusal = 'wrong-code' | 'codes-locked' | 'no-factor'

export type CodeProof = { readonly proof: FactorProof } | { readonly refused: CodeRefusal }

export type ProveCode = (user: UserId, code: Code) => Promise<CodeProof>

/** What a proof was for, done; one that our own outage has stopped does not count as a wrong code. */
export async function usingProof<T>(
  factors: Pick<FactorStore, 'giveBack'>,
  user: UserId,
  { kind }: FactorProof,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (kind === 'totp' && error instanceof Outage) await factors.giveBack(user).catch(() => {})
    throw error
  }
}

/** Each code of an app is counted before it is looked at, so that parallel guesses are no more than they may be. */
export function createCodeProof({ factors, keks, issuer }: Parts<'factors' | 'keks' | 'issuer'>): ProveCode {
  return async (user, code) =>
    'totp' in code ? byApp(user, code.totp) : byRecoveryCode(user, code.recoveryCode)

  async function byApp(user: UserId, code: string): Promise<CodeProof> {
    const sealed = await factors.attemptTotp(user, keks.has)
    if (sealed === 'none') return { refused: 'no-factor' }
    if (sealed === 'locked') return { refused: 'codes-locked' }
    if ('missingKek' in sealed) throw new FactorKeyMissing(sealed.missingKek)
    const step = stepOf(openTotp(keks, issuer, user, sealed), code, sealed.now)
    if (step === undefined) return { refused: 'wrong-code' }
    return { proof: { kind: 'totp', factor: sealed.id, step } }
  }

  async function byRecoveryCode(user: UserId, typed: string): Promise<CodeProof> {
    const hash = recoveryCodeHash(typed)
    if (!hash) return { refused: 'wrong-code' }
    const unused = await factors.isUnusedCode(user, hash)
    return unused ? { proof: { kind: 'recovery-code', hash } } : { refused: 'wrong-code' }
  }
}
