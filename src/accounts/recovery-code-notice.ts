/** A mail after a recovery code was used: its user has lost their factor, or somebody has found their codes. */
import type { FactorProof, UserId } from '../core/principal.js'
import type { Parts } from './parts.js'

export type RecoveryCodeNotice = (user: UserId, proof: FactorProof) => void

/** Told of every proof that was accepted; it sends nothing for those of other kinds. */
export function createRecoveryCodeNotice(
  parts: Parts<'factors' | 'store' | 'mailer' | 'inBackground'>,
): RecoveryCodeNotice {
  const { factors, store, mailer, inBackground } = parts
  return (user, { kind }) => {
    if (kind !== 'recovery-code') return
    inBackground('recovery code mail', async () => {
      const [account, { recoveryCodes: left }] = await Promise.all([store.findById(user), factors.of(user)])
      if (account) await mailer.send({ kind: 'recovery-code-used', to: account.email, left })
    })
  }
}
