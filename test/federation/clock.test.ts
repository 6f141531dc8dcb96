/** Postgres is the only clock of an ID token: what time this machine thinks it is changes nothing. */
import { test } from 'tap'
import { authorizationAddress, exchange } from '../../src/federation/exchange.js'
import { BrowserSecret, newState } from '../../src/federation/flow.js'
import { connect } from '../../src/federation/metadata.js'
import type { Provider } from '../../src/federation/provider.js'
import { type HostileProvider, startHostileProvider } from '../support/hostile-provider.js'
import { callbackFrom, clientId, clientSecret, declared } from './world.js'

const redirectUri = 'http://localhost:4000/v1/federation/acme/callback'
const hour = 3600
const machine = () => Math.floor(Date.now() / 1000)

/** What is made of an ID token by a service whose database says that it is `now`. */
async function exchanged(
  provider: Provider,
  liar: HostileProvider,
  now: number,
  claims: Record<string, number>,
) {
  liar.lies = { claims: honest => ({ ...honest, ...claims }) }
  const connection = await connect(provider, clientSecret)
  const binding = BrowserSecret.make().binding(newState())
  const address = await authorizationAddress(provider, connection, redirectUri, binding, 'sign-in')
  const [, answer = ''] = (await callbackFrom(address)).split('?')
  return exchange(provider, connection, redirectUri, answer, binding, now)
}

for (const kind of ['openid', 'microsoft'] as const)
  test(`an ID token of ${kind} is judged by the database's clock, and by no other`, async t => {
    const liar = await startHostileProvider({ clientId, clientSecret, kind })
    t.teardown(() => liar.close())
    const provider: Provider = {
      ...declared,
      issuer: liar.issuer,
      directories: kind === 'microsoft' ? [liar.tenant] : [],
      state: 'enabled',
      createdAt: 0,
      changedAt: 0,
    }
    for (const off of [-hour, hour]) {
      const now = machine() + off
      const fresh = { iat: now - 1, nbf: now - 1, auth_time: now - 1, exp: now + 60 }
      t.match(await exchanged(provider, liar, now, fresh), { profile: { subject: /./ } }, `${off}: good now`)
      for (const [at, reason] of [
        [now - 700, 'iat is too long ago'],
        [now + 700, 'iat is in the future'],
      ] as const)
        t.same(await exchanged(provider, liar, now, { ...fresh, iat: at }), { refused: reason })
      for (const [claim, at] of Object.entries({
        iat: now + 40,
        nbf: now + 40,
        auth_time: now + 40,
        exp: now - 40,
      }))
        t.match(
          await exchanged(provider, liar, now, { ...fresh, [claim]: at }),
          { refused: new RegExp(claim) },
          `${off}: ${claim}`,
        )
    }
  })
