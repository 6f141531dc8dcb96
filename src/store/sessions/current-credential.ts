/** Whether what a user proved themselves with still is what it was: judged by the statement that lets them in. */
import { type SQL, sql } from 'drizzle-orm'
import type { Identity } from '../../core/principal.js'
import type { Queries } from '../postgres/database.js'

/** Of the user in a row `u`. A change in between, committed before that statement began, wins. */
export function isCurrent({ credential }: Identity): SQL {
  if (credential.kind === 'password')
    return sql`exists (select from passwords p where p.user_id = u.id and p.version = ${credential.version})`
  if (credential.kind === 'passkey')
    return sql`exists (select from passkeys k where k.id = ${credential.id} and k.user_id = u.id)`
  if (credential.kind === 'factor') return sql`true`
  const { identity, issuer, subject, proof } = credential
  return sql`exists (
      select from federated_identities f join providers p on p.id = f.provider_id
      where f.id = ${identity} and f.user_id = u.id and p.state = 'enabled')
    and not exists (
      select from provider_logouts l
      where l.issuer = ${issuer} and l.provider_session = ${proof.sid ?? null})
    and not exists (
      select from provider_logouts l
      where l.issuer = ${issuer} and l.subject = ${subject} and l.provider_session is null
        and l.issued_at >= to_timestamp(${proof.issuedAt}::float8))`
}

/** The column `auth_time`, which is never null: of this statement, or earlier. `never` is 1970, and read as that. */
export const provedAt = ({ authTime }: Identity): SQL => {
  const at = authTime === 'never' ? 0 : (authTime ?? null)
  return sql`least(now(), coalesce(to_timestamp(${at}::float8), now()))`
}

/**
 * Taken first, by a statement of its own: unlinking, turning a provider off and its logout wait for it, and find the
 * session that is opened here, or are seen by it.
 */
export async function lockCredential(tx: Queries, { credential }: Identity): Promise<void> {
  if (credential.kind !== 'federated') return
  await tx.execute(sql`select from federated_identities f join providers p on p.id = f.provider_id
    where f.id = ${credential.identity} for share`)
}
