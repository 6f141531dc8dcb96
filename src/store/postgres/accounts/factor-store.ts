/** Second factors in Postgres: each change is one transaction under the lock of its user. */
import { sql } from 'drizzle-orm'
import { enrolmentMinutes, type FactorStore, mostWrongCodes } from '../../../accounts/factors.js'
import type { UserId } from '../../../core/principal.js'
import { auditDone } from '../audit/audit-log.js'
import { changeTaking } from '../authority/authorized-change.js'
import { Abandon, type Database, type Queries } from '../database.js'
import { mayHelp } from './above.js'
import {
  changeFactors,
  factorsOf,
  type SealedRow,
  sealedColumns,
  sealedTotp,
  userHasFactor,
} from './factor-rows.js'
import { postgresFactorSeals } from './factor-seals.js'
import { hasWayIn } from './ways-in.js'

const isOpen = sql`f.confirmed_at is null and f.created_at > now() - ${enrolmentMinutes} * interval '1 minute'`

export function postgresFactorStore(database: Database): FactorStore {
  return {
    of: user => database.read(tx => factorsOf(tx, user)),

    attemptTotp(user, opens) {
      return database.transaction(async tx => {
        const [row] = await tx.execute<SealedRow & { counted: boolean }>(sql`
          with counted as (
            insert into factor_failures (user_id, totp)
            select f.user_id, 1 from totp_factors f where f.user_id = ${user} and f.confirmed_at is not null
            on conflict (user_id) do update set totp = factor_failures.totp + 1
              where factor_failures.totp < ${mostWrongCodes}
            returning 1
          )
          select ${sealedColumns}, exists (select from counted) as counted
          from totp_factors f where f.user_id = ${user} and f.confirmed_at is not null`)
        if (!row) return 'none'
        if (!opens(row.kek_id)) throw new Abandon({ missingKek: row.kek_id })
        return row.counted ? sealedTotp(row) : 'locked'
      })
    },

    async giveBack(user) {
      await database.transaction(tx =>
        tx.execute(sql`update factor_failures set totp = totp - 1 where user_id = ${user} and totp > 0`),
      )
    },

    async isUnusedCode(user, hash) {
      // As a change: a code that is used, perhaps by the same request before, is answered once that is settled.
      const [row] = await database.transaction(tx =>
        tx.execute<{ unused: boolean }>(sql`select exists (select from recovery_codes c
          where c.user_id = ${user} and c.code_hash = ${hash} and c.used_at is null) as unused`),
      )
      return row?.unused === true
    },

    enrol(by, id, name, { sealed, kekId }) {
      return changeFactors(database, by, async tx => {
        await tx.execute(sql`delete from totp_factors where user_id = ${by.user} and confirmed_at is null`)
        await tx.execute(sql`insert into totp_factors (id, user_id, session_id, name, sealed_secret, kek_id)
          values (${id}, ${by.user}, ${by.session}, ${name}, ${sealed}, ${kekId})`)
        return 'enrolled' as const
      })
    },

    async unconfirmed(user, session) {
      const [row] = await database.read(tx =>
        tx.execute<SealedRow>(sql`
          select ${sealedColumns} from totp_factors f
          where f.user_id = ${user} and f.session_id = ${session} and ${isOpen}`),
      )
      // Confirmed, perhaps by the same request before: then that is settled.
      if (!row) await database.settled()
      return row && sealedTotp(row)
    },

    confirm(by, { factor, step }, codes) {
      return changeFactors(database, by, async tx => {
        const had = await userHasFactor(tx, by.user)
        const [confirmed] = await tx.execute<{ name: string }>(sql`
          update totp_factors f set confirmed_at = now(), last_step = ${step}, session_id = null
          where f.id = ${factor} and f.user_id = ${by.user} and f.session_id = ${by.session} and ${isOpen}
          returning f.name`)
        if (!confirmed) throw new Abandon('unknown' as const)
        await tx.execute(sql`delete from totp_factors where user_id = ${by.user} and id <> ${factor}`)
        if (!had) await storeCodes(tx, by.user, codes)
        await forgive(tx, by.user)
        await auditDone(tx, 'factor.added', by.actor, { subject: by.user })
        return { codesStored: !had, name: confirmed.name }
      })
    },

    rename(by, id, name) {
      return changeFactors(database, by, async tx => {
        const renamed = await tx.execute<Record<string, never>>(sql`
          with app as (
            update totp_factors set name = ${name}
            where id = ${id} and user_id = ${by.user} and confirmed_at is not null returning 1
          ), passkey as (
            update passkeys set name = ${name} where id = ${id} and user_id = ${by.user} returning 1
          )
          select from app union all select from passkey`)
        if (renamed.length === 0) throw new Abandon('unknown' as const)
        await auditDone(tx, 'factor.renamed', by.actor, { subject: by.user })
        return 'renamed' as const
      })
    },

    remove(by, id) {
      return changeFactors(database, by, async tx => {
        const { factors } = await factorsOf(tx, by.user)
        const removed = factors.find(factor => factor.id === id)
        if (!removed) throw new Abandon('unknown' as const)
        const table = removed.kind === 'totp' ? sql`totp_factors` : sql`passkeys`
        await tx.execute(sql`delete from ${table} where id = ${id} and user_id = ${by.user}`)
        if (removed.firstStep && !(await hasWayIn(tx, by.user))) throw new Abandon('last-way-in' as const)
        const last = factors.length === 1
        if (last) await forgetAll(tx, by.user)
        await auditDone(tx, 'factor.removed', by.actor, { subject: by.user })
        return { removed, last }
      })
    },

    replaceCodes(by, codes) {
      return changeFactors(database, by, async tx => {
        if (!(await userHasFactor(tx, by.user))) throw new Abandon('unknown' as const)
        await storeCodes(tx, by.user, codes)
        await auditDone(tx, 'recovery-codes.replaced', by.actor, { subject: by.user })
        return 'replaced' as const
      })
    },

    lift(user, actor) {
      return changeTaking(database, actor, { person: user }, async (tx, held) => {
        const may = await mayHelp(tx, held, user, actor)
        if (may !== 'yes') return may
        const lifted = await tx.execute(sql`
          delete from factor_failures where user_id = ${user} and totp > 0 returning 1`)
        if (lifted.length > 0) await auditDone(tx, 'factors.unlocked', actor, { subject: user })
        return 'lifted' as const
      })
    },

    ...postgresFactorSeals(database),
  }
}

export async function storeCodes(tx: Queries, user: UserId, codes: readonly Buffer[]): Promise<void> {
  await tx.execute(sql`delete from recovery_codes where user_id = ${user}`)
  for (const hash of codes)
    await tx.execute(sql`insert into recovery_codes (user_id, code_hash) values (${user}, ${hash})`)
}

/** Another factor was set up: earlier wrong codes do not count any more, and no reset is needed. */
export async function forgive(tx: Queries, user: UserId): Promise<void> {
  await tx.execute(sql`delete from factor_failures where user_id = ${user}`)
  await tx.execute(sql`delete from factor_resets where user_id = ${user}`)
}

/** Whatever stands beside the factors themselves, when the last of them has gone. */
async function forgetAll(tx: Queries, user: UserId): Promise<void> {
  for (const table of ['recovery_codes', 'factor_failures', 'factor_resets', 'pending_sign_ins'])
    await tx.execute(sql`delete from ${sql.identifier(table)} where user_id = ${user}`)
}

/** All second factors of a user, and everything beside them. Under the lock of the user. */
export async function removeFactors(tx: Queries, user: UserId): Promise<boolean> {
  const removed = await tx.execute(
    sql`delete from totp_factors where user_id = ${user} returning confirmed_at`,
  )
  const passkeys = await tx.execute(sql`delete from passkeys where user_id = ${user} returning 1`)
  await tx.execute(sql`delete from passkey_challenges where user_id = ${user}`)
  await forgetAll(tx, user)
  return passkeys.length > 0 || removed.some(({ confirmed_at }) => confirmed_at !== null)
}
