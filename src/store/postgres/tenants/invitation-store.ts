/** Invitations in Postgres: taken by one DELETE, in the transaction that makes the member. */
import { and, asc, eq, gt, sql } from 'drizzle-orm'
import type { By } from '../../../audit/events.js'
import { mayGrant } from '../../../core/authority.js'
import { pageOf } from '../../../core/page.js'
import type { TenantId, UserId } from '../../../core/principal.js'
import type { InvitationStore, Inviter } from '../../../tenants/invitations.js'
import { permissionsOfRoles } from '../../../tenants/tenants.js'
import { auditDone } from '../audit/audit-log.js'
import { createOnce, lockAnswer } from '../audit/once.js'
import { changeBy } from '../authority/authorized-change.js'
import { Abandon, type Database, type Queries } from '../database.js'
import { invitations, serviceKeys, users } from '../schema/tables.js'
import { textArray } from '../text-array.js'
import { lockTenant } from './tenant-store.js'

export const invitationColumns = {
  id: invitations.id,
  tenant: sql<TenantId>`${invitations.tenantId}`,
  email: invitations.email,
  roleIds: sql<string[]>`to_json(${invitations.roleIds})`,
  inviter: sql<UserId | null>`${invitations.inviter}`,
  createdAt: sql<number>`floor(extract(epoch from ${invitations.createdAt}))::float8`,
  expiresAt: sql<number>`floor(extract(epoch from ${invitations.expiresAt}))::float8`,
}
export function postgresInvitationStore(database: Database): InvitationStore {
  return {
    create({ tenant, email, roleIds, tokenHash, lifetimeSeconds }, by) {
      return changeBy(database, by, async (tx, held) => {
        let made = false
        const answer = await createOnce(tx, by.once, async () => {
          const place = await lockTenant(tx, tenant)
          if (!place) throw new Abandon('unknown' as const)
          const wanted = [...new Set(roleIds)].sort()
          if (wanted.some(id => !place.roles.some(role => role.id === id)))
            throw new Abandon('unknown-role' as const)
          if (!mayGrant(held, tenant, permissionsOfRoles(place.roles, wanted)))
            throw new Abandon('forbidden' as const)
          await tx
            .delete(invitations)
            .where(and(eq(invitations.tenantId, tenant), eq(invitations.canonicalEmail, email.canonical)))
          const [invitation] = await tx
            .insert(invitations)
            .values({
              tokenHash,
              tenantId: tenant,
              email: email.asTyped,
              canonicalEmail: email.canonical,
              roleIds: textArray(wanted) as never,
              inviter: by.actor ?? null,
              expiresAt: sql`now() + ${lifetimeSeconds} * interval '1 second'`,
            })
            .returning(invitationColumns)
          if (!invitation) throw new Error('an insert returned nothing')
          await auditDone(tx, 'invitation.created', by, { subject: invitation.id, tenant })
          made = true
          return { invitation, tenantName: place.name, mailed: false }
        })
        if (typeof answer === 'string') return answer
        const inviter = await inviterOf(tx, by)
        if (made || !by.once) return { ...answer, inviter }
        const mailed = (await lockAnswer<typeof answer>(tx, by.once))?.mailed ?? true
        if (!mailed) await replaceToken(tx, answer.invitation.id, tokenHash)
        return { ...answer, inviter, mailed }
      })
    },

    claimMail(id, tokenHash, once) {
      return database.transaction(async tx => {
        if (!(await lockAnswer(tx, once))) return false
        const claimed =
          await tx.execute(sql`update idempotent_answers set answer = answer || '{"mailed":true}'
          where caller = ${once.caller} and key = ${once.key} and answer -> 'mailed' = 'false'
            and exists (select from invitations where id = ${id} and token_hash = ${tokenHash})
          returning key`)
        return claimed.length > 0
      })
    },

    list(tenant, { limit, after }) {
      return database.read(async tx => {
        const later = after === undefined ? undefined : gt(invitations.id, after)
        const rows = await tx
          .select(invitationColumns)
          .from(invitations)
          .where(and(eq(invitations.tenantId, tenant), gt(invitations.expiresAt, sql`now()`), later))
          .orderBy(asc(invitations.id))
          .limit(limit + 1)
        return pageOf(rows, limit, ({ id }) => id)
      })
    },

    withdraw(tenant, id, by) {
      return changeBy(database, by, async tx => {
        const gone = await tx
          .delete(invitations)
          .where(and(eq(invitations.tenantId, tenant), eq(invitations.id, id)))
          .returning({ id: invitations.id })
        if (gone.length === 0) return 'unknown'
        await auditDone(tx, 'invitation.withdrawn', by, { subject: id, tenant })
        return 'withdrawn'
      })
    },
  }
}

/** The service may add invitations and remove them, and change none. */
async function replaceToken(tx: Queries, id: string, tokenHash: Buffer): Promise<void> {
  const [old] = await tx.execute<{ row: string }>(
    sql`delete from invitations i where id = ${id} returning to_jsonb(i)::text as row`,
  )
  if (!old) return
  await tx.execute(sql`insert into invitations select (jsonb_populate_record(null::invitations,
    ${old.row}::text::jsonb || jsonb_build_object('token_hash', ${tokenHash}::bytea))).*`)
}

async function inviterOf(tx: Queries, { actor, serviceKey }: By): Promise<Inviter | undefined> {
  if (actor !== undefined) {
    const [account] = await tx
      .select({ account: users.canonicalEmail })
      .from(users)
      .where(eq(users.id, actor))
    return account
  }
  if (serviceKey === undefined) return undefined
  const [key] = await tx
    .select({ serviceKey: serviceKeys.name })
    .from(serviceKeys)
    .where(eq(serviceKeys.id, serviceKey))
  return key
}
