/** The store that has the sessions, as the commands reach it. */
import { revocationsIn, withRows } from '../boot/session-stores.js'
import { loadKeyEncryptionKeys } from '../sealing/key-encryption-keys.js'
import type { Revocations } from '../sessions/revocations.js'
import type { Database } from '../store/postgres/database.js'
import { configuration, presentKeys, withDatabase } from './context.js'

/** Ending sessions needs no key: without one no row is known to be ours, and its id is listed nevertheless. */
export function withRevocations(
  work: (revocations: Revocations, database: Database) => Promise<void>,
  needs: 'reads rows' | 'ends' = 'ends',
): Promise<void> {
  const config = configuration()
  return withDatabase(config, async database => {
    if (config.sessionStore === 'postgres') return work(revocationsIn(database), database)
    const ends = needs === 'ends'
    const keys = ends ? (await loadKeyEncryptionKeys(config.keysFolder)).keys : await presentKeys(config)
    await withRows(config, keys, rows => work(revocationsIn(database, rows), database))
  })
}
