/** The counters behind the throttle: in Redis for all instances together; here, and stricter, while Redis is away. */
import { type RateLimiterAbstract, RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'
import {
  limits as documented,
  type Limit,
  type Limiter,
  type LimitName,
  type Limits,
} from '../../accounts/throttle.js'
import { answers, giveUpOn, type RedisClient } from './connection.js'
import { redisCounter } from './counter.js'
import { inTime } from './in-time.js'

/** Keys of one limit that are counted here, about 10 MB. */
const mostKeys = 20_000

/** Milliseconds that an attempt may lose to a Redis that hangs. */
const patienceMs = 100

export function createLimiter(
  redis: RedisClient | undefined,
  { limits = documented as Limits, patience = patienceMs } = {},
): Limiter {
  const names = Object.keys(limits) as LimitName[]
  const counters = new Map(names.map(name => [name, countersFor(name, limits[name], redis)]))

  /** Redis first; when it gives no answer, here. A Redis that hangs costs one time-out, then it counts as away. */
  async function count(
    name: LimitName,
    there: (counter: RateLimiterAbstract) => Promise<unknown>,
    here: (counter: RateLimiterMemory) => Promise<unknown>,
  ): Promise<unknown> {
    const { shared, local } = counters.get(name) as Counters
    if (!redis || !shared || !answers(redis)) return here(local)
    try {
      return await inTime(there(shared), patience)
    } catch (error) {
      if (error instanceof RateLimiterRes) throw error
      giveUpOn(redis)
      return here(local)
    }
  }

  return {
    async take(limit, key) {
      try {
        await count(
          limit,
          shared => shared.consume(key),
          local => takeHere(local, key),
        )
        return 0
      } catch (refusal) {
        if (!(refusal instanceof RateLimiterRes)) throw refusal
        return Math.max(1, Math.ceil(refusal.msBeforeNext / 1000))
      }
    },
    async giveBack(limit, key) {
      await count(
        limit,
        shared => shared.reward(key),
        local => giveBackHere(local, key),
      )
    },
    async clear(limit, key) {
      const clear = (counter: RateLimiterAbstract) => counter.delete(key)
      await count(limit, clear, clear)
    },
  }
}

interface Counters {
  readonly shared: RateLimiterAbstract | undefined
  readonly local: RateLimiterMemory
}

/** The same as Redis's script. */
async function takeHere(counter: RateLimiterMemory, key: string): Promise<void> {
  try {
    await counter.consume(key)
  } catch (refusal) {
    await giveBackHere(counter, key)
    throw refusal
  }
}

async function giveBackHere(counter: RateLimiterMemory, key: string): Promise<void> {
  const { consumedPoints } = await counter.reward(key)
  if (consumedPoints < 0) await counter.penalty(key)
}

function countersFor(
  name: LimitName,
  { points, seconds: duration }: Limit,
  redis: RedisClient | undefined,
): Counters {
  const keyPrefix = `mintmark:limit:${name.replaceAll(' ', '-')}`
  if (!redis) return { shared: undefined, local: new BoundedMemory({ keyPrefix, points, duration }) }
  return {
    shared: redisCounter(redis, { keyPrefix, points, duration }),
    local: new BoundedMemory({ keyPrefix, points: Math.ceil(points / 2), duration }),
  }
}

/**
 * With the next key the one is forgotten whose window began first. Anybody who has a counter of others forgotten so has made
 * twenty thousand attempts, each of them counted against its address as well.
 */
class BoundedMemory extends RateLimiterMemory {
  /** In the order in which their windows began. */
  readonly #keys = new Set<string>()

  override async consume(key: string): Promise<RateLimiterRes> {
    const counted = await super.consume(key)
    if (!counted.isFirstInDuration) return counted
    this.#keys.delete(key)
    this.#keys.add(key)
    const [oldest] = this.#keys
    if (this.#keys.size > mostKeys && oldest !== undefined) await this.delete(oldest)
    return counted
  }

  override delete(key: string): Promise<boolean> {
    this.#keys.delete(key)
    return super.delete(key)
  }
}
