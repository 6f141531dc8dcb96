/** All commands together, as `mintmark` has them. */
import { Command } from 'commander'
import { applicationCommands } from './applications.js'
import { auditCommands } from './audit.js'
import { keyCommands } from './keys.js'
import { memberCommands } from './members.js'
import { migrateCommand } from './migrate.js'
import { providerCommands } from './providers.js'
import { recoverCommand } from './recover.js'
import { roleCommands } from './roles.js'
import { serviceKeyCommands } from './service-keys.js'
import { sessionCommands } from './sessions.js'
import { tenantCommands } from './tenants.js'
import { userCommands } from './users.js'

export function createProgram(): Command {
  const program = new Command('mintmark').description('Operate a Mintmark identity service.')
  migrateCommand(program)
  userCommands(program)
  tenantCommands(program)
  roleCommands(program)
  memberCommands(program)
  applicationCommands(program)
  providerCommands(program)
  serviceKeyCommands(program)
  sessionCommands(program)
  keyCommands(program)
  auditCommands(program)
  recoverCommand(program)
  return program
}
