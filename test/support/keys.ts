/** What tests do to signing keys behind the guards: time passes, and rows are altered as no statement may. */
import type postgres from 'postgres'

/** So much time passes for every key at once. */
export function ageKeys(sql: postgres.Sql, seconds: number): Promise<unknown> {
  const passed = sql`interval '1 second' * ${seconds}`
  return unguarded(
    sql,
    tx => tx`update signing_keys set published_at = published_at - ${passed}, signs_from = signs_from - ${passed},
      signs_until = signs_until - ${passed}, unpublished_at = unpublished_at - ${passed},
      compromised_at = compromised_at - ${passed}, compromised_since = compromised_since - ${passed}`,
  )
}

/** The trigger is off; the checks are not. */
export function unguarded(
  sql: postgres.Sql,
  work: (tx: postgres.TransactionSql) => Promise<unknown>,
): Promise<unknown> {
  return sql.begin(async tx => {
    await tx`set local session_replication_role = replica`
    await work(tx)
  })
}
