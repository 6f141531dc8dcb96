/** What a caller holds, read from Postgres in one statement whenever it is asked. */
import { sql } from 'drizzle-orm'
import { type Authority, type AuthorityStore, permissionsOf } from '../../../core/authority.js'
import type { TenantId, UserId } from '../../../core/principal.js'
import type { KeyReads, KeyRow } from '../../../core/service-key.js'
import { permissionsOfRoles } from '../../../tenants/tenants.js'
import {
  type HeldRow,
  isSoundKey,
  isSoundPerson,
  type KeyAnswer,
  type PersonRow,
  type StoredKey,
} from '../caller-rows.js'
import type { Queries } from '../database.js'
import { answer, type HotReads } from '../hot-reads.js'

/** One statement each, on the connections that checks use: who may revoke waits for none of those that others hold. */
export function postgresCallers(hot: HotReads): AuthorityStore & KeyReads {
  return {
    async ofUser(user) {
      const row = await hot.ask<PersonRow>(user, personStatement, [user], isSoundPerson)
      return authorityOf(row.held)
    },
    async find(id) {
      const { key } = await hot.ask<KeyAnswer>(id, keyStatement, [id], isSoundKey)
      return key ? keyRow(key) : undefined
    },
  }
}

/** A row for each membership, of an active user `u`. */
const held = `select to_json(u.platform_roles) as platform, t.id as tenant, to_json(m.role_ids) as role_ids, t.roles
    from users u
    left join memberships m on m.user_id = u.id and m.state = 'active'
    left join tenants t on t.id = m.tenant_id and t.state = 'active'
    where u.state = 'active' and u.id =`

const personStatement = `select ${answer('$1::text')},
  (select coalesce(json_agg(h), '[]') from (${held} $1::uuid) h) as held
  from service g where g.only`

const keyStatement = `select ${answer('$1::text')}, (select json_build_object(
    'hash', encode(k.secret_hash, 'hex'), 'scopes', to_json(k.scopes), 'audiences', to_json(k.audiences),
    'tenant', k.tenant_id, 'tenantActive', coalesce(t.state = 'active', false), 'revoked', k.revoked_at is not null,
    'expired', coalesce(k.expires_at <= now(), false),
    'useDue', coalesce(k.last_used_at <= now() - interval '1 minute', true))
    from service_keys k left join tenants t on t.id = k.tenant_id where k.id = $1) as key
  from service g where g.only`

const keyRow = ({ hash, ...row }: StoredKey): KeyRow => ({ ...row, secretHash: Buffer.from(hash, 'hex') })

export async function authorityIn(tx: Queries, user: UserId): Promise<Authority> {
  return authorityOf(await tx.execute<HeldRow>(sql`${sql.raw(held)} ${user}`))
}

function authorityOf(rows: readonly HeldRow[]): Authority {
  const tenants = new Map<TenantId, ReadonlySet<string>>()
  for (const { tenant, role_ids, roles } of rows) {
    if (tenant === null || !role_ids || !roles) continue
    const listed = Object.entries(roles).map(([id, role]) => ({ id, ...role }))
    tenants.set(tenant, permissionsOfRoles(listed, role_ids))
  }
  return { audiences: 'any', platform: permissionsOf(rows[0]?.platform ?? []), tenants }
}
