/** Second factors as they are read, and what a change of them is judged by. */
import { type SQL, sql } from 'drizzle-orm'
import type { Factor, FactorActor, Factors, SealedTotp } from '../../../accounts/factors.js'
import { mostWrongCodes } from '../../../accounts/factors.js'
import type { FactorId, UserId } from '../../../core/principal.js'
import { changeTaking } from '../authority/authorized-change.js'
import { Abandon, type Database, type Queries } from '../database.js'
import { secondsOf } from '../values.js'

/** What is not confirmed is no factor. */
export const hasTotp = (user: SQL | UserId): SQL =>
  sql`exists (select from totp_factors f where f.user_id = ${user} and f.confirmed_at is not null)`
export const hasPasskey = (user: SQL | UserId): SQL =>
  sql`exists (select from passkeys k where k.user_id = ${user})`
export const hasFactor = (user: SQL | UserId): SQL => sql`(${hasTotp(user)} or ${hasPasskey(user)})`

interface FactorRow extends Factor, Record<string, unknown> {}

export async function factorsOf(tx: Queries, user: UserId): Promise<Factors> {
  const factors = await tx.execute<FactorRow>(sql`
    select f.id, f.kind, f.first_step as "firstStep", f.name, ${secondsOf(sql`f.created_at`)} as "createdAt",
      ${secondsOf(sql`f.last_used_at`)} as "lastUsedAt", f.last_used_address as "lastUsedAddress"
    from (
      select id, 'totp' as kind, false as first_step, name, created_at, last_used_at, last_used_address
      from totp_factors where user_id = ${user} and confirmed_at is not null
      union all
      select id, 'passkey', first_step, name, created_at, last_used_at, last_used_address
      from passkeys where user_id = ${user}
    ) f order by f.created_at, f.id`)
  const [row] = await tx.execute<{ codes: number; totp: number; due: number | null }>(sql`
    select (select count(*)::int from recovery_codes c where c.user_id = ${user} and c.used_at is null) as codes,
      coalesce((select totp from factor_failures w where w.user_id = ${user}), 0) as totp,
      (select ${secondsOf(sql`r.due_at`)} from factor_resets r where r.user_id = ${user}) as due`)
  return {
    factors: [...factors],
    recoveryCodes: row?.codes ?? 0,
    codesLocked: (row?.totp ?? 0) >= mostWrongCodes,
    resetDueAt: row?.due ?? null,
  }
}

export interface SealedRow extends Record<string, unknown> {
  readonly id: FactorId
  readonly sealed_secret: Buffer
  readonly kek_id: string
  readonly now: number
}

export const sealedColumns = sql`f.id, f.sealed_secret, f.kek_id, extract(epoch from now())::float8 as now`

export const sealedTotp = ({ id, sealed_secret, kek_id, now }: SealedRow): SealedTotp => ({
  id,
  sealed: sealed_secret,
  kekId: kek_id,
  now,
})

/** Under the user's lock, by a session that is as strong as the account can be. */
export function changeFactors<T>(
  database: Database,
  { user, acr, actor }: FactorActor,
  work: (tx: Queries) => Promise<T>,
): Promise<T | 'weak'> {
  return changeTaking<T | 'weak'>(database, actor, { person: user }, async tx => {
    if (await isWeak(tx, { user, acr })) throw new Abandon('weak' as const)
    return work(tx)
  })
}

/** Whether a session of this level rests on less than the account has. Asked under the lock of the user. */
export async function isWeak(
  tx: Queries,
  { user, acr }: Pick<FactorActor, 'user' | 'acr'>,
): Promise<boolean> {
  return acr !== 'aal2' && (await userHasFactor(tx, user))
}

export async function userHasFactor(tx: Queries, user: UserId): Promise<boolean> {
  const [row] = await tx.execute<{ yes: boolean }>(sql`select ${hasFactor(user)} as yes`)
  return row?.yes === true
}
