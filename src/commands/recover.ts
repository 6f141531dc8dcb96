/** `mintmark recover`: trust the server that DATABASE_URL names now, and nothing that was accepted before. */
import type { Config } from '../boot/config.js'
import { type Recovered, trustDatabase } from '../boot/maintenance.js'
import type { ServiceKey } from '../tenants/service-keys.js'
import type { OperatorCommand } from './command.js'
import { configuration } from './context.js'
import { print } from './output.js'
import { listing } from './service-keys.js'
import { table } from './table.js'

export function recoverCommand(program: OperatorCommand): void {
  program
    .command('recover')
    .description(
      'after a fail-over or a restored backup: trust this database, end every session, delete invitations, emailed links and unfinished sign-ins, and sign with new keys',
    )
    .option(
      '--nothing-lost',
      'only trust this database, after a switch-over that lost no acknowledged commit; sessions continue',
    )
    .action(async ({ nothingLost = false }: { nothingLost?: boolean }) => {
      const config = configuration()
      const recovered = await trustDatabase(config, nothingLost, print)
      if (!recovered) return print('Sessions continue.')
      say(recovered, config)
      saySuspects(recovered.serviceKeys)
    })
}

function say(
  { ended, links, flows, pending, resets, invitations }: Recovered,
  { sessionStore }: Config,
): void {
  const which = sessionStore === 'redis' ? 'every session' : `${ended} session(s)`
  print(`  ${which} ended: everybody must sign in again`)
  print(`  ${links} unfinished sign-up(s) and password reset(s) dropped`)
  print(`  ${flows} unfinished sign-in(s) at providers dropped`)
  print(`  ${pending} sign-in(s) that still needed a second factor dropped`)
  print(`  ${invitations} invitation(s) withdrawn: invite again`)
  print(`  ${resets} requested reset(s) of second factors dropped: request them again`)
  print('  second factors and recovery codes stay; every earlier code of an app is void')
  print('  tokens are signed with a new key; verifiers accept it once they have fetched the keys again')
}

const suspects =
  'These service keys are active. If one of them was revoked in the lost time span, it is active again: revoke it again.'

/** Whether one of them was revoked in what is lost, this database cannot know. */
function saySuspects(keys: readonly ServiceKey[]): void {
  print(keys.length === 0 ? 'There are no active service keys.' : suspects)
  for (const line of keys.length === 0 ? [] : table(listing.heads)(keys.map(listing.row))) print(`  ${line}`)
}
