/** People as operators create, stop and remove them, in Postgres. */
import { and, asc, eq, gt, sql } from 'drizzle-orm'
import type { PlatformRole } from '../../directory/authority.js'
import { pageOf } from '../../directory/page.js'
import type { UserStore } from '../../directory/users.js'
import type { UserId } from '../../principal.js'
import { auditDone } from './audit-log.js'
import type { Database, Queries } from './database.js'
import { replaceEpoch } from './epochs.js'
import { createOnce } from './once.js'
import { mailLinks, passwords, users } from './schema.js'
import { textArray } from './text-array.js'

const columns = {
  id: sql<UserId>`${users.id}`,
  email: users.email,
  name: users.name,
  state: users.state,
  platformRoles: sql<PlatformRole[]>`to_json(${users.platformRoles})`,
  createdAt: sql<number>`floor(extract(epoch from ${users.createdAt}))::float8`,
}

export function postgresUserStore(database: Database): UserStore {
  return {
    create({ email, name, phc }, by) {
      return database.transaction(tx =>
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

    change(user, { name, platformRoles }, by) {
      return database.transaction(async tx => {
        const set = {
          ...(name !== undefined && { name }),
          ...(platformRoles !== undefined && { platformRoles: textArray(platformRoles) as never }),
        }
        const is = eq(users.id, user)
        if (Object.keys(set).length === 0)
          return (await tx.select(columns).from(users).where(is))[0] ?? 'unknown'
        const [row] = await tx.update(users).set(set).where(is).returning(columns)
        if (!row) return 'unknown'
        await auditDone(tx, 'account.changed', by, { subject: user })
        return row
      })
    },

    find(who) {
      return database.read(async tx => {
        const is = typeof who === 'string' ? eq(users.id, who) : eq(users.canonicalEmail, who.email)
        const [person] = await tx.select({ id: users.id }).from(users).where(is)
        return person?.id as UserId | undefined
      })
    },

    disable(user, by) {
      return database.transaction(async tx => {
        if (!(await setState(tx, user, 'disabled'))) return 'unknown'
        await replaceEpoch(tx, user)
        await auditDone(tx, 'account.disabled', by, { subject: user })
        return 'disabled'
      })
    },

    enable(user, by) {
      return database.transaction(async tx => {
        if (!(await setState(tx, user, 'active'))) return 'unknown'
        await auditDone(tx, 'account.enabled', by, { subject: user })
        return 'enabled'
      })
    },

    remove(user, by) {
      return database.transaction(async tx => {
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

async function setState(tx: Queries, user: string, state: 'active' | 'disabled'): Promise<boolean> {
  const changed = await tx.update(users).set({ state }).where(eq(users.id, user)).returning({ id: users.id })
  return changed.length > 0
}
