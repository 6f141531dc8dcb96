/** A service key as it is judged: its row, with every comparison of times already made. */
import { eq, sql } from 'drizzle-orm'
import type { ServiceKeyId, TenantId } from '../../../core/principal.js'
import type { KeyRow } from '../../../core/service-key.js'
import type { Queries } from '../database.js'
import { serviceKeys, tenants } from '../schema/tables.js'
import { listOf } from '../values.js'

/** What a key was made for. */
export const grantColumns = {
  scopes: sql<KeyRow['scopes']>`to_json(${serviceKeys.scopes})`,
  audiences: listOf(serviceKeys.audiences),
  tenant: sql<TenantId | null>`${serviceKeys.tenantId}`,
}

/** Between two moves of last-used. */
export const betweenUses = sql.raw("interval '1 minute'")

export async function findKey(tx: Queries, id: ServiceKeyId): Promise<KeyRow | undefined> {
  const [row] = await tx
    .select({
      ...grantColumns,
      secretHash: serviceKeys.secretHash,
      tenantActive: sql<boolean>`coalesce(${tenants.state} = 'active', false)`,
      revoked: sql<boolean>`${serviceKeys.revokedAt} is not null`,
      // Not `now()`: in a longer transaction that is when it began.
      expired: sql<boolean>`coalesce(${serviceKeys.expiresAt} <= statement_timestamp(), false)`,
      useDue: sql<boolean>`coalesce(${serviceKeys.lastUsedAt} <= now() - ${betweenUses}, true)`,
    })
    .from(serviceKeys)
    .leftJoin(tenants, eq(tenants.id, serviceKeys.tenantId))
    .where(eq(serviceKeys.id, id))
  return row
}
