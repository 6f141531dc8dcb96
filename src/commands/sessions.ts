/** `mintmark sessions …`: whose session is where, and ending one, all of a person, all there are. */
import { type Command, InvalidArgumentError } from 'commander'
import { refuseUnfitRedis, withRows } from '../boot/session-stores.js'
import type { SessionId } from '../core/principal.js'
import { describeSession } from '../http/admin/describe.js'
import type { ListedSession } from '../sessions/revocations.js'
import { copyToRedis, copyToTable } from '../store/sessions/moving/copy.js'
import { rememberRedis } from '../store/sessions/revoked.js'
import { who } from './arguments.js'
import {
  CommandFailed,
  configuration,
  keysOfService,
  known,
  operator,
  personOf,
  withDatabase,
} from './context.js'
import { asJson, type Form, type Listing, note, say, sayList } from './output.js'
import { withRevocations } from './session-stores.js'
import { cell, time } from './table.js'

export function sessionCommands(program: Command): void {
  const sessions = program.command('sessions').description('who is signed in, and ending it at once')

  sessions
    .command('list')
    .argument('<user>', who)
    .description('the live sessions of a person, the latest used first')
    .option(...asJson)
    .action(async (user: string, form: Form) => {
      await withRevocations(async (revocations, database) => {
        const person = await personOf(database, user)
        await sayList(form, page => revocations.list(person, page), listing)
      }, 'reads rows')
    })

  sessions
    .command('end')
    .argument('<session>', 'its public id, as in the list and in the sid claim')
    .description('end one session')
    // Its id is 22 characters of base64url: it may begin with a dash.
    .allowUnknownOption()
    .option(...asJson)
    .action(async (id: string, form: Form) => {
      await withRevocations(async revocations => {
        const answer = await revocations.endOne(id as SessionId, 'anyone', operator)
        if (answer === 'unknown')
          throw new CommandFailed(`there is no session ${id}: \`mintmark sessions list <user>\` has them`)
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
        await withRevocations(async (revocations, database) => {
          const answer =
            user === undefined
              ? await revocations.endAll(operator)
              : await revocations.endAllOf(await personOf(database, user), operator)
          const { ended } = known(user ?? '', answer)
          say(form, { ended }, ended === undefined ? 'Ended.' : `Ended ${ended} session(s).`)
        })
      },
    )

  sessions
    .command('migrate')
    .requiredOption('--to <store>', 'redis or postgres', store)
    .description(
      'copy the live sessions into the other store, beside running services; again takes up what has changed',
    )
    .option(...asJson)
    .action(async ({ to, ...form }: Form & { to: 'redis' | 'postgres' }) => {
      const config = configuration()
      if (config.redisUrl === undefined)
        throw new CommandFailed('REDIS_URL is missing: name the Redis of the sessions')
      for (const warning of await refuseUnfitRedis({ ...config, sessionStore: 'redis' })) note(form, warning)
      const copy = to === 'redis' ? copyToRedis : copyToTable
      await withDatabase(config, async database => {
        const keys = await keysOfService(config, database)
        await withRows(config, keys, async rows => {
          if (to === 'redis') await rememberRedis(database)
          const copied = await copy(database, rows)
          say(form, { to, copied }, `Copied ${copied} live session(s) to ${to}.`)
        })
      })
    })
}

function store(text: string): string {
  if (text === 'redis' || text === 'postgres') return text
  throw new InvalidArgumentError('It takes redis or postgres.')
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
