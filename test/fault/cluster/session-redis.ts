/** Where sessions lie when it is not Postgres: one Redis with a standby, or a Cluster; and the suite's own hands in it. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { loadKeyEncryptionKeys } from '../../../src/sealing/key-encryption-keys.js'
import { connectRedis, type RedisClient } from '../../../src/store/redis/connection.js'
import { SessionRows } from '../../../src/store/sessions/redis/session-rows.js'
import { freePort } from '../../support/free-port.js'
import { until } from './postgres.js'
import { TcpProxy } from './proxy.js'
import { type RedisServer, redisServer } from './redis.js'
import { type RedisCluster, startRedisCluster } from './redis-cluster.js'

export type Store = 'postgres' | 'redis' | 'cluster'

/** Kept over a crash, and loaded slowly after it: whoever asks too early is told LOADING. */
const settings = ['--appendonly', 'yes', '--appendfsync', 'no', '--key-load-delay', '300']

/** Patient: what it is asked for must be there. */
const patience = { read: 2000, write: 2000 }

export class SessionRedis {
  /** Undefined: a Cluster, which instances reach directly. */
  readonly pair: { master: RedisServer; standby: RedisServer } | undefined
  readonly cluster: RedisCluster | undefined
  readonly rows: SessionRows
  readonly #redis: RedisClient
  readonly #proxy: TcpProxy | undefined
  readonly url: string

  private constructor(
    parts: Pick<SessionRedis, 'pair' | 'cluster' | 'rows' | 'url'>,
    redis: RedisClient,
    proxy: TcpProxy | undefined,
  ) {
    this.pair = parts.pair
    this.cluster = parts.cluster
    this.rows = parts.rows
    this.url = parts.url
    this.#redis = redis
    this.#proxy = proxy
  }

  static async start(store: 'redis' | 'cluster', folder: string): Promise<SessionRedis> {
    const cluster = store === 'cluster' ? await startRedisCluster(join(folder, 'redis-cluster')) : undefined
    const pair = cluster ? undefined : await startPair(folder)
    const proxy = pair && (await TcpProxy.start({ host: '127.0.0.1', port: pair.master.port }))
    const url = cluster?.url ?? `redis://127.0.0.1:${proxy?.port}`
    const redis = connectRedis(url, 20)
    await redis.connect()
    const { keys } = await loadKeyEncryptionKeys(join(folder, 'keys'))
    const rows = new SessionRows(redis, keys, patience)
    return new SessionRedis({ pair, cluster, rows, url }, redis, proxy)
  }

  /** Those that hold rows now. */
  get masters(): readonly RedisServer[] {
    return this.cluster?.nodes ?? (this.pair ? [this.pair.master] : [])
  }

  /**
   * The standby follows no longer from now on, as if it had been cut off. What is returned puts it in the master's
   * place, at these proxies and here: whatever was written meanwhile is lost.
   */
  async cutOff(proxies: readonly TcpProxy[]): Promise<() => Promise<void>> {
    const { pair } = this
    if (!pair) return async () => {}
    await pair.standby.command('replicaof', 'no', 'one')
    return async () => {
      const { master, standby } = pair
      pair.master = standby
      pair.standby = master
      for (const proxy of [...proxies, ...(this.#proxy ? [this.#proxy] : [])]) {
        proxy.target = { host: '127.0.0.1', port: standby.port }
        proxy.drop()
      }
      await follow(pair).catch(() => {})
    }
  }

  /** All is there, follows and answers. */
  async heal(): Promise<void> {
    for (const server of [...this.masters, ...(this.pair ? [this.pair.standby] : [])]) {
      server.thaw()
      await server.start()
      await server.command('config', 'set', 'maxmemory', '0')
    }
    if (this.pair) await follow(this.pair)
    await until(async () =>
      this.rows.read('heals'.padEnd(22, 'A') as never).then(
        () => true,
        () => false,
      ),
    )
  }

  async close(): Promise<void> {
    this.#redis.disconnect()
    await this.#proxy?.close()
    await this.cluster?.close()
    await this.pair?.master.close()
    await this.pair?.standby.close()
  }
}

async function startPair(folder: string) {
  const make = async (name: string) => {
    const own = join(folder, name)
    await mkdir(own)
    const server = redisServer(own, await freePort(), settings)
    await server.start()
    await server.command('config', 'set', 'repl-diskless-sync-delay', '0')
    return server
  }
  const pair = { master: await make('redis-1'), standby: await make('redis-2') }
  await follow(pair)
  return pair
}

async function follow({ master, standby }: { master: RedisServer; standby: RedisServer }): Promise<void> {
  await master.command('replicaof', 'no', 'one')
  await standby.command('replicaof', '127.0.0.1', String(master.port))
  await until(async () =>
    /master_link_status:up/.test(String(await standby.command('info', 'replication').catch(() => ''))),
  )
}
