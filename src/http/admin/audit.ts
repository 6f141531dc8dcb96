/** Admin: the audit log, all of it or that of one tenant. */
import { Type } from 'typebox'
import { type AuditLog, describeEvent } from '../../audit/events.js'
import type { TenantId } from '../../core/principal.js'
import type { App } from '../shapes/app.js'
import { PageOf, PageQuery, page, pageRequest } from '../shapes/lists.js'
import { operation, over, TenantPath, within } from './shapes.js'

const textOrNull = Type.Union([Type.String(), Type.Null()])
const Event = Type.Object(
  {
    id: Type.String(),
    at: Type.Number({ format: 'double', description: 'NumericDate, with a fraction.' }),
    action: Type.String(),
    outcome: Type.String({ description: '`done` or `refused`.' }),
    reason: textOrNull,
    actor: textOrNull,
    service_key: textOrNull,
    tenant: textOrNull,
    subject: textOrNull,
    session: textOrNull,
    address: textOrNull,
    request_id: textOrNull,
  },
  { title: 'AuditEvent', description: 'An event of the audit log.' },
)
/** What a `bigint` of Postgres holds. */
const idForm = { test: (id: string) => /^[1-9][0-9]{0,18}$/.test(id) && BigInt(id) < 2n ** 63n }

export function auditRoutes(app: App, audit: AuditLog): void {
  app.get(
    '/v1/admin/audit',
    operation(over('audit:read'), 'listAuditEvents', {
      summary: 'List audit events, newest first',
      querystring: PageQuery,
      answers: { 200: PageOf(Event) },
    }),
    async ({ query }) => page(await audit.list(pageRequest(query, idForm)), describeEvent),
  )

  app.get(
    '/v1/admin/tenants/:tenant/audit',
    operation(within('mintmark:audit:read'), 'listAuditEventsOfTenant', {
      summary: 'List the audit events of a tenant, newest first',
      params: TenantPath,
      querystring: PageQuery,
      answers: { 200: PageOf(Event) },
    }),
    async ({ params, query }) =>
      page(await audit.list(pageRequest(query, idForm), params.tenant as TenantId), describeEvent),
  )
}
