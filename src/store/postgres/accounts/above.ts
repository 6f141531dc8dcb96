/** Who may act on whom: nobody gives what they do not hold, nor stops, lowers or opens those above them. */
import { eq } from 'drizzle-orm'
import type { Actor } from '../../../audit/events.js'
import { type Authority, mayAll, type PlatformRole, permissionsOf } from '../../../core/authority.js'
import type { UserId } from '../../../core/principal.js'
import type { Queries } from '../database.js'
import { users } from '../schema/tables.js'
import { listOf } from '../values.js'

export function mayRule(held: Authority, roles: readonly PlatformRole[]): boolean {
  return mayAll(held, permissionsOf(roles))
}

/** Locks the user, and judges by what they hold then. */
async function mayRuleUser(
  tx: Queries,
  held: Authority,
  user: UserId,
): Promise<'yes' | 'forbidden' | 'unknown'> {
  await tx.select({ id: users.id }).from(users).where(eq(users.id, user)).for('no key update')
  const [found] = await tx
    .select({ roles: listOf<PlatformRole>(users.platformRoles) })
    .from(users)
    .where(eq(users.id, user))
  if (!found) return 'unknown'
  return mayRule(held, found.roles) ? 'yes' : 'forbidden'
}

/** The same, but nobody helps themselves past what they owe: a session of less than their factor would be enough. */
export async function mayHelp(
  tx: Queries,
  held: Authority,
  user: UserId,
  { user: helper, authorized }: Actor,
): Promise<'yes' | 'forbidden' | 'unknown'> {
  if (authorized && helper === user) return 'forbidden'
  return mayRuleUser(tx, held, user)
}
