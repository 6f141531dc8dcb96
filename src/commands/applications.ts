/** `mintmark applications …`: manage the applications that may request tokens, listed and turned off and on. */
import { CommandFailed } from '../core/errors.js'
import { type Application, describeApplication, hostedPages } from '../tenants/applications.js'
import { applicationWriteCommands, noApplication, sayWritten } from './application-writes.js'
import { limited } from './arguments.js'
import type { OperatorCommand } from './command.js'
import { answered, operator, withOperator } from './context.js'
import { asJson, type Form, type ListForm, type Listing, say, sayList } from './output.js'
import { cell, details, time } from './table.js'

export function applicationCommands(program: OperatorCommand): void {
  const applications = program
    .command('applications')
    .description('manage the applications that may request tokens')
  applications
    .command('list')
    .description('list all applications')
    .option(...limited)
    .acts(({ applications }, form: ListForm) => sayList(form, applications.list, listing))

  applications
    .command('show')
    .argument('<client-id>')
    .description('show one application')
    .acts(async ({ applications }, clientId: string, form: Form) => {
      const application = answered(await applications.read(clientId), noApplication(clientId))
      say(form, describeApplication(application), shown(application))
    })

  applicationWriteCommands(applications)

  applications
    .command('disable')
    .argument('<client-id>')
    .description('stop an application from requesting tokens and reject its origins until it is enabled')
    .acts(async ({ applications }, clientId: string, form: Form) => {
      const answer = await applications.change(clientId, { state: 'disabled' }, operator)
      sayWritten(form, clientId, answer, 'Disabled')
    })

  applications
    .command('enable')
    .argument('<client-id>')
    .description('enable a disabled application')
    .acts(async ({ applications }, clientId: string, form: Form) => {
      const answer = await applications.change(clientId, { state: 'enabled' }, operator)
      sayWritten(form, clientId, answer, 'Enabled')
    })

  applications
    .command('delete')
    .argument('<client-id>')
    .description('delete an application; it gets no more tokens')
    .option(...asJson)
    .action(async (clientId: string, form: Form) => {
      if (clientId === hostedPages)
        throw new CommandFailed(
          `${hostedPages} is the application of the hosted pages and cannot be removed: name another application`,
        )
      await withOperator(form, async ({ applications }) => {
        answered(await applications.remove(clientId, operator), noApplication(clientId))
        say(form, { client_id: clientId, deleted: true }, `Deleted ${clientId}.`)
      })
    })
}

const listing: Listing<Application> = {
  heads: ['CLIENT ID', 'NAME', 'STATE', 'GRANTS', 'AUDIENCES', 'ORIGINS'],
  row: ({ clientId, name, state, grants, audiences, origins }) => [
    clientId,
    name,
    state,
    cell(grants),
    cell(audiences),
    cell(origins),
  ],
  document: describeApplication,
  none: 'No applications.',
}

function shown(application: Application): string[] {
  const { clientId, name, state, origins, returnAddresses, audiences, grants, createdAt } = application
  return details({
    'client id': clientId,
    name,
    state,
    origins: cell(origins),
    'return to': cell(returnAddresses),
    audiences: cell(audiences),
    'token lifetime': `${application.tokenLifetimeSeconds} s`,
    grants: cell(grants),
    created: time(createdAt),
  })
}
