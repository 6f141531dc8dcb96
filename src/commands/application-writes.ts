/** `mintmark applications create` and `change`: what an application is, judged before it is stored. */
import { type Command, Option } from 'commander'
import { describeApplication } from '../http/admin/describe.js'
import { postgresApplicationStore } from '../store/postgres/tenants/application-store.js'
import {
  type Application,
  type ApplicationChange,
  type ApplicationStore,
  faultsOf,
  type Grant,
  type NewApplication,
} from '../tenants/applications.js'
import { replacement } from './arguments.js'
import { CommandFailed, configuration, operator, tell, withDatabase } from './context.js'
import { asJson, type Form, say } from './output.js'

interface Wanted extends Form {
  readonly name?: string
  readonly audience?: string[]
  readonly origin?: string[]
  readonly returnAddress?: string[]
  readonly grant?: string[]
  readonly lifetime?: number
  /** `--no-origins`, `--no-return-addresses` and `--no-grants` were left out. */
  readonly origins: boolean
  readonly returnAddresses: boolean
  readonly grants: boolean
}

export function applicationWriteCommands(applications: Command): void {
  const grant = () =>
    new Option(
      '--grant <grant...>',
      'account: its origins may sign people in; admin: they may administer',
    ).choices(['account', 'admin'] satisfies Grant[])
  const lifetime = () => new Option('--lifetime <seconds>', 'of its tokens, 60 to 900').argParser(Number)

  applications
    .command('create')
    .argument('<client-id>')
    .description('register an application')
    .requiredOption('--audience <audience...>', 'audiences its tokens may name; the first is the default')
    .option('--name <name>', 'what people call it (default: the client id)')
    .option('--origin <origin...>', 'exact browser origins, like https://app.example.com')
    .option('--return-address <address...>', 'where sign-in may come back to, like https://app.example.com/')
    .addOption(grant())
    .addOption(lifetime().default(300))
    .option(...asJson)
    .action((clientId: string, wanted: Wanted) => create(clientId, wanted))

  applications
    .command('change')
    .argument('<client-id>')
    .description('change an application; a list replaces the one before')
    .option('--audience <audience...>', 'all audiences its tokens may name; the first is the default')
    .option('--name <name>', 'what people call it')
    .option('--origin <origin...>', 'all its browser origins')
    .option('--no-origins', 'it has no browser origin')
    .option('--return-address <address...>', 'all addresses that sign-in may come back to')
    .option('--no-return-addresses', 'sign-in comes back to none')
    .addOption(grant())
    .option('--no-grants', 'it may ask for tokens, and nothing else')
    .addOption(lifetime())
    .option(...asJson)
    .action((clientId: string, wanted: Wanted) =>
      changeApplication(clientId, changeOf(wanted), wanted, 'Changed'),
    )
}

async function create(clientId: string, wanted: Wanted): Promise<void> {
  const none = { origins: [], returnAddresses: [], audiences: [] }
  const defaults = { clientId, name: clientId, ...none, tokenLifetimeSeconds: 300 }
  const kept = { origins: true, returnAddresses: true, grants: true }
  const application = { ...defaults, ...changeOf({ ...wanted, ...kept }) }
  await write(wanted, `Created ${clientId}.`, async (store, issuer) => {
    insistOnSound(application, issuer)
    const answer = await store.create(application, operator)
    if (answer === 'client-id-taken')
      throw new CommandFailed(
        `there is an application ${clientId} already: \`mintmark applications change\` changes it`,
      )
    if (typeof answer === 'string') throw new Error(answer)
    return answer
  })
}

/** It is judged together with what stays. */
export async function changeApplication(
  clientId: string,
  to: ApplicationChange,
  form: Form,
  done: string,
): Promise<void> {
  if (Object.keys(to).length === 0)
    throw new CommandFailed(
      'say what to change: --name, --audience, --origin, --no-origins, --return-address, --no-return-addresses, --grant, --no-grants, --lifetime',
    )
  await write(form, `${done} ${clientId}.`, async (store, issuer) => {
    const before = await store.read(clientId)
    if (before) insistOnSound({ ...before, ...to }, issuer)
    const answer = before ? await store.change(clientId, to, operator) : 'unknown'
    if (answer === 'unknown')
      throw new CommandFailed(`there is no application ${clientId}: \`mintmark applications list\` has them`)
    return answer
  })
}

async function write(
  form: Form,
  done: string,
  work: (store: ApplicationStore, issuer: string) => Promise<Application | { originTaken: string }>,
): Promise<void> {
  const config = configuration()
  await withDatabase(config, async database => {
    const answer = await work(postgresApplicationStore(database), config.issuer)
    if ('originTaken' in answer)
      throw new CommandFailed(
        `${answer.originTaken} belongs to another application: take it from that one first (\`mintmark applications list\`)`,
      )
    say(form, describeApplication(answer), done)
  })
  await tell(config, 'applications', form)
}

function insistOnSound(application: NewApplication, issuer: string): void {
  const faults = faultsOf(application, issuer)
  if (faults.length > 0) throw new CommandFailed(faults.join('\n'))
}

/** Only what was given. */
function changeOf(wanted: Wanted): ApplicationChange {
  const { name, audience, origin, origins, returnAddress, returnAddresses, grant, grants, lifetime } = wanted
  const audiencesTo = replacement({ given: audience, keep: true, option: 'audience', most: 50 })
  const originsTo = replacement({ given: origin, keep: origins, option: 'origin', most: 50 })
  const addressesTo = replacement({
    given: returnAddress,
    keep: returnAddresses,
    option: 'return-address',
    most: 50,
  })
  const grantsTo = replacement({ given: grant, keep: grants, option: 'grant', most: 2 })
  return {
    ...(name !== undefined && { name }),
    ...(lifetime !== undefined && { tokenLifetimeSeconds: lifetime }),
    ...(audiencesTo && { audiences: audiencesTo }),
    ...(originsTo && { origins: originsTo }),
    ...(addressesTo && { returnAddresses: addressesTo }),
    ...(grantsTo && { grants: grantsTo as Grant[] }),
  }
}
