// Starts all three: Mintmark (unless it runs already), the application and the API. `npm run example`; Ctrl-C ends them.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { createApi } from './api.mjs'
import { createSite } from './site.mjs'

// Where the service listens, as it finds that out itself, and an origin that its application `demo` has registered.
if (existsSync('.env')) process.loadEnvFile('.env')
const [, port = '4000'] = /:(\d+)$/.exec(process.env.MINTMARK_LISTEN ?? '') ?? []
const issuer = process.env.ISSUER || new URL(`http://localhost:${port}`).origin
const app = 'http://localhost:5173'
const api = 'http://localhost:5174'

const ready = () =>
  fetch(`${issuer}/.well-known/openid-configuration`).then(
    ({ ok }) => ok,
    () => false,
  )
if (!(await ready())) {
  // The API has no service key here, so the feed is open.
  const env = { MINTMARK_FEED_PUBLIC: 'true', ...process.env }
  const service = spawn(process.execPath, ['dist/main.js'], { stdio: 'inherit', env })
  service.on('exit', code => process.exit(code ?? 1))
  // The terminal's Ctrl-C reaches the service too: this process ends with it.
  process.on('SIGINT', () => {})
  process.on('SIGTERM', () => service.kill())
  const waitedSeconds = 60
  for (const end = performance.now() + waitedSeconds * 1000; !(await ready()); await pause(100)) {
    if (performance.now() < end) continue
    console.error(`Nothing answers at ${issuer} after ${waitedSeconds} s: check ISSUER and MINTMARK_LISTEN.`)
    service.kill()
    process.exit(1)
  }
}

createApi({ issuer, audience: 'demo-api', appOrigin: app }).listen(5174, 'localhost')
createSite({ issuer, api }).listen(5173, 'localhost', () => console.log(`\nThe example: open ${app}\n`))
