/** Second factors in a real browser: set one up, sign in with it, lose it, come back; and what each page looks like. */
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import type { Page } from 'playwright-core'
import tap, { type Test, test } from 'tap'
import { person } from '../harness/world.js'
import { enrolled } from '../support/enrolled.js'
import { goodPassword } from '../support/service.js'
import { codeAt, stepNow, wrongCode } from '../support/totp.js'
import { type BrowserOptions, browserWorld, picture, unlessChromium, type World, watch } from './world.js'

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

let opened: Promise<World> | undefined
function world(): Promise<World> {
  opened ??= browserWorld(tap)
  return opened
}

const press = (page: Page, name: string) => page.getByRole('button', { name, exact: true }).click()
const follow = (page: Page, name: string) => page.getByRole('link', { name }).click()
const heading = (page: Page, name: string) => page.getByRole('heading', { name, exact: true }).waitFor()
const fill = (page: Page, label: string, value: string) => page.getByLabel(label, { exact: true }).fill(value)

async function signIn(page: Page, email: string): Promise<void> {
  await fill(page, 'Email address', email)
  await fill(page, 'Password', goodPassword)
  await press(page, 'Sign in')
}

for (const scripts of [true, false]) {
  test(
    `an app is set up, used, lost and replaced, ${scripts ? 'with' : 'without'} scripts`,
    unlessChromium,
    async t => {
      const here = await world()
      const { issuer, app, service } = here
      const { sql } = service.database
      const me = await person(sql)
      const browser = await here.browser(undefined, { scripts })
      t.teardown(() => browser.close())
      const faults = watch(browser)
      const page = await browser.newPage()
      // A code is good once: the test does not wait for the next one.
      const code = async (secret: string) => {
        await sql`update totp_factors set last_step = 0 where user_id = ${me.id}`
        return codeAt(secret, stepNow())
      }
      const secretShown = async () => (await page.locator('.secret').textContent())?.replaceAll(' ', '') ?? ''

      await page.goto(issuer)
      await signIn(page, me.email)
      await follow(page, 'Your second factors')
      await press(page, 'Set up an authenticator app')
      await heading(page, 'Set up an authenticator app')
      const secret = await secretShown()
      await fill(page, 'Code', wrongCode(secret))
      await press(page, 'Confirm')
      await page.locator('#code-error').waitFor()
      t.equal(await secretShown(), secret)
      t.equal(await page.locator('#code').getAttribute('aria-describedby'), 'code-error')
      await fill(page, 'Code', codeAt(secret))
      await press(page, 'Confirm')
      await heading(page, 'Save your recovery codes')
      const codes = await page.locator('.codes code').allTextContents()
      t.equal(codes.length, 10)
      t.equal(await page.getByRole('button', { name: 'Print' }).count(), scripts ? 1 : 0)
      await follow(page, 'I have saved them')
      await page.getByText('10 codes are left').waitFor()

      await page.goto(issuer)
      await press(page, 'Sign out')
      // To an application, which is where the form of the second step leads on to.
      await page.goto(`${issuer}/sign-in?return_to=${encodeURIComponent(app)}`)
      await signIn(page, me.email)
      await heading(page, 'Enter your code')
      if (scripts) t.equal(await page.evaluate(() => document.activeElement?.id), 'code')
      await fill(page, 'Code', await code(secret))
      await press(page, 'Sign in')
      await page.waitForURL(app)

      // The phone is lost.
      await page.goto(issuer)
      await press(page, 'Sign out')
      await page.goto(`${issuer}/sign-in?return_to=${encodeURIComponent(app)}`)
      await signIn(page, me.email)
      await follow(page, 'Use a recovery code')
      await heading(page, 'Enter a recovery code')
      await fill(page, 'Recovery code', String(codes[0]).toLowerCase())
      await press(page, 'Sign in')
      await page.getByText('You used a recovery code').waitFor()
      await press(page, 'Set up a new authenticator app')
      const replaced = await secretShown()
      t.not(replaced, secret)
      await fill(page, 'Code', codeAt(replaced))
      await press(page, 'Confirm')
      await page.getByText('earlier one no longer works').waitFor()
      await follow(page, 'Continue to')
      await page.waitForURL(app)

      // Later, a change asks for a code again.
      await page.goto(`${issuer}/second-factors`)
      await sql`update sessions set auth_time = now() - interval '1 hour' where user_id = ${me.id}`
      await press(page, 'Create new codes')
      await heading(page, 'Confirm that it’s you')
      await fill(page, 'Code', await code(replaced))
      await press(page, 'Confirm')
      await heading(page, 'Your second factors')
      await press(page, 'Create new codes')
      await heading(page, 'Save your recovery codes')
      await follow(page, 'I have saved them')
      await page.getByText('Rename').click()
      await fill(page, 'Name', 'New phone')
      await press(page, 'Save')
      await page.getByText('The second factor was renamed.').waitFor()
      await page.locator('summary', { hasText: 'Remove' }).click()
      await page.getByText('This is your last second factor.').waitFor()
      await press(page, 'Remove New phone')
      await page.getByText('The second factor was removed.').waitFor()
      t.same(
        faults.filter(text => !text.includes('status of 403')),
        [],
      )
    },
  )
}

test('the codes are copied, one a line', unlessChromium, async t => {
  const here = await world()
  const me = await person(here.service.database.sql)
  const browser = await here.browser(me.cookie)
  t.teardown(() => browser.close())
  await browser.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: here.issuer })
  const page = await browser.newPage()
  await setUp(here, page)
  const codes = await page.locator('.codes code').allTextContents()
  await press(page, 'Copy')
  await page.getByRole('button', { name: 'Copied' }).waitFor()
  t.equal(await page.evaluate(() => navigator.clipboard.readText()), codes.join('\n'))
})

/** To the page with the codes. */
async function setUp(here: World, page: Page): Promise<void> {
  await page.goto(`${here.issuer}/second-factors`)
  await press(page, 'Set up an authenticator app')
  const secret = (await page.locator('.secret').textContent())?.replaceAll(' ', '') ?? ''
  await fill(page, 'Code', codeAt(secret))
  await press(page, 'Confirm')
  await heading(page, 'Save your recovery codes')
}

/** Each page is open before it is looked at. */
async function walk(
  t: Test,
  here: World,
  options: BrowserOptions,
  seen: (page: Page, name: string) => Promise<void>,
) {
  const { issuer, app, service } = here
  const { sql } = service.database
  const me = await enrolled(sql, service)
  const fresh = await person(sql)
  const browser = await here.browser(undefined, options)
  t.teardown(() => browser.close())
  const page = await browser.newPage()
  await page.goto(`${issuer}/sign-in?expired=1`)
  await seen(page, 'sign-in-expired')
  await page.goto(`${issuer}/sign-in?return_to=${encodeURIComponent(app)}`)
  await signIn(page, me.email)
  await heading(page, 'Enter your code')
  await seen(page, 'second-step')
  await fill(page, 'Code', wrongCode(me.secret))
  await press(page, 'Sign in')
  await page.locator('#code-error').waitFor()
  await seen(page, 'second-step-wrong')
  await sql`update factor_failures set totp = 10 where user_id = ${me.id}`
  await fill(page, 'Code', wrongCode(me.secret))
  await press(page, 'Sign in')
  await heading(page, 'Enter a recovery code')
  await seen(page, 'second-step-locked')
  await fill(page, 'Recovery code', String(me.recoveryCodes[0]))
  await press(page, 'Sign in')
  await page.getByText('You used a recovery code').waitFor()
  await seen(page, 'second-factors-after-recovery')
  await press(page, 'Set up a new authenticator app')
  await heading(page, 'Set up an authenticator app')
  await seen(page, 'authenticator-app')
  await sql`insert into factor_resets (user_id, due_at) values (${me.id}, now() + interval '2 days')`
  await sql`update totp_factors set last_used_at = now() - interval '3 hours', last_used_address = '192.0.2.7'
    where user_id = ${me.id}`
  await sql`update recovery_codes set used_at = now() where user_id = ${me.id} and code_hash <> (
    select min(code_hash::text)::bytea from recovery_codes where user_id = ${me.id} and used_at is null)`
  await sql`insert into factor_failures (user_id, totp) values (${me.id}, 10) on conflict (user_id) do update set totp = 10`
  await page.goto(`${issuer}/second-factors`)
  await page.getByText('Rename').click()
  await page.locator('summary', { hasText: 'Remove' }).click()
  await seen(page, 'second-factors-everything')
  await sql`delete from factor_failures where user_id = ${me.id}`
  await page.goto(`${issuer}/step-up?return_to=%2Fdevices`)
  await seen(page, 'step-up-by-code')
  const other = await here.browser(fresh.cookie, options)
  t.teardown(() => other.close())
  const second = await other.newPage()
  await setUp(here, second)
  await seen(second, 'recovery-codes')
  await follow(second, 'I have saved them')
  await seen(second, 'second-factors')
}

for (const { look, options } of [
  { look: 'light', options: {} },
  { look: 'dark', options: { dark: true } },
  { look: 'phone', options: { phone: true } },
  { look: 'phone-dark', options: { phone: true, dark: true } },
] as const) {
  test(
    `every page of second factors can be read and operated by everybody: ${look}`,
    unlessChromium,
    async t => {
      const here = await world()
      await walk(t, here, options, async (page, name) => {
        await picture(page, `${name}-${look}`)
        t.same(await barriers(page), [], `${name}: no barrier that axe sees`)
        t.same(await overflow(page), [], `${name}: nothing sticks out of the window`)
        t.match(await page.title(), / · Mintmark$/)
        t.equal(await page.locator('h1').count(), 1, name)
      })
    },
  )
}

test(
  'the QR code is dark on white in every look, and of a size that a camera reads',
  unlessChromium,
  async t => {
    const here = await world()
    for (const dark of [false, true]) {
      const me = await person(here.service.database.sql)
      const browser = await here.browser(me.cookie, { dark, phone: true })
      t.teardown(() => browser.close())
      const page = await browser.newPage()
      await page.goto(`${here.issuer}/second-factors`)
      await press(page, 'Set up an authenticator app')
      const fills = await page
        .locator('.qr path')
        .evaluateAll(all => all.map(one => getComputedStyle(one).fill))
      t.same(fills, ['rgb(255, 255, 255)', 'rgb(0, 0, 0)'])
      const box = await page.locator('.qr').boundingBox()
      t.ok((box?.width ?? 0) >= 200)
      t.equal(
        await decoded(page),
        await page.getByRole('link', { name: 'Open the app' }).getAttribute('href'),
      )
    }
  },
)

/** What a camera reads: the picture, by the decoder of the library. */
async function decoded(page: Page): Promise<string> {
  const { default: decodeQR } = await import('qr/decode.js')
  const png = (await page.locator('.qr').screenshot()).toString('base64')
  // The policy of our own pages does not let them read it.
  const blank = await page.context().newPage()
  const { data, width, height } = await blank.evaluate(async source => {
    const bitmap = await createImageBitmap(await (await fetch(source)).blob())
    const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d')
    if (!context) throw new Error('no canvas')
    context.drawImage(bitmap, 0, 0)
    const { data, width, height } = context.getImageData(0, 0, bitmap.width, bitmap.height)
    return { data: [...data], width, height }
  }, `data:image/png;base64,${png}`)
  return decodeQR({ data: Uint8ClampedArray.from(data), width, height })
}

/** What axe finds by all its rules. */
async function barriers(page: Page): Promise<string[]> {
  await page.evaluate(`${axe}; undefined`)
  return page.evaluate(async () => {
    interface Finding {
      readonly id: string
      readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[]
    }
    const { axe } = globalThis as unknown as { axe: { run(): Promise<{ violations: Finding[] }> } }
    const { violations } = await axe.run()
    return violations.flatMap(({ id, nodes }) =>
      nodes.map(({ html, failureSummary }) => `${id}: ${html}: ${failureSummary}`),
    )
  })
}

const overflow = (page: Page) =>
  page.evaluate(() =>
    [...document.querySelectorAll('body *')]
      .filter(one => one.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
      .map(one => one.outerHTML.slice(0, 100)),
  )
