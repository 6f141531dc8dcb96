/** The round trip through a certified provider, in a real browser. (Keycloak: keycloak.long.ts.) */
import { test } from 'tap'
import { password, startOpenIdProvider } from '../support/open-id-provider.js'
import { addressesOf, roundTrip } from './round-trip.js'
import { browserWorld, unlessChromium } from './world.js'

test('people sign in, step up, link and are signed out by a certified provider', unlessChromium, async t => {
  const world = await browserWorld(t)
  const provider = await startOpenIdProvider(addressesOf(world))
  t.teardown(() => provider.close())
  await roundTrip(t, world, {
    name: 'Certified',
    provider,
    isForm: page => page.getByRole('heading', { name: 'Sign in to the provider' }).waitFor(),
    fillIn: async (page, email) => {
      await page.getByLabel('E-mail').fill(email)
      await page.getByLabel('Password').fill(password)
      await page.getByRole('button', { name: 'Sign in' }).click()
    },
    endThere: async email => {
      const { sub } = provider.people.find(one => one.email === email) ?? { sub: '' }
      const rows = await world.service.database.sql`
        select distinct f.provider_session as sid from federated_sessions f join sessions s on s.id = f.session_id
        where f.subject = ${sub} and s.ended_at is null`
      for (const { sid } of rows) await provider.endSession(sub, sid)
      t.ok(rows.length > 0)
      t.ok(provider.logouts.every(({ error }) => error === undefined))
    },
  })
})
