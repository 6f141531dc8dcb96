/** What operators do with the second factors of users, by command or by the admin API: see, reset and unlock them. */
import type { Actor } from '../audit/events.js'
import type { UserId } from '../core/principal.js'
import type { KeyEncryptionKeys } from '../sealing/key-encryption-keys.js'
import type { Factors } from './factors.js'
import type { Parts } from './parts.js'
import { openTotp, totpSealedAs } from './totp.js'

export type FactorOperations = ReturnType<typeof createFactorOperations>

export interface FactorOperationParts
  extends Parts<'issuer' | 'store' | 'factors' | 'factorResets' | 'mailer' | 'inBackground'> {
  /** Hours in which users can stop a reset. 0: there are none. */
  readonly resetHours: number
  /** To open what was sealed, and to seal it again. */
  readonly keys: () => Promise<KeyEncryptionKeys>
}

export function createFactorOperations(parts: FactorOperationParts) {
  const { issuer, store, factors, factorResets, mailer, inBackground } = parts

  return {
    async of(user: UserId): Promise<Factors | undefined> {
      return (await store.findById(user)) && factors.of(user)
    },

    /** `now`: whatever the setting says, the user has no time to stop it. */
    async reset(user: UserId, actor: Actor, { now = false } = {}) {
      const answer = await factorResets.request(user, now ? 0 : parts.resetHours * 3600, actor)
      if (typeof answer === 'string') return answer
      const { email: to, dueAt } = answer
      inBackground('factors reset mail', () =>
        mailer.send(
          dueAt === null
            ? { kind: 'factors-reset', to }
            : { kind: 'factors-reset-requested', to, dueAt, page: `${issuer}/second-factors` },
        ),
      )
      return answer
    },

    /** Wrong codes do not count any more: who has typed too many may go on. */
    lift: (user: UserId, actor: Actor) => factors.lift(user, actor),

    /**
     * Secrets move under the newest key-encryption key. One whose key is not here stays: its user needs a reset, or the
     * file has to come back.
     */
    async reseal(actor: Actor): Promise<void> {
      const keks = await parts.keys()
      const from = (await factors.kekIds()).filter(id => id !== keks.newest() && keks.has(id))
      if (from.length === 0) return
      const again: Parameters<typeof factors.reseal>[1] = (user, { id, ...secret }) => {
        const plain = openTotp(keks, issuer, user, { id, ...secret })
        return keks.seal(Buffer.from(plain), totpSealedAs(issuer, user, id))
      }
      await factors.reseal(from, again, actor)
    },
  }
}
