/** `mintmark applications …`: registering the applications that may ask for tokens. */
import { type Command, Option } from 'commander'
import type { Config } from '../config.js'
import { faultsOf } from '../directory/applications.js'
import { postgresApplicationStore } from '../store/postgres/application-store.js'
import type { Database } from '../store/postgres/database.js'
import { announce } from '../store/redis/announcements.js'
import { CommandFailed, configuration, print, withDatabase } from './context.js'

interface Wanted {
  readonly audience: string[]
  readonly name?: string
  readonly origin: string[]
  readonly lifetime: number
}

export function applicationCommands(program: Command): void {
  const applications = program.command('applications').description('the applications that may ask for tokens')
  applications
    .command('create')
    .argument('<client-id>')
    .description('register an application')
    .requiredOption('--audience <audience...>', 'audiences its tokens may name; the first is the default')
    .option('--name <name>', 'what people call it (default: the client id)')
    .option('--origin <origin...>', 'exact browser origins, like https://app.example.com', [])
    .addOption(new Option('--lifetime <seconds>', 'of its tokens, 60 to 900').default(300).argParser(Number))
    .action(async (clientId: string, wanted: Wanted) => {
      const config = configuration()
      await withDatabase(config, database => create(config, database, clientId, wanted))
    })
}

async function create(config: Config, database: Database, clientId: string, wanted: Wanted): Promise<void> {
  const { audience, name, origin, lifetime } = wanted
  const application = {
    clientId,
    name: name ?? clientId,
    origins: [...new Set(origin)],
    audiences: [...new Set(audience)],
    tokenLifetimeSeconds: lifetime,
  }
  const faults = faultsOf(application, config.issuer)
  if (faults.length > 0) throw new CommandFailed(faults.join('\n'))
  const answer = await postgresApplicationStore(database).create(application)
  if (answer === 'client-id-taken') throw new CommandFailed(`there is an application ${clientId} already`)
  if (answer !== 'created') throw new CommandFailed(`${answer.originTaken} belongs to another application`)
  print(`Created ${clientId}.`)
  if (config.redisUrl === undefined) return
  await announce(config.redisUrl, 'applications').catch(() =>
    print('Redis is away: instances will see it within seconds.'),
  )
}
