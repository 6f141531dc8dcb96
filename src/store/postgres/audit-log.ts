/** The audit table in Postgres: rows are added, in the transaction of what they record. */
import { and, desc, eq, lt, sql } from 'drizzle-orm'
import type { AuditAction, AuditEvent, AuditLog, By } from '../../audit.js'
import { pageOf } from '../../directory/page.js'
import type { SessionId, TenantId } from '../../principal.js'
import type { Database, Queries } from './database.js'
import { auditEvents } from './schema.js'

export async function writeAudit(tx: Queries, event: AuditEvent): Promise<void> {
  const { action, outcome, reason, actor, serviceKey, tenant, subject, session, occasion } = event
  await tx.insert(auditEvents).values({
    action,
    outcome,
    reason: reason ?? null,
    actor: actor ?? null,
    serviceKey: serviceKey ?? null,
    tenant: tenant ?? null,
    subject: subject ?? null,
    session: session ?? null,
    address: occasion.address ?? null,
    requestId: occasion.requestId ?? null,
  })
}

/** Something that was done by somebody. */
export async function auditDone(
  tx: Queries,
  action: AuditAction,
  { actor, serviceKey, occasion }: By,
  about: { readonly subject?: string; readonly tenant?: TenantId; readonly session?: SessionId } = {},
): Promise<void> {
  await writeAudit(tx, {
    action,
    outcome: 'done',
    ...(actor !== undefined && { actor }),
    ...(serviceKey !== undefined && { serviceKey }),
    ...about,
    occasion,
  })
}

export function postgresAuditLog(database: Database): AuditLog {
  return {
    record: event => database.transaction(db => writeAudit(db, event)),

    list({ limit, after }, tenant) {
      return database.read(async tx => {
        const rows = await tx
          .select({
            id: sql<string>`${auditEvents.id}::text`,
            at: sql<number>`extract(epoch from ${auditEvents.at})::float8`,
            action: auditEvents.action,
            outcome: auditEvents.outcome,
            reason: auditEvents.reason,
            actor: auditEvents.actor,
            serviceKey: auditEvents.serviceKey,
            tenant: auditEvents.tenant,
            subject: auditEvents.subject,
            session: auditEvents.session,
            address: auditEvents.address,
            requestId: auditEvents.requestId,
          })
          .from(auditEvents)
          .where(
            and(
              after === undefined ? undefined : lt(auditEvents.id, BigInt(after)),
              tenant === undefined ? undefined : eq(auditEvents.tenant, tenant),
            ),
          )
          .orderBy(desc(auditEvents.id))
          .limit(limit + 1)
        return pageOf(rows, limit, ({ id }) => id)
      })
    },
  }
}
