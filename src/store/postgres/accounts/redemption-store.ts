/** Invitations redeemed, in Postgres: each taken by one DELETE, in the transaction that makes the member. */
import { and, eq, gt, sql } from 'drizzle-orm'
import type { RedemptionStore } from '../../../accounts/redemptions.js'
import type { Actor } from '../../../audit/events.js'
import { mayGrant, mayIn } from '../../../core/authority.js'
import type { UserId } from '../../../core/principal.js'
import { permissionsOfRoles, type Tenant } from '../../../tenants/tenants.js'
import { auditDone } from '../audit/audit-log.js'
import { authorityIn } from '../authority/authority-store.js'
import { changeBy } from '../authority/authorized-change.js'
import { Abandon, type Database, type Queries } from '../database.js'
import { invitations, memberships, tenants, users } from '../schema/tables.js'
import { invitationColumns } from '../tenants/invitation-store.js'
import { lockTenant } from '../tenants/tenant-store.js'
import { textArray } from '../values.js'
import { lockLinks } from './address-verification.js'
import { registerByMail } from './new-person.js'

const usable = (tokenHash: Buffer) =>
  and(eq(invitations.tokenHash, tokenHash), gt(invitations.expiresAt, sql`now()`))

export function postgresRedemptionStore(database: Database): RedemptionStore {
  return {
    async pending(tokenHash) {
      const [row] = await database.read(tx =>
        tx
          .select({ email: invitations.canonicalEmail, tenant: tenants.name })
          .from(invitations)
          .innerJoin(tenants, eq(tenants.id, invitations.tenantId))
          .where(usable(tokenHash)),
      )
      // Taken, perhaps by the same request before: then that is confirmed.
      if (!row) await database.settled()
      return row
    },

    accept(tokenHash, user, actor) {
      return changeBy(database, actor, async tx => {
        const [person] = await tx
          .select({ email: users.canonicalEmail, state: users.state })
          .from(users)
          .where(eq(users.id, user))
        const taken = person?.state === 'active' ? await take(tx, tokenHash, person.email) : undefined
        if (!taken) throw new Abandon(undefined)
        await join(tx, taken, user, actor)
        return { tenant: taken.place.id }
      })
    },

    register(tokenHash, phc, name, context) {
      return database.transaction(async tx => {
        const taken = await take(tx, tokenHash)
        if (!taken) throw new Abandon(undefined)
        const { email: asTyped, canonicalEmail: canonical } = taken
        await lockLinks(tx, sql`${canonical}`)
        const registered = await registerByMail(
          tx,
          { asTyped, canonical },
          { phc, name },
          'invitation',
          context,
        )
        if (!registered) throw new Abandon(undefined)
        const { user } = registered
        await join(tx, taken, user, { user: user, context })
        return { ...registered, tenant: taken.place.id }
      })
    },
  }
}

interface Taken {
  readonly id: string
  readonly email: string
  readonly canonicalEmail: string
  readonly roleIds: string[]
  readonly place: Tenant
}

/** Of any number of parallel takers one gets it. Undone by the caller where it was not theirs to take. */
async function take(tx: Queries, tokenHash: Buffer, address?: string): Promise<Taken | undefined> {
  const [row] = await tx
    .delete(invitations)
    .where(usable(tokenHash))
    .returning({ ...invitationColumns, canonicalEmail: invitations.canonicalEmail })
  if (!row || (address !== undefined && row.canonicalEmail !== address)) return undefined
  const place = await lockTenant(tx, row.tenant)
  if (place?.state !== 'active') return undefined
  if (row.inviter !== null) {
    const inviter = await authorityIn(tx, row.inviter)
    const permissions = permissionsOfRoles(place.roles, row.roleIds)
    if (!mayIn(inviter, place.id, 'mintmark:members:write') || !mayGrant(inviter, place.id, permissions))
      return undefined
  }
  return { ...row, place }
}

/** A member keeps the roles they have; who was suspended is not let in again by an invitation. */
async function join(tx: Queries, { id, roleIds, place }: Taken, user: UserId, actor: Actor): Promise<void> {
  await tx
    .insert(memberships)
    .values({ userId: user, tenantId: place.id, roleIds: textArray(roleIds) })
    .onConflictDoUpdate({
      target: [memberships.userId, memberships.tenantId],
      set: {
        roleIds: sql`array(select distinct unnest(${memberships.roleIds} || excluded.role_ids) order by 1)`,
      },
    })
  await auditDone(tx, 'invitation.accepted', actor, { subject: id, tenant: place.id })
}
