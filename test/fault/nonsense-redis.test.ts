/** Whatever Redis sends, an answer is right or 503: no living session is gone, nobody gets another's. */
import { test } from 'tap'
import { redisServer, skipWithoutRedis as skip } from '../support/redis.js'
import { testService } from '../support/service.js'
import { mangler } from './nonsense/mangler.js'
import { redisNonsense as nonsense } from './nonsense/redis.js'
import { talkNonsense } from './nonsense/talk.js'

test('Redis talks nonsense: sessions, limits and announcements in it cost a 503 at most', {
  skip,
}, async t => {
  const redis = await redisServer(t)
  redis.start()
  await redis.ready()
  const between = await mangler(t, nonsense, { port: Number(new URL(redis.url).port), host: '127.0.0.1' })
  const env = {
    SESSION_STORE: 'redis',
    REDIS_URL: `redis://127.0.0.1:${between.port}`,
    MINTMARK_SESSION_REDIS_UNSAFE: 'accepted',
  }
  const service = await testService(t, { env })
  await talkNonsense(t, { service, between, nonsense, probabilities: [0.01, 0.05, 0.2] })
})
