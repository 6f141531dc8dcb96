// Starts all three: Mintmark (unless it runs already), the application and the API. `npm run example`; Ctrl-C ends them.
import { spawn } from 'node:child_process'
import { setTimeout as pause } from 'node:timers/promises'
import { createApi } from './api.mjs'
import { createSite } from './site.mjs'

// Where the embedded default listens, and an origin that its application `demo` has registered.
const issuer = 'http://localhost:4000'
const app = 'http://localhost:5173'
const api = 'http://localhost:5174'

const ready = () =>
  fetch(`${issuer}/readyz`).then(
    ({ ok }) => ok,
    () => false,
  )
if (!(await ready())) {
  const service = spawn(process.execPath, ['dist/main.js'], { stdio: 'inherit' })
  service.on('exit', code => process.exit(code ?? 1))
  // The terminal's Ctrl-C reaches the service too: this process ends with it.
  process.on('SIGINT', () => {})
  process.on('SIGTERM', () => service.kill())
  while (!(await ready())) await pause(100)
}

createApi({ issuer, audience: 'demo-api', appOrigin: app }).listen(5174, 'localhost')
createSite({ issuer, api }).listen(5173, 'localhost', () => console.log(`\nThe example: open ${app}\n`))
