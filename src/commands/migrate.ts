/** `mintmark migrate`: the tables brought up to this release, and the service's role and login. */
import type { Command } from 'commander'
import { MigrationRefused } from '../core/errors.js'
import { migrate } from '../store/postgres/migration/migrate.js'
import { quoted, type ServiceRole } from '../store/postgres/service-role.js'
import { addressOf, CommandFailed, configuration } from './context.js'
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
      const serviceUrl = config.ownerUrl !== undefined && 'url' in address ? address.url : undefined
      const owner = config.ownerUrl === undefined ? address : { url: config.ownerUrl }
      const { role, login } = await migrate(owner, { serviceUrl }).catch(error => {
        throw error instanceof MigrationRefused ? new CommandFailed(error.message) : error
      })
      print('The database is up to date.')
      if (role.open)
        print(`Every login of this server may still connect to it: let its owner run \`${shutting(role)}\`.`)
      if (login !== undefined)
        print(`${login} is the login of the service: it can add to the audit log and not change it.`)
    })
}

function shutting({ database, name, owner }: ServiceRole): string {
  const on = `connect on database ${quoted(database)}`
  return `grant ${on} to ${quoted(name)}, ${quoted(owner)}; revoke ${on} from public`
}
