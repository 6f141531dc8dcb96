/** The promises of @mintmark/client, one tab at a time, in a real browser with a real service. */
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import type { Page } from 'playwright-core'
import tap, { type Test, test } from 'tap'
import { person } from '../harness/world.js'
import { rootUrl } from '../support/project.mjs'
import {
  browserWorld,
  codeOf,
  openTab,
  type Prepare,
  refuse,
  unlessChromium,
  type World,
  watch,
} from './world.js'

test('minified and compressed it is under 4 KB', async t => {
  const entry = new URL('packages/client/dist/index.js', rootUrl).pathname
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    minify: true,
    format: 'esm',
    write: false,
  })
  const bytes = gzipSync(outputFiles[0]?.contents ?? '', { level: 9 }).length
  t.comment(`@mintmark/client: ${bytes} bytes`)
  t.ok(bytes > 500 && bytes < 4096, `${bytes} bytes`)
})

let opened: Promise<World> | undefined
/** One for the whole file. */
function world(): Promise<World> {
  opened ??= browserWorld(tap)
  return opened
}

/** A browser in which somebody is signed in, and one tab of the application. */
async function somebody(t: Test, prepare: Prepare = async () => {}) {
  const here = await world()
  const { email, id, cookie } = await person(here.service.database.sql)
  const browser = await here.browser(cookie)
  t.teardown(() => browser.close())
  const page = await openTab(here, browser, {}, prepare)
  const changes = () => page.evaluate(() => globalThis.changes)
  return { here, browser, page, email, id, changes, minted: await here.mints() }
}

const token = (page: Page) => page.evaluate(() => client.getAccessToken())
/** What a token request ends with, when it is refused. */
const refusal = (page: Page) => codeOf(token(page))

test('a token is minted once, is used again, and lies in no storage', unlessChromium, async t => {
  const { here, browser, page, minted } = await somebody(t)
  const first = await token(page)
  t.match(first, /^[\w-]+\.[\w-]+\.[\w-]{86}$/)
  t.equal(await token(page), first)
  const both = await page.evaluate(() => Promise.all([client.getAccessToken(), client.getAccessToken()]))
  t.same(both, [first, first])
  t.equal((await here.mints()) - minted, 1)
  const stored = await page.evaluate(async () => [
    localStorage.length,
    sessionStorage.length,
    document.cookie,
    (await indexedDB.databases()).length,
    (await caches.keys()).length,
  ])
  t.same(stored, [0, 0, '', 0, 0])
  t.same(
    (await browser.cookies()).map(({ name }) => name),
    ['__Host-session'],
  )
})

test(
  'the cookie is the one a real browser keeps on localhost, out of reach of scripts',
  unlessChromium,
  async t => {
    const { here, browser } = await somebody(t)
    const [cookie] = await browser.cookies()
    t.match(cookie, { name: '__Host-session', path: '/', httpOnly: true, secure: true, sameSite: 'Lax' })
    t.equal(cookie?.domain, 'localhost')
    const page = await browser.newPage()
    await page.goto(here.issuer)
    t.equal(await page.evaluate(() => document.cookie), '')
  },
)

test('session() says who is signed in, and null when nobody is', unlessChromium, async t => {
  const { here, page, email, id } = await somebody(t)
  t.match(await page.evaluate(() => client.session()), { user: { id, email }, tenant: null })
  const stranger = await openTab(here, await here.browser())
  t.equal(await stranger.evaluate(() => client.session()), null)
  t.equal(await refusal(stranger), 'signed_out')
  t.same(await stranger.evaluate(() => changes), [], 'nobody left, since nobody was there')
  await stranger.context().close()
})

for (const hours of [1, -1]) {
  test(`a computer clock that is wrong by ${hours} h changes nothing`, unlessChromium, async t => {
    const { here, page, minted } = await somebody(t, page =>
      page.addInitScript(wrong => {
        const right = Date.now.bind(Date)
        let by = wrong * 3_600_000
        Date.now = () => right() + by
        const setClock = (ms: number) => {
          by = ms
        }
        Object.assign(globalThis, { setClock })
      }, hours),
    )
    const first = await token(page)
    t.equal(await token(page), first)
    await page.evaluate('setClock(-7200000)')
    t.equal(await token(page), first, 'nor when it is set meanwhile')
    await page.evaluate('setClock(7200000)')
    t.equal(await token(page), first)
    t.equal((await here.mints()) - minted, 1)
  })
}

/** The monotonic clock of a page, which the test moves on. */
const movable = (page: Page) =>
  page.addInitScript(() => {
    const real = performance.now.bind(performance)
    let on = 0
    performance.now = () => real() + on
    const pass = (seconds: number) => {
      on += seconds * 1000
    }
    Object.assign(globalThis, { pass })
  })

test(
  'a token is renewed shortly before what the service said it lives, and not earlier',
  unlessChromium,
  async t => {
    const { here, page, minted } = await somebody(t, movable)
    const first = await token(page)
    await page.evaluate('pass(270)')
    t.equal(await token(page), first, 'half a minute before its end it is used')
    await page.evaluate('pass(15)')
    t.not(await token(page), first)
    t.equal((await here.mints()) - minted, 2)
  },
)

test('a token is never looked into: any text will do', unlessChromium, async t => {
  const { here, page } = await somebody(t, movable)
  let count = 0
  await page.route(`${here.issuer}/v1/token`, async route => {
    const answer = await route.fetch()
    await route.fulfill({
      response: answer,
      json: { ...(await answer.json()), access_token: `no JWT ${++count}` },
    })
  })
  t.equal(await token(page), 'no JWT 1')
  await page.evaluate('pass(290)')
  t.equal(await token(page), 'no JWT 2')
})

test('503, 429 and a broken connection are waited out, and nobody is signed out', unlessChromium, async t => {
  const { here, page, changes } = await somebody(t)
  const troubles: ('broken' | { status: number; code: string })[] = [
    { status: 503, code: 'unavailable' },
    'broken',
    { status: 429, code: 'too_many_requests' },
    { status: 500, code: 'internal_error' },
  ]
  await page.route(`${here.issuer}/v1/token`, async route => {
    if (route.request().method() === 'OPTIONS') return route.continue()
    const trouble = troubles.shift()
    if (trouble === undefined) return route.continue()
    if (trouble === 'broken') return route.abort()
    return refuse(here, route, trouble.status, trouble.code)
  })
  t.match(await token(page), /^[\w-]+\./)
  t.same(troubles, [], 'it was asked until it answered')
  t.same(await changes(), [])
})

test('a refusal that is not the service’s own is an outage', unlessChromium, async t => {
  const { here, page, changes } = await somebody(t)
  let first = true
  await page.route(`${here.issuer}/v1/token`, async route => {
    if (!first) return route.continue()
    first = false
    return route.fulfill({
      status: 401,
      body: '<h1>Log in to the hotel’s network</h1>',
      headers: allowing(here),
    })
  })
  t.match(await token(page), /^[\w-]+\./)
  t.same(await changes(), [])
})

const allowing = ({ app }: World) => ({
  'access-control-allow-origin': new URL(app).origin,
  'access-control-allow-credentials': 'true',
})

test(
  'offline and back: the call waits and goes on, and a token that is still good is used',
  unlessChromium,
  async t => {
    const { browser, page, changes } = await somebody(t, movable)
    await browser.setOffline(true)
    const failed = page.waitForEvent('requestfailed')
    const waiting = token(page)
    await failed
    await browser.setOffline(false)
    const first = await waiting
    await browser.setOffline(true)
    t.equal(await token(page), first, 'without any network')
    await browser.setOffline(false)
    t.same(await changes(), [])
  },
)

test(
  'an outage that lasts ends in `unavailable`, with the person still signed in',
  unlessChromium,
  async t => {
    const { here, browser, page, changes } = await somebody(t, movable)
    const first = await token(page)
    await browser.setOffline(true)
    await page.evaluate('pass(290)')
    const failed = page.waitForEvent('requestfailed')
    const waiting = refusal(page)
    await failed
    // A token in its last seconds bridges it; then there is none.
    await page.evaluate('pass(31)')
    await page.evaluate(() => dispatchEvent(new Event('online')))
    t.equal(await waiting, 'unavailable')
    t.same(await changes(), [])
    await browser.setOffline(false)
    t.not(await token(page), first)
    t.ok(await page.evaluate(() => client.session()))
    t.ok(await here.mints())
  },
)

test(
  'a cookie that another tab renews meanwhile is no sign-out: it is tried again',
  unlessChromium,
  async t => {
    const { here, page, changes } = await somebody(t)
    let refusals = 3
    await page.route(`${here.issuer}/v1/token`, route =>
      route.request().method() === 'OPTIONS' || refusals-- <= 0
        ? route.continue()
        : refuse(here, route, 401, 'session_superseded'),
    )
    t.match(await token(page), /^[\w-]+\./)
    t.same(await changes(), [])
  },
)

test('a cookie that stays superseded for two seconds is a sign-out', unlessChromium, async t => {
  const { here, page, id, changes } = await somebody(t)
  t.match(await token(page), /^[\w-]+\./)
  await here.service.database.sql`update sessions set previous_secret_hash = secret_hash,
    secret_hash = sha256('another'), secret_changed_at = now() where user_id = ${id}`
  const began = performance.now()
  t.equal(
    await codeOf(page.evaluate(() => client.session().then(() => client.getAccessToken()))),
    'signed_out',
  )
  t.ok(performance.now() - began > 1900)
  t.same(await changes(), ['signed_out'])
})

test(
  'a session that was ended elsewhere is seen at the next token, and told once',
  unlessChromium,
  async t => {
    const { here, page, id, changes } = await somebody(t, movable)
    await token(page)
    await here.service.database
      .sql`update sessions set ended_at = now(), ended_reason = 'by-person' where user_id = ${id}`
    await page.evaluate('pass(290)')
    t.equal(await refusal(page), 'signed_out')
    t.equal(await refusal(page), 'signed_out')
    t.same(await changes(), ['signed_out'])
  },
)

test(
  'when somebody else signs in, the page gets neither their token nor their name',
  unlessChromium,
  async t => {
    const { here, browser, page, changes } = await somebody(t, movable)
    const first = await token(page)
    const other = await person(here.service.database.sql)
    const hosted = await browser.newPage()
    await hosted.goto(`${here.issuer}/`)
    await hosted.getByRole('button', { name: 'Sign out' }).click()
    await hosted.getByText('You are signed out.').waitFor()
    await here.signIn(browser, other.email)
    t.equal(await token(page), first, 'a token that was minted before lives on')
    await page.evaluate('pass(290)')
    const minted = await here.mints()
    t.equal(await refusal(page), 'session_changed')
    t.equal(await codeOf(page.evaluate(() => client.session())), 'session_changed')
    t.same(await changes(), ['session_changed'])
    t.equal(await here.mints(), minted, 'nothing was minted')
    await page.reload()
    await page.waitForFunction('globalThis.client !== undefined')
    t.match(await page.evaluate(() => client.session()), { user: { id: other.id } })
  },
)

test(
  'a page that began in one tenant is told when the session’s tenant is switched',
  unlessChromium,
  async t => {
    const { here, browser, page, id, changes } = await somebody(t, movable)
    const { sql } = here.service.database
    const acme = '5b5d8a5e-0000-4000-8000-000000000001'
    await sql`insert into tenants (id, name) values (${acme}, 'Acme')`
    await sql`insert into memberships (user_id, tenant_id) values (${id}, ${acme})`
    await token(page)
    const hosted = await browser.newPage()
    await hosted.goto(here.issuer)
    await hosted.getByRole('button', { name: 'Switch to Acme' }).click()
    await hosted.getByText('Current tenant').waitFor()
    await page.evaluate('pass(290)')
    t.equal(await refusal(page), 'session_changed')
    t.same(await changes(), ['session_changed'])
  },
)

test('refusals of the service come through by their code', unlessChromium, async t => {
  const { here, browser } = await somebody(t)
  const elsewhere = await openTab(here, browser, { audience: 'nobody’s' })
  t.equal(await refusal(elsewhere), 'invalid_request')
  const foreign = await openTab(here, browser, { tenant: '5b5d8a5e-0000-4000-8000-000000000002' })
  t.equal(await refusal(foreign), 'tenant_forbidden')
  const unknown = await openTab(here, browser, { audience: 'unknown' })
  t.equal(await refusal(unknown), 'audience_forbidden')
  t.same(await unknown.evaluate(() => changes), [])
})

test(
  'fetch adds the token; on 401 invalid_token it mints once more and sends once more',
  unlessChromium,
  async t => {
    const { here, page, minted } = await somebody(t)
    const seen: string[] = []
    let spoilt: string | undefined
    here.api.answer = async (request, response) => {
      const [authorization = ''] = [request.headers.authorization]
      let body = ''
      for await (const chunk of request) body += chunk
      seen.push(`${request.method} ${body}`)
      spoilt ??= authorization
      if (authorization !== spoilt) return void response.end(`done: ${request.headers['x-mine']}`)
      response.setHeader('www-authenticate', 'Bearer error="invalid_token", error_description="old"')
      response.statusCode = 401
      response.end()
    }
    const answer = await page.evaluate(async () => {
      const headers = { 'x-mine': 'kept' }
      const answer = await client.fetch('/api/orders', { method: 'POST', headers, body: 'an order' })
      return [answer.status, await answer.text()]
    })
    t.same(answer, [200, 'done: kept'])
    t.same(seen, ['POST an order', 'POST an order'])
    t.equal((await here.mints()) - minted, 2)
  },
)

test(
  'fetch sends no more than twice, and not again what is refused for another reason or was a stream',
  unlessChromium,
  async t => {
    const { here, page, minted } = await somebody(t)
    let count = 0
    let challenge: string | undefined = 'Bearer error="invalid_token"'
    here.api.answer = (request, response) => {
      count++
      request.resume()
      if (challenge !== undefined) response.setHeader('www-authenticate', challenge)
      response.statusCode = 401
      response.end()
    }
    const ask = () => page.evaluate(async () => (await client.fetch('/api')).status)
    t.equal(await ask(), 401)
    t.same([count, (await here.mints()) - minted], [2, 2])
    challenge = 'Bearer error="insufficient_scope"'
    t.equal(await ask(), 401)
    challenge = undefined
    t.equal(await ask(), 401)
    t.same([count, (await here.mints()) - minted], [4, 2])
    challenge = 'Bearer error="invalid_token"'
    const request = () =>
      page.evaluate(async () => {
        const body = new Request('/api', { method: 'POST', body: 'once' })
        return (await client.fetch(body)).status
      })
    t.equal(await request(), 401)
    t.equal(count, 5, 'the body of a Request is gone')
  },
)

test(
  'RV-10: an API that rejects every token gets one new one, then the error is handed to the caller, without a loop',
  unlessChromium,
  async t => {
    const { here, page, minted } = await somebody(t, movable)
    let count = 0
    let stale = true
    here.api.answer = (_request, response) => {
      count++
      response.setHeader('content-type', 'application/problem+json')
      if (stale) response.setHeader('www-authenticate', 'Bearer error="invalid_token"')
      response.statusCode = stale ? 401 : 200
      response.end(JSON.stringify({ code: 'stale_token' }))
    }
    const ask = () =>
      page.evaluate(async () => {
        const answer = await client.fetch('/api')
        return [answer.status, (await answer.json()).code]
      })
    for (let turn = 0; turn < 10; turn++) t.same(await ask(), [401, 'stale_token'])
    t.same([count, (await here.mints()) - minted], [11, 2], 'the first token, and one new one')
    await page.evaluate('pass(6)')
    t.same(await ask(), [401, 'stale_token'])
    t.same([count, (await here.mints()) - minted], [13, 3], 'some seconds later it is tried once more')
    stale = false
    t.same(await ask(), [200, 'stale_token'])
    t.equal((await here.mints()) - minted, 3)
  },
)

test('a token that was revoked with its session is a sign-out, told once', unlessChromium, async t => {
  const { here, page, id, changes } = await somebody(t)
  await token(page)
  here.api.answer = (_request, response) => {
    response.setHeader('www-authenticate', 'Bearer error="invalid_token"')
    response.statusCode = 401
    response.end()
  }
  await here.service.database
    .sql`update sessions set ended_at = now(), ended_reason = 'by-person' where user_id = ${id}`
  t.equal(await codeOf(page.evaluate(async () => (await client.fetch('/api')).status)), 'signed_out')
  t.equal(await refusal(page), 'signed_out')
  t.same(await changes(), ['signed_out'])
})

test('fetch takes what fetch takes: a Request, a signal', unlessChromium, async t => {
  const { here, browser, page } = await somebody(t)
  here.api.answer = (request, response) =>
    void response.end(`${request.method} ${request.headers.authorization?.slice(0, 7)}`)
  t.equal(
    await page.evaluate(async () => (await client.fetch(new Request('/api', { method: 'PUT' }))).text()),
    'PUT Bearer ',
  )
  await browser.setOffline(true)
  const fresh = await page.evaluate(async () => {
    const other = createClient({ issuer: 'http://localhost:1' })
    const signal = AbortSignal.timeout(50)
    return other.fetch('/api', { signal }).catch(error => error.name)
  })
  t.equal(fresh, 'TimeoutError', 'who gives up does not wait for a token')
  await browser.setOffline(false)
})

test(
  'signIn goes to the hosted page, which comes back to the registered address',
  unlessChromium,
  async t => {
    const here = await world()
    const { sql } = here.service.database
    const browser = await here.browser()
    t.teardown(() => browser.close())
    const faults = watch(browser)
    const page = await openTab(here, browser)
    await page.evaluate(() => client.signIn())
    await page.getByText('to continue to spa').waitFor()
    t.equal(new URL(page.url()).origin, here.issuer)
    const { email } = await person(sql)
    await page.getByLabel('Email address').fill(email)
    await page.getByLabel('Password', { exact: true }).fill('several unrelated words here')
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.waitForURL(here.app)
    t.same(faults, [], 'the redirect passed the policy of the page')
  },
)
