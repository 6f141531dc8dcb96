/** The counters behind the throttle: in Redis for all instances together; here, and stricter, while Redis is away. */
import {
  type RateLimiterAbstract,
  RateLimiterMemory,
  RateLimiterRedis,
  RateLimiterRes,
} from 'rate-limiter-flexible'
import { type Limiter, type LimitName, limits } from '../login/throttle.js'
import { answers, giveUpOn, type RedisClient } from './redis/connection.js'
import { inTime } from './redis/in-time.js'

/** Milliseconds that an attempt may lose to a Redis that hangs. */
const patienceMs = 100

export function createLimiter(redis: RedisClient | undefined, { patience = patienceMs } = {}): Limiter {
  const names = Object.keys(limits) as LimitName[]
  const counters = new Map(names.map(name => [name, countersFor(name, redis)]))

  /** Redis first; when it gives no answer, here. A Redis that hangs costs one time-out, then it counts as away. */
  async function count<T>(name: LimitName, work: (counter: RateLimiterAbstract) => Promise<T>): Promise<T> {
    const { shared, local } = counters.get(name) as Counters
    if (!redis || !shared || !answers(redis)) return work(local)
    try {
      return await inTime(work(shared), patience)
    } catch (error) {
      if (error instanceof RateLimiterRes) throw error
      giveUpOn(redis)
      return work(local)
    }
  }

  return {
    async take(limit, key) {
      try {
        await count(limit, counter => counter.consume(key))
        return 0
      } catch (refusal) {
        if (!(refusal instanceof RateLimiterRes)) throw refusal
        return Math.max(1, Math.ceil(refusal.msBeforeNext / 1000))
      }
    },
    async giveBack(limit, key) {
      await count(limit, counter => counter.reward(key))
    },
    async clear(limit, key) {
      await count(limit, counter => counter.delete(key))
    },
  }
}

interface Counters {
  readonly shared: RateLimiterAbstract | undefined
  readonly local: RateLimiterAbstract
}

function countersFor(name: LimitName, redis: RedisClient | undefined): Counters {
  const { points, seconds: duration } = limits[name]
  const keyPrefix = `mintmark:limit:${name.replaceAll(' ', '-')}`
  if (!redis) return { shared: undefined, local: new RateLimiterMemory({ keyPrefix, points, duration }) }
  return {
    shared: new RateLimiterRedis({ storeClient: redis, keyPrefix, points, duration }),
    local: new RateLimiterMemory({ keyPrefix, points: Math.ceil(points / 2), duration }),
  }
}
