#!/usr/bin/env node
/** The operator's commands. They work on the database directly, beside a service that runs or none. */
import { isUtf8 } from 'node:buffer'
import { existsSync } from 'node:fs'
import { Command, Option } from 'commander'
import { type Config, parseConfig } from './config.js'
import { faultsOf } from './directory/applications.js'
import { parseEmailAddress } from './directory/email-address.js'
import { StartRefused } from './errors.js'
import { createPasswordHasher } from './login/password-hash.js'
import { createPasswordPolicy } from './login/password-policy.js'
import { sendWelcome } from './login/welcome.js'
import { openPost } from './mail/post.js'
import { postgresAccountStore } from './store/postgres/account-store.js'
import { postgresApplicationStore } from './store/postgres/application-store.js'
import type { Address } from './store/postgres/connection.js'
import { Database } from './store/postgres/database.js'
import { findEmbeddedPostgres } from './store/postgres/embedded/launch.js'
import { grantService } from './store/postgres/grant-service.js'
import { migrate } from './store/postgres/migrate.js'
import { postgresUserStore } from './store/postgres/user-store.js'
import { announce } from './store/redis/announcements.js'

/** Said on standard error, with exit code 1. */
class CommandFailed extends Error {}

const print = (line: string) => void process.stdout.write(`${line}\n`)
const program = new Command('mintmark').description('Operate a Mintmark identity service.')

program
  .command('migrate')
  .description(
    'bring the database of DATABASE_URL up to this release; safe beside running instances and other migrations',
  )
  .action(async () => {
    const config = configuration()
    const address = await addressOf(config)
    await migrate(config.ownerUrl === undefined ? address : { url: config.ownerUrl })
    print('The database is up to date.')
    if (config.ownerUrl === undefined || !('url' in address)) return
    const login = await grantService(config.ownerUrl, address.url)
    print(`${login} is the login of the service: it can add to the audit log and not change it.`)
  })

const users = program.command('users').description('people')
users
  .command('create')
  .argument('<email>')
  .description('create an account; its person gets a link by mail and chooses the password')
  .option('--name <name>', 'what the person is called')
  .option('--password-stdin', 'read the password from standard input instead of mailing a link')
  .action(async (email: string, options: { name?: string; passwordStdin?: boolean }) => {
    const config = configuration()
    await withDatabase(config, database => createUser(config, database, email, options))
  })

const applications = program.command('applications').description('the applications that may ask for tokens')
applications
  .command('create')
  .argument('<client-id>')
  .description('register an application')
  .requiredOption('--audience <audience...>', 'audiences its tokens may name; the first is the default')
  .option('--name <name>', 'what people call it (default: the client id)')
  .option('--origin <origin...>', 'exact browser origins, like https://app.example.com', [])
  .addOption(new Option('--lifetime <seconds>', 'of its tokens, 60 to 900').default(300).argParser(Number))
  .action(
    async (
      clientId: string,
      options: { audience: string[]; name?: string; origin: string[]; lifetime: number },
    ) => {
      const config = configuration()
      await withDatabase(config, database => createApplication(config, database, clientId, options))
    },
  )

async function createUser(
  config: Config,
  database: Database,
  email: string,
  { name, passwordStdin }: { name?: string; passwordStdin?: boolean },
): Promise<void> {
  const parsed = parseEmailAddress(email)
  if (!parsed.ok)
    throw new CommandFailed(`${email} is not an e-mail address that can be used here (${parsed.reason})`)
  if (name !== undefined && !/^[^\p{Cc}\p{Cs}]{1,100}$/u.test(name)) {
    throw new CommandFailed('the name takes 1 to 100 printable characters')
  }
  const hasher = createPasswordHasher({ concurrency: 1, queueLimit: 1 })
  const policy = createPasswordPolicy({ minLength: config.passwordMinLength })
  let phc: string | undefined
  if (passwordStdin) {
    const verdict = await policy.check(await lineOfStdin(), {
      email,
      ...(name !== undefined && { name }),
    })
    if (!verdict.ok) throw new CommandFailed(verdict.detail)
    phc = await hasher.hash(verdict.password)
  }
  const created = await postgresUserStore(database).create({ email: parsed.address, name, phc })
  if (created === 'address-taken')
    throw new CommandFailed(`there is an account with the address ${email} already`)
  print(`Created ${created.created} (${email}).`)
  if (passwordStdin) return

  const post = await openPost(config, (_message, file) => print(`Mail: ${file}`))
  try {
    await sendWelcome(postgresAccountStore(database), post, config.issuer, parsed.address)
  } finally {
    post.close()
  }
}

async function createApplication(
  config: Config,
  database: Database,
  clientId: string,
  {
    audience,
    name,
    origin,
    lifetime,
  }: { audience: string[]; name?: string; origin: string[]; lifetime: number },
): Promise<void> {
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

function configuration(): Config {
  if (existsSync('.env')) process.loadEnvFile('.env')
  return parseConfig(process.env)
}

async function addressOf({ database }: Config): Promise<Address> {
  if ('url' in database) return database
  const found = await findEmbeddedPostgres(database.embeddedIn)
  if (!found)
    throw new CommandFailed(
      `no service runs on ${database.embeddedIn}: start it (npm start), or set DATABASE_URL`,
    )
  return found
}

async function withDatabase(config: Config, work: (database: Database) => Promise<void>): Promise<void> {
  const database = new Database(await addressOf(config), 1)
  try {
    await work(database)
  } finally {
    await database.close()
  }
}

/** Exactly one line: what follows it would be silently left out of the password. */
async function lineOfStdin(): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer)
  const bytes = Buffer.concat(chunks)
  const line = bytes.toString().replace(/\r?\n$/, '')
  if (!isUtf8(bytes) || line.includes('\n')) throw new CommandFailed('give the password as one line of UTF-8')
  return line
}

program.parseAsync().catch((error: unknown) => {
  const expected = error instanceof CommandFailed || error instanceof StartRefused
  process.stderr.write(
    `${expected ? error.message : `${(error as Error).name}: ${(error as Error).message}`}\n`,
  )
  process.exitCode = 1
})
