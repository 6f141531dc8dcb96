/** What users do with their own sessions: switch the tenant of one, see where they are signed in, and end that. */
import { type Actor, type RecordRefusal, type RequestContext, refusalOf } from '../audit/events.js'
import type { PageRequest } from '../core/page.js'
import type { Principal, SessionId, TenantId } from '../core/principal.js'
import { type Credential, newCredential } from './credential.js'
import type { Revocations } from './revocations.js'
import type { Sessions } from './sessions.js'

export interface OwnSessionParts {
  readonly sessions: Pick<Sessions, 'switchTenant'>
  readonly revocations: Revocations
  readonly refused: RecordRefusal
}

export type OwnSessions = ReturnType<typeof createOwnSessions>

export function createOwnSessions({ sessions, revocations, refused }: OwnSessionParts) {
  return {
    list: ({ user }: Principal, page: PageRequest) => revocations.list(user, page),

    async switchTenant(
      principal: Principal,
      proven: Credential,
      tenant: TenantId | null,
      context: RequestContext,
    ) {
      const answer = await sessions.switchTenant(proven, principal.user, tenant, context)
      if (answer === 'forbidden')
        await refused(refusalOf(principal, 'session.tenant', 'tenant_forbidden', context))
      return answer
    },

    endOne: ({ user }: Principal, id: SessionId, actor: Actor) => revocations.endOne(id, user, actor),

    /** `renewed`: the session that asks goes on under this credential. */
    async endOthers({ user }: Principal, proven: Credential, actor: Actor) {
      const next = newCredential()
      const own = {
        user,
        id: proven.id,
        provenSecretHash: proven.secret.hash(),
        next: { id: next.id, secretHash: next.secret.hash() },
      }
      const answer = await revocations.endOthers(own, actor)
      if (typeof answer === 'string') return answer
      const { renewed: id, ...ended } = answer
      return { ended, renewed: id === undefined ? undefined : { id, secret: next.secret } }
    },

    endAll: ({ user }: Principal, actor: Actor) => revocations.endAllOf(user, actor),
  }
}
