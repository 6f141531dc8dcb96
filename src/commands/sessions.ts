/** `mintmark sessions …`: whose session is where, and ending one, all of a person, all there are. */
import type { Command } from 'commander'
import { describeSession } from '../http/admin/describe.js'
import type { SessionId } from '../principal.js'
import type { ListedSession } from '../session/revocations.js'
import { postgresRevocations } from '../store/postgres/revocation-store.js'
import { who } from './arguments.js'
import { CommandFailed, configuration, known, operator, personOf, withDatabase } from './context.js'
import { asJson, type Form, type Listing, say, sayList } from './output.js'
import { cell, time } from './table.js'

export function sessionCommands(program: Command): void {
  const sessions = program.command('sessions').description('who is signed in, and ending it at once')

  sessions
    .command('list')
    .argument('<user>', who)
    .description('the live sessions of a person, the latest used first')
    .option(...asJson)
    .action(async (user: string, form: Form) => {
      await withDatabase(configuration(), async database => {
        const items = await postgresRevocations(database).list(await personOf(database, user))
        await sayList(form, async () => ({ items, next: undefined }), listing)
      })
    })

  sessions
    .command('end')
    .argument('<session>', 'its public id, as in the list and in the sid claim')
    .description('end one session')
    // Its id is 22 characters of base64url: it may begin with a dash.
    .allowUnknownOption()
    .option(...asJson)
    .action(async (id: string, form: Form) => {
      await withDatabase(configuration(), async database => {
        const answer = await postgresRevocations(database).endOne(id as SessionId, 'anyone', operator)
        if (answer === 'unknown') throw new CommandFailed(`there is no session ${id}`)
        say(form, { id, ended: true }, `Ended ${id}.`)
      })
    })

  sessions
    .command('end-all')
    .argument('[user]', who)
    .option('--everybody', 'of all people instead: everybody signs in again')
    .description('end all sessions of a person, or all there are')
    .option(...asJson)
    .action(
      async (user: string | undefined, { everybody = false, ...form }: Form & { everybody?: boolean }) => {
        if ((user === undefined) !== everybody)
          throw new CommandFailed('name one person, or give --everybody, and not both')
        await withDatabase(configuration(), async database => {
          const revocations = postgresRevocations(database)
          const answer =
            user === undefined
              ? await revocations.endAll(operator)
              : await revocations.endAllOf(await personOf(database, user), operator)
          const { ended } = known(user ?? '', answer)
          say(form, { ended }, ended === undefined ? 'Ended.' : `Ended ${ended} session(s).`)
        })
      },
    )
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
  none: 'No live session.',
}
