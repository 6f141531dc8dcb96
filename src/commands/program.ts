/** All commands together, as `mintmark` has them, and how one is run: it ends with 0 only when it is done. */

import { applicationCommands } from './applications.js'
import { auditCommands } from './audit.js'
import { OperatorCommand } from './command.js'
import { saying } from './context.js'
import { feedCommands } from './feed.js'
import { invitationCommands } from './invitations.js'
import { keyCommands } from './keys.js'
import { memberCommands } from './members.js'
import { migrateCommand } from './migrate.js'
import { providerCommands } from './providers.js'
import { recoverCommand } from './recover.js'
import { relayCommand } from './relay.js'
import { roleCommands } from './roles.js'
import { serviceKeyCommands } from './service-keys.js'
import { sessionCommands } from './sessions.js'
import { tenantCommands } from './tenants.js'
import { userCommands } from './users.js'

export function createProgram(): OperatorCommand {
  const program = new OperatorCommand('mintmark')
    .description('Operate a Mintmark identity service.')
    // Handed on to each command: what it was given wrongly, it says how to give.
    .showHelpAfterError('See --help.')
  migrateCommand(program)
  userCommands(program)
  tenantCommands(program)
  roleCommands(program)
  memberCommands(program)
  invitationCommands(program)
  applicationCommands(program)
  providerCommands(program)
  serviceKeyCommands(program)
  sessionCommands(program)
  feedCommands(program)
  keyCommands(program)
  auditCommands(program)
  recoverCommand(program)
  relayCommand(program)
  return program
}

/** Sets the exit code of the process, and says on standard error why it is not 0. */
export async function runProgram(program = createProgram()): Promise<void> {
  // What is waited for may never come and keep nothing alive either: then Node would end in silence, with 0.
  const emptied = () => {
    process.stderr.write(
      'mintmark ended before the command was finished: check whether the change was made, and run it again\n',
    )
    process.exitCode = 1
  }
  process.once('beforeExit', emptied)
  try {
    await program.parseAsync()
  } catch (error) {
    process.stderr.write(`${saying(error)}\n`)
    process.exitCode = 1
  } finally {
    process.removeListener('beforeExit', emptied)
  }
}
