/** What is written down for good: who did what, to whom, from where, in which request, and how it ended. */
import type { SessionId, UserId } from './principal.js'

/** Where something was done: the request and the client's network address. Operators' commands have neither. */
export interface Occasion {
  readonly requestId: string | undefined
  readonly address: string | undefined
}

/** Of what the service does by itself, and what an operator does by a command. */
export const noRequest: Occasion = { requestId: undefined, address: undefined }

/** `sessions.ended` is all others, or all, of the person who is its subject; `service.sessions-ended` everybody's. */
export type AuditAction =
  | 'account.created'
  | 'account.disabled'
  | 'account.enabled'
  | 'account.deleted'
  | 'application.created'
  | 'password.changed'
  | 'password.reset'
  | 'session.opened'
  | 'session.proved'
  | 'session.tenant'
  | 'session.ended'
  | 'sessions.ended'
  | 'session.superseded'
  | 'session.token'
  | 'service.sessions-ended'
  | 'service.recovered'
  | 'keys.founded'

export interface AuditEvent {
  readonly action: AuditAction
  /** `refused` carries the reason; what was refused is not repeated. */
  readonly outcome: 'done' | 'refused'
  readonly reason?: string
  /** The person who acted, where one was proved; operators act without. */
  readonly actor?: UserId
  /** The person or thing it was done to. */
  readonly subject?: string
  readonly session?: SessionId
  readonly occasion: Occasion
}

/**
 * Append-only: the service's role in the database can add rows and read them, nothing else. What a change records is
 * written by the stores in the transaction of the change; this is for refusals, which change nothing.
 */
export interface AuditLog {
  record(event: AuditEvent): Promise<void>
}

/** Records after the answer: it never delays a refusal, and its time tells nobody who exists. */
export type RecordRefusal = (
  event: Omit<AuditEvent, 'outcome' | 'reason' | 'actor'> & { reason: string; actor: UserId | undefined },
) => void
