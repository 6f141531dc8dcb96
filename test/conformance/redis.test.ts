/** Sessions in Redis keep every contract that speaks of sessions, on one Redis and on a Cluster. */
import { test } from 'tap'
import { skipWithoutRedis as skip } from '../support/redis.js'
import { accountStoreSuite } from './account-store.js'
import { auditSuite } from './audit.js'
import { redisClusterWorld, redisWorld } from './redis-world.js'
import { renewalSuite } from './renewals.js'
import { revocationsSuite } from './revocations.js'
import { secondFactorSuite } from './second-factors.js'
import { sessionStoreSuite } from './session-store.js'
import { userStoreSuite } from './user-store.js'

if (skip) test('sessions in Redis', { skip }, t => t.end())
else {
  for (const [backEnd, world] of [
    ['Redis', redisWorld],
    ['a Redis Cluster', redisClusterWorld],
  ] as const) {
    sessionStoreSuite(backEnd, world)
    renewalSuite(backEnd, world)
    revocationsSuite(backEnd, world)
    secondFactorSuite(backEnd, world)
  }
  userStoreSuite('Redis', redisWorld)
  accountStoreSuite('Redis', redisWorld)
  auditSuite('Redis', redisWorld)
}
