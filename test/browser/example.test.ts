/** The example in examples/spa as a reader tries it: sign in, ask the API, change a role, end the session elsewhere. */
import type { Server } from 'node:http'
import { type Test, test } from 'tap'
import { application, member, person, tenant } from '../harness/world.js'
import { rootUrl } from '../support/project.mjs'
import { goodPassword } from '../support/service.js'
import { browserWorld, picture, unlessChromium, watch } from './world.js'

async function listen(t: Test, server: Server): Promise<string> {
  await new Promise<void>(resolve => server.listen(0, 'localhost', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://localhost:${(server.address() as { port: number }).port}`
}

test('the example does what its page says', unlessChromium, async t => {
  const { createApi } = await import(new URL('examples/spa/api.mjs', rootUrl).href)
  const { createSite } = await import(new URL('examples/spa/site.mjs', rootUrl).href)
  const here = await browserWorld(t, { MINTMARK_FEED_PUBLIC: 'true' })
  const { issuer } = here
  const { sql } = here.service.database
  const places = { issuer, api: '' }
  const app = await listen(t, createSite(places))
  places.api = await listen(t, createApi({ issuer, audience: 'demo-api', appOrigin: app }))
  const urls = { origins: [app], returnAddresses: [`${app}/`] }
  await application(sql, { clientId: 'demo', audiences: ['demo-api'], ...urls })

  const me = await person(sql)
  const acme = await tenant(sql)
  await member(sql, me.id, acme, 'r1')
  const browser = await here.browser()
  t.teardown(() => browser.close())
  const page = await browser.newPage()
  await page.goto(app)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByText('to continue to demo').waitFor()
  // Before, the browser has its own line about the 401 that says that nobody is signed in.
  const faults = watch(browser)
  await page.getByLabel('Email address').fill(me.email)
  await page.getByLabel('Password', { exact: true }).fill(goodPassword)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('button', { name: 'Ask the API' }).click()
  await page.getByText(`"hello": "${me.id}"`).waitFor()

  // Its role in a tenant, and another one at the next token.
  const account = await browser.newPage()
  await account.goto(issuer)
  await account.getByRole('button', { name: 'Switch to Acme' }).click()
  await account.getByText('Acme (reader)').waitFor()
  const ask = async (role: string) => {
    await page.reload()
    await page.getByRole('button', { name: 'Ask the API' }).click()
    await page.getByText(`"${role}"`).waitFor()
  }
  await ask('reader')
  await sql`update memberships set role_ids = '{r2}' where user_id = ${me.id}`
  await ask('writer')
  await picture(page, 'example')

  // Ended elsewhere: seen on coming back to the page, and by the tab beside it.
  const beside = await browser.newPage()
  await beside.goto(app)
  await beside.getByRole('button', { name: 'Ask the API' }).click()
  await beside.getByText(`"hello": "${me.id}"`).waitFor()
  t.same(faults, [], 'nothing on the console so far')
  await page.getByRole('button', { name: 'Open a stream' }).click()
  await page.getByText(/^data: 20/).waitFor()
  await sql`update sessions set ended_at = now(), ended_reason = 'by-person' where user_id = ${me.id}`
  const ended = performance.now()
  await page.getByText('event: revoked').waitFor()
  t.comment(`the API closed the stream after ${Math.round(performance.now() - ended)} ms`)
  await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')))
  await page.getByText('Nobody is signed in.').waitFor()
  await beside.getByText('Nobody is signed in.').waitFor()
})
