/** What tabs share, and what they never do: twenty at once, sign-out, other people, other tenants, other browsers. */
import type { BrowserContext, Page } from 'playwright-core'
import tap, { type Test, test } from 'tap'
import { member, person, tenant } from '../harness/world.js'
import { eventually } from '../support/service.js'
import { browserWorld, codeOf, openTab, unlessChromium, type World } from './world.js'

let opened: Promise<World> | undefined
function world(): Promise<World> {
  opened ??= browserWorld(tap)
  return opened
}

async function somebody(t: Test) {
  const here = await world()
  const me = await person(here.service.database.sql)
  const browser = await here.browser(me.cookie)
  t.teardown(() => browser.close())
  const tabs = (count: number, options = {}) =>
    Promise.all(Array.from({ length: count }, () => openTab(here, browser, options)))
  return { here, me, browser, tabs, before: await here.mints() }
}

const token = (page: Page) => page.evaluate(() => client.getAccessToken())
const changesIn = (page: Page) => page.evaluate(() => changes)
const claims = (text: string) => JSON.parse(Buffer.from(text.split('.')[1] ?? '', 'base64url').toString())

/** Holds the answers to token requests of this page until it is let go. */
async function holdMints(here: World, page: Page) {
  let release = () => {}
  const held = new Promise<void>(resolve => {
    release = resolve
  })
  let answered = 0
  await page.route(`${here.issuer}/v1/token`, async route => {
    if (route.request().method() === 'OPTIONS') return route.continue()
    const response = await route.fetch()
    answered++
    await held
    await route.fulfill({ response }).catch(() => {})
  })
  return { release, minted: () => eventually(() => answered > 0 || undefined, 30) }
}

test(
  'twenty tabs that open at once mint once, and again once when that token ends',
  unlessChromium,
  async t => {
    const { here, tabs, before } = await somebody(t)
    const all = await tabs(20)
    const tokens = await Promise.all(all.map(token))
    t.equal(new Set(tokens).size, 1, 'they have the same token')
    t.equal((await here.mints()) - before, 1, 'by the service’s own counter')
    // Each API that they call refuses it: once more for all of them.
    here.api.answer = (request, response) => {
      const old = request.headers.authorization === `Bearer ${tokens[0]}`
      response.statusCode = old ? 401 : 200
      response.setHeader('www-authenticate', old ? 'Bearer error="invalid_token"' : 'Bearer')
      response.end()
    }
    const answers = await Promise.all(
      all.map(page => page.evaluate(async () => (await client.fetch('/api')).status)),
    )
    t.same(answers, Array(20).fill(200))
    t.equal((await here.mints()) - before, 2)
  },
)

test(
  'RV-10: twenty tabs whose every token is rejected mint one new one together, and each gets the error',
  unlessChromium,
  async t => {
    const { here, tabs, before } = await somebody(t)
    const all = await tabs(20)
    await Promise.all(all.map(token))
    let count = 0
    here.api.answer = (_request, response) => {
      count++
      response.setHeader('www-authenticate', 'Bearer error="invalid_token"')
      response.statusCode = 401
      response.end()
    }
    const ask = () =>
      Promise.all(all.map(page => page.evaluate(async () => (await client.fetch('/api')).status)))
    for (let turn = 0; turn < 3; turn++) t.same(await ask(), Array(20).fill(401))
    t.equal((await here.mints()) - before, 2, 'the first token, and one new one')
    t.equal(count, 80, 'twice for each tab, then once')
  },
)

test('a tab that is closed while it mints leaves the turn to the next', unlessChromium, async t => {
  const { here, tabs, before } = await somebody(t)
  const [first, second] = (await tabs(2)) as [Page, Page]
  const { sql } = here.service.database
  const waits = () => sql`select from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock' and query like '%applications%'`
  let waiting = Promise.resolve('')
  await sql.begin(async tx => {
    // A mint reads the application; who is signed in can be asked meanwhile.
    await tx`lock table applications in access exclusive mode`
    const lost = token(first).catch(() => 'closed')
    await eventually(async () => (await waits()).length > 0 || undefined, 30)
    waiting = token(second)
    await second.waitForFunction(async () => ((await navigator.locks.query()).pending ?? []).length > 0)
    await first.close()
    t.equal(await lost, 'closed')
  })
  t.match(await waiting, /^[\w-]+\./)
  const minted = (await here.mints()) - before
  t.ok(minted === 1 || minted === 2, `${minted}: at most one more, for the tab that was closed`)
})

test('a token outlives the tab that minted it', unlessChromium, async t => {
  const { here, browser, tabs, before } = await somebody(t)
  const [first, second] = (await tabs(2)) as [Page, Page]
  const minted = await token(first)
  t.equal(await token(second), minted)
  await first.close()
  t.equal(await token(await openTab(here, browser)), minted)
  t.equal((await here.mints()) - before, 1)
})

test('signing out in one tab signs out the others at once, in every tenant', unlessChromium, async t => {
  const { here, me, browser, tabs } = await somebody(t)
  const { sql } = here.service.database
  const acme = await tenant(sql)
  await member(sql, me.id, acme)
  const [first, second] = (await tabs(2)) as [Page, Page]
  const third = await openTab(here, browser, { tenant: acme })
  const idle = await openTab(here, browser)
  await Promise.all([first, second, third].map(token))
  await first.evaluate(() => client.signOut())
  for (const page of [first, second, third]) {
    await page.waitForFunction(() => changes.length > 0)
    t.same(await changesIn(page), ['signed_out'])
    t.equal(await codeOf(token(page)), 'signed_out')
  }
  t.same(await changesIn(idle), [], 'where nobody was known to be signed in nobody left')
  t.same(
    (await browser.cookies()).map(({ name }) => name),
    [],
    'the cookie is gone',
  )
})

test(
  'an answer to a mint from before a sign-out is discarded, here and in other tabs',
  unlessChromium,
  async t => {
    const { here, tabs } = await somebody(t)
    const [first, second] = (await tabs(2)) as [Page, Page]
    await second.evaluate(() => client.session())
    const { minted, release } = await holdMints(here, first)
    const waiting = codeOf(token(first))
    await minted()
    await second.evaluate(() => client.signOut())
    release()
    t.equal(await waiting, 'signed_out')
    t.equal(await codeOf(token(first)), 'signed_out')
    t.equal(await codeOf(token(second)), 'signed_out')
  },
)

test('two tabs work in two tenants, each with tokens of its own', unlessChromium, async t => {
  const { here, me, browser, before } = await somebody(t)
  const { sql } = here.service.database
  const [a, b] = [await tenant(sql), await tenant(sql)]
  await member(sql, me.id, a, 'r1')
  await member(sql, me.id, b, 'r2')
  const [inA, inB, neither, alsoA] = await Promise.all([
    openTab(here, browser, { tenant: a }),
    openTab(here, browser, { tenant: b }),
    openTab(here, browser),
    openTab(here, browser, { tenant: a }),
  ])
  const [forA, forB, forNone, again] = await Promise.all([inA, inB, neither, alsoA].map(token))
  t.match(claims(String(forA)), { tenant: a, roles: ['reader'] })
  t.match(claims(String(forB)), { tenant: b, roles: ['writer'] })
  t.notOk(claims(String(forNone)).tenant)
  t.equal(again, forA)
  const other = await openTab(here, browser, { audience: 'other', tenant: a })
  t.match(claims(await token(other)), { aud: 'other', tenant: a })
  t.equal((await here.mints()) - before, 4)
})

test('a new tab of somebody else’s never gets the token of who was there before', unlessChromium, async t => {
  const { here, me, browser, tabs } = await somebody(t)
  const [old] = (await tabs(1)) as [Page]
  t.equal(claims(await token(old)).sub, me.id)
  const other = await person(here.service.database.sql)
  await signInInstead(here, browser, other.email)
  const fresh = await openTab(here, browser)
  t.equal(claims(await token(fresh)).sub, other.id)
  t.equal(claims(await token(old)).sub, me.id, 'nor the other way round')
})

test('the same person, signed in anew, goes on in a tab that was signed out', unlessChromium, async t => {
  const { here, me, browser, tabs } = await somebody(t)
  const [page] = (await tabs(1)) as [Page]
  const first = await token(page)
  await signInInstead(here, browser, me.email)
  await page.evaluate(() => client.session())
  t.equal(await token(page), first, 'a token of the session before is good until it ends')
  await page.evaluate(() => client.signOut())
  t.equal(await codeOf(token(page)), 'signed_out')
  await here.signIn(browser, me.email)
  const [before, now] = [claims(first), claims(await token(page))]
  t.equal(now.sub, before.sub)
  t.not(now.sid, before.sid)
})

async function signInInstead(here: World, browser: BrowserContext, email: string): Promise<void> {
  const page = await browser.newPage()
  await page.goto(`${here.issuer}/sign-out`)
  await page.getByRole('button', { name: 'Sign out' }).click()
  await page.getByText('You are signed out.').waitFor()
  await page.close()
  await here.signIn(browser, email)
}

test('two browsers of one person share nothing, and ending one leaves the other', unlessChromium, async t => {
  const { here, me, browser, tabs, before } = await somebody(t)
  const [one] = (await tabs(1)) as [Page]
  const second = await here.browser()
  t.teardown(() => second.close())
  await here.signIn(second, me.email)
  const two = await openTab(here, second)
  t.not(claims(await token(one)).sid, claims(await token(two)).sid)
  t.equal((await here.mints()) - before, 2)
  await two.evaluate(() => client.signOut())
  t.ok(await one.evaluate(() => client.session()))
  t.same(await changesIn(one), [])
  t.equal((await browser.cookies()).length, 1)
})

test(
  'without Web Locks each tab mints for itself, and sign-out still reaches all',
  unlessChromium,
  async t => {
    const { here, browser, before } = await somebody(t)
    const without = (page: Page) =>
      page.addInitScript(() => Object.defineProperty(Navigator.prototype, 'locks', { value: undefined }))
    const [one, two] = await Promise.all([
      openTab(here, browser, {}, without),
      openTab(here, browser, {}, without),
    ])
    t.not(await token(one), await token(two))
    t.equal((await here.mints()) - before, 2)
    await one.evaluate(() => client.signOut())
    await two.waitForFunction(() => changes.length > 0)
  },
)
