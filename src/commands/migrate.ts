/** `mintmark migrate`: the tables brought up to this release, and the service's own login. */
import type { Command } from 'commander'
import { grantService } from '../store/postgres/grant-service.js'
import { migrate } from '../store/postgres/migrate.js'
import { addressOf, configuration } from './context.js'
import { print } from './output.js'

export function migrateCommand(program: Command): void {
  program
    .command('migrate')
    .description(
      'bring the database of DATABASE_URL up to this release; safe beside running instances and other migrations',
    )
    .action(async () => {
      const config = configuration()
      const address = await addressOf(config)
      await migrate(config.ownerUrl === undefined ? address : { url: config.ownerUrl })
      print('The database is up to date.')
      if (config.ownerUrl === undefined || !('url' in address)) return
      const login = await grantService(config.ownerUrl, address.url)
      print(`${login} is the login of the service: it can add to the audit log and not change it.`)
    })
}
