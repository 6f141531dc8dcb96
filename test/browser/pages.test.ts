/** Every hosted page as a person meets it: readable, operable, complete; kept as pictures in light, dark and narrow. */
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import type { Page } from 'playwright-core'
import tap, { type Test, test } from 'tap'
import { identity, invitation, link, member, person, session, tenant } from '../harness/world.js'
import { browserWorld, picture, unlessChromium, type World, watch } from './world.js'

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

let opened: Promise<World> | undefined
function world(): Promise<World> {
  opened ??= browserWorld(tap)
  return opened
}

interface Sight {
  readonly name: string
  readonly title: string
  readonly signedIn?: boolean
  /** Opens the page in the state that is to be seen. */
  readonly open: (here: World, page: Page, email: string) => Promise<unknown>
  /** The status that a refused form answers with: a browser puts a line of its own about it onto the console. */
  readonly refused?: number
}

const at = (path: string) => (here: World, page: Page) => page.goto(here.issuer + path)
const press = (page: Page, name: string) => page.getByRole('button', { name, exact: true }).click()

const sights: readonly Sight[] = [
  { name: 'sign-in', title: 'Sign in', open: at('/sign-in') },
  {
    name: 'sign-in-for-an-application',
    title: 'Sign in',
    open: (here, page) => page.goto(`${here.issuer}/sign-in?return_to=${encodeURIComponent(here.app)}`),
  },
  {
    name: 'sign-in-refused',
    title: 'Error: Sign in',
    refused: 401,
    async open(here, page, email) {
      await page.goto(`${here.issuer}/sign-in`)
      await page.getByLabel('Email address').fill(email)
      await page.getByLabel('Password', { exact: true }).fill('a wrong one')
      await press(page, 'Sign in')
      await page.getByText('is wrong').waitFor()
    },
  },
  { name: 'sign-up', title: 'Sign up', open: at('/sign-up') },
  {
    name: 'sign-up-sent',
    title: 'Check your email',
    async open(here, page, email) {
      await page.goto(`${here.issuer}/sign-up`)
      await page.getByLabel('Email address').fill(`new.${email}`)
      await press(page, 'Send link')
      await page.getByText('We sent').waitFor()
    },
  },
  {
    name: 'verify',
    title: 'Choose your password',
    async open(here, page, email) {
      const token = await link(here.service.database.sql, 'sign-up', `n${email}`)
      await page.goto(`${here.issuer}/sign-up/verify#token=${token}`)
      await page.getByText(`Account: n${email}`).waitFor()
    },
  },
  {
    name: 'verify-weak-password',
    title: 'Error: Choose your password',
    refused: 400,
    async open(here, page, email) {
      const token = await link(here.service.database.sql, 'sign-up', `w${email}`)
      await page.goto(`${here.issuer}/sign-up/verify#token=${token}`)
      await page.getByLabel('New password', { exact: true }).fill('too short')
      await press(page, 'Set password and sign in')
      await page.getByText('Use at least 15').waitFor()
    },
  },
  {
    name: 'verify-spent-link',
    title: 'Choose your password',
    refused: 400,
    async open(here, page) {
      await page.goto(`${here.issuer}/sign-up/verify#token=${'A'.repeat(43)}`)
      await page.getByText('has expired or was already used').waitFor()
    },
  },
  { name: 'verify-without-a-link', title: 'Choose your password', open: at('/sign-up/verify') },
  { name: 'forgotten', title: 'Forgot your password?', open: at('/password/forgot') },
  {
    name: 'reset',
    title: 'Choose a new password',
    async open(here, page, email) {
      const token = await link(here.service.database.sql, 'password-reset', email)
      await page.goto(`${here.issuer}/password/reset#token=${token}`)
      await page.getByText(`Account: ${email}`).waitFor()
    },
  },
  {
    name: 'invitation',
    title: 'You are invited',
    async open(here, page, email) {
      const token = await invitation(here.service.database.sql, email)
      await page.goto(`${here.issuer}/invitations/accept#token=${token}`)
      await page.getByText(`Tenant: Acme. Invited address: ${email}.`).waitFor()
    },
  },
  {
    name: 'invitation-signed-in',
    title: 'You are invited',
    signedIn: true,
    async open(here, page, email) {
      const token = await invitation(here.service.database.sql, email)
      await page.goto(`${here.issuer}/invitations/accept#token=${token}`)
      await page.getByText(`Tenant: Acme. Invited address: ${email}.`).waitFor()
    },
  },
  { name: 'home', title: 'Your account', signedIn: true, open: at('/') },
  { name: 'devices', title: 'Your devices', signedIn: true, open: at('/devices') },
  { name: 'change-password', title: 'Change your password', signedIn: true, open: at('/password') },
  {
    name: 'change-password-refused',
    title: 'Error: Change your password',
    signedIn: true,
    refused: 403,
    async open(here, page) {
      await page.goto(`${here.issuer}/password`)
      await page.getByLabel('Current password', { exact: true }).fill('a wrong one')
      await page.getByLabel('New password', { exact: true }).fill('several unrelated words here')
      await press(page, 'Change password')
      await page.getByText('is wrong').waitFor()
    },
  },
  { name: 'sign-in-methods', title: 'Your sign-in methods', signedIn: true, open: at('/sign-in-methods') },
  { name: 'second-factors-none', title: 'Your second factors', signedIn: true, open: at('/second-factors') },
  {
    name: 'authenticator-app-start',
    title: 'Set up an authenticator app',
    signedIn: true,
    open: at('/second-factors/app'),
  },
  { name: 'step-up', title: 'Confirm that it’s you', signedIn: true, open: at('/step-up') },
  { name: 'sign-out', title: 'Sign out', signedIn: true, open: at('/sign-out') },
  {
    name: 'signed-in-already',
    title: 'You’re already signed in',
    signedIn: true,
    open: (here, page) => page.goto(`${here.issuer}/sign-in?return_to=${encodeURIComponent(here.app)}`),
  },
]

/** A person with a name, two tenants and two other devices, whose session is in one of the tenants. */
async function somebody(here: World) {
  const { sql } = here.service.database
  const me = await person(sql)
  const [acme, globex] = [await tenant(sql), await tenant(sql)]
  await sql`update tenants set name = 'Globex International' where id = ${globex}`
  await sql`update users set name = 'Ada Lovelace' where id = ${me.id}`
  await identity(sql, me.id)
  await member(sql, me.id, acme, 'r1', 'r2')
  await member(sql, me.id, globex, 'r1')
  await sql`update sessions set tenant_id = ${acme}, user_agent = ${agents[0]} where id = ${me.session}`
  for (const [agent, idle] of [
    [agents[1], '3 hours'],
    [agents[2], '29 hours'],
  ] as const) {
    const { session: id } = await session(sql, me.id)
    await sql`update sessions set user_agent = ${agent}, address = '192.0.2.7',
      last_seen_at = now() - ${idle}::interval where id = ${id}`
  }
  return me
}
const agents = [
  'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36',
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Version/18.5 Mobile/15E148 Safari/604.1',
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0',
] as const

/** What differs between the looks is judged in each: contrast in light and dark, width on a phone; the rest once. */
const looks = [
  { look: 'light', options: {}, rules: undefined },
  { look: 'dark', options: { dark: true }, rules: ['color-contrast'] },
  { look: 'phone', options: { phone: true }, rules: [] },
] as const
for (const { look, options, rules } of looks) {
  test(`every page can be read and operated by everybody: ${look}`, unlessChromium, async t => {
    const here = await world()
    const me = await somebody(here)
    for (const signedIn of [false, true]) {
      const browser = await here.browser(signedIn ? me.cookie : undefined, options)
      t.teardown(() => browser.close())
      const page = await browser.newPage()
      const faults = watch(page)
      for (const sight of sights.filter(one => (one.signedIn ?? false) === signedIn)) {
        // A link that differs in its fragment alone would not load the page anew.
        await page.goto('about:blank')
        await sight.open(here, page, me.email)
        await picture(page, `${sight.name}-${look}`)
        await judge(t, page, sight, faults.splice(0))
        t.same(await barriers(page, rules), [], `${sight.name}: no barrier that axe sees`)
        faults.length = 0
      }
    }
  })
}

async function judge(t: Test, page: Page, { name, title, refused }: Sight, faults: string[]): Promise<void> {
  t.equal(await page.title(), `${title} · Mintmark`, `${name}: title`)
  const heading = title.replace('Error: ', '')
  t.same(await page.locator('h1').allTextContents(), [heading], `${name}: one first heading`)
  t.equal(await page.locator('html').getAttribute('lang'), 'en')
  const expected = refused ? [`the server responded with a status of ${refused}`] : []
  t.match(faults, expected, `${name}: nothing on the console`)
  t.equal(faults.length, expected.length, `${name}: nothing on the console, ${faults}`)
  t.same(await overflow(page), [], `${name}: nothing sticks out of the window`)
}

/** What axe finds: by all its rules, WCAG 2.2 A and AA and its best practices among them, or by these. */
async function barriers(page: Page, rules?: readonly string[]): Promise<string[]> {
  if (rules?.length === 0) return []
  await page.evaluate(`${axe}; undefined`)
  return page.evaluate(
    async only => {
      interface Finding {
        readonly id: string
        readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[]
      }
      interface Axe {
        run(options: object): Promise<{ violations: Finding[]; passes: Finding[] }>
      }
      const { axe } = globalThis as unknown as { axe: Axe }
      const { violations, passes } = await axe.run(only ? { runOnly: only } : {})
      if (passes.length < (only?.length ?? 15)) throw new Error('axe has looked at next to nothing')
      return violations.flatMap(({ id, nodes }) =>
        nodes.map(({ html, failureSummary }) => `${id}: ${html}: ${failureSummary}`),
      )
    },
    rules as string[] | undefined,
  )
}

const overflow = (page: Page) =>
  page.evaluate(() =>
    [...document.querySelectorAll('body *')]
      .filter(one => one.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
      .map(one => one.outerHTML.slice(0, 100)),
  )

test('every hosted page is among those that were looked at', unlessChromium, async t => {
  const { listRoutes } = await import('../harness/routes.js')
  const pages = (await listRoutes())
    .filter(
      ({ method, url }) => method === 'GET' && !/^\/(v1|\.well-known|assets|healthz|readyz)\b/.test(url),
    )
    .map(({ url }) => url)
  const here = await world()
  const me = await somebody(here)
  const page = await (await here.browser(me.cookie)).newPage()
  const stranger = await (await here.browser()).newPage()
  const titles = new Set(sights.map(({ title }) => title))
  t.ok(pages.length > 10)
  for (const path of pages) {
    for (const visitor of [page, stranger]) {
      await visitor.goto(here.issuer + path)
      t.ok(titles.has((await visitor.title()).replace(' · Mintmark', '')), path)
    }
  }
  await Promise.all([page.context().close(), stranger.context().close()])
})

test('password managers are told what each field is, and pasting works', unlessChromium, async t => {
  const here = await world()
  const { cookie, email } = await person(here.service.database.sql)
  const browser = await here.browser(cookie)
  t.teardown(() => browser.close())
  await browser.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: here.issuer })
  const page = await browser.newPage()
  const told = async (path: string) => {
    await page.goto(here.issuer + path)
    return page
      .locator('input:not([type=hidden])')
      .evaluateAll(all => all.map(one => `${one.id} ${(one as HTMLInputElement).autocomplete}`.trim()))
  }
  t.same(await told('/password'), [
    'username',
    'current_password current-password',
    'new_password new-password',
  ])
  t.same(await told('/step-up'), ['username', 'password current-password'])
  const named = () => page.locator('input[autocomplete=username]').inputValue()
  t.equal(await named(), email)
  await page.getByText(`Enter the password of ${email}`).waitFor()
  const { sql } = here.service.database
  const reset = await link(sql, 'password-reset', email)
  t.same(await told(`/password/reset#token=${reset}`), ['username', 'password new-password'])
  await page.getByText(`Account: ${email}`).waitFor()
  t.equal(await named(), email, 'the address that the link was mailed to')
  const signUp = await link(sql, 'sign-up', `new.${email}`)
  t.same(await told(`/sign-up/verify#token=${signUp}`), ['username', 'name name', 'password new-password'])
  const invited = await invitation(sql, email)
  t.same(await told(`/invitations/accept#token=${invited}`), [
    'username',
    'name name',
    'password new-password',
  ])
  t.same(await told('/sign-up'), ['email username'])
  await browser.clearCookies()
  t.same(await told('/sign-in'), ['email username', 'password current-password'])
  await page.evaluate(() => navigator.clipboard.writeText('pasted by a manager'))
  await page.getByLabel('Password', { exact: true }).focus()
  await page.keyboard.press('Control+V')
  t.equal(await page.getByLabel('Password', { exact: true }).inputValue(), 'pasted by a manager')
  await page.getByRole('button', { name: 'Show password' }).click()
  t.equal(await page.getByLabel('Password', { exact: true }).getAttribute('type'), 'text')
  await page.getByRole('button', { name: 'Hide password' }).click()
  t.equal(await page.getByLabel('Password', { exact: true }).getAttribute('type'), 'password')
})

test(
  'sign-in works by keyboard alone, and a refusal leads to the field that it is about',
  unlessChromium,
  async t => {
    const here = await world()
    const { email } = await person(here.service.database.sql)
    const browser = await here.browser()
    t.teardown(() => browser.close())
    const page = await browser.newPage()
    await page.goto(here.issuer)
    // The browser gives the focus with the first picture of a page, which may come after its load event.
    const focused = (field: string) => page.locator(`#${field}:focus`).waitFor()
    await focused('email')
    await page.keyboard.type(email)
    await page.keyboard.press('Tab')
    await focused('password')
    await page.keyboard.type('a wrong password')
    await page.keyboard.press('Enter')
    await page.locator('#password-error').waitFor()
    await focused('password')
    t.equal(await page.locator('#password').getAttribute('aria-describedby'), 'password-error')
    t.equal(await page.locator('#password').inputValue(), '', 'a password is never sent back')
    t.equal(await page.locator('#email').inputValue(), email)
    const ring = await page.locator('#password').evaluate(one => getComputedStyle(one).outlineStyle)
    t.equal(ring, 'solid', 'where one is can be seen')
    await page.keyboard.type('several unrelated words here')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Your account' }).waitFor()
  },
)
