/** Memberships in Postgres: which user is in which tenant, with which roles. */
import { and, asc, eq, ne, sql } from 'drizzle-orm'
import { type builtInRoles, may, mayGrant } from '../../../core/authority.js'
import type { TenantId, UserId } from '../../../core/principal.js'
import {
  type Membership,
  type MembershipStore,
  permissionsOfRoles,
  roleIdsOf,
} from '../../../tenants/tenants.js'
import { auditDone } from '../audit/audit-log.js'
import { changeBy } from '../authority/authorized-change.js'
import type { Database, Queries } from '../database.js'
import { readPage } from '../page.js'
import { memberships, tenants, users } from '../schema/tables.js'
import { listOf, secondsOf } from '../values.js'
import { lockTenant } from './tenant-store.js'

const columns = {
  user: sql<UserId>`${memberships.userId}`,
  email: users.email,
  name: users.name,
  tenant: sql<TenantId>`${memberships.tenantId}`,
  state: memberships.state,
  roleIds: listOf(memberships.roleIds),
  createdAt: secondsOf(memberships.createdAt),
}

/** The id of the built-in role. */
const owner = 'owner' satisfies keyof typeof builtInRoles

export function postgresMembershipStore(database: Database): MembershipStore {
  return {
    list(tenant, page) {
      const inTenant = eq(memberships.tenantId, tenant)
      return database.read(tx => readPage(select(tx).$dynamic(), memberships.userId, 'user', page, inTenant))
    },

    placesOf(user) {
      return database.read(tx =>
        tx
          .select({ tenant: sql<TenantId>`${tenants.id}`, name: tenants.name })
          .from(memberships)
          .innerJoin(tenants, eq(tenants.id, memberships.tenantId))
          .where(
            and(eq(memberships.userId, user), eq(memberships.state, 'active'), eq(tenants.state, 'active')),
          )
          .orderBy(asc(tenants.name), asc(tenants.id)),
      )
    },

    of: user =>
      database.read(tx => select(tx).where(eq(memberships.userId, user)).orderBy(asc(memberships.tenantId))),

    put({ tenant, user, roleIds, state }, actor) {
      return changeBy(database, actor, async (tx, held) => {
        const everyTenant = may(held, 'tenants:write')
        const place = await lockTenant(tx, tenant)
        if (!place) return 'unknown'
        const before = await memberOf(tx, tenant, user)
        const [person] = await tx.select({ id: users.id }).from(users).where(eq(users.id, user))
        if (!person || (!before && !everyTenant)) return 'unknown'
        const wanted = roleIdsOf(place.roles, roleIds)
        if (!wanted) return 'unknown-role'
        const concerned = permissionsOfRoles(place.roles, [...(before?.roleIds ?? []), ...wanted])
        if (!mayGrant(held, tenant, concerned)) return 'forbidden'
        const stays = state === 'active' && wanted.includes(owner)
        if (before && !stays && !everyTenant && (await isLastOwner(tx, before))) return 'last-owner'
        const roles = sql`array(select json_array_elements_text(${JSON.stringify(wanted)}::json))`
        await tx
          .insert(memberships)
          .values({ userId: user, tenantId: tenant, state, roleIds: roles })
          .onConflictDoUpdate({
            target: [memberships.userId, memberships.tenantId],
            set: { state, roleIds: roles },
          })
        await auditDone(tx, 'membership.set', actor, { subject: user, tenant })
        return (await memberOf(tx, tenant, user)) as Membership
      })
    },

    remove(tenant, user, actor) {
      return changeBy(database, actor, async (tx, held) => {
        const everyTenant = may(held, 'tenants:write')
        const place = await lockTenant(tx, tenant)
        const before = place && (await memberOf(tx, tenant, user))
        if (!before) return 'unknown'
        if (!mayGrant(held, tenant, permissionsOfRoles(place.roles, before.roleIds))) return 'forbidden'
        if (!everyTenant && (await isLastOwner(tx, before))) return 'last-owner'
        await tx
          .delete(memberships)
          .where(and(eq(memberships.tenantId, tenant), eq(memberships.userId, user)))
        await auditDone(tx, 'membership.removed', actor, { subject: user, tenant })
        return 'removed'
      })
    },
  }
}

function select(tx: Queries) {
  return tx.select(columns).from(memberships).innerJoin(users, eq(users.id, memberships.userId))
}

export async function memberOf(tx: Queries, tenant: TenantId, user: UserId): Promise<Membership | undefined> {
  const [row] = await select(tx).where(and(eq(memberships.tenantId, tenant), eq(memberships.userId, user)))
  return row
}

/** Under the tenant's lock: nobody else ceases to be one meanwhile. */
export async function isLastOwner(
  tx: Queries,
  { tenant, user, state, roleIds }: Membership,
): Promise<boolean> {
  if (state !== 'active' || !roleIds.includes(owner)) return false
  const others = await select(tx)
    .where(
      and(
        eq(memberships.tenantId, tenant),
        ne(memberships.userId, user),
        eq(memberships.state, 'active'),
        eq(users.state, 'active'),
        sql`${owner} = any(${memberships.roleIds})`,
      ),
    )
    .limit(1)
  return others.length === 0
}
