/** Signing keys in tests: made as values, and behind the guards time passes and rows are altered as no statement may. */
import type postgres from 'postgres'
import type { Kid } from '../../src/core/principal.js'
import type { Key, Policy } from '../../src/keys/store.js'

/** As the first migration leaves it, in seconds. */
export const defaultPolicy: Policy = {
  tokenLifetime: 900,
  skew: 60,
  listAge: 3600,
  verifierAge: 3900,
  lead: 86_400,
  tail: 7200,
  rotateEvery: 2_592_000,
  jitterPercent: 10,
}

/** A standby of that age, unless its times say something else. */
export function keyAt(kid: string, publishedAt: number, times: Partial<Key> = {}): Key {
  return {
    kid: kid as Kid,
    publicJwk: { kty: 'EC', crv: 'P-256', x: 'x', y: 'y', kid, alg: 'ES256', use: 'sig' },
    sealed: Buffer.alloc(1),
    kekId: 'first',
    kekIds: ['first'],
    publishedAt,
    signsFrom: null,
    signsUntil: null,
    unpublishedAt: null,
    compromised: null,
    exempt: null,
    leastLead: 7560,
    ...times,
  }
}

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
