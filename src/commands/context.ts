/** What every command needs: the configuration, the domain, who is meant, and how a failure is said. */
import { existsSync } from 'node:fs'
import { type Actor, noRequest } from '../audit/events.js'
import { type Config, parseConfig } from '../boot/config.js'
import { isEmbeddedRefusal } from '../boot/embedded.js'
import { type Operator, operate } from '../boot/operator.js'
import { parseEmailAddress } from '../core/email-address.js'
import { CommandFailed, Outage, StartRefused } from '../core/errors.js'
import type { UserId } from '../core/principal.js'
import { type Form, note } from './output.js'

/** Anybody who runs a command: the audit log has no user and no request for it. */
export const operator: Actor = { user: undefined, context: noRequest }

export function configuration(): Config {
  if (existsSync('.env')) process.loadEnvFile('.env')
  return parseConfig(process.env)
}

export function withOperator(form: Form, work: (operator: Operator) => Promise<void>): Promise<void> {
  return operate(configuration(), work, line => note(form, line))
}

export const isUuid = (text: string) => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text)

/** A user by id or by email address. */
export async function personOf({ users }: Operator, who: string): Promise<UserId> {
  const parsed = isUuid(who) ? undefined : parseEmailAddress(who)
  if (parsed && !parsed.ok)
    throw new CommandFailed(
      `${who} is neither a user id nor an email address: run \`mintmark users list\` to see both`,
    )
  const user = await users.find(parsed ? { email: parsed.address.canonical } : (who as UserId))
  if (user === undefined) throw new CommandFailed(noUser(who).unknown)
  return user
}

/** It is tried before anything is changed: what cannot be mailed is not begun. */
export async function mailWorks(domain: Operator): Promise<void> {
  await domain.mailWorks().catch(error => {
    throw new CommandFailed(
      `mail cannot be sent at the moment (${(error as Error).message}), so nothing was changed: check SMTP_URL, and that the mail server is running and accepts this user; or use --password-stdin`,
    )
  })
}

export const noUser = (who: string) => ({
  unknown: `there is no user ${who}: run \`mintmark users list\` to see all`,
})

/** What an operation answers where it has done something and has nothing to show. */
const done = ['removed', 'revoked', 'withdrawn', 'ended', 'disabled', 'enabled', 'lifted'] as const
type Done = (typeof done)[number]
type Faulty = { readonly faults: readonly string[] }

/**
 * The answer of an operation, or the failure that its word stands for. Nothing is forbidden to an operator, and a word
 * that is not explained is a mistake of ours.
 */
export function answered<T>(
  answer: T,
  says: Readonly<Record<string, string>>,
): Exclude<T, Exclude<T & string, Done> | Faulty | undefined> {
  type Answer = Exclude<T, Exclude<T & string, Done> | Faulty | undefined>
  const word = answer === undefined ? 'unknown' : answer
  if (typeof word === 'string' && !(done as readonly string[]).includes(word))
    throw says[word] === undefined ? new Error(word) : new CommandFailed(says[word])
  if (typeof answer === 'object' && answer && 'faults' in answer)
    throw new CommandFailed((answer as Faulty).faults.join('\n'))
  return answer as Answer
}

/** What a command that failed says. An unknown outcome says that it is safe to repeat. */
export function saying(error: unknown): string {
  if (error instanceof CommandFailed || error instanceof StartRefused || isEmbeddedRefusal(error))
    return error.message
  if (error instanceof Outage) {
    return error.outcome === 'unknown'
      ? `Not confirmed (${error.message}): the change may or may not have been made. Run the command again.`
      : `Nothing was changed: ${error.message}. Check DATABASE_URL and REDIS_URL, and that the servers are running and accept this user. Then run the command again.`
  }
  return `${(error as Error).name}: ${(error as Error).message}`
}
