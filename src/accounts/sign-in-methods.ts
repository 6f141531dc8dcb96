/** The ways in that a user has: a password, and the accounts at providers; and giving one of those up. */
import type { Actor } from '../audit/events.js'
import type { FederatedIdentityId, Principal, UserId } from '../core/principal.js'
import type { Parts } from './parts.js'

export type SignInMethods = ReturnType<typeof createSignInMethods>

export function createSignInMethods(parts: Parts<'identities' | 'store' | 'mailer' | 'inBackground'>) {
  const { identities, store, mailer, inBackground } = parts
  return {
    async of(user: UserId) {
      const [linked, account] = await Promise.all([identities.identitiesOf(user), store.findById(user)])
      return { linked, password: account?.password !== undefined }
    },

    /** The session that asks goes on. `to` is the address of the account, which is told. */
    async unlink(who: Principal, id: FederatedIdentityId, to: string, actor: Actor) {
      const answer = await identities.unlink(who, id, actor)
      if (typeof answer === 'string') return answer
      const provider = answer.unlinked.providerName
      inBackground('identity unlinked mail', () => mailer.send({ kind: 'identity-unlinked', to, provider }))
      return 'unlinked' as const
    },
  }
}
