/** A session's life: open, resume, touch, end. The row decides; this file only says in words what the row means. */
import type { RequestContext } from '../audit/events.js'
import type { Identity, Principal, SessionId, TenantContext, TenantId, UserId } from '../core/principal.js'
import { proves } from '../core/secret.js'
import { type Credential, newCredential } from './credential.js'
import type {
  Device,
  MintQuestion,
  MintReading,
  Reading,
  SessionRow,
  SessionStore,
  TenantStanding,
} from './store.js'

/**
 * Why a credential opens nothing. For the log and the tests; the public answer does not tell most of them apart.
 * `rotated` is the secret before the present one, when another tab renewed it a moment ago; `replayed` is the same
 * long after, perhaps a copy in other hands.
 */
export type Gone =
  | 'unknown'
  | 'forged'
  | 'superseded'
  | 'replayed'
  | 'revoked'
  | 'disabled'
  | 'absolute'
  | 'idle'

/** Live sessions of one user. With the next one the session ends that was not used for the longest. */
const mostSessions = 100

/** Seconds after a renewal in which other tabs may still send the secret before. */
const renewalSeconds = 60

/** A session that may be used now. */
export interface Live {
  readonly principal: Principal
  readonly profile: { readonly email: string; readonly name: string | null }
  /** The database's clock when the session was read, in seconds. */
  readonly now: number
  readonly createdAt: number
  readonly idleEndsAt: number
  /** Last-seen is old enough to be worth a write after the answer. */
  readonly touchDue: boolean
}

export type Resumed = { readonly live: Live } | { readonly gone: Gone }
export type ResumedForMint =
  | (Pick<MintReading, 'application' | 'kid' | 'basis'> & { readonly live: Live; readonly gone?: never })
  | { readonly gone: Gone }

export interface SessionLimits {
  /** Seconds without use after which a session ends. */
  readonly idleSeconds: number
  /** Seconds after sign-in at which a session ends, used or not. */
  readonly absoluteSeconds: number
}

export type Sessions = ReturnType<typeof createSessions>

export function createSessions(store: SessionStore, limits: SessionLimits) {
  return {
    /** Throws `Outage` where none could be opened now: asked before a link is used up, which works once. */
    async ready(): Promise<void> {
      await store.read(newCredential().id)
    },

    /** Opens a session for a proved identity and ends the one the browser came with. */
    async open(
      identity: Identity,
      device: Device,
      replaces: Credential | undefined,
      context: RequestContext,
    ) {
      const credential = newCredential()
      const answer = await store.open({
        id: credential.id,
        secretHash: credential.secret.hash(),
        identity,
        device,
        context,
        ...limits,
        most: mostSessions,
        ...(replaces && { replaces: { id: replaces.id, secretHash: replaces.secret.hash() } }),
      })
      return typeof answer === 'string' ? answer : { credential, ...answer.opened }
    },

    async resume(credential: Credential): Promise<Resumed> {
      return judge(credential, await store.read(credential.id))
    },

    async resumeForMint(credential: Credential, question: MintQuestion): Promise<ResumedForMint> {
      const reading = await store.readForMint(credential.id, question)
      const resumed = judge(credential, reading)
      if ('gone' in resumed) return resumed
      // In its last second a session has no whole second left for a token.
      if (resumed.live.principal.endsAt <= Math.floor(reading.now)) return { gone: 'absolute' }
      const { application, kid, basis } = reading
      return { live: resumed.live, application, kid, basis }
    },

    touch: (id: SessionId) => store.touch(id),

    /** The user proved themselves again: the session gets a new secret, and the time and manner of this proof. */
    async renew(proven: Credential, identity: Identity, context: RequestContext) {
      const next = newCredential()
      const answer = await store.renew({
        id: proven.id,
        provenSecretHash: proven.secret.hash(),
        next: { id: next.id, secretHash: next.secret.hash() },
        identity,
        context,
      })
      if (typeof answer === 'string') return answer
      const { id, now, endsAt } = answer.renewed
      return { credential: { id, secret: next.secret } satisfies Credential, now, endsAt }
    },

    switchTenant: (proven: Credential, actor: UserId, tenant: TenantId | null, context: RequestContext) =>
      store.switchTenant({
        id: proven.id,
        provenSecretHash: proven.secret.hash(),
        tenant,
        actor,
        context,
      }),

    end: (credential: Credential, context: RequestContext) =>
      store.end(credential.id, credential.secret.hash(), 'signed-out', context),
  }
}

/** The secret is proved before anything about the session is said. */
export function judge(credential: Credential, { now, row }: Reading): Resumed {
  const presented = credential.secret.hash()
  if (!row) return { gone: 'unknown' }
  const renewed = row.ended === 'renewed'
  if (renewed || !proves(presented, row.secretHash)) {
    const former = renewed ? row.secretHash : row.previousSecretHash
    const superseded = former !== null && proves(presented, former)
    if (!superseded) return { gone: 'forged' }
    return { gone: whyNotRenewed(row) ?? (row.secretAgeSeconds > renewalSeconds ? 'replayed' : 'superseded') }
  }
  return judgeUnproved(credential.id, { now, row })
}

/** Of a row that goes on under another id the rest is said there. */
function whyNotRenewed(row: SessionRow): Gone | undefined {
  if (row.ended !== 'renewed') return whyGone(row)
  return row.userActive ? undefined : 'disabled'
}

/** For who asks about a session by its public id, and was proved in another way. */
export function judgeUnproved(id: SessionId, { now, row }: Reading): Resumed {
  const gone = row ? whyGone(row) : 'unknown'
  return !row || gone ? { gone: gone ?? 'unknown' } : { live: live(id, row, now) }
}

function whyGone(row: SessionRow): Gone | undefined {
  if (!row.userActive) return 'disabled'
  if (row.ended || !row.epochsCurrent) return 'revoked'
  if (row.pastAbsolute) return 'absolute'
  if (row.pastIdle) return 'idle'
  return undefined
}

function live(id: SessionId, row: SessionRow, now: number): Live {
  return {
    principal: {
      user: row.user.id,
      session: id,
      authTime: row.authTime,
      amr: row.amr,
      acr: row.acr,
      endsAt: row.endsAt,
      tenant: typeof row.tenant === 'string' ? row.tenant : contextOf(row.tenant),
    },
    profile: { email: row.user.email, name: row.user.name },
    now,
    createdAt: row.createdAt,
    idleEndsAt: row.idleEndsAt,
    touchDue: row.lastSeenAgeSeconds >= touchAfterSeconds(row.idleSeconds),
  }
}

/** 1/500 of the idle limit, at least a minute: a session in use costs few writes and loses little of its limit. */
export function touchAfterSeconds(idleSeconds: number): number {
  return Math.max(60, idleSeconds / 500)
}

function contextOf(tenant: TenantStanding): TenantContext {
  const roles = new Set<string>()
  const permissions = new Set<string>()
  for (const id of tenant.roleIds) {
    const role = Object.hasOwn(tenant.roles, id) ? tenant.roles[id] : undefined
    if (!role) continue
    roles.add(role.name)
    for (const permission of role.permissions) permissions.add(permission)
  }
  const { id, name } = tenant
  return { id, name, roles: [...roles].sort(), permissions: [...permissions].sort() }
}
