/** The counters behind the throttle: in Redis for all instances together; here, and stricter, while Redis is away. */
import type { Redis } from 'ioredis'
import {
  type RateLimiterAbstract,
  RateLimiterMemory,
  RateLimiterRedis,
  RateLimiterRes,
} from 'rate-limiter-flexible'
import { type Limiter, type LimitName, limits } from '../login/throttle.js'

/** Milliseconds that an attempt may lose to a Redis that hangs. */
const patienceMs = 100

export function createLimiter(redis: Redis | undefined, { patience = patienceMs } = {}): Limiter {
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
      if (answers(redis)) redis.disconnect(true)
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

/**
 * Rejects when there is no answer in time. Under load it may be this event loop that is late, and it fires timers before
 * it reads: what lies in the socket by then still counts, or a flood would loosen the limits that it meets.
 */
async function inTime<T>(answer: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => setImmediate(() => reject(new Error('Redis does not answer'))), ms)
  })
  try {
    return await Promise.race([answer, late])
  } finally {
    clearTimeout(timer)
  }
}

/** A connection that was given up on stays `ready` until it has closed, which a Redis that hangs puts off. */
function answers(redis: Redis): boolean {
  return redis.status === 'ready' && redis.stream.writable
}

interface Counters {
  readonly shared: RateLimiterAbstract | undefined
  readonly local: RateLimiterAbstract
}

function countersFor(name: LimitName, redis: Redis | undefined): Counters {
  const { points, seconds: duration } = limits[name]
  const keyPrefix = `mintmark:limit:${name.replaceAll(' ', '-')}`
  if (!redis) return { shared: undefined, local: new RateLimiterMemory({ keyPrefix, points, duration }) }
  return {
    shared: new RateLimiterRedis({ storeClient: redis, keyPrefix, points, duration }),
    local: new RateLimiterMemory({ keyPrefix, points: Math.ceil(points / 2), duration }),
  }
}
