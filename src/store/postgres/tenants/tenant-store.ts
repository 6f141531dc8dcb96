/** Tenants and their roles in Postgres: the roles are stored in the tenant's row, so that a check joins one row. */
import { randomUUID } from 'node:crypto'
import { and, eq, sql } from 'drizzle-orm'
import { type Authority, builtInRoles, may, mayGrant } from '../../../core/authority.js'
import type { TenantId } from '../../../core/principal.js'
import {
  bytesInToken,
  longestRoles,
  type Role,
  type Tenant,
  type TenantStore,
} from '../../../tenants/tenants.js'
import { auditDone } from '../audit/audit-log.js'
import { changeBy, createBy } from '../authority/authorized-change.js'
import { Abandon, type Database, type Queries } from '../database.js'
import { readPage } from '../page.js'
import { memberships, tenants } from '../schema/tables.js'
import { secondsOf } from '../values.js'

export const tenantColumns = {
  id: tenants.id,
  name: tenants.name,
  state: tenants.state,
  roles: tenants.roles,
  createdAt: secondsOf(tenants.createdAt),
}
type TenantRow = Omit<Tenant, 'id' | 'roles'> & { id: string; roles: StoredRoles }
type StoredRoles = Record<string, { name: string; permissions: string[] }>

export function postgresTenantStore(database: Database): TenantStore {
  return {
    create(name, actor) {
      return createBy(database, actor, async tx => {
        const roles = structuredClone(builtInRoles) as unknown as StoredRoles
        const [row] = await tx.insert(tenants).values({ name, roles }).returning(tenantColumns)
        const tenant = described(row as TenantRow)
        await auditDone(tx, 'tenant.created', actor, { subject: tenant.id, tenant: tenant.id })
        return tenant
      })
    },

    read: id => database.read(tx => find(tx, id)),

    async list(page) {
      const { items, next } = await database.read(tx =>
        readPage(tx.select(tenantColumns).from(tenants).$dynamic(), tenants.id, 'id', page),
      )
      return { items: items.map(described), next }
    },

    change(id, { name, state }, actor) {
      return changeBy(database, actor, async (tx, held) => {
        if (state !== undefined && !may(held, 'tenants:write')) return 'forbidden'
        if (!(await lockTenant(tx, id))) return 'unknown'
        const [row] = await tx
          .update(tenants)
          .set({ name, state })
          .where(eq(tenants.id, id))
          .returning(tenantColumns)
        await auditDone(tx, 'tenant.changed', actor, { subject: id, tenant: id })
        return described(row as TenantRow)
      })
    },

    remove(id, actor) {
      return changeBy(database, actor, async tx => {
        const removed = await tx.delete(tenants).where(eq(tenants.id, id)).returning({ id: tenants.id })
        if (removed.length === 0) return 'unknown'
        await auditDone(tx, 'tenant.deleted', actor, { subject: id, tenant: id })
        return 'removed'
      })
    },

    createRole(tenant, { name, permissions }, actor) {
      return createBy(database, actor, async (tx, held) => {
        const role = { id: randomUUID() as string, name, permissions: sorted(permissions) }
        const answer = await putRole(tx, tenant, role, held, false)
        if (answer !== 'put') throw new Abandon(answer)
        await auditDone(tx, 'role.created', actor, { subject: role.id, tenant })
        return role
      })
    },

    changeRole(tenant, { id, name, permissions }, actor) {
      return changeBy(database, actor, async (tx, held) => {
        if (Object.hasOwn(builtInRoles, id) && !may(held, 'tenants:write')) return 'forbidden'
        const role = { id, name, permissions: sorted(permissions) }
        const answer = await putRole(tx, tenant, role, held, true)
        if (answer !== 'put') throw new Abandon(answer)
        await auditDone(tx, 'role.changed', actor, { subject: id, tenant })
        return role
      })
    },

    removeRole(tenant, roleId, actor) {
      return changeBy(database, actor, async (tx, held) => {
        const role = (await lockTenant(tx, tenant))?.roles.find(({ id }) => id === roleId)
        if (!role) return 'unknown'
        if (Object.hasOwn(builtInRoles, roleId) || !mayGrant(held, tenant, role.permissions))
          return 'forbidden'
        await tx
          .update(tenants)
          .set({ roles: sql`${tenants.roles} - ${roleId}::text` })
          .where(eq(tenants.id, tenant))
        await tx
          .update(memberships)
          .set({ roleIds: sql`array_remove(${memberships.roleIds}, ${roleId})` })
          .where(and(eq(memberships.tenantId, tenant), sql`${roleId} = any(${memberships.roleIds})`))
        await auditDone(tx, 'role.deleted', actor, { subject: roleId, tenant })
        return 'removed'
      })
    },
  }
}

/** Locks a tenant, then reads it: what its roles permit stays until the transaction ends. */
export async function lockTenant(tx: Queries, id: TenantId): Promise<Tenant | undefined> {
  await tx.select({ id: tenants.id }).from(tenants).where(eq(tenants.id, id)).for('no key update')
  return find(tx, id)
}

async function find(tx: Queries, id: TenantId): Promise<Tenant | undefined> {
  const [row] = await tx.select(tenantColumns).from(tenants).where(eq(tenants.id, id))
  return row && described(row)
}

async function putRole(tx: Queries, tenant: TenantId, role: Role, held: Authority, exists: boolean) {
  const roles = (await lockTenant(tx, tenant))?.roles
  const before = roles?.find(({ id }) => id === role.id)
  if (!roles || exists !== (before !== undefined)) return 'unknown' as const
  if (roles.some(({ id, name }) => id !== role.id && name === role.name)) return 'name-taken' as const
  const concerned = [...(before?.permissions ?? []), ...role.permissions]
  if (!mayGrant(held, tenant, concerned)) return 'forbidden' as const
  const size = bytesInToken([...roles.filter(({ id }) => id !== role.id), role])
  if (size > longestRoles && size > bytesInToken(roles)) return 'too-large' as const
  const { id, ...content } = role
  await tx
    .update(tenants)
    .set({ roles: sql`jsonb_set(${tenants.roles}, array[${id}], ${JSON.stringify(content)}::jsonb)` })
    .where(eq(tenants.id, tenant))
  return 'put' as const
}

function described({ id, roles, ...rest }: TenantRow): Tenant {
  const listed = Object.entries(roles).map(([id, role]) => ({ id, ...role }))
  return { ...rest, id: id as TenantId, roles: listed.sort((a, b) => a.name.localeCompare(b.name, 'en')) }
}

function sorted(permissions: readonly string[]): string[] {
  return [...new Set(permissions)].sort()
}
