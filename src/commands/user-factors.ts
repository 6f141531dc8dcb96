/** `mintmark users factors`, `reset-factors` and `unlock-factors`: second factors of users who need help. */
import { describeFactors, type Factors } from '../accounts/factors.js'
import type { Operator } from '../boot/operator.js'
import { CommandFailed } from '../core/errors.js'
import type { UserId } from '../core/principal.js'
import { who } from './arguments.js'
import type { OperatorCommand } from './command.js'
import { answered, noUser, operator, personOf } from './context.js'
import { type Form, say } from './output.js'
import { sayEnded, waits } from './receipt.js'
import { details, table, time } from './table.js'

interface Reset extends Form {
  readonly now?: boolean
  readonly wait?: number
}

export function userFactorCommands(users: OperatorCommand): void {
  users
    .command('factors')
    .argument('<user>', who)
    .description('show the second factors of a user, and whether wrong codes have locked them')
    .acts(async (domain, user: string, form: Form) => {
      const factors = answered(await domain.factors.of(await personOf(domain, user)), noUser(user))
      say(form, describeFactors(factors), inWords(factors))
    })

  users
    .command('reset-factors')
    .argument('<user>', who)
    .option('--now', 'at once, without the delay in which the user can stop it')
    .option(...waits)
    .description(
      'remove all second factors and recovery codes of a user after MINTMARK_FACTOR_RESET_HOURS, and end their sessions; the user is told by email',
    )
    .acts(reset)

  users
    .command('unlock-factors')
    .argument('<user>', who)
    .description('accept codes of a user again after too many wrong ones')
    .acts(async (domain, user: string, form: Form) => {
      const id = await personOf(domain, user)
      answered(await domain.factors.lift(id, operator), noUser(user))
      say(form, { id, unlocked: true }, `Unlocked the second factors of ${id}.`)
    })
}

async function reset(domain: Operator, user: string, { now = false, wait, ...form }: Reset): Promise<void> {
  const id = await personOf(domain, user)
  // Their mail is how users hear of it in time.
  await domain.mailWorks().catch(error => {
    throw new CommandFailed(
      `mail cannot be sent at the moment (${(error as Error).message}), so nothing was reset: check SMTP_URL, and that the mail server is running and accepts this user`,
    )
  })
  const answer = await domain.factors.reset(id, operator, { now })
  const { dueAt } = answered(answer, {
    ...noUser(user),
    'no-factor': `${user} has no second factor: see \`mintmark users factors ${user}\``,
  })
  const document = { id, due_at: dueAt }
  if (dueAt === null)
    await sayEnded(
      domain,
      form,
      wait,
      document,
      `Removed the second factors of ${id}, and ended all sessions of the user.`,
    )
  else
    say(
      form,
      document,
      `The second factors of ${id} will be removed by the first sign-in after ${time(dueAt)}, unless the user stops it.`,
    )
  await mailed(domain, id)
}

async function mailed(domain: Operator, id: UserId): Promise<void> {
  await domain.mailed().catch(error => {
    throw new CommandFailed(
      `the email about the reset of ${id} was not sent (${(error as Error).message}): let them know yourself`,
    )
  })
}

function inWords({ factors, recoveryCodes, codesLocked, resetDueAt }: Factors): string[] {
  const facts = {
    'recovery codes': String(recoveryCodes),
    locked: codesLocked ? 'codes of the app' : '-',
    'reset due': resetDueAt === null ? '-' : time(resetDueAt),
  }
  if (factors.length === 0) return ['No second factors.', ...(resetDueAt === null ? [] : details(facts))]
  const rows = factors.map(({ id, kind, name, createdAt, lastUsedAt, lastUsedAddress }) => [
    id,
    kind,
    name,
    time(createdAt),
    lastUsedAt === null ? '-' : time(lastUsedAt),
    lastUsedAddress ?? '-',
  ])
  return [...table(['FACTOR', 'KIND', 'NAME', 'SINCE', 'LAST USED', 'ADDRESS'])(rows), '', ...details(facts)]
}
