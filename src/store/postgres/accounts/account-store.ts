/** Users, passwords and mailed links in Postgres. Locks are taken first; what depends on them is read afterwards. */
import { and, eq, gt, type SQL, sql } from 'drizzle-orm'
import type { PgUpdateSetSource } from 'drizzle-orm/pg-core'
import type { Account, AccountStore, LinkPurpose } from '../../../accounts/store.js'
import type { UserId } from '../../../core/principal.js'
import { auditDone } from '../audit/audit-log.js'
import { Abandon, type Database, type Queries } from '../database.js'
import { replaceEpoch } from '../epochs.js'
import { federatedIdentities, providers } from '../schema/federation.js'
import { mailLinks, passwords, users } from '../schema/tables.js'
import type { SessionsWithin } from '../sessions-within.js'
import { inSeconds } from '../values.js'
import {
  addressOf,
  endOpenOf,
  freshColumns,
  lockLinks,
  lockUser,
  setPassword,
  verifyAddress,
} from './address-verification.js'
import { registerByMail } from './new-person.js'

export function postgresAccountStore(
  database: Database,
  within: Pick<SessionsWithin, 'spare'>,
): AccountStore {
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
          passHash: passwords.resetPassHash,
          network: passwords.resetNetwork,
          fresh: sql<boolean | null>`${passwords.resetFreshUntil} > now()`,
        })
        .from(users)
        .leftJoin(passwords, eq(passwords.userId, users.id))
        .where(condition),
    )
    if (!row) return undefined
    const { user, email, state, phc, version, failures, passHash, network, fresh } = row
    const freshReset = fresh && passHash && network !== null ? { freshReset: { passHash, network } } : {}
    return {
      user: user as UserId,
      email,
      active: state === 'active',
      password:
        phc === null || version === null
          ? undefined
          : { phc, version, failures: failures ?? 0, ...freshReset },
    }
  }

  const update = async (
    user: UserId,
    set: PgUpdateSetSource<typeof passwords>,
    where?: SQL,
  ): Promise<void> => {
    await database.transaction(db =>
      db
        .update(passwords)
        .set(set)
        .where(and(eq(passwords.userId, user), where)),
    )
  }

  return {
    findByEmail: email => find(eq(users.canonicalEmail, email)),
    findById: user => find(eq(users.id, user)),

    async saveLink({ purpose, tokenHash, email, lifetimeSeconds, discarded = false }) {
      await database.transaction(db =>
        db.execute(sql`
          insert into mail_links (token_hash, purpose, email, canonical_email, expires_at)
          select ${tokenHash}::bytea, ${purpose}, ${email.asTyped}, ${email.canonical}, ${inSeconds(lifetimeSeconds)}
          where not ${discarded}::boolean`),
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

    register(tokenHash, phc, name, context) {
      return database.transaction(async tx => {
        const address = await consume(tx, 'sign-up', tokenHash)
        return address && registerByMail(tx, address, { phc, name }, 'sign-up', context)
      })
    },

    resetPassword(tokenHash, phc, context, fresh) {
      return database.transaction(async tx => {
        const address = await consume(tx, 'password-reset', tokenHash)
        if (!address) return undefined
        const person = await lockUser(tx, eq(users.canonicalEmail, address.canonical))
        if (person?.state !== 'active') return undefined
        const { id: user, email } = person
        const actor = { user, context }
        const reclaimed = await verifyAddress(tx, person, 'password-reset', actor, { password: true })
        if (!reclaimed) await endOpenOf(tx, person)
        await setPassword(tx, user, phc, fresh)
        await auditDone(tx, 'password.reset', actor, { subject: user })
        return { user, email, reclaimed, providers: await providersOf(tx, user) }
      })
    },

    changePassword({ user, session, provenSecretHash, next, expectedVersion, phc, context }) {
      return database.transaction(async tx => {
        await lockLinks(tx, addressOf(user))
        const person = await lockUser(tx, eq(users.id, user))
        if (person?.state !== 'active' || person.passwordVersion !== expectedVersion)
          return 'credential-changed'
        await setPassword(tx, user, phc)
        const epoch = await replaceEpoch(tx, user)
        // Anybody who asked for a reset link before must not be able to undo this.
        await tx
          .delete(mailLinks)
          .where(
            and(eq(mailLinks.canonicalEmail, person.canonicalEmail), eq(mailLinks.purpose, 'password-reset')),
          )
        await auditDone(tx, 'password.changed', { user: user, context }, { subject: user, session })
        const own = { id: session, user, provenSecretHash, next, former: person.epoch, epoch, proved: true }
        const carried = await within.spare(tx, own)
        if (typeof carried === 'string') throw new Abandon('superseded' as const)
        return { changed: carried.id }
      })
    },

    recordFailure: user => update(user, { failures: sql`${passwords.failures} + 1` }),

    forgetFailures: user => update(user, { failures: 0, ...freshColumns() }),

    rehash: (user, version, oldPhc, phc) =>
      update(user, { phc }, and(eq(passwords.version, version), eq(passwords.phc, oldPhc))),
  }
}

const usable = (purpose: LinkPurpose, tokenHash: Buffer) =>
  and(eq(mailLinks.tokenHash, tokenHash), eq(mailLinks.purpose, purpose), gt(mailLinks.expiresAt, sql`now()`))

/** Of any number of parallel uses one gets the row; the other links of that address and purpose go with it. */
async function consume(tx: Queries, purpose: LinkPurpose, tokenHash: Buffer) {
  await lockLinks(tx, sql`(select canonical_email from mail_links where token_hash = ${tokenHash})`)
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

/** The names of those that sign this user in. */
async function providersOf(tx: Queries, user: UserId): Promise<readonly string[]> {
  const rows = await tx
    .select({ name: providers.name })
    .from(federatedIdentities)
    .innerJoin(providers, eq(providers.id, federatedIdentities.providerId))
    .where(eq(federatedIdentities.userId, user))
    .groupBy(providers.name)
    .orderBy(providers.name)
  return rows.map(({ name }) => name)
}
