/** Whether a user could still sign in: what a removal leaves is judged in its transaction, under the lock of the user. */
import { sql } from 'drizzle-orm'
import type { UserId } from '../../../core/principal.js'
import type { Queries } from '../database.js'

/** By a password, an account at a provider that is enabled, or a passkey that needs neither. */
export async function hasWayIn(tx: Queries, user: UserId): Promise<boolean> {
  const [row] = await tx.execute<{ yes: boolean }>(sql`
    select exists (select from passwords p where p.user_id = ${user})
      or exists (select from passkeys k where k.user_id = ${user} and k.first_step)
      or exists (
        select from federated_identities f join providers p on p.id = f.provider_id
        where f.user_id = ${user} and p.state = 'enabled') as yes`)
  return row?.yes === true
}
