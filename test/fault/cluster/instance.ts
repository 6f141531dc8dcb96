/** One instance of the service: a process of its own behind proxies of its own, stopped, killed and started at will. */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { freePort } from '../../support/free-port.js'
import { until } from './postgres.js'
import type { TcpProxy } from './proxy.js'

export interface InstanceOptions {
  readonly number: number
  /** The folder with the built `dist/`. */
  readonly tree: string
  readonly folder: string
  readonly keysFolder: string
  readonly databaseUrl: string
  readonly postgres: TcpProxy
  readonly redis: TcpProxy | undefined
  readonly env?: Readonly<Record<string, string>>
}

export interface Start {
  readonly env?: Readonly<Record<string, string>>
  /** Milliseconds by which its clock is wrong. */
  readonly clockShiftMs?: number
}

export class Instance {
  readonly number: number
  readonly port: number
  /** What stands between it and Postgres, and between it and Redis. */
  readonly postgres: TcpProxy
  readonly redis: TcpProxy | undefined
  readonly #options: InstanceOptions
  readonly #probes: number
  #child: ChildProcess | undefined
  /** The last lines of its log, for each time that it ended without being killed. */
  readonly #fallen: string[] = []
  /** The process that was ready once. */
  #served: ChildProcess | undefined
  readonly #killed = new WeakSet<ChildProcess>()

  private constructor(options: InstanceOptions, port: number, probes: number) {
    this.#options = options
    this.number = options.number
    this.postgres = options.postgres
    this.redis = options.redis
    this.port = port
    this.#probes = probes
  }

  static async make(options: InstanceOptions): Promise<Instance> {
    await mkdir(options.folder, { recursive: true })
    return new Instance(options, await freePort(), await freePort())
  }

  /** Resolves when it is ready, unless told not to wait. */
  async start({ env = {}, clockShiftMs = 0 }: Start = {}, { wait = true } = {}): Promise<void> {
    // Two who killed it would start it twice, and one of those would be nobody's.
    if (this.alive) return wait ? this.ready() : undefined
    const { tree, folder, keysFolder, databaseUrl, redis } = this.#options
    const log = openSync(this.logFile, 'a')
    const preload = pathToFileURL(resolve('test/fault/cluster/clock-shift.mjs')).href
    const child = spawn(
      process.execPath,
      [...(clockShiftMs === 0 ? [] : ['--import', preload]), join(tree, 'dist', 'main.js')],
      {
        cwd: folder,
        stdio: ['ignore', log, log],
        env: {
          PATH: process.env.PATH ?? '',
          HOME: folder,
          ISSUER: 'http://localhost:4000',
          DATABASE_URL: databaseUrl,
          ...(redis && { REDIS_URL: `redis://127.0.0.1:${redis.port}` }),
          MINTMARK_LISTEN: `127.0.0.1:${this.port}`,
          MINTMARK_HEALTH_LISTEN: `127.0.0.1:${this.#probes}`,
          MINTMARK_KEYS_FOLDER: keysFolder,
          MINTMARK_OUTBOX_FOLDER: join(folder, 'outbox'),
          MINTMARK_TRUSTED_PROXIES: '127.0.0.1',
          MINTMARK_LOG_LEVEL: 'warn',
          CLOCK_SHIFT_MS: String(clockShiftMs),
          ...this.#options.env,
          ...env,
        },
      },
    )
    closeSync(log)
    this.#child = child
    child.once('exit', () => {
      // One that refuses to start while its servers are away has not fallen.
      if (this.#served === child && !this.#killed.has(child)) this.#fallen.push(this.#lastWords())
    })
    const ready = this.ready()
    if (wait) await ready
    else ready.catch(() => {})
  }

  get logFile(): string {
    return join(this.#options.folder, 'log')
  }

  get alive(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null
  }

  #lastWords(): string {
    return readFileSync(this.logFile, 'utf8').slice(-800)
  }

  /** Until its probe answers 200. */
  async ready(): Promise<void> {
    const child = this.#child
    await until(async () => {
      if (this.#child !== child) return true
      if (!this.alive) throw new Error(`instance ${this.number} ended: ${this.#lastWords()}`)
      const probe = await fetch(`http://127.0.0.1:${this.#probes}/readyz`, {
        signal: AbortSignal.timeout(2000),
      }).catch(() => undefined)
      await probe?.body?.cancel()
      if (probe?.status === 200) this.#served = child
      return probe?.status === 200
    }, 30).catch(error => {
      throw new Error(`instance ${this.number}: ${(error as Error).message}\n${this.#lastWords()}`)
    })
  }

  /** What was not asked for before: how often it ended by itself, and its last words. */
  takeFallen(): string[] {
    return this.#fallen.splice(0)
  }

  stop = () => void this.#child?.kill('SIGSTOP')
  resume = () => void this.#child?.kill('SIGCONT')

  async kill(): Promise<void> {
    const child = this.#child
    if (!child || !this.alive) return
    this.#killed.add(child)
    await new Promise<void>(done => {
      child.once('close', () => done())
      child.kill('SIGKILL')
    })
  }
}
