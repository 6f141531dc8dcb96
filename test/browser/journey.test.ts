/** What a person does on the hosted pages, from sign-up to the last device, in a real browser. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BrowserContext, Page } from 'playwright-core'
import tap, { type Test, test } from 'tap'
import { freshAddress, invitation, link, member, person, tenant } from '../harness/world.js'
import { goodPassword } from '../support/service.js'
import { type BrowserOptions, browserWorld, picture, unlessChromium, type World, watch } from './world.js'

const newPassword = 'quite other words now'
let opened: Promise<World> | undefined
function world(): Promise<World> {
  opened ??= browserWorld(tap)
  return opened
}

async function newPage(t: Test, cookie?: string, options?: BrowserOptions) {
  const here = await world()
  const browser = await here.browser(cookie, options)
  t.teardown(() => browser.close())
  const faults = watch(browser)
  return { here, browser, page: await browser.newPage(), faults, sql: here.service.database.sql }
}

const press = (page: Page, name: string) => page.getByRole('button', { name }).first().click()
const heading = (page: Page, name: string) => page.getByRole('heading', { name, exact: true }).waitFor()
const fill = (page: Page, label: string, value: string) => page.getByLabel(label, { exact: true }).fill(value)

async function signIn(page: Page, email: string, password = goodPassword): Promise<void> {
  await fill(page, 'Email address', email)
  await fill(page, 'Password', password)
  await press(page, 'Sign in')
}

for (const scripts of [true, false]) {
  test(`the whole journey, ${scripts ? 'with' : 'without'} scripts`, unlessChromium, async t => {
    const { here, page, faults } = await newPage(t, undefined, { scripts })
    const { issuer, service } = here
    const email = `ada.${scripts}@example.com`
    const shot = (name: string) => (scripts ? picture(page, `journey-${name}`) : undefined)
    const openLink = async () => {
      const mail = await service.mailTo(email)
      await page.goto(String(mail.link))
      if (!scripts) await fill(page, 'The full link from the email', String(mail.link))
    }

    await page.goto(issuer)
    t.equal(page.url(), `${issuer}/sign-in`, 'the printed address leads to the sign-in page')
    await page.getByRole('link', { name: 'Sign up' }).click()
    await fill(page, 'Email address', email)
    await shot('1-sign-up')
    await press(page, 'Send link')
    await heading(page, 'Check your email')
    await shot('2-look-into-your-mail')
    await openLink()
    if (scripts) t.equal(page.url(), `${issuer}/sign-up/verify`, 'the token has left the address bar')
    await fill(page, 'Your name (optional)', 'Ada Lovelace')
    await fill(page, 'New password', 'short')
    await press(page, 'Set password and sign in')
    await page.getByText('Use at least 15 characters').waitFor()
    if (!scripts) await fill(page, 'The full link from the email', String(service.mails.at(-1)?.link))
    t.equal(
      await page.getByLabel('Your name (optional)').inputValue(),
      'Ada Lovelace',
      'nothing is typed twice',
    )
    await fill(page, 'New password', goodPassword)
    await shot('3-choose-a-password')
    await press(page, 'Set password and sign in')
    await page.getByText('Welcome. You are signed in.').waitFor()
    await shot('4-your-account')

    // Another device, which this one sees and ends.
    const phone = await here.browser(undefined, { phone: true, scripts })
    t.teardown(() => phone.close())
    const there = await phone.newPage()
    await there.goto(issuer)
    await signIn(there, email)
    await heading(there, 'Your account')
    await page.getByRole('link', { name: 'Your devices' }).click()
    await heading(page, 'Your devices')
    t.equal(await page.getByRole('listitem').count(), 2)
    await shot('5-two-devices')
    await press(page, 'Sign out Chrome')
    await page.getByText('The device was signed out.').waitFor()
    t.equal(await page.getByRole('listitem').count(), 1)
    await there.goto(`${issuer}/devices`)
    await heading(there, 'Sign in')
    if (scripts) await picture(there, 'journey-6-the-other-device-is-signed-out')

    await page.getByRole('link', { name: 'Back to your account' }).click()
    await page.getByRole('link', { name: 'Change your password' }).click()
    await fill(page, 'Current password', goodPassword)
    await fill(page, 'New password', newPassword)
    await press(page, 'Change password')
    await page.getByText('Your password was changed').waitFor()
    await press(page, 'Sign out')
    await page.getByText('You are signed out.').waitFor()
    await shot('7-signed-out')

    await page.getByRole('link', { name: 'Forgot your password' }).click()
    await fill(page, 'Email address', email)
    await press(page, 'Send link')
    await service.mailTo(email) // about the change of password
    await openLink()
    await fill(page, 'New password', goodPassword)
    await press(page, 'Set new password')
    await heading(page, 'Your password was set')
    await page.getByRole('link', { name: 'Sign in' }).click()
    await signIn(page, email)
    await heading(page, 'Your account')
    t.same(
      faults.filter(text => !text.includes('status of 400')),
      [],
    )
  })
}

test(
  'a mailed link’s token is in no request but the form’s body, and in no referrer',
  unlessChromium,
  async t => {
    const { here, page, sql } = await newPage(t)
    const token = await link(sql, 'sign-up', freshAddress())
    const seen: string[] = []
    page.on('request', request => seen.push(request.url(), JSON.stringify(request.headers())))
    const refused: string[] = []
    page.on('response', async response => refused.push(await response.text().catch(() => '')))
    await page.goto(`${here.issuer}/sign-up/verify#token=${token}`)
    t.equal(page.url(), `${here.issuer}/sign-up/verify`)
    await fill(page, 'New password', 'short')
    await press(page, 'Set password and sign in')
    await page.locator('#password-error').waitFor()
    t.equal(await page.locator('input[name=token]').inputValue(), token, 'the tab kept it over the refusal')
    await page.goBack()
    await page.goto(`${here.issuer}/sign-in`)
    t.ok(seen.length > 6)
    t.notOk(
      seen.some(text => text.includes(token)),
      'no address and no header has it',
    )
    t.notOk(
      refused.some(text => text.includes(token)),
      'no answer echoes it',
    )
    t.notOk(here.service.logLines.some(line => line.includes(token)))
  },
)

test(
  'a second link that is opened over the page of the first is the one that counts',
  unlessChromium,
  async t => {
    const { here, page, sql } = await newPage(t)
    const email = freshAddress()
    await page.goto(`${here.issuer}/sign-up/verify#token=${'A'.repeat(43)}`)
    await page.getByText('has expired or was already used').waitFor()
    const token = await link(sql, 'sign-up', email)
    await page.goto(`${here.issuer}/sign-up/verify#token=${token}`)
    await page.waitForFunction(
      wanted => document.querySelector<HTMLInputElement>('input[name=token]')?.value === wanted,
      token,
    )
    t.equal(page.url(), `${here.issuer}/sign-up/verify`)
    await page.getByLabel('New password', { exact: true }).waitFor()
    await fill(page, 'New password', goodPassword)
    await press(page, 'Set password and sign in')
    await heading(page, 'Your account')
    t.match(await page.locator('main').textContent(), email)
  },
)

test('who comes from an application goes back to it, also by way of signing up', unlessChromium, async t => {
  const { here, page, faults } = await newPage(t)
  const email = freshAddress()
  await page.goto(`${here.issuer}/sign-in?return_to=${encodeURIComponent(here.app)}`)
  await page.getByRole('link', { name: 'Sign up' }).click()
  await fill(page, 'Email address', email)
  await press(page, 'Send link')
  await heading(page, 'Check your email')
  await page.goto(String((await here.service.mailTo(email)).link))
  await fill(page, 'New password', goodPassword)
  await press(page, 'Set password and sign in')
  await page.waitForURL(here.app)
  await page.goto(`${here.issuer}/sign-in?return_to=${encodeURIComponent(here.app)}`)
  await page.getByRole('link', { name: 'Continue to spa' }).click()
  await page.waitForURL(here.app)
  await page.goto(`${here.issuer}/sign-out?return_to=${encodeURIComponent(here.app)}`)
  await press(page, 'Sign out')
  await page.waitForURL(here.app)
  t.same(faults, [])
})

test(
  'an invitation is taken by who is signed in, also when they sign in for it, or with a new account',
  unlessChromium,
  async t => {
    const { here, browser, page, sql } = await newPage(t)
    const me = await person(sql)
    await page.goto(`${here.issuer}/invitations/accept#token=${await invitation(sql, me.email)}`)
    await page.getByRole('link', { name: 'Sign in first' }).click()
    await signIn(page, me.email)
    await heading(page, 'You are invited')
    await page.getByText(`Invited address: ${me.email}`).waitFor()
    await press(page, 'Join with this account')
    await page.getByText('You are now a member of Acme.').waitFor()
    await page.getByText('Acme (member)').waitFor()
    await press(page, 'Switch to no tenant')
    await page.locator('dd', { hasText: 'None' }).waitFor()

    await browser.clearCookies()
    const email = freshAddress()
    await page.goto(`${here.issuer}/invitations/accept#token=${await invitation(sql, email)}`)
    await page.getByText('Create an account to join.').waitFor()
    await page.getByText(`Tenant: Acme. Invited address: ${email}.`).waitFor()
    await fill(page, 'New password', 'short')
    await press(page, 'Create account and join')
    await page.locator('#password-error').waitFor()
    await fill(page, 'New password', goodPassword)
    await press(page, 'Create account and join')
    await page.getByText('You are now a member of Acme.').waitFor()
  },
)

test(
  'a link that lost its fragment on the way is pasted, with scripts or without',
  unlessChromium,
  async t => {
    for (const scripts of [true, false]) {
      const { here, page, sql } = await newPage(t, undefined, { scripts })
      const email = freshAddress()
      const whole = `${here.issuer}/sign-up/verify#token=${await link(sql, 'sign-up', email)}`
      await page.goto(`${here.issuer}/sign-up/verify`)
      if (scripts) await page.getByText('This link is incomplete.').waitFor()
      await fill(page, 'The full link from the email', whole)
      if (scripts) await page.getByText(`Account: ${email}`).waitFor()
      await fill(page, 'New password', goodPassword)
      await press(page, 'Set password and sign in')
      await page.getByText('Welcome. You are signed in.').waitFor()
    }
  },
)

test('ending a device asks for a fresh proof when the last one is old', unlessChromium, async t => {
  const { sql } = (await world()).service.database
  const me = await person(sql)
  await sql`update sessions set auth_time = now() - interval '16 minutes' where id = ${me.session}`
  const { here, page } = await newPage(t, me.cookie)
  const other = await here.browser()
  t.teardown(() => other.close())
  await here.signIn(other, me.email)
  await page.goto(`${here.issuer}/devices`)
  await press(page, 'Sign out all other devices')
  await heading(page, 'Confirm that it’s you')
  await fill(page, 'Password', 'a wrong one')
  await press(page, 'Confirm')
  await page.getByText('The current password is wrong.').waitFor()
  await fill(page, 'Password', goodPassword)
  await press(page, 'Confirm')
  await heading(page, 'Your devices')
  await press(page, 'Sign out all other devices')
  await page.getByText('All other devices were signed out.').waitFor()
  const there = await other.newPage()
  await there.goto(here.issuer)
  await heading(there, 'Sign in')
})

test(
  'a session that ends meanwhile leads to sign-in and back, and an outage is told in words',
  unlessChromium,
  async t => {
    const { sql } = (await world()).service.database
    const me = await person(sql)
    const { here, page } = await newPage(t, me.cookie)
    await page.goto(`${here.issuer}/password`)
    await sql`update sessions set ended_at = now(), ended_reason = 'by-person' where id = ${me.session}`
    await fill(page, 'Current password', goodPassword)
    await fill(page, 'New password', newPassword)
    await press(page, 'Change password')
    await signIn(page, me.email)
    await heading(page, 'Change your password')

    await sql`alter table passwords rename to away`
    await fill(page, 'Current password', goodPassword)
    await fill(page, 'New password', newPassword)
    await press(page, 'Change password')
    await page.getByRole('alert').waitFor()
    await sql`alter table away rename to passwords`
    t.equal(await page.title(), 'Error: Change your password · Mintmark')
    await fill(page, 'Current password', goodPassword)
    await fill(page, 'New password', newPassword)
    await press(page, 'Change password')
    await page.getByText('Your password was changed').waitFor()
  },
)

test('too many wrong passwords: the page says when to try again', unlessChromium, async t => {
  const { here, page, sql } = await newPage(t)
  const me = await person(sql)
  await page.goto(here.issuer)
  for (let attempt = 0; attempt < 10; attempt++) {
    await signIn(page, me.email, 'a wrong one')
    await page.locator('#password-error').waitFor()
    await page.goto(`${here.issuer}/sign-in`)
  }
  await signIn(page, me.email)
  t.match(await page.getByRole('alert').textContent(), /Too many attempts. Try again in \d+ minutes./)
  await picture(page, 'sign-in-throttled-light')
})

test('the look is the operator’s: variables and a logo from the theme folder', unlessChromium, async t => {
  const folder = await mkdtemp(join(tmpdir(), 'mintmark-theme-'))
  t.teardown(() => rm(folder, { recursive: true }))
  await writeFile(join(folder, 'theme.css'), ':root { --accent: #5b3df5; --radius: 2px }')
  const logo =
    '<svg xmlns="http://www.w3.org/2000/svg" width="112" height="28"><rect width="112" height="28" rx="6" fill="#5b3df5"/></svg>'
  await writeFile(join(folder, 'logo.svg'), logo)
  const themed = await browserWorld(t, { MINTMARK_THEME_FOLDER: folder, MINTMARK_PRODUCT: 'Acme & Söhne' })
  const browser: BrowserContext = await themed.browser()
  const faults = watch(browser)
  const page = await browser.newPage()
  await page.goto(themed.issuer)
  t.equal(await page.title(), 'Sign in · Acme & Söhne')
  const button = page.getByRole('button', { name: 'Sign in' })
  t.equal(await button.evaluate(one => getComputedStyle(one).backgroundColor), 'rgb(91, 61, 245)')
  t.equal(await page.locator('header img').evaluate(one => (one as HTMLImageElement).naturalWidth), 112)
  await page.getByRole('link', { name: 'Acme & Söhne' }).waitFor()
  await picture(page, 'sign-in-themed')
  t.same(faults, [])
})

test('a tenant that was lost is said, and can be left', unlessChromium, async t => {
  const { sql } = (await world()).service.database
  const me = await person(sql)
  const acme = await tenant(sql)
  await member(sql, me.id, acme)
  await sql`update sessions set tenant_id = ${acme} where id = ${me.session}`
  await sql`delete from memberships where user_id = ${me.id}`
  const { here, page } = await newPage(t, me.cookie)
  await page.goto(here.issuer)
  await page.getByText('A tenant that you are no longer a member of').waitFor()
  await press(page, 'Switch to no tenant')
  await page.getByText('A tenant that').waitFor({ state: 'detached' })
  t.equal(await page.getByRole('heading', { level: 1 }).textContent(), 'Your account')
})
