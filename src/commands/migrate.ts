/** `mintmark migrate`: the tables brought up to this release, and the service's role and login. */
import { migrateDatabase } from '../boot/maintenance.js'
import type { OperatorCommand } from './command.js'
import { configuration } from './context.js'
import { print } from './output.js'

export function migrateCommand(program: OperatorCommand): void {
  program
    .command('migrate')
    .description(
      'bring the database of DATABASE_URL up to this release; safe beside running instances and other migrations',
    )
    .action(async () => {
      const { login, stillOpen } = await migrateDatabase(configuration())
      print('The database is up to date.')
      if (stillOpen !== undefined)
        print(`Every login of this server may still connect to it: let its owner run \`${stillOpen}\`.`)
      if (login !== undefined)
        print(`${login} is the login of the service: it can add to the audit log and not change it.`)
    })
}
