/** `mintmark sessions …`: whose session is where, and ending one, all of a person, all there are. */
import type { Command } from 'commander'
import { noRequest } from '../audit.js'
import type { SessionId } from '../principal.js'
import { deviceName } from '../session/device-name.js'
import type { By } from '../session/revocations.js'
import { postgresRevocations } from '../store/postgres/revocation-store.js'
import { CommandFailed, configuration, personOf, print, withDatabase } from './context.js'

const by: By = { actor: undefined, occasion: noRequest }
const who = 'e-mail address or user id'

export function sessionCommands(program: Command): void {
  const sessions = program.command('sessions').description('who is signed in, and ending it at once')

  sessions
    .command('list')
    .argument('<user>', who)
    .description('the live sessions of a person, the latest used first')
    .action(async (user: string) => {
      await withDatabase(configuration(), async database => {
        const listed = await postgresRevocations(database).list(await personOf(database, user))
        if (listed.length === 0) return print('No live session.')
        for (const { id, userAgent, address, createdAt, lastSeenAt } of listed) {
          const device = deviceName(userAgent) ?? 'an unknown device'
          print(`${id}  since ${time(createdAt)}  seen ${time(lastSeenAt)}  ${device}, ${address}`)
        }
      })
    })

  sessions
    .command('end')
    .argument('<session>', 'its public id, as in the list and in the sid claim')
    .description('end one session')
    .action(async (id: string) => {
      await withDatabase(configuration(), async database => {
        const answer = await postgresRevocations(database).endOne(id as SessionId, 'anyone', by)
        if (answer === 'unknown') throw new CommandFailed(`there is no session ${id}`)
        print(`Ended ${id}.`)
      })
    })

  sessions
    .command('end-all')
    .argument('[user]', who)
    .option('--everybody', 'of all people instead: everybody signs in again')
    .description('end all sessions of a person, or all there are')
    .action(async (user: string | undefined, { everybody = false }: { everybody?: boolean }) => {
      if ((user === undefined) !== everybody)
        throw new CommandFailed('name one person, or give --everybody, and not both')
      await withDatabase(configuration(), async database => {
        const revocations = postgresRevocations(database)
        const answer =
          user === undefined
            ? await revocations.endAll(by)
            : await revocations.endAllOf(await personOf(database, user), by)
        if (answer === 'unknown') throw new CommandFailed(`there is no user ${user}`)
        print(`Ended ${answer.ended} session(s).`)
      })
    })
}

function time(seconds: number): string {
  return `${new Date(seconds * 1000).toISOString().slice(0, 16).replace('T', ' ')} UTC`
}
