/** A Redis Cluster of three masters of the test's own, on loopback; nodes can be stopped, frozen and started again. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import type { Test } from 'tap'
import { freePort } from './process.js'
import { eventually } from './service.js'

export interface RedisCluster {
  /** As REDIS_URL takes it. */
  readonly url: string
  readonly nodes: readonly Node[]
  /** The node that holds this key now. */
  holderOf(key: string): Promise<Node>
  /** Moves the slot of this key to another node, with its keys. */
  move(key: string): Promise<void>
}

export interface Node {
  readonly port: number
  command(...args: string[]): Promise<unknown>
  stop(): Promise<void>
  start(): void
  freeze(): void
  thaw(): void
}

const slots = 16_384

export async function redisCluster(t: Test): Promise<RedisCluster> {
  const folder = await mkdtemp(join(tmpdir(), 'mintmark-cluster-'))
  const nodes: Node[] = []
  t.teardown(async () => {
    await Promise.all(nodes.map(node => node.stop()))
    await rm(folder, { recursive: true, force: true })
  })
  for (let index = 0; index < 3; index++) nodes.push(await makeNode(t, join(folder, String(index))))
  for (const node of nodes) node.start()
  for (const node of nodes)
    await eventually(async () => (await node.command('ping').catch(() => undefined)) || undefined)
  for (const [index, node] of nodes.entries()) {
    const [from, to] = [index, index + 1].map(place => Math.floor((place * slots) / nodes.length))
    await node.command('cluster', 'addslotsrange', String(from), String((to as number) - 1))
    if (index > 0) await node.command('cluster', 'meet', '127.0.0.1', String(nodes[0]?.port))
  }
  for (const node of nodes) {
    await eventually(async () => {
      const info = String(await node.command('cluster', 'info'))
      return (/cluster_state:ok/.test(info) && /cluster_known_nodes:3/.test(info)) || undefined
    }, 20)
  }

  async function holderOf(key: string): Promise<Node> {
    const [asked] = nodes as [Node]
    const slot = Number(await asked.command('cluster', 'keyslot', key))
    const ranges = (await asked.command('cluster', 'slots')) as [number, number, [string, number]][]
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
      const to = nodes.find(node => node !== from) as Node
      const slot = String(await from.command('cluster', 'keyslot', key))
      const [fromId, toId] = [
        String(await from.command('cluster', 'myid')),
        String(await to.command('cluster', 'myid')),
      ]
      await to.command('cluster', 'setslot', slot, 'importing', fromId)
      await from.command('cluster', 'setslot', slot, 'migrating', toId)
      const keys = (await from.command('cluster', 'getkeysinslot', slot, '1000')) as string[]
      if (keys.length > 0)
        await from.command('migrate', '127.0.0.1', String(to.port), '', '0', '5000', 'keys', ...keys)
      for (const node of [to, from]) await node.command('cluster', 'setslot', slot, 'node', toId)
    },
  }
}

async function makeNode(t: Test, folder: string): Promise<Node> {
  await mkdir(folder)
  const port = await portWithBus()
  let server: ChildProcess | undefined
  // Commands of the test's own, to this node and no other.
  const redis = new Redis({ port, host: '127.0.0.1', lazyConnect: true, retryStrategy: () => 50 })
  redis.on('error', () => {})
  t.teardown(() => redis.disconnect())
  return {
    port,
    async command(name, ...args) {
      if (redis.status === 'wait') await redis.connect()
      return redis.call(name, ...args)
    },
    start() {
      const settings = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', '']
      const cluster = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '1000', '--appendonly', 'yes']
      server = spawn('redis-server', [...settings, ...cluster, '--appendfsync', 'no'], { stdio: 'ignore' })
    },
    stop: () =>
      new Promise<void>(resolve => {
        if (!server || server.exitCode !== null || server.signalCode !== null) return resolve()
        server.once('close', () => resolve())
        server.kill('SIGKILL')
      }),
    freeze: () => void server?.kill('SIGSTOP'),
    thaw: () => void server?.kill('SIGCONT'),
  }
}

/** Its bus is 10 000 above it. */
async function portWithBus(): Promise<number> {
  for (;;) {
    const port = await freePort()
    if (port < 55_535) return port
  }
}
