/** Pending sign-ins in Postgres. The session that one becomes consumes it (src/store/sessions/second-factor.ts). */
import { type SQL, sql } from 'drizzle-orm'
import {
  type FirstStep,
  mostAttempts,
  type NextStep,
  type PendingSignIns,
  pendingMinutes,
} from '../../accounts/pending-sign-ins.js'
import type { UserId } from '../../core/principal.js'
import { hasPasskey, hasTotp } from '../postgres/accounts/factor-rows.js'
import { Abandon, type Database, type Queries } from '../postgres/database.js'
import { isCurrent } from './current-credential.js'

/** Of a row `p`: it is not over, and nothing has ended the user's sessions since. */
const live = (hash: Buffer): SQL => sql`p.secret_hash = ${hash} and p.expires_at > now() and exists (
  select from users u, service g where u.id = p.user_id and u.state = 'active' and u.epoch = p.user_epoch
    and g.epoch = p.service_epoch)`

export function postgresPendingSignIns(database: Database): PendingSignIns {
  return {
    begin(secretHash, first) {
      return database.transaction(async tx => {
        const begun = await tx.execute(sql`
          insert into pending_sign_ins (secret_hash, user_id, first_step, user_epoch, service_epoch, expires_at)
          select ${secretHash}::bytea, u.id, ${JSON.stringify(first)}::text::jsonb, u.epoch, g.epoch,
            now() + ${pendingMinutes} * interval '1 minute'
          from service g, users u where u.id = ${first.user} and u.state = 'active' and ${isCurrent(first)}
          returning 1`)
        if (begun.length === 0) throw new Abandon('credential-changed' as const)
        return nextSteps(tx, first.user)
      })
    },

    read(secretHash) {
      return database.read(async tx => {
        const [row] = await tx.execute<{ first_step: FirstStep }>(sql`
          select p.first_step from pending_sign_ins p where ${live(secretHash)} and p.attempts < ${mostAttempts}`)
        return row && { first: row.first_step, next: await nextSteps(tx, row.first_step.user) }
      })
    },

    async attempt(secretHash) {
      const [row] = await database.transaction(tx =>
        tx.execute<{ first_step: FirstStep }>(sql`
          update pending_sign_ins p set attempts = p.attempts + 1
          where ${live(secretHash)} and p.attempts < ${mostAttempts} returning p.first_step`),
      )
      return row?.first_step
    },

    async cancel(secretHash) {
      await database.transaction(tx =>
        tx.execute(sql`delete from pending_sign_ins where secret_hash = ${secretHash}`),
      )
    },
  }
}

async function nextSteps(tx: Queries, user: UserId): Promise<NextStep[]> {
  const [row] = await tx.execute<{ passkey: boolean; totp: boolean; codes: boolean }>(sql`
    select ${hasPasskey(user)} as passkey, ${hasTotp(user)} as totp,
      exists (select from recovery_codes c where c.user_id = ${user} and c.used_at is null) as codes`)
  return [
    ...(row?.passkey ? ['passkey' as const] : []),
    ...(row?.totp ? ['totp' as const] : []),
    ...(row?.codes ? ['recovery_code' as const] : []),
  ]
}
