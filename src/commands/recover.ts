/** `mintmark recover`: trust the server that DATABASE_URL names now, and nothing that was accepted before. */
import type { Command } from 'commander'
import type { Config } from '../config.js'
import { generateSealedKey } from '../keyring/signing-key.js'
import { keepLineage, recover } from '../store/postgres/recovery.js'
import { configuration, presentKeys, tell, withDatabase } from './context.js'
import { print } from './output.js'

export function recoverCommand(program: Command): void {
  program
    .command('recover')
    .description(
      'after a fail-over or a restored backup: trust this database from now on, end every session, drop unfinished flows, and sign with new keys',
    )
    .option(
      '--nothing-lost',
      'only trust this database: for a switch-over in which no acknowledged commit was lost; sessions go on',
    )
    .action(async ({ nothingLost = false }: { nothingLost?: boolean }) => {
      const config = configuration()
      await withDatabase(
        config,
        async database => {
          if (nothingLost) {
            await keepLineage(database)
            return print('This database is trusted from now on. Sessions go on.')
          }
          const { ended, links } = await recover(database, await keyMaker(config))
          print('This database is trusted from now on.')
          const which = config.sessionStore === 'redis' ? 'every session' : `${ended} session(s)`
          print(`  ${which} ended: everybody signs in again`)
          print(`  ${links} unfinished sign-up(s) and password reset(s) dropped`)
          print('  tokens are signed with a new key; verifiers meet its kid as soon as they refetch')
        },
        { anyLineage: true },
      )
      if (!nothingLost) await tell(config, 'keys')
    })
}

async function keyMaker(config: Config) {
  const keys = await presentKeys(config)
  return () => generateSealedKey(config.issuer, keys)
}
