/** Roles that a provider's claims give and take: those that are mapped, and no others. */
import type { Actor } from '../../../audit/events.js'
import type { TenantId, UserId } from '../../../core/principal.js'
import { keyOf, type ProviderProfile } from '../../../federation/profile.js'
import type { Provider } from '../../../federation/provider.js'
import { auditDone } from '../audit/audit-log.js'
import type { Queries } from '../database.js'
import { isEnabled } from '../federation/word.js'
import { memberships } from '../schema/tables.js'
import { isLastOwner, memberOf } from '../tenants/membership-store.js'
import { lockTenant } from '../tenants/tenant-store.js'
import { textArray } from '../values.js'

/**
 * A role that two entries map is held if one of them holds. What others gave a user outside the map stays; who is
 * suspended in a tenant stays so; the last owner of a tenant stays one, whatever the provider says.
 */
export async function applyGrants(
  tx: Queries,
  { id, grants }: Provider,
  { holds }: ProviderProfile,
  user: UserId,
  actor: Actor,
): Promise<boolean> {
  if (!(await isEnabled(tx, id))) return false
  let changed = false
  for (const tenant of [...new Set(grants.map(grant => grant.tenant))].sort()) {
    const mapped = grants.filter(grant => grant.tenant === tenant)
    const held = new Set(mapped.filter(grant => holds.has(keyOf(grant))).map(({ role }) => role))
    const taken = new Set(mapped.map(({ role }) => role).filter(role => !held.has(role)))
    changed = (await applyIn(tx, tenant, user, held, taken, actor)) || changed
  }
  return changed
}

async function applyIn(
  tx: Queries,
  tenant: TenantId,
  user: UserId,
  held: ReadonlySet<string>,
  taken: ReadonlySet<string>,
  actor: Actor,
): Promise<boolean> {
  const place = await lockTenant(tx, tenant)
  if (!place) return false
  const before = await memberOf(tx, tenant, user)
  const known = [...held].filter(role => place.roles.some(({ id }) => id === role))
  if (!before && known.length === 0) return false
  const roles = new Set([...(before?.roleIds ?? []).filter(role => !taken.has(role)), ...known])
  if (before && (await isLastOwner(tx, before)) && !roles.has('owner')) roles.add('owner')
  const wanted = [...roles].sort()
  if (before && wanted.join() === [...before.roleIds].sort().join()) return false
  const roleIds = textArray(wanted)
  await tx
    .insert(memberships)
    .values({ userId: user, tenantId: tenant, roleIds })
    .onConflictDoUpdate({ target: [memberships.userId, memberships.tenantId], set: { roleIds } })
  await auditDone(tx, 'membership.set', actor, { subject: user, tenant })
  return true
}
