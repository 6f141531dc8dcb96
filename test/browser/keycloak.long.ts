/** The round trip through a real Keycloak, in a real browser: not part of `npm test`, since it takes a minute. */
import { test } from 'tap'
import { skipWithoutKeycloak, startKeycloak } from '../support/keycloak.js'
import { keycloakPassword } from '../support/keycloak-realm.js'
import { addressesOf, roundTrip } from './round-trip.js'
import { browserWorld, unlessChromium } from './world.js'

test('people sign in, step up, link and are signed out by Keycloak', {
  skip: skipWithoutKeycloak() || unlessChromium.skip,
  timeout: 600_000,
}, async t => {
  const world = await browserWorld(t)
  const provider = await startKeycloak(addressesOf(world))
  t.teardown(() => provider.close())
  await roundTrip(t, world, {
    name: 'Keycloak',
    provider,
    isForm: page => page.locator('#kc-login').waitFor(),
    fillIn: async (page, email) => {
      // At a fresh proof it knows who it is, and asks for the password alone.
      const name = page.locator('input[name=username]')
      if (await name.isVisible()) await name.fill(email)
      await page.locator('input[name=password]').fill(keycloakPassword)
      await page.locator('#kc-login').click()
    },
    endThere: email => provider.endSessions(email),
  })
})
