/** What is done to the database as a whole, by commands: migrated, trusted again after a fail-over, its sessions moved. */
import { CommandFailed, MigrationRefused } from '../core/errors.js'
import { generateSealedKey } from '../keys/signing-key.js'
import { migrate } from '../store/postgres/migration/migrate.js'
import { quoted, type ServiceRole } from '../store/postgres/service-role.js'
import { keepClusterIdentity, type Recovered, recover } from '../store/recovery.js'
import { copyToRedis, copyToTable } from '../store/sessions/moving/copy.js'
import { rememberRedis } from '../store/sessions/revoked.js'
import type { Config } from './config.js'
import { addressOf, announceAll, keysOfService, presentKeys, withDatabase } from './operator.js'
import { refuseUnfitRedis, withRows } from './session-stores.js'
import { openTrustedGeneration } from './trusted-generation.js'

export type { Recovered }

type Say = (line: string) => void

/** `stillOpen`: what the database's owner would run, so that no other login of the server may connect to it. */
export async function migrateDatabase(config: Config) {
  const address = await addressOf(config)
  const serviceUrl = config.ownerUrl !== undefined && 'url' in address ? address.url : undefined
  const owner = config.ownerUrl === undefined ? address : { url: config.ownerUrl }
  const { role, login } = await migrate(owner, { serviceUrl }).catch(error => {
    throw error instanceof MigrationRefused ? new CommandFailed(error.message) : error
  })
  return { login, stillOpen: role.open ? shutting(role) : undefined }
}

function shutting({ database, name, owner }: ServiceRole): string {
  const on = `connect on database ${quoted(database)}`
  return `grant ${on} to ${quoted(name)}, ${quoted(owner)}; revoke ${on} from public`
}

/** Trusts the server that is there now. Undefined: nothing was lost, so nothing ends. */
export async function trustDatabase(
  config: Config,
  nothingLost: boolean,
  say: Say,
): Promise<Recovered | undefined> {
  const trusted = await openTrustedGeneration(config.keysFolder)
  const recovered = await withDatabase(
    config,
    async database => {
      const done = nothingLost
        ? { generation: await keepClusterIdentity(database, trusted.kept) }
        : await recover(database, await keyMaker(config), trusted.kept)
      const failed = await trusted.keep(done.generation)
      say(`The service now trusts this database (generation ${done.generation}).`)
      if (failed !== undefined) say(`  ${failed}.`)
      return 'ended' in done ? done : undefined
    },
    { anyCluster: true },
  )
  if (recovered) await announceAll(config, ['keys'], say)
  return recovered
}

async function keyMaker(config: Config) {
  const keys = await presentKeys(config)
  return () => generateSealedKey(config.issuer, keys)
}

/** Copies the live sessions into the other store, and answers how many. */
export async function moveSessions(config: Config, to: 'redis' | 'postgres', warn: Say): Promise<number> {
  if (config.redisUrl === undefined)
    throw new CommandFailed('REDIS_URL is missing: set it to the Redis server that stores the sessions')
  for (const warning of await refuseUnfitRedis({ ...config, sessionStore: 'redis' })) warn(warning)
  return withDatabase(config, async database => {
    const keys = await keysOfService(config, database)
    return withRows(config, keys, async rows => {
      if (to === 'redis') await rememberRedis(database)
      return (to === 'redis' ? copyToRedis : copyToTable)(database, rows)
    })
  })
}
