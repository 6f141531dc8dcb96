/** A Redis Cluster of three masters on loopback, whose nodes can be stopped, frozen, started again and emptied. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort } from './instance.js'
import { until } from './postgres.js'
import { type RedisServer, redisServer } from './redis.js'

export interface RedisCluster {
  /** As REDIS_URL takes it. */
  readonly url: string
  readonly nodes: readonly RedisServer[]
  /** The node that holds this key now. */
  holderOf(key: string): Promise<RedisServer>
  /** Moves the slot of this key to another node, with its keys. */
  move(key: string): Promise<void>
  close(): Promise<void>
}

const slots = 16_384

export async function startRedisCluster(folder: string): Promise<RedisCluster> {
  const nodes: RedisServer[] = []
  for (let index = 0; index < 3; index++) {
    const own = join(folder, String(index))
    await mkdir(own, { recursive: true })
    nodes.push(redisServer(own, await portWithBus(), [...settings]))
  }
  const [first] = nodes as [RedisServer]
  await Promise.all(nodes.map(node => node.start()))
  for (const [index, node] of nodes.entries()) {
    const [from, to] = [index, index + 1].map(place => Math.floor((place * slots) / nodes.length))
    await node.command('cluster', 'addslotsrange', String(from), String((to as number) - 1))
    if (index > 0) await node.command('cluster', 'meet', '127.0.0.1', String(first.port))
  }
  for (const node of nodes) {
    await until(async () => {
      const info = String(await node.command('cluster', 'info'))
      return /cluster_state:ok/.test(info) && /cluster_known_nodes:3/.test(info)
    }, 20)
  }

  async function holderOf(key: string): Promise<RedisServer> {
    const slot = Number(await first.command('cluster', 'keyslot', key))
    const ranges = (await first.command('cluster', 'slots')) as [number, number, [string, number]][]
    const port = ranges.find(([from, to]) => from <= slot && slot <= to)?.[2][1]
    const node = nodes.find(one => one.port === port)
    if (!node) throw new Error(`nobody holds slot ${slot}`)
    return node
  }

  return {
    url: nodes.map(({ port }) => `redis://127.0.0.1:${port}`).join(','),
    nodes,
    holderOf,
    async move(key) {
      const from = await holderOf(key)
      const to = nodes.find(node => node !== from) as RedisServer
      const slot = String(await from.command('cluster', 'keyslot', key))
      const [fromId, toId] = [await from.command('cluster', 'myid'), await to.command('cluster', 'myid')]
      await to.command('cluster', 'setslot', slot, 'importing', String(fromId))
      await from.command('cluster', 'setslot', slot, 'migrating', String(toId))
      for (;;) {
        const keys = (await from.command('cluster', 'getkeysinslot', slot, '100')) as string[]
        if (keys.length === 0) break
        await from.command('migrate', '127.0.0.1', String(to.port), '', '0', '5000', 'keys', ...keys)
      }
      for (const node of [to, from]) await node.command('cluster', 'setslot', slot, 'node', String(toId))
    },
    close: async () => void (await Promise.all(nodes.map(node => node.close()))),
  }
}

const settings = [
  ...['--cluster-enabled', 'yes', '--cluster-node-timeout', '1000', '--cluster-require-full-coverage', 'no'],
  ...['--appendonly', 'yes', '--appendfsync', 'no'],
]

/** Its bus is 10 000 above it. */
async function portWithBus(): Promise<number> {
  for (;;) {
    const port = await freePort()
    if (port < 55_535) return port
  }
}
