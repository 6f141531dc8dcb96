/** `mintmark applications create` and `change`: what an application is. */
import { Option } from 'commander'
import { CommandFailed } from '../core/errors.js'
import { given } from '../core/given.js'
import {
  type ApplicationChange,
  type Applications,
  describeApplication,
  type Grant,
} from '../tenants/applications.js'
import { replacement } from './arguments.js'
import type { OperatorCommand } from './command.js'
import { answered, operator, withOperator } from './context.js'
import { asJson, type Form, say } from './output.js'

interface Wanted extends Form {
  readonly name?: string
  readonly audience?: string[]
  readonly origin?: string[]
  readonly returnAddress?: string[]
  readonly grant?: Grant[]
  readonly lifetime?: number
  /** `--no-origins`, `--no-return-addresses` and `--no-grants` were left out. */
  readonly origins: boolean
  readonly returnAddresses: boolean
  readonly grants: boolean
}

export function applicationWriteCommands(applications: OperatorCommand): void {
  const grant = () =>
    new Option(
      '--grant <grant...>',
      'account: its origins may sign users in; admin: they may call the admin API',
    ).choices(['account', 'admin'] satisfies Grant[])
  const lifetime = () =>
    new Option('--lifetime <seconds>', 'lifetime of its tokens in seconds, 60 to 900').argParser(Number)

  applications
    .command('create')
    .argument('<client-id>')
    .description('register an application')
    .requiredOption(
      '--audience <audience...>',
      'audiences that its tokens may have; the first is the default',
    )
    .option('--name <name>', 'display name (default: the client id)')
    .option('--origin <origin...>', 'exact browser origins, like https://app.example.com')
    .option(
      '--return-address <address...>',
      'addresses to return to after sign-in, like https://app.example.com/',
    )
    .addOption(grant())
    .addOption(lifetime().default(300))
    .option(...asJson)
    .action((clientId: string, wanted: Wanted) => create(clientId, wanted))

  applications
    .command('change')
    .argument('<client-id>')
    .description('change an application; a list replaces the current one')
    .option('--audience <audience...>', 'all audiences that its tokens may have; the first is the default')
    .option('--name <name>', 'display name')
    .option('--origin <origin...>', 'all browser origins')
    .option('--no-origins', 'remove all browser origins')
    .option('--return-address <address...>', 'all addresses to return to after sign-in')
    .option('--no-return-addresses', 'remove all return addresses')
    .addOption(grant())
    .option('--no-grants', 'remove all grants')
    .addOption(lifetime())
    .option(...asJson)
    .action((clientId: string, wanted: Wanted) => change(clientId, wanted))
}

async function create(clientId: string, wanted: Wanted): Promise<void> {
  const none = { origins: [], returnAddresses: [], audiences: [], grants: [] }
  const defaults = { clientId, name: clientId, ...none, tokenLifetimeSeconds: 300 }
  const kept = { origins: true, returnAddresses: true, grants: true }
  const application = { ...defaults, ...changeOf({ ...wanted, ...kept }) }
  await withOperator(wanted, async ({ applications }) => {
    const answer = await applications.create(application, operator)
    sayWritten(wanted, clientId, answer, 'Created')
  })
}

/** It is judged together with what stays. */
async function change(clientId: string, wanted: Wanted): Promise<void> {
  const to = changeOf(wanted)
  if (Object.keys(to).length === 0)
    throw new CommandFailed(
      'nothing to change: give at least one of --name, --audience, --origin, --no-origins, --return-address, --no-return-addresses, --grant, --no-grants, --lifetime',
    )
  await withOperator(wanted, async ({ applications }) =>
    sayWritten(wanted, clientId, await applications.change(clientId, to, operator), 'Changed'),
  )
}

type Written = Awaited<ReturnType<Applications['create'] | Applications['change']>>

export function sayWritten(form: Form, clientId: string, answer: Written, done: string): void {
  const written = answered(answer, {
    ...noApplication(clientId),
    'client-id-taken': `the application ${clientId} already exists: use \`mintmark applications change\``,
  })
  if ('originTaken' in written)
    throw new CommandFailed(
      `${written.originTaken} belongs to another application: remove it there first (see \`mintmark applications list\`)`,
    )
  say(form, describeApplication(written), `${done} ${clientId}.`)
}

export const noApplication = (clientId: string) => ({
  unknown: `there is no application ${clientId}: run \`mintmark applications list\` to see all`,
})

/** Only what was given. */
function changeOf(wanted: Wanted): ApplicationChange {
  const { name, audience, origin, origins, returnAddress, returnAddresses, grant, grants, lifetime } = wanted
  const addresses = { given: returnAddress, keep: returnAddresses, option: 'return-address', most: 50 }
  return given({
    name,
    tokenLifetimeSeconds: lifetime,
    audiences: replacement({ given: audience, keep: true, option: 'audience', most: 50 }),
    origins: replacement({ given: origin, keep: origins, option: 'origin', most: 50 }),
    returnAddresses: replacement(addresses),
    grants: replacement({ given: grant, keep: grants, option: 'grant', most: 2 }),
  })
}
