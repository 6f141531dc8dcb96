/** Somebody was here before the person, with sessions in Redis. */
import { test } from 'tap'
import { redisServer, skipWithoutRedis as skip } from '../support/redis.js'
import { hereBeforeSuite } from './here-before-suite.js'

if (skip) test('sessions in Redis', { skip }, t => t.end())
else
  hereBeforeSuite('Redis', async t => {
    const redis = await redisServer(t)
    redis.start()
    await redis.ready()
    const where = { SESSION_STORE: 'redis', REDIS_URL: redis.url }
    return { env: { ...where, MINTMARK_SESSION_REDIS_UNSAFE: 'accepted' } }
  })
