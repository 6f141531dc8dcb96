/** A Redis Cluster of the test's own, gone when the test is over. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { type RedisCluster, startRedisCluster } from '../fault/cluster/redis-cluster.js'

export async function redisCluster(t: Test): Promise<RedisCluster> {
  const folder = await mkdtemp(join(tmpdir(), 'mintmark-cluster-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const cluster = await startRedisCluster(folder)
  t.teardown(() => cluster.close())
  return cluster
}
