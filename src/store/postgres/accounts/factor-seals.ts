/** The secrets of authenticator apps in Postgres, moved from one key-encryption key to another. */
import { sql } from 'drizzle-orm'
import type { FactorStore } from '../../../accounts/factors.js'
import type { UserId } from '../../../core/principal.js'
import { auditDone } from '../audit/audit-log.js'
import { judgeBy } from '../authority/authorized-change.js'
import type { Database } from '../database.js'
import { textArray } from '../values.js'
import { type SealedRow, sealedColumns } from './factor-rows.js'

/** Secrets in one transaction: there may be more than any deadline has time for. */
const batch = 100

export function postgresFactorSeals(database: Database): Pick<FactorStore, 'kekIds' | 'reseal'> {
  return {
    kekIds: () =>
      database.read(async tx => {
        const rows = await tx.execute<{ id: string }>(sql`select distinct kek_id as id from totp_factors`)
        return rows.map(({ id }) => id)
      }),

    async reseal(from, again, actor) {
      await judgeBy(database, actor)
      for (let all = 0; ; ) {
        const done = await database.transaction(async tx => {
          const rows = await tx.execute<SealedRow & { user: UserId }>(sql`
            select ${sealedColumns}, f.user_id as user from totp_factors f
            where f.kek_id = any(${textArray(from)}) order by f.id limit ${batch} for update`)
          for (const { id, user, sealed_secret, kek_id } of rows) {
            const { sealed, kekId } = again(user, { id, sealed: sealed_secret, kekId: kek_id })
            await tx.execute(sql`
              update totp_factors set sealed_secret = ${sealed}, kek_id = ${kekId} where id = ${id}`)
            await auditDone(tx, 'factor.resealed', actor, { subject: user })
          }
          return rows.length
        })
        if (done === 0) return all
        all += done
      }
    },
  }
}
