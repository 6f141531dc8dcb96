/** Users as operators create, stop and remove them, in Postgres. */
import { and, eq, ne, sql } from 'drizzle-orm'
import type { User, UserChange, UserStore } from '../../../accounts/users.js'
import type { Actor } from '../../../audit/events.js'
import type { PlatformRole } from '../../../core/authority.js'
import type { UserId } from '../../../core/principal.js'
import { lockAlone } from '../advisory-locks.js'
import { auditDone } from '../audit/audit-log.js'
import { changeTaking, createBy } from '../authority/authorized-change.js'
import type { Database, Queries } from '../database.js'
import { newEpoch } from '../epochs.js'
import { readPage } from '../page.js'
import { mailLinks, passwords, users } from '../schema/tables.js'
import { listOf, secondsOf, textArray } from '../values.js'
import { mayRule } from './above.js'
import { insertUser } from './new-person.js'

const columns = {
  id: sql<UserId>`${users.id}`,
  email: users.email,
  name: users.name,
  state: users.state,
  platformRoles: listOf<PlatformRole>(users.platformRoles),
  createdAt: secondsOf(users.createdAt),
}

/** `reserved` has connections of its own: whatever else waits, what stops a user does not wait for it. */
export function postgresUserStore(database: Database, reserved: Database = database): UserStore {
  const change = (user: UserId, { name, state, platformRoles }: UserChange, actor: Actor) => {
    const connections = state === 'disabled' || platformRoles ? reserved : database
    return changeTaking(connections, actor, { person: user }, async (tx, held) => {
      const before = await lock(tx, user)
      if (!before) return 'unknown' as const
      if (!mayRule(held, [...before.platformRoles, ...(platformRoles ?? [])])) return 'forbidden' as const
      const after = { state: state ?? before.state, platformRoles: platformRoles ?? before.platformRoles }
      if (await takesTheLast(tx, actor, before, after)) return 'last-administrator' as const
      const enabling = state === 'active' && before.state === 'disabled'
      const renamed = name !== undefined || platformRoles !== undefined
      if (!renamed && state !== 'disabled' && !enabling) return before
      const [row] = await tx
        .update(users)
        .set({
          name,
          platformRoles: platformRoles && textArray(platformRoles),
          state: after.state,
          // Also of who is disabled already: whatever has happened since.
          ...(state === 'disabled' && { epoch: newEpoch() }),
        })
        .where(eq(users.id, user))
        .returning(columns)
      const about = { subject: user }
      if (state === 'disabled') await auditDone(tx, 'account.disabled', actor, about)
      if (enabling) await auditDone(tx, 'account.enabled', actor, about)
      if (renamed) await auditDone(tx, 'account.changed', actor, about)
      return row as User
    })
  }

  return {
    create({ email, name, phc }, actor) {
      return createBy(database, actor, async tx => {
        const user = await insertUser(tx, email, name, null, actor)
        if (user === undefined) return 'address-taken'
        if (phc !== undefined) await tx.insert(passwords).values({ userId: user, phc })
        return (await find(tx, user)) as User
      })
    },

    read: user => database.read(tx => find(tx, user)),

    list(page, email) {
      const is = email === undefined ? undefined : eq(users.canonicalEmail, email)
      return database.read(tx =>
        readPage(tx.select(columns).from(users).$dynamic(), users.id, 'id', page, is),
      )
    },

    change,

    find(who) {
      return database.read(async tx => {
        const is = typeof who === 'string' ? eq(users.id, who) : eq(users.canonicalEmail, who.email)
        const [person] = await tx.select({ id: users.id }).from(users).where(is)
        return person?.id as UserId | undefined
      })
    },

    async disable(user, actor) {
      const answer = await change(user, { state: 'disabled' }, actor)
      return typeof answer === 'string' ? answer : 'disabled'
    },

    async enable(user, actor) {
      const answer = await change(user, { state: 'active' }, actor)
      return typeof answer === 'string' ? answer : 'enabled'
    },

    hasAdministrator: () => database.read(tx => hasOther(tx, undefined)),

    remove(user, actor) {
      return changeTaking(reserved, actor, { person: user }, async (tx, held) => {
        const before = await lock(tx, user)
        if (!before) return 'unknown'
        if (!mayRule(held, before.platformRoles)) return 'forbidden'
        if (await takesTheLast(tx, actor, before, undefined)) return 'last-administrator'
        const [person] = await tx
          .delete(users)
          .where(eq(users.id, user))
          .returning({ email: users.canonicalEmail })
        if (!person) return 'unknown'
        await tx.delete(mailLinks).where(eq(mailLinks.canonicalEmail, person.email))
        await auditDone(tx, 'account.deleted', actor, { subject: user })
        return 'removed'
      })
    },
  }
}

async function find(tx: Queries, user: UserId): Promise<User | undefined> {
  return (await tx.select(columns).from(users).where(eq(users.id, user)))[0]
}

/** Locked first and read afterwards: who has been raised meanwhile is above those who were not. */
async function lock(tx: Queries, user: UserId): Promise<User | undefined> {
  await tx.select({ id: users.id }).from(users).where(eq(users.id, user)).for('no key update')
  return find(tx, user)
}

const isAdministrator = ({ state, platformRoles }: Pick<User, 'state' | 'platformRoles'>) =>
  state === 'active' && platformRoles.includes('administrator')

/** `after`: undefined where the user is removed. An operator's command may: it makes the next one, too. */
async function takesTheLast(
  tx: Queries,
  { authorized }: Actor,
  before: User,
  after: Pick<User, 'state' | 'platformRoles'> | undefined,
): Promise<boolean> {
  if (!authorized || !isAdministrator(before) || (after && isAdministrator(after))) return false
  // Of two at once who take an administrator away the second sees what the first did.
  await lockAlone(tx, 'administrators')
  return !(await hasOther(tx, before.id))
}

/** An active administrator beside this user. */
async function hasOther(tx: Queries, user: UserId | undefined): Promise<boolean> {
  const found = await tx
    .select({ id: users.id })
    .from(users)
    .where(
      and(
        eq(users.state, 'active'),
        sql`'administrator' = any(${users.platformRoles})`,
        user === undefined ? undefined : ne(users.id, user),
      ),
    )
    .limit(1)
  return found.length > 0
}
