/** The store that has the sessions, as the commands reach it. */
import type { Config } from '../config.js'
import { type KeyEncryptionKeys, loadKeyEncryptionKeys } from '../keyring/key-encryption-keys.js'
import type { Revocations } from '../session/revocations.js'
import { openRows } from '../session-stores.js'
import type { Database } from '../store/postgres/database.js'
import { postgresRevocations } from '../store/postgres/revocation-store.js'
import { redisRevocations } from '../store/postgres/sessions-in-redis/revocations.js'
import type { SessionRows } from '../store/redis/session-rows.js'
import { CommandFailed, configuration, keyEncryptionKeys, withDatabase } from './context.js'

/** Ending sessions needs no key: without one no row is known to be ours, and its id is listed nevertheless. */
export function withRevocations(
  work: (revocations: Revocations, database: Database) => Promise<void>,
  needs: 'reads rows' | 'ends' = 'ends',
): Promise<void> {
  const config = configuration()
  return withDatabase(config, async database => {
    if (config.sessionStore === 'postgres') return work(postgresRevocations(database), database)
    await withRows(config, rows => work(redisRevocations(database, rows), database), needs)
  })
}

export async function withRows(
  config: Config,
  work: (rows: SessionRows) => Promise<void>,
  needs: 'reads rows' | 'ends' = 'reads rows',
): Promise<void> {
  const opened = await openRows(config, await keysOf(config, needs), { forCommand: true })
  try {
    await work(opened.rows)
  } finally {
    opened.close()
  }
}

async function keysOf(config: Config, needs: 'reads rows' | 'ends'): Promise<KeyEncryptionKeys> {
  if (needs === 'ends') return (await loadKeyEncryptionKeys(config.keysFolder)).keys
  const keys = await keyEncryptionKeys(config)
  if (keys.size === 0)
    throw new CommandFailed(
      `there is no key-encryption key in ${config.keysFolder}: run it where the service runs`,
    )
  return keys
}
