/** `mintmark sessions …`: whose session is where, and ending one, all of a user, all there are. */
import { InvalidArgumentError } from 'commander'
import { moveSessions } from '../boot/maintenance.js'
import { CommandFailed } from '../core/errors.js'
import type { SessionId } from '../core/principal.js'
import { describeSession, type ListedSession } from '../sessions/revocations.js'
import { who } from './arguments.js'
import type { OperatorCommand } from './command.js'
import { answered, configuration, noUser, operator, personOf, withOperator } from './context.js'
import { asJson, type Form, type Listing, note, say, sayList } from './output.js'
import { sayEnded, waits } from './receipt.js'
import { cell, time } from './table.js'

interface Waits {
  readonly wait?: number
}

export function sessionCommands(program: OperatorCommand): void {
  const sessions = program.command('sessions').description('list and end sessions')

  sessions
    .command('list')
    .argument('<user>', who)
    .description('list the active sessions of a user, most recently used first')
    .acts(async (domain, user: string, form: Form) => {
      const sessions = await domain.sessions('reads rows')
      const person = await personOf(domain, user)
      await sayList(form, page => sessions.list(person, page), listing)
    })

  sessions
    .command('end')
    .argument('<session>', 'its public id, as in the list and in the sid claim')
    .description('end one session at once')
    // Its id is 22 characters of base64url: it may begin with a dash.
    .allowUnknownOption()
    .option(...waits)
    .acts(async (domain, id: string, { wait, ...form }: Form & Waits) => {
      const sessions = await domain.sessions('ends')
      answered(await sessions.endOne(id as SessionId, 'anyone', operator), {
        unknown: `there is no session ${id}: run \`mintmark sessions list <user>\` to see all`,
      })
      await sayEnded(domain, form, wait, { id, ended: true }, `Ended ${id}.`)
    })

  sessions
    .command('end-all')
    .argument('[user]', who)
    .option('--everybody', 'end the sessions of all users instead')
    .option(...waits)
    .description('end all sessions of a user, or of all users')
    .option(...asJson)
    .action(
      async (
        user: string | undefined,
        { everybody = false, wait, ...form }: Form & Waits & { everybody?: boolean },
      ) => {
        if ((user === undefined) !== everybody)
          throw new CommandFailed('name one user or give --everybody, not both')
        await withOperator(form, async domain => {
          const sessions = await domain.sessions('ends')
          const answer =
            user === undefined
              ? await sessions.endAll(operator)
              : await sessions.endAllOf(await personOf(domain, user), operator)
          const { ended } = answered(answer, noUser(user ?? ''))
          const said = ended === undefined ? 'Ended.' : `Ended ${ended} session(s).`
          await sayEnded(domain, form, wait, { ended }, said)
        })
      },
    )

  sessions
    .command('migrate')
    .requiredOption('--to <store>', 'redis or postgres', store)
    .description(
      'copy the active sessions into the other store while services are running; run it again to copy later changes',
    )
    .option(...asJson)
    .action(async ({ to, ...form }: Form & { to: 'redis' | 'postgres' }) => {
      const copied = await moveSessions(configuration(), to, warning => note(form, warning))
      say(form, { to, copied }, `Copied ${copied} active session(s) to ${to}.`)
    })
}

function store(text: string): string {
  if (text === 'redis' || text === 'postgres') return text
  throw new InvalidArgumentError('Write redis or postgres.')
}

const listing: Listing<ListedSession> = {
  heads: ['SESSION', 'SINCE', 'LAST SEEN', 'DEVICE', 'ADDRESS'],
  row: session => [
    session.id,
    time(session.createdAt),
    time(session.lastSeenAt),
    cell(describeSession(session).device),
    session.address,
  ],
  document: describeSession,
  none: 'No active sessions.',
}
