/** `mintmark applications …`: the applications that may ask for tokens, listed and turned off and on. */
import { CommandFailed } from '../core/errors.js'
import { type Application, describeApplication, hostedPages } from '../tenants/applications.js'
import { applicationWriteCommands, noApplication, sayWritten } from './application-writes.js'
import { limited } from './arguments.js'
import type { OperatorCommand } from './command.js'
import { answered, operator, withOperator } from './context.js'
import { asJson, type Form, type ListForm, type Listing, say, sayList } from './output.js'
import { cell, details, time } from './table.js'

export function applicationCommands(program: OperatorCommand): void {
  const applications = program.command('applications').description('the applications that may ask for tokens')
  applications
    .command('list')
    .description('all applications')
    .option(...limited)
    .acts(({ applications }, form: ListForm) => sayList(form, applications.list, listing))

  applications
    .command('show')
    .argument('<client-id>')
    .description('one application')
    .acts(async ({ applications }, clientId: string, form: Form) => {
      const application = answered(await applications.read(clientId), noApplication(clientId))
      say(form, describeApplication(application), shown(application))
    })

  applicationWriteCommands(applications)

  applications
    .command('disable')
    .argument('<client-id>')
    .description('mint no token for an application, and refuse its origins, until it is enabled')
    .acts(async ({ applications }, clientId: string, form: Form) => {
      const answer = await applications.change(clientId, { state: 'disabled' }, operator)
      sayWritten(form, clientId, answer, 'Disabled')
    })

  applications
    .command('enable')
    .argument('<client-id>')
    .description('let a disabled application ask for tokens again')
    .acts(async ({ applications }, clientId: string, form: Form) => {
      const answer = await applications.change(clientId, { state: 'enabled' }, operator)
      sayWritten(form, clientId, answer, 'Enabled')
    })

  applications
    .command('delete')
    .argument('<client-id>')
    .description('remove an application: no token is minted for it from then on')
    .option(...asJson)
    .action(async (clientId: string, form: Form) => {
      if (clientId === hostedPages)
        throw new CommandFailed(
          `${hostedPages} is the service’s own pages, which stay: name another application`,
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
  none: 'No application.',
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
