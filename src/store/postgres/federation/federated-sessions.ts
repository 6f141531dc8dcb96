/** Which sessions rest on a provider's word: recorded as it is given, asked for when it is taken back. */
import { and, asc, gt, type SQL, sql } from 'drizzle-orm'
import type { Identity, SessionId } from '../../../core/principal.js'
import type { Queries } from '../database.js'
import { federatedSessions } from '../schema/federation.js'
import { textArray } from '../values.js'

/** Beside the session that it was said for, one row for each identity that proved it. Nothing where no provider did. */
export async function recordFederated(
  tx: Queries,
  session: SessionId,
  { credential }: Identity,
  endsAt: number,
): Promise<void> {
  if (credential.kind !== 'federated') return
  const { identity, provider, issuer, subject, proof } = credential
  await tx.execute(sql`
    insert into federated_sessions
      (session_id, identity_id, provider_id, issuer, subject, provider_session, acr, amr, auth_time, ends_at)
    values (${session}, ${identity}, ${provider}, ${issuer}, ${subject}, ${proof.sid ?? null}, ${proof.acr ?? null},
      ${textArray(proof.amr)}, to_timestamp(${proof.authTime ?? null}::float8), to_timestamp(${endsAt}::float8))
    on conflict (session_id, identity_id) do update set provider_session = excluded.provider_session,
      acr = excluded.acr, amr = excluded.amr, auth_time = excluded.auth_time`)
}

/** Those that may still live, in the order in which sessions are locked. */
export async function sessionsOf(tx: Queries, which: SQL | undefined, most?: number): Promise<SessionId[]> {
  const query = tx
    .select({ id: sql<SessionId>`${federatedSessions.sessionId}` })
    .from(federatedSessions)
    .where(and(which, gt(federatedSessions.endsAt, sql`now()`)))
    .groupBy(federatedSessions.sessionId)
    .orderBy(asc(federatedSessions.sessionId))
  const rows = await (most === undefined ? query : query.limit(most))
  return rows.map(({ id }) => id)
}

/** A session goes on under its next id. */
export async function renameFederated(tx: Queries, id: SessionId, next: SessionId): Promise<void> {
  await tx.execute(sql`update federated_sessions set session_id = ${next} where session_id = ${id}`)
}
