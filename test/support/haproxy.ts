/** A real HAProxy before the service, as a deployment has it: it keeps connections, and shares them among its clients. */
import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { freePort } from './free-port.js'
import { eventually } from './service.js'

/** For tap's `skip`: says why on a laptop without HAProxy; in CI test/run.mjs has failed already. */
export const skipWithoutHaproxy = process.env.TEST_HAPROXY === undefined && 'haproxy is not installed'

export interface Seen {
  /** The Request-Id of the answer that came from the service; `-` where none did. */
  readonly id: string
  readonly status: number
}

export interface Haproxy {
  readonly url: string
  /** What it took for one request each, in the order of their ends. */
  readonly requests: readonly Seen[]
}

/** Whoever comes next gets the connection that is idle: an answer too many would reach the next client. */
const configuration = (port: number, service: string) => `
global
  log stdout format raw daemon info
defaults
  mode http
  timeout connect 2s
  timeout client 500ms
  timeout server 10s
  timeout http-request 1s
  timeout http-keep-alive 200ms
  http-reuse always
frontend front
  bind 127.0.0.1:${port}
  log global
  log-format '{"id":"%[capture.res.hdr(0)]","status":%ST}'
  capture response header request-id len 36
  http-request set-header X-Forwarded-For %[src]
  http-request set-header X-Forwarded-Proto https
  default_backend back
backend back
  server service ${service}
`

export async function haproxy(t: Test, service: string): Promise<Haproxy> {
  const folder = await mkdtemp(join(tmpdir(), 'mintmark-haproxy-'))
  const port = await freePort()
  const file = join(folder, 'haproxy.cfg')
  await writeFile(file, configuration(port, new URL(service).host))
  const child = spawn('haproxy', ['-db', '-f', file], { stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = new Promise<void>(resolve => child.once('close', () => resolve()))
  t.teardown(async () => {
    child.kill('SIGKILL')
    await ended
    await rm(folder, { recursive: true })
  })
  const requests: Seen[] = []
  let rest = ''
  child.stdout.setEncoding('utf8').on('data', text => {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) if (line.startsWith('{')) requests.push(JSON.parse(line))
  })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', text => {
    said += text
  })
  await eventually(async () => {
    if (child.exitCode !== null) throw new Error(`haproxy ended: ${said}`)
    return (await accepts(port)) || undefined
  })
  return { url: `http://127.0.0.1:${port}`, requests }
}

function accepts(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1')
    socket
      .once('error', () => resolve(false))
      .once('connect', () => {
        socket.destroy()
        resolve(true)
      })
  })
}
