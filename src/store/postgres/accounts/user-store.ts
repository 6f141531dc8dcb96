/** People as operators create, stop and remove them, in Postgres. */
import { and, asc, eq, gt, sql } from 'drizzle-orm'
import type { User, UserChange, UserStore } from '../../../accounts/users.js'
import type { By } from '../../../audit/events.js'
import { type Authority, may, type PlatformRole, permissionsOf } from '../../../core/authority.js'
import { pageOf } from '../../../core/page.js'
import type { UserId } from '../../../core/principal.js'
import { auditDone } from '../audit/audit-log.js'
import { createOnce } from '../audit/once.js'
import { changeBy, changeTaking } from '../authority/authorized-change.js'
import type { Database, Queries } from '../database.js'
import { replaceEpoch } from '../epochs.js'
import { mailLinks, passwords, users } from '../schema/tables.js'
import { textArray } from '../text-array.js'

const columns = {
  id: sql<UserId>`${users.id}`,
  email: users.email,
  name: users.name,
  state: users.state,
  platformRoles: sql<PlatformRole[]>`to_json(${users.platformRoles})`,
  createdAt: sql<number>`floor(extract(epoch from ${users.createdAt}))::float8`,
}

export function postgresUserStore(database: Database): UserStore {
  const change = (user: UserId, { name, state, platformRoles }: UserChange, by: By) =>
    changeTaking(database, by, { person: user }, async (tx, held) => {
      const before = await lock(tx, user)
      if (!before) return 'unknown' as const
      if (!mayRule(held, [...before.platformRoles, ...(platformRoles ?? [])])) return 'forbidden' as const
      const enabling = state === 'active' && before.state === 'disabled'
      const set = {
        ...(name !== undefined && { name }),
        ...(platformRoles !== undefined && { platformRoles: textArray(platformRoles) as never }),
      }
      const renamed = Object.keys(set).length > 0
      if (!renamed && state !== 'disabled' && !enabling) return before
      const [row] = await tx
        .update(users)
        .set({ ...set, state: state ?? before.state })
        .where(eq(users.id, user))
        .returning(columns)
      if (state === 'disabled') await replaceEpoch(tx, user)
      const about = { subject: user }
      if (state === 'disabled') await auditDone(tx, 'account.disabled', by, about)
      if (enabling) await auditDone(tx, 'account.enabled', by, about)
      if (renamed) await auditDone(tx, 'account.changed', by, about)
      return row as User
    })

  return {
    create({ email, name, phc }, by) {
      return changeBy(database, by, tx =>
        createOnce(tx, by.once, async () => {
          const [person] = await tx
            .insert(users)
            .values({ email: email.asTyped, canonicalEmail: email.canonical, name: name ?? null })
            .onConflictDoNothing({ target: users.canonicalEmail })
            .returning(columns)
          if (!person) return 'address-taken'
          if (phc !== undefined) await tx.insert(passwords).values({ userId: person.id, phc })
          await auditDone(tx, 'account.created', by, { subject: person.id })
          return person
        }),
      )
    },

    read(user) {
      return database.read(async tx => {
        const [row] = await tx.select(columns).from(users).where(eq(users.id, user))
        return row
      })
    },

    list({ limit, after }, email) {
      return database.read(async tx => {
        const rows = await tx
          .select(columns)
          .from(users)
          .where(
            and(
              after === undefined ? undefined : gt(users.id, after),
              email === undefined ? undefined : eq(users.canonicalEmail, email),
            ),
          )
          .orderBy(asc(users.id))
          .limit(limit + 1)
        return pageOf(rows, limit, ({ id }) => id)
      })
    },

    change,

    find(who) {
      return database.read(async tx => {
        const is = typeof who === 'string' ? eq(users.id, who) : eq(users.canonicalEmail, who.email)
        const [person] = await tx.select({ id: users.id }).from(users).where(is)
        return person?.id as UserId | undefined
      })
    },

    async disable(user, by) {
      const answer = await change(user, { state: 'disabled' }, by)
      return typeof answer === 'string' ? answer : 'disabled'
    },

    async enable(user, by) {
      const answer = await change(user, { state: 'active' }, by)
      return typeof answer === 'string' ? answer : 'enabled'
    },

    remove(user, by) {
      return changeTaking(database, by, { person: user }, async (tx, held) => {
        const before = await lock(tx, user)
        if (!before) return 'unknown'
        if (!mayRule(held, before.platformRoles)) return 'forbidden'
        const [person] = await tx
          .delete(users)
          .where(eq(users.id, user))
          .returning({ email: users.canonicalEmail })
        if (!person) return 'unknown'
        await tx.delete(mailLinks).where(eq(mailLinks.canonicalEmail, person.email))
        await auditDone(tx, 'account.deleted', by, { subject: user })
        return 'removed'
      })
    },
  }
}

/** Locked first and read afterwards: who has been raised meanwhile is above those who were not. */
async function lock(tx: Queries, user: string): Promise<User | undefined> {
  const is = eq(users.id, user)
  await tx.select({ id: users.id }).from(users).where(is).for('no key update')
  return (await tx.select(columns).from(users).where(is))[0]
}

/** Nobody gives what they do not hold, nor stops or lowers those above them. */
function mayRule(held: Authority, roles: readonly PlatformRole[]): boolean {
  return [...permissionsOf(roles)].every(permission => may(held, permission))
}
