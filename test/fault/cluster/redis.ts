/** A real Redis that can be emptied, killed, frozen and started again. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { Redis } from 'ioredis'
import { until } from './postgres.js'

export interface RedisServer {
  readonly port: number
  start(): Promise<void>
  /** Without any notice, as in a crash. */
  kill(): Promise<void>
  freeze(): void
  thaw(): void
  /** FLUSHALL. */
  empty(): Promise<void>
  /** Rejects when there is no answer within a second. */
  command(name: string, ...args: string[]): Promise<unknown>
  close(): Promise<void>
}

/** On a laptop without Redis the suite runs without; CI must have it. */
export function redisInstalled(): boolean {
  const installed = spawnSync('redis-server', ['--version']).status === 0
  if (!installed && process.env.CI) throw new Error('CI needs redis-server')
  return installed
}

/** Without `settings` it keeps nothing over a crash. */
export function redisServer(folder: string, port: number, settings: readonly string[] = []): RedisServer {
  let server: ChildProcess | undefined
  const redis = new Redis({
    ...{ port, host: '127.0.0.1', lazyConnect: true, retryStrategy: () => 20, commandTimeout: 1000 },
    ...{ maxRetriesPerRequest: 0, enableOfflineQueue: false, enableReadyCheck: false },
  })
  redis.on('error', () => {})
  async function command(name: string, ...args: string[]): Promise<unknown> {
    if (redis.status === 'wait') await redis.connect().catch(() => {})
    return redis.call(name, ...args)
  }
  const alive = () => server?.exitCode === null && server.signalCode === null
  const kill = () =>
    new Promise<void>(resolve => {
      if (!alive()) return resolve()
      server?.once('close', () => resolve())
      server?.kill('SIGKILL')
    })
  return {
    port,
    async start() {
      // Two who killed it would start it twice, and one of those would be nobody's.
      if (alive()) return
      const options = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', folder]
      await until(async () => {
        // It ends by itself where its port, or its bus, is not free yet.
        if (!alive()) server = spawn('redis-server', [...options, ...settings], { stdio: 'ignore' })
        return (await command('ping').catch(() => undefined)) === 'PONG'
      }, 30)
    },
    kill,
    freeze: () => void server?.kill('SIGSTOP'),
    thaw: () => void server?.kill('SIGCONT'),
    empty: async () => void (await command('flushall').catch(() => {})),
    command,
    close: async () => {
      redis.disconnect()
      await kill()
    },
  }
}
