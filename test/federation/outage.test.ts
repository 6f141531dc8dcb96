/** A provider's document through an outage: the last good one serves for a day, and whoever signs in does not wait for it. */
import { test } from 'tap'
import { createConnections } from '../../src/federation/metadata.js'
import type { Provider } from '../../src/federation/provider.js'
import { body } from '../support/hostile-lies.js'
import { startHostileProvider } from '../support/hostile-provider.js'
import { clientId, clientSecret, declared } from './world.js'

const [minute, hour, day] = [60_000, 3_600_000, 86_400_000]

test('a document is read again after an hour; while that fails the last one serves, asked for once a minute', async t => {
  const away = await startHostileProvider({ clientId, clientSecret })
  t.teardown(() => away.close())
  const { issuer } = away
  const provider: Provider = { ...declared, issuer, state: 'enabled', createdAt: 0, changedAt: 0 }
  let now = 1
  const connections = createConnections(() => now)
  const asked = async (at: number, row = provider) => {
    now = at
    const before = away.count('discovery')
    await connections.to(row, clientSecret)
    return away.count('discovery') - before
  }
  t.equal(await asked(1), 1)
  t.equal(await asked(hour), 0)
  away.lies = { discovery: body({}, 503) }
  t.equal(await asked(hour + 1), 1)
  t.equal(await asked(hour + 2), 0)
  t.equal(await asked(hour + minute), 0)
  t.equal(await asked(hour + minute + 1), 1, 'after a minute it is asked again')
  await t.rejects(asked(hour + minute + 2, { ...provider, changedAt: 1 }), { name: 'ProviderUnavailable' })
  t.equal(await asked(day), 1)
  await t.rejects(asked(day + 1), { name: 'ProviderUnavailable' }, 'nothing serves for longer than a day')
  away.lies = {}
  t.equal(await asked(day + 2), 1)
  t.equal(await asked(day + hour), 0, 'and it is fresh again')
})
