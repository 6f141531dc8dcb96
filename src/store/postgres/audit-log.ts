/** The audit table in Postgres: rows are added, in the transaction of what they record. */
import type { AuditEvent, AuditLog } from '../../audit.js'
import type { Database, Queries } from './database.js'
import { auditEvents } from './schema.js'

export async function writeAudit(tx: Queries, event: AuditEvent): Promise<void> {
  const { action, outcome, reason, actor, subject, session, occasion } = event
  await tx.insert(auditEvents).values({
    action,
    outcome,
    reason: reason ?? null,
    actor: actor ?? null,
    subject: subject ?? null,
    session: session ?? null,
    address: occasion.address ?? null,
    requestId: occasion.requestId ?? null,
  })
}

export function postgresAuditLog(database: Database): AuditLog {
  return { record: event => database.transaction(db => writeAudit(db, event)) }
}
