/** A provider for the bodies of the table of routes: a process that lists them only does not start one. */
import { randomUUID } from 'node:crypto'
import tap from 'tap'
import { startHostileProvider } from '../support/hostile-provider.js'

/** What declares a provider that answers: it is asked before it is stored. */
export async function declaredProvider() {
  const provider = await startHostileProvider({ clientId: 'mintmark', clientSecret: 'secret' })
  tap.teardown(() => provider.close())
  return {
    id: `p${randomUUID().slice(0, 8)}`,
    issuer: provider.issuer,
    client_id: 'mintmark',
    client_secret: 'secret',
  }
}
