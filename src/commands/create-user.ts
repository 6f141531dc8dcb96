/** Creating a person: with a mailed link, or with a password from standard input. Loaded only for that. */
import type { Config } from '../config.js'
import { parseEmailAddress } from '../directory/email-address.js'
import { describeUser } from '../http/admin/describe.js'
import { createPasswordHasher } from '../login/password-hash.js'
import { createPasswordPolicy } from '../login/password-policy.js'
import { sendWelcome } from '../login/welcome.js'
import { openPost } from '../mail/post.js'
import { postgresAccountStore } from '../store/postgres/account-store.js'
import type { Database } from '../store/postgres/database.js'
import { postgresUserStore } from '../store/postgres/user-store.js'
import { printable } from './arguments.js'
import { CommandFailed, operator } from './context.js'
import { type Form, note, say } from './output.js'
import { lineOfStdin } from './stdin.js'

export interface WantedUser extends Form {
  readonly name?: string
  readonly passwordStdin?: boolean
}

export async function createUser(
  config: Config,
  database: Database,
  email: string,
  wanted: WantedUser,
): Promise<void> {
  const parsed = parseEmailAddress(email)
  if (!parsed.ok)
    throw new CommandFailed(`${email} is not an e-mail address that can be used here (${parsed.reason})`)
  const name = wanted.name === undefined ? undefined : printable(wanted.name)
  const phc = wanted.passwordStdin ? await hashedPassword(config, email, name) : undefined
  const created = await postgresUserStore(database).create({ email: parsed.address, name, phc }, operator)
  if (created === 'address-taken')
    throw new CommandFailed(`there is an account with the address ${email} already`)
  if (typeof created === 'string') throw new Error(created)
  say(wanted, describeUser(created), `Created ${created.id} (${email}).`)
  if (wanted.passwordStdin) return

  const post = await openPost(config, (_message, file) => note(wanted, `Mail: ${file}`))
  try {
    await sendWelcome(postgresAccountStore(database), post, config.issuer, parsed.address)
  } finally {
    post.close()
  }
}

async function hashedPassword(config: Config, email: string, name: string | undefined): Promise<string> {
  const policy = createPasswordPolicy({ minLength: config.passwordMinLength })
  const verdict = await policy.check(await lineOfStdin('give the password as one line of UTF-8'), {
    email,
    ...(name !== undefined && { name }),
  })
  if (!verdict.ok) throw new CommandFailed(verdict.detail)
  return createPasswordHasher({ concurrency: 1, queueLimit: 1 }).hash(verdict.password)
}
