/** People, passwords and mailed links in Postgres. Locks are taken first; what depends on them is read afterwards. */
import { and, eq, gt, type SQL, sql } from 'drizzle-orm'
import type { Account, AccountStore, LinkPurpose } from '../../login/store.js'
import type { UserId } from '../../principal.js'
import { writeAudit } from './audit-log.js'
import { Abandon, type Database, type Queries } from './database.js'
import { replaceEpoch } from './epochs.js'
import { insertPerson } from './new-person.js'
import { mailLinks, passwords, users } from './schema.js'
import { sessionsInTable } from './sessions-within.js'

export function postgresAccountStore(database: Database, within = sessionsInTable): AccountStore {
  const find = async (condition: SQL): Promise<Account | undefined> => {
    const [row] = await database.read(db =>
      db
        .select({
          user: users.id,
          email: users.email,
          state: users.state,
          phc: passwords.phc,
          version: passwords.version,
          failures: passwords.failures,
        })
        .from(users)
        .leftJoin(passwords, eq(passwords.userId, users.id))
        .where(condition),
    )
    if (!row) return undefined
    const { user, email, state, phc, version, failures } = row
    return {
      user: user as UserId,
      email,
      active: state === 'active',
      password: phc === null || version === null ? undefined : { phc, version, failures: failures ?? 0 },
    }
  }

  return {
    findByEmail: email => find(eq(users.canonicalEmail, email)),
    findById: user => find(eq(users.id, user)),

    async saveLink({ purpose, tokenHash, email, lifetimeSeconds }) {
      await database.transaction(db =>
        db.insert(mailLinks).values({
          tokenHash,
          purpose,
          email: email.asTyped,
          canonicalEmail: email.canonical,
          expiresAt: sql`now() + ${lifetimeSeconds} * interval '1 second'`,
        }),
      )
    },

    async pendingLink(purpose, tokenHash) {
      const [row] = await database.read(db =>
        db
          .select({ email: mailLinks.canonicalEmail, name: users.name })
          .from(mailLinks)
          .leftJoin(users, eq(users.canonicalEmail, mailLinks.canonicalEmail))
          .where(usable(purpose, tokenHash)),
      )
      // Used, perhaps by the same request before: then that is confirmed.
      if (!row) await database.settled()
      return row
    },

    register(tokenHash, phc, name, occasion) {
      return database.transaction(async tx => {
        const email = await consume(tx, 'sign-up', tokenHash)
        if (!email) return undefined
        const user = await insertPerson(tx, email, name, occasion)
        if (user) await tx.insert(passwords).values({ userId: user, phc })
        return user
      })
    },

    resetPassword(tokenHash, phc, occasion) {
      return database.transaction(async tx => {
        const email = await consume(tx, 'password-reset', tokenHash)
        if (!email) return undefined
        const person = await lock(tx, eq(users.canonicalEmail, email.canonical))
        if (person?.state !== 'active') return undefined
        await setPassword(tx, person.id, phc)
        await tx.update(users).set({ addressProved: true }).where(eq(users.id, person.id))
        await replaceEpoch(tx, person.id)
        const user = person.id as UserId
        await writeAudit(tx, {
          action: 'password.reset',
          outcome: 'done',
          actor: user,
          subject: user,
          occasion,
        })
        return user
      })
    },

    changePassword({ user, session, provenSecretHash, next, expectedVersion, phc, occasion }) {
      return database.transaction(async tx => {
        const person = await lock(tx, eq(users.id, user))
        if (person?.state !== 'active' || person.passwordVersion !== expectedVersion)
          return 'credential-changed'
        await setPassword(tx, user, phc)
        const epoch = await replaceEpoch(tx, user)
        // Whoever asked for a reset link before must not be able to undo this.
        await tx
          .delete(mailLinks)
          .where(
            and(eq(mailLinks.canonicalEmail, person.canonicalEmail), eq(mailLinks.purpose, 'password-reset')),
          )
        await writeAudit(tx, {
          action: 'password.changed',
          outcome: 'done',
          actor: user,
          subject: user,
          session,
          occasion,
        })
        const own = { id: session, user, provenSecretHash, next, former: person.epoch, epoch, proved: true }
        const carried = await within.spare(tx, own)
        if (typeof carried === 'string') throw new Abandon('superseded' as const)
        return { changed: carried.id }
      })
    },

    async recordFailure(user) {
      const failures = sql`${passwords.failures} + 1`
      await database.transaction(db =>
        db.update(passwords).set({ failures }).where(eq(passwords.userId, user)),
      )
    },

    async forgetFailures(user) {
      await database.transaction(db =>
        db.update(passwords).set({ failures: 0 }).where(eq(passwords.userId, user)),
      )
    },

    async rehash(user, version, oldPhc, newPhc) {
      await database.transaction(db =>
        db
          .update(passwords)
          .set({ phc: newPhc })
          .where(and(eq(passwords.userId, user), eq(passwords.version, version), eq(passwords.phc, oldPhc))),
      )
    },
  }
}

const usable = (purpose: LinkPurpose, tokenHash: Buffer) =>
  and(eq(mailLinks.tokenHash, tokenHash), eq(mailLinks.purpose, purpose), gt(mailLinks.expiresAt, sql`now()`))

/** Of any number of parallel uses one gets the row; the other links of that address and purpose go with it. */
async function consume(tx: Queries, purpose: LinkPurpose, tokenHash: Buffer) {
  // All of them are locked in one order first: two links of one address used at once would wait for each other.
  await tx.execute(sql`
    select from mail_links where purpose = ${purpose} and canonical_email =
      (select canonical_email from mail_links where token_hash = ${tokenHash})
    order by token_hash for update`)
  const [link] = await tx
    .delete(mailLinks)
    .where(usable(purpose, tokenHash))
    .returning({ asTyped: mailLinks.email, canonical: mailLinks.canonicalEmail })
  if (!link) return undefined
  await tx
    .delete(mailLinks)
    .where(and(eq(mailLinks.canonicalEmail, link.canonical), eq(mailLinks.purpose, purpose)))
  return link
}

async function setPassword(tx: Queries, user: string, phc: string): Promise<void> {
  await tx
    .insert(passwords)
    .values({ userId: user, phc })
    .onConflictDoUpdate({
      target: passwords.userId,
      set: { phc, version: sql`${passwords.version} + 1`, failures: 0, changedAt: sql`now()` },
    })
}

/** Locks a person first and reads them after: a row read by the statement that waited may be the one before. */
async function lock(tx: Queries, condition: SQL) {
  await tx.select({ id: users.id }).from(users).where(condition).for('no key update')
  const [person] = await tx
    .select({
      id: users.id,
      canonicalEmail: users.canonicalEmail,
      state: users.state,
      epoch: users.epoch,
      passwordVersion: passwords.version,
    })
    .from(users)
    .leftJoin(passwords, eq(passwords.userId, users.id))
    .where(condition)
  return person
}
