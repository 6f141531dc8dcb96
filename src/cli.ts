#!/usr/bin/env node
/** The operator's commands. They work on the database directly, beside a service that runs or none. */
import { Command } from 'commander'
import { applicationCommands } from './commands/applications.js'
import { saying } from './commands/context.js'
import { migrateCommand } from './commands/migrate.js'
import { recoverCommand } from './commands/recover.js'
import { sessionCommands } from './commands/sessions.js'
import { userCommands } from './commands/users.js'

const program = new Command('mintmark').description('Operate a Mintmark identity service.')
migrateCommand(program)
userCommands(program)
sessionCommands(program)
applicationCommands(program)
recoverCommand(program)

program.parseAsync().catch((error: unknown) => {
  process.stderr.write(`${saying(error)}\n`)
  process.exitCode = 1
})
