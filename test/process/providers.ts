/** The commands about providers, the service that they are for, and a provider that is honest until it is told to lie. */
import type { Test } from 'tap'
import { clientId, clientSecret } from '../federation/world.js'
import { commandLineWithInput } from '../support/command.js'
import { startHostileProvider } from '../support/hostile-provider.js'
import { testService } from '../support/service.js'

export async function providerCommands(t: Test) {
  const service = await testService(t)
  const say = await commandLineWithInput(t, service.database, `${service.folder}/keys`)
  const provider = await startHostileProvider({ clientId, clientSecret })
  t.teardown(() => provider.close())
  const declared = ['--issuer', provider.issuer, '--client-id', clientId, '--client-secret-stdin']
  return {
    service,
    say,
    provider,
    /** The words of the command that adds this provider. */
    adding: (id: string, ...more: string[]) => ['providers', 'add', id, ...declared, ...more],
    /** What it says of a fault, where it says nothing else. */
    async refusal(input: string, ...args: string[]): Promise<string> {
      const { code, out, err } = await say(input, ...args)
      return code === 1 && out === '' ? err : `it was not refused: ${out}${err}`
    },
  }
}
