/** Creating a user, with a mailed link or a password from standard input, and mailing the link again. Loaded for that. */
import { createPasswordHasher } from '../accounts/password-hash.js'
import { createPasswordPolicy } from '../accounts/password-policy.js'
import { describeUser } from '../accounts/users.js'
import type { Config } from '../boot/config.js'
import type { Operator } from '../boot/operator.js'
import { CommandFailed } from '../core/errors.js'
import { mailable, printable } from './arguments.js'
import { answered, configuration, mailWorks, noUser, operator, personOf, withOperator } from './context.js'
import { type Form, say } from './output.js'
import { lineOfStdin } from './stdin.js'

export interface WantedUser extends Form {
  readonly name?: string
  readonly passwordStdin?: boolean
}

export async function createUser(email: string, wanted: WantedUser): Promise<void> {
  const address = mailable(email)
  const name = wanted.name === undefined ? undefined : printable(wanted.name)
  const phc = wanted.passwordStdin ? await hashedPassword(configuration(), email, name) : undefined
  await withOperator(wanted, async domain => {
    if (phc === undefined) await mailWorks(domain)
    const answer = await domain.users.create({ email: address, name, phc }, operator)
    const created = answered(answer, {
      'address-taken': `an account with the address ${email} already exists: run \`mintmark users send-link ${email}\` to send its link again`,
    })
    say(wanted, describeUser(created), `Created ${created.id} (${email}).`)
    await mailed(domain, email)
  })
}

/** To somebody who has not chosen a password yet. */
export async function sendLink(domain: Operator, who: string, form: Form): Promise<void> {
  const id = await personOf(domain, who)
  const answer = await domain.users.sendLink(id, operator, () => mailWorks(domain))
  const account = answered(answer, {
    ...noUser(who),
    'has-password': `${who} already has a password: send them to ${domain.config.issuer}/password/forgot to reset it`,
  })
  await mailed(domain, account.email)
  say(form, { id, sent: true }, `Sent a link to ${account.email}.`)
}

async function mailed(domain: Operator, email: string): Promise<void> {
  await domain.mailed().catch(error => {
    throw new CommandFailed(
      `the account was created, but its link was not sent (${(error as Error).message}): run \`mintmark users send-link ${email}\` when mail works`,
    )
  })
}

async function hashedPassword(config: Config, email: string, name: string | undefined): Promise<string> {
  const policy = createPasswordPolicy({ minLength: config.passwordMinLength, product: config.product })
  const password = await lineOfStdin('give the password as one line of UTF-8')
  const verdict = await policy.check(password, { email, name })
  if (!verdict.ok) throw new CommandFailed(`choose another password: ${verdict.detail}`)
  return createPasswordHasher({ concurrency: 1, queueLimit: 1 }).hash(verdict.password)
}
