/** `mintmark migrate`: the tables brought up to this release, and the service's role and login. */
import { migrateDatabase } from '../boot/maintenance.js'
import type { OperatorCommand } from './command.js'
import { configuration } from './context.js'
import { print } from './output.js'

export function migrateCommand(program: OperatorCommand): void {
  program
    .command('migrate')
    .description('migrate the database to this release; safe while instances are running, and in parallel')
    .action(async () => {
      const { login, stillOpen } = await migrateDatabase(configuration())
      print('The database is up to date.')
      if (stillOpen !== undefined)
        print(
          `Every login of this server may still connect to this database. Its owner can change that with \`${stillOpen}\`.`,
        )
      if (login !== undefined)
        print(`${login} is the login of the service. It can add to the audit log, but not change it.`)
    })
}
