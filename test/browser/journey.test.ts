/** The journey of a person through the hosted pages, in a real browser. */
import { test } from 'tap'
import { goodPassword } from '../support/service.js'
import { browserWorld, picture, unlessChromium, watch } from './world.js'

test('a person signs up by a mailed link, signs out, and signs in again', unlessChromium, async t => {
  const world = await browserWorld(t)
  const { issuer, service } = world
  const browser = await world.browser()
  const faults = watch(browser)
  const page = await browser.newPage()
  await page.goto(issuer)
  t.equal(page.url(), `${issuer}/sign-in`)
  await picture(page, 'sign-in')
  await page.getByRole('link', { name: 'Sign up' }).click()
  await page.getByLabel('E-mail address').fill('ada@example.com')
  await page.getByRole('button').click()
  await page.getByRole('heading', { name: 'Look into your mail' }).waitFor()
  const { link } = await service.mailTo('ada@example.com')
  await page.goto(String(link))
  await page.getByLabel('New password', { exact: true }).fill('short')
  await page.getByRole('button', { name: 'Set password' }).click()
  await picture(page, 'verify-weak')
  await page.getByLabel('New password', { exact: true }).fill(goodPassword)
  await page.getByLabel('Your name').fill('Ada Lovelace')
  await page.getByRole('button', { name: 'Set password' }).click()
  await page.getByRole('heading', { name: 'Your account' }).waitFor()
  await picture(page, 'home')
  t.same(faults, [])
})
