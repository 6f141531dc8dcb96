/** The store that has the sessions, as the commands reach it. */
import type { Config } from '../boot/config.js'
import { openRows } from '../boot/session-stores.js'
import { type KeyEncryptionKeys, loadKeyEncryptionKeys } from '../sealing/key-encryption-keys.js'
import type { Revocations } from '../sessions/revocations.js'
import type { Database } from '../store/postgres/database.js'
import { redisRevocations } from '../store/sessions/redis/revocations.js'
import type { SessionRows } from '../store/sessions/redis/session-rows.js'
import { postgresRevocations } from '../store/sessions/table/revocation-store.js'
import { configuration, presentKeys, withDatabase } from './context.js'

/** Ending sessions needs no key: without one no row is known to be ours, and its id is listed nevertheless. */
export function withRevocations(
  work: (revocations: Revocations, database: Database) => Promise<void>,
  needs: 'reads rows' | 'ends' = 'ends',
): Promise<void> {
  const config = configuration()
  return withDatabase(config, async database => {
    if (config.sessionStore === 'postgres') return work(postgresRevocations(database), database)
    const ends = needs === 'ends'
    const keys = ends ? (await loadKeyEncryptionKeys(config.keysFolder)).keys : await presentKeys(config)
    await withRows(config, keys, rows => work(redisRevocations(database, rows), database))
  })
}

export async function withRows(
  config: Config,
  keys: KeyEncryptionKeys,
  work: (rows: SessionRows) => Promise<void>,
): Promise<void> {
  const opened = await openRows(config, keys, { forCommand: true })
  try {
    await work(opened.rows)
  } finally {
    opened.close()
  }
}
