/** A real Redis that can be emptied, killed, frozen and started again. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { createConnection } from 'node:net'
import { until } from './postgres.js'

export interface RedisServer {
  readonly port: number
  start(): Promise<void>
  /** Without any notice, as in a crash. It keeps nothing. */
  kill(): Promise<void>
  freeze(): void
  thaw(): void
  /** FLUSHALL. */
  empty(): Promise<void>
}

/** On a laptop without Redis the suite runs without; CI must have it. */
export function redisInstalled(): boolean {
  const installed = spawnSync('redis-server', ['--version']).status === 0
  if (!installed && process.env.CI) throw new Error('CI needs redis-server')
  return installed
}

export function redisServer(folder: string, port: number): RedisServer {
  let server: ChildProcess | undefined
  return {
    port,
    async start() {
      // Two who killed it would start it twice, and one of those would be nobody's.
      if (server && server.exitCode === null && server.signalCode === null) return
      const options = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', folder]
      server = spawn('redis-server', options, { stdio: 'ignore' })
      await until(() => say(port, 'PING'))
    },
    kill: () =>
      new Promise(resolve => {
        if (!server || server.exitCode !== null || server.signalCode !== null) return resolve()
        server.once('close', () => resolve())
        server.kill('SIGKILL')
      }),
    freeze: () => void server?.kill('SIGSTOP'),
    thaw: () => void server?.kill('SIGCONT'),
    async empty() {
      await say(port, 'FLUSHALL')
    },
  }
}

/** Whether it answered. */
function say(port: number, command: string): Promise<boolean> {
  return new Promise(resolve => {
    const socket = createConnection({ host: '127.0.0.1', port, timeout: 1000 })
    const end = (answered: boolean) => {
      socket.destroy()
      resolve(answered)
    }
    socket.on('error', () => end(false)).on('timeout', () => end(false))
    socket.on('data', () => end(true))
    socket.write(`${command}\r\n`)
  })
}
