/** The audit table in Postgres: rows are added, in the transaction of what they record. */
import { and, desc, eq, lt, sql } from 'drizzle-orm'
import type { Actor, AuditAction, AuditEvent, AuditLog } from '../../../audit/events.js'
import { pageOf } from '../../../core/page.js'
import type { SessionId, TenantId } from '../../../core/principal.js'
import type { Database, Queries } from '../database.js'
import { auditEvents } from '../schema/tables.js'
import { exactSecondsOf } from '../values.js'

export async function writeAudit(tx: Queries, event: AuditEvent): Promise<void> {
  await tx.insert(auditEvents).values(rowOf(event))
}

function rowOf(event: AuditEvent) {
  const { action, outcome, reason, actor, serviceKey, tenant, subject, session, context } = event
  return {
    action,
    outcome,
    reason: reason ?? null,
    actor: actor ?? null,
    serviceKey: serviceKey ?? null,
    tenant: tenant ?? null,
    subject: subject ?? null,
    session: session ?? null,
    address: context.address ?? null,
    requestId: context.requestId ?? null,
  }
}

/** In one statement with one parameter, however many they are, in their order. */
async function writeMany(tx: Queries, events: readonly AuditEvent[]): Promise<void> {
  const columns = sql.raw(
    'action, outcome, reason, actor, service_key, tenant, subject, session, address, request_id',
  )
  const rows = events.map(event => Object.values(rowOf(event)))
  await tx.execute(sql`
    insert into audit_events (${columns})
    select given ->> 0, given ->> 1, given ->> 2, (given ->> 3)::uuid, given ->> 4, (given ->> 5)::uuid, given ->> 6,
      given ->> 7, given ->> 8, given ->> 9
    from jsonb_array_elements(${JSON.stringify(rows)}::text::jsonb) with ordinality as all_of_them (given, place)
    order by place`)
}

/** Something that was done by somebody. */
export async function auditDone(
  tx: Queries,
  action: AuditAction,
  { user, serviceKey, context }: Actor,
  about: { readonly subject?: string; readonly tenant?: TenantId; readonly session?: SessionId } = {},
): Promise<void> {
  await writeAudit(tx, {
    action,
    outcome: 'done',
    ...(user !== undefined && { actor: user }),
    ...(serviceKey !== undefined && { serviceKey }),
    ...about,
    context,
  })
}

export function postgresAuditLog(database: Database): AuditLog {
  return {
    record: events => database.transaction(tx => writeMany(tx, events)),

    list({ limit, after }, tenant) {
      return database.read(async tx => {
        const rows = await tx
          .select({
            id: sql<string>`${auditEvents.id}::text`,
            at: exactSecondsOf(auditEvents.at),
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
