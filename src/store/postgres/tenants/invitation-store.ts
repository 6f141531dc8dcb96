/** Invitations in Postgres: taken by one DELETE, in the transaction that makes the member. */
import { and, eq, gt, sql } from 'drizzle-orm'
import type { Actor } from '../../../audit/events.js'
import { mayGrant } from '../../../core/authority.js'
import type { Inviter } from '../../../core/mail.js'
import type { TenantId, UserId } from '../../../core/principal.js'
import type { InvitationStore } from '../../../tenants/invitations.js'
import { permissionsOfRoles, roleIdsOf } from '../../../tenants/tenants.js'
import { auditDone } from '../audit/audit-log.js'
import { createOnce, lockAnswer } from '../audit/idempotency.js'
import { changeBy } from '../authority/authorized-change.js'
import { Abandon, type Database, type Queries } from '../database.js'
import { readPage } from '../page.js'
import { invitations, serviceKeys, users } from '../schema/tables.js'
import { inSeconds, listOf, secondsOf, textArray } from '../values.js'
import { lockTenant } from './tenant-store.js'

export const invitationColumns = {
  id: invitations.id,
  tenant: sql<TenantId>`${invitations.tenantId}`,
  email: invitations.email,
  roleIds: listOf(invitations.roleIds),
  inviter: sql<UserId | null>`${invitations.inviter}`,
  createdAt: secondsOf(invitations.createdAt),
  expiresAt: secondsOf(invitations.expiresAt),
}
export function postgresInvitationStore(database: Database): InvitationStore {
  return {
    create({ tenant, email, roleIds, tokenHash, lifetimeSeconds }, actor) {
      return changeBy(database, actor, async (tx, held) => {
        let made = false
        const answer = await createOnce(tx, actor.idempotency, async () => {
          const place = await lockTenant(tx, tenant)
          if (!place) throw new Abandon('unknown' as const)
          const wanted = roleIdsOf(place.roles, roleIds)
          if (!wanted) throw new Abandon('unknown-role' as const)
          if (!mayGrant(held, tenant, permissionsOfRoles(place.roles, wanted)))
            throw new Abandon('forbidden' as const)
          const replaced = await tx
            .delete(invitations)
            .where(and(eq(invitations.tenantId, tenant), eq(invitations.canonicalEmail, email.canonical)))
            .returning({ roleIds: invitationColumns.roleIds })
          const offered = replaced.flatMap(one => one.roleIds)
          if (!mayGrant(held, tenant, permissionsOfRoles(place.roles, offered)))
            throw new Abandon('forbidden' as const)
          const [invitation] = await tx
            .insert(invitations)
            .values({
              tokenHash,
              tenantId: tenant,
              email: email.asTyped,
              canonicalEmail: email.canonical,
              roleIds: textArray(wanted),
              inviter: actor.user ?? null,
              expiresAt: inSeconds(lifetimeSeconds),
            })
            .returning(invitationColumns)
          if (!invitation) throw new Error('an insert returned nothing')
          await auditDone(tx, 'invitation.created', actor, { subject: invitation.id, tenant })
          made = true
          return { invitation, tenantName: place.name, mailed: false }
        })
        if (typeof answer === 'string') return answer
        const inviter = await inviterOf(tx, actor)
        if (made || !actor.idempotency) return { ...answer, inviter }
        const mailed = (await lockAnswer<typeof answer>(tx, actor.idempotency))?.mailed ?? true
        if (!mailed) await replaceToken(tx, answer.invitation.id, tokenHash)
        return { ...answer, inviter, mailed }
      })
    },

    claimMail(id, tokenHash, idempotency) {
      return database.transaction(async tx => {
        if (!(await lockAnswer(tx, idempotency))) return false
        const claimed =
          await tx.execute(sql`update idempotent_answers set answer = answer || '{"mailed":true}'
          where caller = ${idempotency.caller} and key = ${idempotency.key} and answer -> 'mailed' = 'false'
            and exists (select from invitations where id = ${id} and token_hash = ${tokenHash})
          returning key`)
        return claimed.length > 0
      })
    },

    list(tenant, page) {
      const open = and(eq(invitations.tenantId, tenant), gt(invitations.expiresAt, sql`now()`))
      return database.read(tx =>
        readPage(tx.select(invitationColumns).from(invitations).$dynamic(), invitations.id, 'id', page, open),
      )
    },

    withdraw(tenant, id, actor) {
      return changeBy(database, actor, async (tx, held) => {
        const place = await lockTenant(tx, tenant)
        const [gone] = await tx
          .delete(invitations)
          .where(and(eq(invitations.tenantId, tenant), eq(invitations.id, id)))
          .returning({ roleIds: invitationColumns.roleIds })
        if (!place || !gone) return 'unknown'
        if (!mayGrant(held, tenant, permissionsOfRoles(place.roles, gone.roleIds)))
          throw new Abandon('forbidden' as const)
        await auditDone(tx, 'invitation.withdrawn', actor, { subject: id, tenant })
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

async function inviterOf(tx: Queries, { user, serviceKey }: Actor): Promise<Inviter | undefined> {
  if (user !== undefined) {
    const [account] = await tx.select({ account: users.canonicalEmail }).from(users).where(eq(users.id, user))
    return account
  }
  if (serviceKey === undefined) return undefined
  const [key] = await tx
    .select({ serviceKey: serviceKeys.name })
    .from(serviceKeys)
    .where(eq(serviceKeys.id, serviceKey))
  return key
}
