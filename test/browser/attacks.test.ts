/** What other sites, sibling hosts and hostile texts can do to the hosted pages in a real browser: nothing. */
import type { Page } from 'playwright-core'
import tap, { type Test, test } from 'tap'
import { fingerprint, freshAddress, link, member, person, session, tenant } from '../harness/world.js'
import { goodPassword } from '../support/service.js'
import { browserWorld, serve, unlessChromium, type World, watch } from './world.js'

let opened: Promise<World> | undefined
function world(): Promise<World> {
  opened ??= browserWorld(tap)
  return opened
}

/** A page of somebody else's, at each kind of place. */
const strangers = {
  'another site': '127.0.0.1',
  'a sibling host': 'evil.localhost',
  'another port of the same host': 'localhost',
} as const

async function signedIn(t: Test) {
  const here = await world()
  const me = await person(here.service.database.sql)
  const browser = await here.browser(me.cookie)
  t.teardown(() => browser.close())
  return { here, me, browser, page: await browser.newPage(), sql: here.service.database.sql }
}

/** Sends a form as that page would, and waits for the answer. */
async function submit(page: Page, address: string, fields: Record<string, string>, type?: string) {
  const answered = page.waitForResponse(answer => answer.url() === address)
  await page.evaluate(
    ({ address, fields, type }) => {
      const form = document.createElement('form')
      Object.assign(form, { method: 'post', action: address })
      if (type) form.enctype = type
      for (const [name, value] of Object.entries(fields)) {
        const input = document.createElement('input')
        Object.assign(input, { type: 'hidden', name, value })
        form.append(input)
      }
      document.body.append(form)
      form.submit()
    },
    { address, fields, type },
  )
  const status = (await answered).status()
  await page.waitForURL(address)
  return status
}

for (const [who, host] of Object.entries(strangers)) {
  test(`CK-06, CK-10, CK-12: no form and no script of ${who} changes anything`, unlessChromium, async t => {
    const { here, me, browser, page, sql } = await signedIn(t)
    const place = await serve(t, (_, response) => {
      response.setHeader('content-type', 'text/html')
      response.end('<!doctype html><title>Evil</title><body>')
    })
    const evil = place.replace('localhost', host)
    const other = await person(sql)
    const before = await fingerprint(sql)
    const attempts: [string, Record<string, string>][] = [
      ['/sign-out', {}],
      ['/sign-in', { email: other.email, password: goodPassword }],
      ['/password', { current_password: goodPassword, new_password: 'the attacker chose this' }],
      ['/devices/end', { session: me.session }],
      ['/devices/end-others', {}],
      ['/tenant', { tenant: '' }],
      ['/step-up', { password: goodPassword }],
      ['/second-step', { code: '123456' }],
      ['/second-step/cancel', {}],
      ['/second-factors/app', {}],
      ['/second-factors/recovery-codes', {}],
      ['/sign-up', { email: 'victim@example.com' }],
    ]
    for (const [path, fields] of attempts) {
      for (const type of [undefined, 'text/plain'] as const) {
        await page.goto(evil)
        t.equal(await submit(page, here.issuer + path, fields, type), 403, path)
      }
    }
    await page.goto(evil)
    const scripted = await page.evaluate(async issuer => {
      const send = (path: string, init: RequestInit) =>
        fetch(issuer + path, { credentials: 'include', ...init }).then(
          answer => `${answer.type} ${answer.status}`,
          () => 'failed',
        )
      const form = new URLSearchParams({ tenant: '' })
      return Promise.all([
        send('/v1/session', { method: 'DELETE', headers: { 'X-Mintmark': '1' } }),
        send('/v1/token', { method: 'POST', headers: { 'X-Mintmark': '1' } }),
        send('/v1/session', { method: 'GET' }),
        send('/', { method: 'GET' }),
        send('/sign-out', { method: 'POST', mode: 'no-cors', body: form }),
        send('/v1/session', { method: 'POST', mode: 'no-cors', body: '{}' }),
      ])
    }, here.issuer)
    t.same(scripted, Array(6).fill('failed'), 'nor can the page read anything')
    t.equal(await fingerprint(sql), before, 'no row has changed')
    t.equal((await browser.cookies(here.issuer))[0]?.value, me.cookie, 'the cookie is the one it was')
    await page.goto(here.issuer)
    t.match(await page.locator('main').textContent(), me.email)
    t.notOk(here.service.mails.some(mail => mail.to === 'victim@example.com'))
  })
}

test('CK-17: nobody can put a page into a frame', unlessChromium, async t => {
  const { here, page } = await signedIn(t)
  const place = await serve(t, (_, response) => {
    response.setHeader('content-type', 'text/html')
    response.end(`<!doctype html><title>Frame</title><iframe src="${here.issuer}/sign-in"></iframe>
<iframe src="${here.issuer}/"></iframe><iframe src="${here.issuer}/nothing"></iframe>`)
  })
  const faults = watch(page)
  for (const host of Object.values(strangers)) {
    await page.goto(place.replace('localhost', host))
    await page.waitForLoadState('networkidle')
    const shown = await Promise.all(
      page
        .frames()
        .slice(1)
        .map(frame => frame.evaluate(() => document.body?.textContent ?? '').catch(() => '')),
    )
    t.equal(shown.length, 3)
    for (const text of shown) t.notMatch(text, /Sign in|Your account/)
  }
  t.ok(faults.filter(text => /frame/i.test(text)).length >= 3, 'the browser says why')
})

/** HT-22: each would set `ran` if any of it ran. */
const hostile = [
  `<script>ran = true</script>`,
  `"><img src=x onerror=ran=true>`,
  `'><svg onload=ran=true>`,
  `" autofocus onfocus="ran=true" x="`,
  `javascript:ran=true`,
  `</title><script>ran=true</script>`,
  `{{constructor.constructor('ran=true')()}}`,
  `<a href="javascript:ran=true" id=x>click</a>`,
  `&lt;script&gt;ran=true&lt;/script&gt;`,
  `<style>*{display:none}</style>`,
]

test(
  'HT-22: hostile names, tenants, devices and addresses are text on every page',
  unlessChromium,
  async t => {
    const { here, me, browser, page, sql } = await signedIn(t)
    const faults = watch(browser)
    const nothingRan = async (where: string) => {
      t.equal(await page.evaluate('typeof ran'), 'undefined', where)
      t.equal(await page.locator('main script, main img, main svg, main style, #x').count(), 0, where)
    }
    for (const text of hostile) {
      const id = await tenant(sql)
      await sql`update tenants set name = ${text}, roles = ${sql.json({ r1: { name: text, permissions: [] } })}
      where id = ${id}`
      await member(sql, me.id, id, 'r1')
      const other = await session(sql, me.id)
      await sql`update sessions set user_agent = ${text}, address = ${text} where id = ${other.session}`
      await sql`update users set name = ${text} where id = ${me.id}`
      await sql`update sessions set tenant_id = ${id} where id = ${me.session}`
      await page.goto(here.issuer)
      const [, , role] = await page.locator('dd').allTextContents()
      t.equal(role, `${text} (${text})`, 'it is shown as it is')
      t.equal((await page.locator('dd').allTextContents())[0], text)
      await nothingRan(`account: ${text}`)
    }
    for (const text of hostile.slice(0, -1))
      t.equal(await page.getByText(text, { exact: true }).count(), 1, text)
    await page.goto(`${here.issuer}/devices`)
    for (const text of hostile)
      t.ok((await page.locator('main').textContent())?.includes(`from ${text}`), text)
    await nothingRan('devices')

    const all = encodeURIComponent(`${hostile.join('')}zz9`)
    for (const path of [
      '/sign-in',
      '/sign-up',
      '/step-up',
      '/sign-out',
      '/',
      '/devices',
      '/second-factors',
    ]) {
      await page.goto(`${here.issuer}${path}?return_to=${all}&done=${all}`)
      await nothingRan(path)
      t.notOk((await page.content()).includes('zz9'), `${path} says nothing of it`)
    }
    t.same(faults, [], 'the policy had nothing to refuse: nothing was tried')
  },
)

test('HT-22: what was typed comes back as text', unlessChromium, async t => {
  const here = await world()
  const browser = await here.browser()
  t.teardown(() => browser.close())
  const page = await browser.newPage()
  const token = await link(here.service.database.sql, 'sign-up', freshAddress())
  await page.goto(`${here.issuer}/sign-up/verify#token=${token}`)
  for (const text of hostile) {
    await page.getByLabel('Your name (optional)').fill(text)
    await page.getByLabel('New password', { exact: true }).fill('short')
    await page.getByRole('button', { name: 'Set password' }).click()
    await page.locator('#password-error').waitFor()
    t.equal(await page.getByLabel('Your name (optional)').inputValue(), text)
    t.equal(await page.evaluate('typeof ran'), 'undefined')
  }
})

test('no page leads to an address that is not registered, letter by letter', unlessChromium, async t => {
  const here = await world()
  const { sql } = here.service.database
  const { email } = await person(sql)
  const { origin, host } = new URL(here.app)
  const browser = await here.browser()
  t.teardown(() => browser.close())
  const page = await browser.newPage()
  const refused = [
    origin,
    `${origin}/other`,
    `${origin}/?x=1`,
    `${origin}/#x`,
    `${origin}//evil.example/`,
    `${origin}.evil.example/`,
    `http://ada@${host}/`,
    `HTTP://${host}/`,
    'https://evil.example/',
    '//evil.example/',
    '/\\evil.example',
    '/%2fevil.example',
    'javascript:alert(1)',
    'data:text/html,x',
    '/nothing',
    '/v1/session',
    ' /devices',
  ]
  for (const address of refused) {
    await browser.clearCookies()
    await page.goto(`${here.issuer}/sign-in?return_to=${encodeURIComponent(address)}`)
    t.notOk((await page.content()).includes('return_to'), `${address} is dropped`)
    t.equal(await page.locator('.lead').count(), 0)
  }
  // Nor when the form itself is changed on its way.
  const answer = await fetch(`${here.issuer}/sign-in`, {
    method: 'POST',
    redirect: 'manual',
    headers: { origin: here.issuer },
    body: new URLSearchParams({ email, password: goodPassword, return_to: 'https://evil.example/' }),
  })
  t.equal(answer.status, 303)
  t.equal(answer.headers.get('location'), '/')
})

test('HT-18: every page forbids what it does not need, and is kept nowhere', unlessChromium, async t => {
  const { here, page } = await signedIn(t)
  for (const path of [
    '/',
    '/devices',
    '/second-factors',
    '/second-factors/app',
    '/password',
    '/sign-up',
    '/sign-out',
    '/password/reset',
    '/nothing',
  ]) {
    const headers = (await page.goto(here.issuer + path))?.headers() ?? {}
    const policy = headers['content-security-policy'] ?? ''
    t.match(policy, /^default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';/, path)
    t.notMatch(policy, /unsafe|\*|https?:/)
    t.match(policy, /frame-ancestors 'none'/)
    t.match(headers, {
      'cache-control': 'no-store',
      'referrer-policy': 'same-origin',
      'x-content-type-options': 'nosniff',
      'cross-origin-opener-policy': 'same-origin',
    })
    const inline = await page.locator('script:not([src]), [style], style, [onclick]').count()
    t.equal(inline, 0, 'no inline script, no inline style')
    const assets = await page.evaluate(() => performance.getEntriesByType('resource').map(({ name }) => name))
    for (const asset of assets) t.equal(new URL(asset).origin, here.issuer, 'every asset is ours')
  }
  const toApp = await page.goto(`${here.issuer}/sign-in?return_to=${encodeURIComponent(here.app)}`)
  const { origin } = new URL(here.app)
  t.match(toApp?.headers()['content-security-policy'], `form-action 'self' ${origin};`)
})
