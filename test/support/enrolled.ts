/** People with a second factor, put straight into a test's database. */
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import type postgres from 'postgres'
import { newRecoveryCodes } from '../../src/accounts/recovery-codes.js'
import { newTotp, totpSealedAs } from '../../src/accounts/totp.js'
import type { FactorId, UserId } from '../../src/core/principal.js'
import { loadKeyEncryptionKeys } from '../../src/sealing/key-encryption-keys.js'
import { type Person, person } from '../harness/world.js'
import type { Keys } from './seals.js'
import { codeAt, stepNow } from './totp.js'

export interface Factor {
  readonly factor: string
  /** Of the app, in base32. */
  readonly secret: string
  readonly recoveryCodes: readonly string[]
  /** A code that was not used yet, each time another one: as time goes on, or as the step before is forgotten. */
  code(): Promise<string>
}

/** Somebody whose session is older than their factor: it is of aal1. */
export async function enrolled(sql: postgres.Sql, keys: Keys): Promise<Person & Factor> {
  const me = await person(sql)
  return { ...me, ...(await enrol(sql, keys, me.id)) }
}

/** A confirmed app and ten recovery codes. */
export async function enrol(sql: postgres.Sql, { folder, issuer }: Keys, user: string): Promise<Factor> {
  const { keys } = await loadKeyEncryptionKeys(join(folder, 'keys'))
  const { secret } = newTotp()
  const factor = randomUUID()
  const boundTo = totpSealedAs(issuer, user as UserId, factor as FactorId)
  const { sealed, kekId } = keys.seal(Buffer.from(secret), boundTo)
  await sql`insert into totp_factors (id, user_id, name, sealed_secret, kek_id, confirmed_at)
    values (${factor}, ${user}, 'Phone', ${sealed}, ${kekId}, now())`
  const { shown: recoveryCodes, hashes } = newRecoveryCodes()
  for (const hash of hashes)
    await sql`insert into recovery_codes (user_id, code_hash) values (${user}, ${hash})`
  return {
    factor,
    secret,
    recoveryCodes,
    async code() {
      await sql`update totp_factors set last_step = 0 where id = ${factor}`
      return codeAt(secret, stepNow())
    },
  }
}
