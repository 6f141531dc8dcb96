/** A real Redis of the test's own, which can be started, stopped and frozen. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import type { Test } from 'tap'
import { freePort } from './free-port.js'
import { eventually } from './service.js'

/** For tap's `skip`: says why on a laptop without Redis; in CI test/run.mjs has failed already. */
export const skipWithoutRedis = process.env.TEST_REDIS_SERVER === undefined && 'redis-server is not installed'

export interface RedisServer {
  readonly url: string
  /** Does not wait until it answers. It keeps nothing over a stop. */
  start(): void
  /** Without any notice, as in a crash. */
  stop(): Promise<void>
  /** Connections stay open and new ones are taken, but nothing is answered. */
  freeze(): void
  thaw(): void
  /** Until it answers. */
  ready(): Promise<void>
  command(name: string, ...args: string[]): Promise<unknown>
}

/** It is not started yet. `options` are of its command line, `--name value`. */
export async function redisServer(t: Test, options: readonly string[] = []): Promise<RedisServer> {
  const folder = await mkdtemp(join(tmpdir(), 'mintmark-redis-'))
  const port = await freePort()
  let server: ChildProcess | undefined
  const stop = () =>
    new Promise<void>(resolve => {
      if (!server || server.exitCode !== null || server.signalCode !== null) return resolve()
      server.once('close', () => resolve())
      server.kill('SIGKILL')
    })
  const command = async (name: string, ...args: string[]) => {
    const redis = new Redis({ port, host: '127.0.0.1', lazyConnect: true, retryStrategy: () => null })
    redis.on('error', () => {})
    try {
      await redis.connect()
      return await redis.call(name, ...args)
    } finally {
      redis.disconnect()
    }
  }
  t.teardown(async () => {
    await stop()
    await rm(folder, { recursive: true, force: true })
  })
  return {
    url: `redis://127.0.0.1:${port}`,
    start() {
      const usual = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', folder]
      const tls = options.includes('--tls-cert-file') ? ['--port', '0', '--tls-port', String(port)] : []
      server = spawn('redis-server', [...usual, ...tls, ...options], { stdio: 'ignore' })
    },
    stop,
    freeze: () => void server?.kill('SIGSTOP'),
    thaw: () => void server?.kill('SIGCONT'),
    ready: async () =>
      void (await eventually(
        async () => (await command('ping').catch(() => undefined)) === 'PONG' || undefined,
      )),
    command,
  }
}
