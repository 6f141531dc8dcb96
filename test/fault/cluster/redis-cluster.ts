/** A Redis Cluster of three masters on loopback, whose nodes can be stopped, frozen, started again and emptied. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort } from '../../support/free-port.js'
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

const settings = [
  ...['--cluster-enabled', 'yes', '--cluster-node-timeout', '1000', '--cluster-require-full-coverage', 'no'],
  ...['--appendonly', 'yes', '--appendfsync', 'no'],
]

export async function startRedisCluster(folder: string): Promise<RedisCluster> {
  const nodes: RedisServer[] = []
  for (let index = 0; index < 3; index++) {
    const own = join(folder, String(index))
    await mkdir(own, { recursive: true })
    nodes.push(redisServer(own, await freePort(), settings))
  }
  const close = async () => void (await Promise.all(nodes.map(node => node.close())))
  try {
    await Promise.all(nodes.map(node => node.start()))
    await unite(nodes)
  } catch (error) {
    await close()
    throw error
  }
  const [first] = nodes as [RedisServer]

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
      await epochsKnown(nodes)
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
      // The new holder first, and the third one too: else it hears of it in its own time.
      const told = [to, from, ...nodes.filter(node => node !== to && node !== from)]
      for (const node of told) await node.command('cluster', 'setslot', slot, 'node', String(toId))
    },
    close,
  }
}

/** Makes them one Cluster, each with a third of the slots, and waits until every one of them says so. */
async function unite(nodes: readonly RedisServer[]): Promise<void> {
  for (const [index, node] of nodes.entries()) {
    const [from, to] = [index, index + 1].map(place => Math.floor((place * slots) / nodes.length))
    await node.command('cluster', 'addslotsrange', String(from), String((to as number) - 1))
    // Of two with the same one, either takes another later, when it likes.
    await node.command('cluster', 'set-config-epoch', String(index + 1))
    if (index > 0) await node.command('cluster', 'meet', '127.0.0.1', String(nodes[0]?.port))
  }
  for (const node of nodes) {
    await until(async () => {
      const info = String(await node.command('cluster', 'info').catch(() => ''))
      return /cluster_state:ok/.test(info) && /cluster_slots_ok:16384/.test(info)
    }, 20)
  }
}

/**
 * Until those that answer know each other's configuration epochs. A node that takes a slot while another has a higher
 * one that it has not heard of loses it again to what that one said a moment before, and for ever: nobody holds it then.
 */
async function epochsKnown(nodes: readonly RedisServer[]): Promise<void> {
  await until(async () => {
    const views = await Promise.all(
      nodes.map(node => node.command('cluster', 'nodes').catch(() => undefined)),
    )
    const epochs = views
      .filter(view => view !== undefined)
      .map(view =>
        [...String(view).matchAll(/^(\S+) (?:\S+ ){5}(\d+)/gm)].map(([, id, epoch]) => `${id} ${epoch}`),
      )
    return new Set(epochs.map(view => view.sort().join())).size === 1
  }, 20)
}
