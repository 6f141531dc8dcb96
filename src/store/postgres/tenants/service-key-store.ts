/** Service keys in Postgres. */
import { asc, eq, sql } from 'drizzle-orm'
import type { ServiceKeyId, TenantId } from '../../../core/principal.js'
import { defaultFeedTerms } from '../../../core/service-key.js'
import { mayGiveKey, type ServiceKey, type ServiceKeyStore } from '../../../tenants/service-keys.js'
import { auditDone } from '../audit/audit-log.js'
import { createOnce } from '../audit/idempotency.js'
import { changeBy, changeTaking } from '../authority/authorized-change.js'
import { betweenUses, grantColumns } from '../authority/service-key-row.js'
import { Abandon, type Database, type Queries } from '../database.js'
import { readPage } from '../page.js'
import { serviceKeys, tenants } from '../schema/tables.js'
import { inSeconds, secondsOf, textArray } from '../values.js'

const columns = {
  id: sql<ServiceKeyId>`${serviceKeys.id}`,
  name: serviceKeys.name,
  ...grantColumns,
  state: sql<ServiceKey['state']>`case when ${serviceKeys.revokedAt} is not null then 'revoked'
    when ${serviceKeys.expiresAt} <= now() then 'expired' else 'active' end`,
  createdAt: secondsOf(serviceKeys.createdAt),
  expiresAt: secondsOf(serviceKeys.expiresAt),
  revokedAt: secondsOf(serviceKeys.revokedAt),
  lastUsedAt: secondsOf(serviceKeys.lastUsedAt),
  feed: sql<ServiceKey['feed']>`case when 'feed' = any(${serviceKeys.scopes}) then json_build_object(
    'mode', coalesce(${serviceKeys.feedMode}, ${defaultFeedTerms.mode}),
    'maxAgeSeconds', coalesce(${serviceKeys.feedMaxAgeSeconds}, ${defaultFeedTerms.maxAgeSeconds}::int)) end`,
}

/** `reserved` has connections of its own: whatever else waits, a revocation does not wait for it. */
export function postgresServiceKeyStore(database: Database, reserved: Database = database): ServiceKeyStore {
  return {
    create({ id, secretHash, name, scopes, audiences, tenant, lifetimeSeconds, feed }, actor) {
      return changeBy(database, actor, async (tx, held) => {
        if (!mayGiveKey(held, { scopes, audiences, tenant })) return 'forbidden'
        return createOnce(tx, actor.idempotency, async () => {
          if (tenant !== null && !(await isThere(tx, tenant))) throw new Abandon('unknown')
          const expiresAt = lifetimeSeconds === undefined ? null : inSeconds(lifetimeSeconds)
          await tx.insert(serviceKeys).values({
            id,
            secretHash,
            name,
            scopes: textArray(scopes),
            audiences: textArray(audiences),
            tenantId: tenant,
            expiresAt: expiresAt,
            feedMode: feed?.mode,
            feedMaxAgeSeconds: feed?.maxAgeSeconds,
          })
          await auditDone(tx, 'service-key.created', actor, {
            subject: id,
            ...(tenant !== null && { tenant }),
          })
          return (await one(tx, id)) as ServiceKey
        })
      })
    },

    read: id => database.read(tx => one(tx, id)),

    list: page =>
      database.read(tx =>
        readPage(tx.select(columns).from(serviceKeys).$dynamic(), serviceKeys.id, 'id', page),
      ),

    revoke(id, actor) {
      return changeTaking(reserved, actor, { serviceKey: id }, async (tx, held) => {
        const key = await one(tx, id)
        if (!key) return 'unknown'
        if (!mayGiveKey(held, key)) return 'forbidden'
        const revoked = await tx
          .update(serviceKeys)
          .set({ revokedAt: sql`now()` })
          .where(sql`${serviceKeys.id} = ${id} and ${serviceKeys.revokedAt} is null`)
          .returning({ tenant: columns.tenant })
        const [row] = revoked
        if (!row) return 'revoked'
        const { tenant } = row
        await auditDone(tx, 'service-key.revoked', actor, { subject: id, ...(tenant !== null && { tenant }) })
        return 'revoked'
      })
    },

    async touch(id) {
      await database.transaction(tx =>
        tx.execute(sql`
          update service_keys set last_used_at = now() where id = (
            select k.id from service_keys k where k.id = ${id} and k.revoked_at is null
              and coalesce(k.expires_at > now(), true) and coalesce(k.last_used_at <= now() - ${betweenUses}, true)
            for no key update skip locked)`),
      )
    },
  }
}

/** Neither revoked nor expired. */
export async function workingKeys(tx: Queries): Promise<ServiceKey[]> {
  const rows = await tx
    .select(columns)
    .from(serviceKeys)
    .where(sql`${serviceKeys.revokedAt} is null and coalesce(${serviceKeys.expiresAt} > now(), true)`)
    .orderBy(asc(serviceKeys.id))
  return [...rows]
}

/** It stays until the transaction ends. */
async function isThere(tx: Queries, tenant: TenantId): Promise<boolean> {
  const found = await tx
    .select({ id: tenants.id })
    .from(tenants)
    .where(eq(tenants.id, tenant))
    .for('key share')
  return found.length === 1
}

async function one(tx: Queries, id: ServiceKeyId): Promise<ServiceKey | undefined> {
  const [row] = await tx.select(columns).from(serviceKeys).where(eq(serviceKeys.id, id))
  return row
}
