/** People as operators create, stop and remove them, in Postgres. */
import { eq } from 'drizzle-orm'
import { noRequest } from '../../audit.js'
import type { UserStore } from '../../directory/users.js'
import type { UserId } from '../../principal.js'
import type { By } from '../../session/revocations.js'
import { writeAudit } from './audit-log.js'
import type { Database, Queries } from './database.js'
import { replaceEpoch } from './epochs.js'
import { mailLinks, passwords, users } from './schema.js'

export function postgresUserStore(database: Database): UserStore {
  return {
    create({ email, name, phc }) {
      return database.transaction(async tx => {
        const [person] = await tx
          .insert(users)
          .values({ email: email.asTyped, canonicalEmail: email.canonical, name: name ?? null })
          .onConflictDoNothing({ target: users.canonicalEmail })
          .returning({ id: users.id })
        if (!person) return 'address-taken'
        if (phc !== undefined) await tx.insert(passwords).values({ userId: person.id, phc })
        await audit(tx, 'account.created', person.id, { actor: undefined, occasion: noRequest })
        return { created: person.id as UserId }
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
        await audit(tx, 'account.disabled', user, by)
        return 'disabled'
      })
    },

    enable(user, by) {
      return database.transaction(async tx => {
        if (!(await setState(tx, user, 'active'))) return 'unknown'
        await audit(tx, 'account.enabled', user, by)
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
        await audit(tx, 'account.deleted', user, by)
        return 'removed'
      })
    },
  }
}

async function setState(tx: Queries, user: string, state: 'active' | 'disabled'): Promise<boolean> {
  const changed = await tx.update(users).set({ state }).where(eq(users.id, user)).returning({ id: users.id })
  return changed.length > 0
}

async function audit(
  tx: Queries,
  action: 'account.created' | 'account.disabled' | 'account.enabled' | 'account.deleted',
  subject: string,
  { actor, occasion }: By,
): Promise<void> {
  await writeAudit(tx, { action, outcome: 'done', subject, occasion, ...(actor !== undefined && { actor }) })
}
