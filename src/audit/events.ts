/** What is written down for good: who did what, to whom, from where, in which request, and how it ended. */
import type { Authorized } from '../core/authority.js'
import type { Caller } from '../core/caller.js'
import type { Page, PageRequest } from '../core/page.js'
import type { Principal, SessionId, TenantId, UserId } from '../core/principal.js'

/** Where something was done: the request and the client's network address. Operators' commands have neither. */
export interface RequestContext {
  readonly requestId: string | undefined
  readonly address: string | undefined
}

/** Who does something, and from where. */
export interface Actor {
  /** Undefined: an operator's command, or a service key. */
  readonly user: UserId | undefined
  readonly serviceKey?: string
  readonly context: RequestContext
  /** Under an Idempotency-Key: what was created under it once is answered again. */
  readonly idempotency?: Idempotency
  /** Of a request: judged again in the transaction of the change. None: an operator's command, or the service itself. */
  readonly authorized?: Authorized
}

export interface Idempotency {
  /** Who asked: keys of different callers are different keys. */
  readonly caller: string
  readonly key: string
  /** SHA-256 of what was asked. */
  readonly requestHash: Buffer
}

/** Of what the service does by itself, and what an operator does by a command. */
export const noRequest: RequestContext = { requestId: undefined, address: undefined }

/** `sessions.ended` is all others, or all, of the user who is its subject; `service.sessions-ended` everybody's. */
export type AuditAction =
  | 'account.created'
  | 'account.disabled'
  | 'account.enabled'
  | 'account.deleted'
  | 'account.changed'
  | 'tenant.created'
  | 'tenant.changed'
  | 'tenant.deleted'
  | 'role.created'
  | 'role.changed'
  | 'role.deleted'
  | 'membership.set'
  | 'invitation.created'
  | 'invitation.withdrawn'
  | 'invitation.accepted'
  | 'membership.removed'
  | 'admin.request'
  | 'application.created'
  | 'application.changed'
  | 'application.deleted'
  | 'service-key.created'
  | 'service-key.revoked'
  | 'account.reclaimed'
  | 'identity.linked'
  | 'identity.unlinked'
  | 'provider.created'
  | 'provider.changed'
  | 'provider.deleted'
  | 'provider.logout'
  | 'password.changed'
  | 'password.reset'
  | 'factor.added'
  | 'factor.renamed'
  | 'factor.removed'
  | 'factor.resealed'
  | 'passkey.counter-regressed'
  | 'recovery-codes.replaced'
  | 'factors.reset-requested'
  | 'factors.reset-stopped'
  | 'factors.reset'
  | 'factors.unlocked'
  | 'session.opened'
  | 'session.stepped-up'
  | 'session.tenant'
  | 'session.ended'
  | 'sessions.ended'
  | 'session.reuse-detected'
  | 'session.token'
  | 'service.sessions-ended'
  | 'service.recovered'
  | 'feed.forked'
  | 'feed.verifier-forgotten'
  | 'keys.bootstrapped'
  | 'keys.published'
  | 'keys.scheduled'
  | 'keys.compromised'
  | 'keys.resealed'
  | 'keys.erased'

export interface AuditEvent {
  readonly action: AuditAction
  /** `refused` carries the reason; what was refused is not repeated. */
  readonly outcome: 'done' | 'refused'
  readonly reason?: string
  /** The user who acted, where one was proved; operators act without. */
  readonly actor?: UserId
  readonly serviceKey?: string
  /** The tenant it was done in. */
  readonly tenant?: TenantId
  /** The user or thing it was done to. */
  readonly subject?: string
  readonly session?: SessionId
  readonly context: RequestContext
}

/**
 * Append-only: the service's role in the database can add rows and read them, nothing else. What a change records is
 * written by the stores in the transaction of the change; this is for refusals, which change nothing.
 */
export interface AuditLog {
  /** All of them, or none. */
  record(events: readonly AuditEvent[]): Promise<void>
  /** The newest first; of one tenant only, where one is named. */
  list(page: PageRequest, tenant?: TenantId): Promise<Page<RecordedEvent>>
}

export interface RecordedEvent {
  /** Rises with every event. */
  readonly id: string
  /** NumericDate, with a fraction. */
  readonly at: number
  readonly action: string
  readonly outcome: 'done' | 'refused'
  readonly reason: string | null
  readonly actor: string | null
  readonly serviceKey: string | null
  readonly tenant: string | null
  readonly subject: string | null
  readonly session: string | null
  readonly address: string | null
  readonly requestId: string | null
}

/**
 * Awaited before the refusal is answered, for a place in the queue and not for Postgres: its time tells nobody who
 * exists. Throws `Throttled` for a caller who is refused too often, and `Outage` where there is no place.
 */
export type RecordRefusal = (
  event: Omit<AuditEvent, 'outcome' | 'reason' | 'actor'> & { reason: string; actor: UserId | undefined },
) => Promise<void>

/** What is refused to somebody who is signed in. */
export function refusalOf(
  { user: actor, session }: Principal,
  action: AuditAction,
  reason: string,
  context: RequestContext,
) {
  return { action, reason, actor, session, context }
}

/** Who does something, as it is written down. */
export function actorOf(caller: Caller, context: RequestContext): Actor {
  if ('user' in caller) return { user: caller.user.user, context }
  return { user: undefined, serviceKey: caller.service.id, context }
}

/** As JSON shows it. */
export function describeEvent({ serviceKey, requestId, ...event }: RecordedEvent) {
  return { ...event, service_key: serviceKey, request_id: requestId }
}
