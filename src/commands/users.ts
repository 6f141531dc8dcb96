/** `mintmark users …`: creating people, disabling and enabling them, deleting them. */
import { isUtf8 } from 'node:buffer'
import type { Command } from 'commander'
import { noRequest } from '../audit.js'
import type { Config } from '../config.js'
import { parseEmailAddress } from '../directory/email-address.js'
import { createPasswordHasher } from '../login/password-hash.js'
import { createPasswordPolicy } from '../login/password-policy.js'
import { sendWelcome } from '../login/welcome.js'
import { openPost } from '../mail/post.js'
import type { By } from '../session/revocations.js'
import { postgresAccountStore } from '../store/postgres/account-store.js'
import type { Database } from '../store/postgres/database.js'
import { postgresUserStore } from '../store/postgres/user-store.js'
import { CommandFailed, configuration, personOf, print, withDatabase } from './context.js'

const by: By = { actor: undefined, occasion: noRequest }
const who = 'e-mail address or user id'

export function userCommands(program: Command): void {
  const users = program.command('users').description('people')
  users
    .command('create')
    .argument('<email>')
    .description('create an account; its person gets a link by mail and chooses the password')
    .option('--name <name>', 'what the person is called')
    .option('--password-stdin', 'read the password from standard input instead of mailing a link')
    .action(async (email: string, options: { name?: string; passwordStdin?: boolean }) => {
      const config = configuration()
      await withDatabase(config, database => create(config, database, email, options))
    })

  users
    .command('disable')
    .argument('<user>', who)
    .description('end all sessions of a person, and open no other until they are enabled')
    .action((user: string) => change(user, store => store.disable, 'Disabled'))

  users
    .command('enable')
    .argument('<user>', who)
    .description('let a person sign in again; sessions from before stay ended')
    .action((user: string) => change(user, store => store.enable, 'Enabled'))

  users
    .command('delete')
    .argument('<user>', who)
    .description('delete a person with password, memberships and sessions; the audit log stays')
    .action((user: string) => change(user, store => store.remove, 'Deleted'))
}

type Store = ReturnType<typeof postgresUserStore>

async function change(
  user: string,
  which: (store: Store) => Store['disable'] | Store['enable'] | Store['remove'],
  done: string,
): Promise<void> {
  await withDatabase(configuration(), async database => {
    const id = await personOf(database, user)
    const answer = await which(postgresUserStore(database))(id, by)
    if (answer === 'unknown') throw new CommandFailed(`there is no user ${user}`)
    print(`${done} ${id}.`)
  })
}

async function create(
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

/** Exactly one line: what follows it would be silently left out of the password. */
async function lineOfStdin(): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer)
  const bytes = Buffer.concat(chunks)
  const line = bytes.toString().replace(/\r?\n$/, '')
  if (!isUtf8(bytes) || line.includes('\n')) throw new CommandFailed('give the password as one line of UTF-8')
  return line
}
