/** Second factors in the harnesses: of whoever calls, put into the database before their request is sent. */
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import type postgres from 'postgres'
import { newRecoveryCodes } from '../../src/accounts/recovery-codes.js'
import { newTotp, totpSealedAs } from '../../src/accounts/totp.js'
import type { FactorId, UserId } from '../../src/core/principal.js'
import { newSecret } from '../../src/core/secret.js'
import { loadKeyEncryptionKeys } from '../../src/sealing/key-encryption-keys.js'
import { keysOf } from '../support/seals.js'
import { codeAt } from '../support/totp.js'

/** The account has an app, whose codes nobody here needs; its session is as strong as that, if `aal2`. */
export async function withFactor(
  sql: postgres.Sql,
  { id, session }: { readonly id: string; readonly session: string },
  { aal2 = false } = {},
): Promise<string> {
  const [row] = await sql`
    insert into totp_factors (user_id, name, sealed_secret, kek_id, confirmed_at)
    values (${id}, 'Phone', 'x', 'none', now()) returning id`
  if (aal2) await sql`update sessions set acr = 'aal2' where id = ${session}`
  return row?.id
}

/** An unused recovery code. */
export async function recoveryCode(sql: postgres.Sql, user: string): Promise<string> {
  const { shown, hashes } = newRecoveryCodes()
  const [code, hash] = [shown[0], hashes[0]]
  if (code === undefined || !hash) throw new Error('there is no code')
  await sql`insert into recovery_codes (user_id, code_hash) values (${user}, ${hash})`
  return code
}

/** The secret of a pending sign-in: its user's password was right a moment ago. */
export async function pendingSignIn(sql: postgres.Sql, user: string): Promise<string> {
  const secret = newSecret()
  const first = { user, amr: ['pwd'], acr: 'aal1', credential: { kind: 'password', version: 1 } }
  await sql`
    insert into pending_sign_ins (secret_hash, user_id, first_step, user_epoch, service_epoch, expires_at)
    select ${secret.hash()}, u.id, ${sql.json(first)}, u.epoch, g.epoch, now() + interval '10 minutes'
    from users u, service g where u.id = ${user}`
  return secret.reveal()
}

/** A code that confirms the app that this session is setting up. */
export async function enrolmentCode(
  sql: postgres.Sql,
  { id: user, session }: { readonly id: string; readonly session: string },
): Promise<string> {
  const keys = keysOf(sql)
  const { keys: keks } = await loadKeyEncryptionKeys(join(keys.folder, 'keys'))
  const { secret } = newTotp()
  const factor = randomUUID()
  const boundTo = totpSealedAs(keys.issuer, user as UserId, factor as FactorId)
  const { sealed, kekId } = keks.seal(Buffer.from(secret), boundTo)
  await sql`delete from totp_factors where user_id = ${user} and confirmed_at is null`
  await sql`insert into totp_factors (id, user_id, session_id, name, sealed_secret, kek_id)
    values (${factor}, ${user}, ${session}, 'Phone', ${sealed}, ${kekId})`
  return codeAt(secret)
}

/** An operator's reset of this user, which is not due yet. */
export async function openReset(sql: postgres.Sql, user: string): Promise<void> {
  await sql`insert into factor_resets (user_id, due_at) values (${user}, now() + interval '1 day')
    on conflict (user_id) do nothing`
}
