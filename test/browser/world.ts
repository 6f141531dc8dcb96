/** The service, an application and an API of its own, and a real Chromium to open them in: one set for each test file. */
import { spawnSync } from 'node:child_process'
import { mkdir, readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Browser, type BrowserContext, chromium, type Page, type Route } from 'playwright-core'
import type { Test } from 'tap'
import { application } from '../harness/world.js'
import { testDatabase } from '../support/database.js'
import { freePort } from '../support/free-port.js'
import { rootUrl } from '../support/project.mjs'
import { goodPassword, type TestService, testService, tokenIn } from '../support/service.js'

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'
const installed = spawnSync(executablePath, ['--version']).status === 0
if (!installed && process.env.CI) throw new Error('CI needs chromium')

/** For `test`: a laptop without Chromium skips these visibly. */
export const unlessChromium = { skip: !installed && 'chromium is not installed' }

const clientFolder = fileURLToPath(new URL('packages/client/dist/', rootUrl))
const pictures = fileURLToPath(new URL('screenshots/', rootUrl))

export interface BrowserOptions {
  readonly dark?: boolean
  readonly phone?: boolean
  readonly scripts?: boolean
}

export interface World {
  readonly service: TestService
  readonly issuer: string
  /** The application's page: its `client` is `@mintmark/client`, made with what stands after `#` as JSON. */
  readonly app: string
  readonly chrome: Browser
  /** A browser with nothing in it, or with this session. */
  browser(cookie?: string, options?: BrowserOptions): Promise<BrowserContext>
  /** Signs this browser in, by the page. */
  signIn(context: BrowserContext, email: string): Promise<void>
  /** How many tokens the service has minted so far, by its own counter. */
  mints(): Promise<number>
  /** What the application's API answers at `/api`, from now on. */
  readonly api: { answer: (request: IncomingMessage, response: ServerResponse) => void }
}

export async function browserWorld(t: Test, env: Record<string, string> = {}): Promise<World> {
  const database = await testDatabase(t)
  const api: World['api'] = { answer: (_, response) => void response.end('ok') }
  const app = await serve(t, (request, response) => {
    if (request.url?.startsWith('/api')) return api.answer(request, response)
    void appPage(request, response)
  })
  const origin = new URL(app).origin
  await application(database.sql, {
    clientId: 'spa',
    origins: [origin],
    audiences: ['api', 'other'],
    returnAddresses: [app],
  })
  const port = await freePort()
  const issuer = `http://localhost:${port}`
  const service = await testService(t, {
    database,
    env: { ISSUER: issuer, MINTMARK_LISTEN: `127.0.0.1:${port}`, ...env },
  })
  const chrome = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] })
  t.teardown(() => chrome.close())

  return {
    api,
    service,
    issuer,
    app,
    chrome,
    async browser(cookie, { dark = false, phone = false, scripts = true } = {}) {
      const context = await chrome.newContext({
        javaScriptEnabled: scripts,
        colorScheme: dark ? 'dark' : 'light',
        viewport: phone ? { width: 360, height: 740 } : { width: 1000, height: 760 },
      })
      const attributes = { httpOnly: true, secure: true, sameSite: 'Lax' } as const
      if (cookie !== undefined)
        await context.addCookies([
          { name: '__Host-session', value: cookie, domain: 'localhost', path: '/', ...attributes },
        ])
      return context
    },
    async signIn(context: BrowserContext, email: string) {
      const page = await context.newPage()
      await page.goto(`${issuer}/sign-in`)
      await page.getByLabel('Email address').fill(email)
      await page.getByLabel('Password', { exact: true }).fill(goodPassword)
      await page.getByRole('button', { name: 'Sign in' }).click()
      await page.getByRole('heading', { name: 'Your account' }).waitFor()
      await page.close()
    },
    async mints() {
      const text = await (await fetch(`${service.addresses.probes}/metrics`)).text()
      return Number(/^mintmark_mints_total\{outcome="minted"\} (\d+)$/m.exec(text)?.[1] ?? 0)
    },
  }
}

/** A server of the test's own, under `localhost` and every name below it. */
export async function serve(
  t: Test,
  handler: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<string> {
  const server = createServer(handler)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://localhost:${(server.address() as { port: number }).port}/`
}

async function appPage({ url = '/' }: IncomingMessage, response: ServerResponse): Promise<void> {
  const file = /^\/client\/([a-z]+\.js)$/.exec(url)?.[1]
  if (file) {
    response.setHeader('content-type', 'text/javascript')
    return void response.end(await readFile(join(clientFolder, file)))
  }
  response.setHeader('content-type', 'text/html')
  response.end(`<!doctype html><title>App</title><link rel="icon" href="data:,"><script type="module">
import { createClient } from '/client/index.js'
globalThis.createClient = createClient
if (location.hash) globalThis.client = createClient(JSON.parse(decodeURIComponent(location.hash.slice(1))))
globalThis.changes = []
globalThis.client?.onChange(change => changes.push(change))
</script>`)
}

/** What is done to a page before anything is loaded. */
export type Prepare = (page: Page) => Promise<unknown>

/** A tab of the application, whose client is ready. */
export async function openTab(
  world: World,
  context: BrowserContext,
  options: { audience?: string; tenant?: string } = {},
  prepare: Prepare = async () => {},
): Promise<Page> {
  const page = await context.newPage()
  await prepare(page)
  await page.goto(`${world.app}#${encodeURIComponent(JSON.stringify({ issuer: world.issuer, ...options }))}`)
  await page.waitForFunction('globalThis.client !== undefined')
  return page
}

/** The code of the `MintmarkError` that something in a page is refused with. */
export async function codeOf(work: Promise<unknown>): Promise<string> {
  const outcome = await work.then(
    value => `it was not refused: ${JSON.stringify(value)}`,
    error => /Mintmark: (\w+)/.exec(String(error))?.[1] ?? String(error),
  )
  return outcome
}

/** Answers a request of the application's page in the service's place. */
export async function refuse({ app }: World, route: Route, status: number, code: string): Promise<void> {
  const origin = new URL(app).origin
  await route.fulfill({
    status,
    contentType: 'application/problem+json',
    headers: { 'access-control-allow-origin': origin, 'access-control-allow-credentials': 'true' },
    body: JSON.stringify({ code }),
  })
}

/** Everything that a console would show as wrong, refusals by the content security policy among it. */
export function watch(at: BrowserContext | Page): string[] {
  const faults: string[] = []
  const page = at as Page
  page.on('console', message => {
    if (message.type() === 'error' || message.type() === 'warning') faults.push(message.text())
  })
  if ('goto' in at) at.on('pageerror', error => faults.push(String(error)))
  else at.on('weberror', error => faults.push(String(error.error())))
  return faults
}

/** Kept as an artefact, to be looked at. */
export async function picture(page: Page, name: string): Promise<void> {
  await mkdir(pictures, { recursive: true })
  await page.screenshot({ path: join(pictures, `${name}.png`), fullPage: true })
}

export { tokenIn }
