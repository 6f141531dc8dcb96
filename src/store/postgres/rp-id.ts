/** The RP ID of all passkeys: recorded once, and never changed. */
import { sql } from 'drizzle-orm'
import type { Database } from './database.js'

/** Records this one where there is none yet. Answers the one that is recorded. */
export async function recordedRpId(database: Database, first: string): Promise<string | undefined> {
  const [service] = await database.transaction(async tx => {
    await tx.execute(sql`update service set passkey_rp_id = ${first} where passkey_rp_id is null`)
    return tx.execute<{ id: string }>(sql`select passkey_rp_id as id from service`)
  })
  return service?.id
}
