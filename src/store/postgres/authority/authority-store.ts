/** What a caller holds, read from Postgres in one statement whenever it is asked. */
import { sql } from 'drizzle-orm'
import {
  type Authority,
  type AuthorityStore,
  type PlatformRole,
  permissionsOf,
} from '../../../core/authority.js'
import type { TenantId, UserId } from '../../../core/principal.js'
import { permissionsOfRoles } from '../../../tenants/tenants.js'
import type { Database, Queries } from '../database.js'

interface Row extends Record<string, unknown> {
  readonly platform: PlatformRole[]
  readonly tenant: TenantId | null
  readonly role_ids: string[] | null
  readonly roles: Record<string, { name: string; permissions: string[] }> | null
}

export function postgresAuthorityStore(database: Database): AuthorityStore {
  return {
    ofPerson: user => database.read(tx => authorityIn(tx, user)),
  }
}

export async function authorityIn(tx: Queries, user: UserId): Promise<Authority> {
  const rows = await tx.execute<Row>(sql`
    select to_json(u.platform_roles) as platform, t.id as tenant, to_json(m.role_ids) as role_ids, t.roles
    from users u
    left join memberships m on m.user_id = u.id and m.state = 'active'
    left join tenants t on t.id = m.tenant_id and t.state = 'active'
    where u.id = ${user} and u.state = 'active'`)
  const tenants = new Map<TenantId, ReadonlySet<string>>()
  for (const { tenant, role_ids, roles } of rows) {
    if (tenant === null || !role_ids || !roles) continue
    const listed = Object.entries(roles).map(([id, role]) => ({ id, ...role }))
    tenants.set(tenant, permissionsOfRoles(listed, role_ids))
  }
  return { audiences: 'any', platform: permissionsOf(rows[0]?.platform ?? []), tenants }
}
