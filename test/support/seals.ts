/** Which keys the service on a test's database seals with: for what is put there already sealed. */
import type postgres from 'postgres'

export interface Keys {
  /** Where the key-encryption keys are, in `keys`. */
  readonly folder: string
  readonly issuer: string
}

const known = new WeakMap<postgres.Sql, Keys>()

export function sealsWith(sql: postgres.Sql, keys: Keys): void {
  known.set(sql, keys)
}

export function keysOf(sql: postgres.Sql): Keys {
  const keys = known.get(sql)
  if (!keys) throw new Error('no service was started on this database')
  return keys
}
