/** Servers and instances together: a primary, a Redis, instances behind proxies, and a clean end of all of it. */
import { randomBytes } from 'node:crypto'
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import type { NetConnectOpts } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../../support/free-port.js'
import { Http } from './http.js'
import { Instance } from './instance.js'
import { type Primary, type Replica, startPrimary } from './postgres.js'
import { TcpProxy } from './proxy.js'
import { type RedisServer, redisInstalled, redisServer } from './redis.js'
import { SessionRedis, type Store } from './session-redis.js'

/** Ports of killed instances may be taken by others: each gets new ones with each cluster of instances. */
export interface Fleet {
  readonly instances: readonly Instance[]
  /** The instance of that number, from 1. */
  at(number: number): Instance
  close(): Promise<void>
}

export class Cluster {
  readonly folder: string
  readonly primary: Primary
  /** For counters and announcements; with sessions in Redis that is the one. */
  readonly redis: RedisServer | undefined
  readonly sessionRedis: SessionRedis | undefined
  readonly http = new Http()
  /** Operators' commands go through a proxy of their own. */
  readonly operators: TcpProxy
  #replica: Promise<Replica> | undefined
  #replicas = 0
  #fleets = new Set<Fleet>()

  private constructor(
    folder: string,
    primary: Primary,
    redis: RedisServer | SessionRedis | undefined,
    operators: TcpProxy,
  ) {
    this.operators = operators
    this.folder = folder
    this.primary = primary
    this.sessionRedis = redis instanceof SessionRedis ? redis : undefined
    this.redis = redis instanceof SessionRedis ? undefined : redis
  }

  static async start(store: Store = 'postgres'): Promise<Cluster> {
    const folder = await mkdtemp(join(tmpdir(), 'mf-'))
    // As root, Postgres runs as another user, who must reach its data.
    await chmod(folder, 0o755)
    await mkdir(join(folder, 'keys'))
    await writeFile(join(folder, 'keys', 'first.kek'), `${randomBytes(32).toString('base64')}\n`, {
      mode: 0o600,
    })
    const primary = await startPrimary(join(folder, 'primary'))
    const operators = await TcpProxy.start(primary.socket)
    if (store !== 'postgres')
      return new Cluster(folder, primary, await SessionRedis.start(store, folder), operators)
    const redis = redisInstalled() ? redisServer(folder, await freePort()) : undefined
    await redis?.start()
    return new Cluster(folder, primary, redis, operators)
  }

  get store(): Store {
    if (!this.sessionRedis) return 'postgres'
    return this.sessionRedis.cluster ? 'cluster' : 'redis'
  }

  get operatorUrl(): string {
    return this.primary.url(this.operators.port)
  }

  /** The replica that stays one. */
  replica(): Promise<Replica> {
    this.#replica ??= this.newReplica()
    return this.#replica
  }

  /** One that may be promoted, and is stopped by whoever asked. */
  newReplica(): Promise<Replica> {
    this.#replicas++
    return this.primary.replicate(join(this.folder, `replica-${this.#replicas}`))
  }

  /** Instances of the build in `tree`; they are not started yet. */
  async fleet(tree: string, count: number): Promise<Fleet> {
    const proxies: TcpProxy[] = []
    const proxy = async (target: NetConnectOpts) => {
      const made = await TcpProxy.start(target)
      proxies.push(made)
      return made
    }
    const instances: Instance[] = []
    for (let number = 1; number <= count; number++) {
      const postgres = await proxy(this.primary.socket)
      const server = this.redis ?? this.sessionRedis?.pair?.master
      const redis = server && (await proxy({ host: '127.0.0.1', port: server.port }))
      const folder = join(this.folder, `instance-${number}-${postgres.port}`)
      const keysFolder = join(this.folder, 'keys')
      const databaseUrl = this.primary.url(postgres.port)
      const env = this.#sessionSettings
      instances.push(
        await Instance.make({ number, tree, folder, keysFolder, databaseUrl, postgres, redis, env }),
      )
    }
    const fleet: Fleet = {
      instances,
      at(number) {
        const instance = instances[number - 1]
        if (!instance) throw new Error(`there is no instance ${number}`)
        return instance
      },
      close: async () => {
        this.#fleets.delete(fleet)
        await Promise.all(instances.map(instance => instance.kill()))
        await Promise.all(proxies.map(one => one.close()))
      },
    }
    this.#fleets.add(fleet)
    return fleet
  }

  get #sessionSettings(): Readonly<Record<string, string>> {
    const { sessionRedis } = this
    if (!sessionRedis) return {}
    const { cluster } = sessionRedis
    const settings = { SESSION_STORE: 'redis', MINTMARK_SESSION_REDIS_UNSAFE: 'accepted' }
    return cluster ? { ...settings, REDIS_URL: cluster.url } : settings
  }

  /** Between the instances and the one Redis. */
  get redisProxies(): TcpProxy[] {
    return [...this.#fleets].flatMap(({ instances }) => instances.flatMap(({ redis }) => redis ?? []))
  }

  async close(): Promise<void> {
    for (const fleet of this.#fleets) await fleet.close()
    this.http.close()
    await this.operators.close()
    const replica = await this.#replica?.catch(() => undefined)
    await replica?.stop()
    await this.redis?.close()
    await this.sessionRedis?.close()
    await this.primary.stop()
    await rm(this.folder, { recursive: true, force: true })
  }
}
