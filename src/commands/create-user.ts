/** Creating a person, with a mailed link or a password from standard input, and mailing the link again. Loaded for that. */

import { createPasswordHasher } from '../accounts/password-hash.js'
import { createPasswordPolicy } from '../accounts/password-policy.js'
import { sendWelcome } from '../accounts/welcome.js'
import type { Config } from '../boot/config.js'
import { type EmailAddress, parseEmailAddress } from '../core/email-address.js'
import type { Post } from '../core/mail.js'
import { describeUser } from '../http/admin/describe.js'
import { type OpenPost, openPost } from '../mail/post.js'
import { postgresAccountStore } from '../store/postgres/accounts/account-store.js'
import { postgresUserStore } from '../store/postgres/accounts/user-store.js'
import type { Database } from '../store/postgres/database.js'
import { sessionsInTable } from '../store/sessions/table/sessions-within.js'
import { printable } from './arguments.js'
import { CommandFailed, known, operator, personOf } from './context.js'
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
    throw new CommandFailed(
      `${email} is not an e-mail address that can be used here (${parsed.reason}): write it like ada@example.com`,
    )
  const name = wanted.name === undefined ? undefined : printable(wanted.name)
  const phc = wanted.passwordStdin ? await hashedPassword(config, email, name) : undefined
  const create = async () => {
    const created = await postgresUserStore(database).create({ email: parsed.address, name, phc }, operator)
    if (created === 'address-taken')
      throw new CommandFailed(
        `there is an account with the address ${email} already: \`mintmark users send-link ${email}\` mails its link again`,
      )
    if (typeof created === 'string') throw new Error(created)
    say(wanted, describeUser(created), `Created ${created.id} (${email}).`)
  }
  if (wanted.passwordStdin) return create()
  await withPost(config, wanted, async post => {
    await create()
    await mailLink(config, database, post, parsed.address)
  })
}

/** To somebody who has not chosen a password yet. */
export async function sendLink(config: Config, database: Database, who: string, form: Form): Promise<void> {
  const id = await personOf(database, who)
  const account = known(who, await postgresAccountStore(database, sessionsInTable).findById(id))
  if (account.password !== undefined)
    throw new CommandFailed(
      `${who} has a password: send them to ${config.issuer}/password/forgot where they have forgotten it`,
    )
  const parsed = parseEmailAddress(account.email)
  if (!parsed.ok) throw new Error(parsed.reason)
  await withPost(config, form, async post => {
    await mailLink(config, database, post, parsed.address)
    say(form, { id, sent: true }, `Mailed a link to ${account.email}.`)
  })
}

/** It is tried before anything is changed: what cannot be mailed is not begun. */
async function withPost(config: Config, form: Form, work: (post: OpenPost) => Promise<void>): Promise<void> {
  const post = await openPost(config, (_message, file) => note(form, `Mail: ${file}`), { once: true })
  try {
    await post.check().catch(error => {
      throw new CommandFailed(
        `mail cannot be sent now (${(error as Error).message}), so nothing was done: check SMTP_URL, and that the server runs and lets this user in; or give --password-stdin`,
      )
    })
    await work(post)
  } finally {
    post.close()
  }
}

async function mailLink(config: Config, database: Database, post: Post, address: EmailAddress) {
  await sendWelcome(postgresAccountStore(database, sessionsInTable), post, config.issuer, address).catch(
    error => {
      throw new CommandFailed(
        `the account is there, but its link was not mailed (${(error as Error).message}): run \`mintmark users send-link ${address.asTyped}\` when mail works`,
      )
    },
  )
}

async function hashedPassword(config: Config, email: string, name: string | undefined): Promise<string> {
  const policy = createPasswordPolicy({ minLength: config.passwordMinLength })
  const verdict = await policy.check(await lineOfStdin('give the password as one line of UTF-8'), {
    email,
    ...(name !== undefined && { name }),
  })
  if (!verdict.ok) throw new CommandFailed(`choose another password: ${verdict.detail}`)
  return createPasswordHasher({ concurrency: 1, queueLimit: 1 }).hash(verdict.password)
}
