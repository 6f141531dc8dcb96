/** A counter in Redis, whose reply is believed only where it is to this very key: another's count throttles nobody. */
import { createHash } from 'node:crypto'
import { type IRateLimiterRedisOptions, RateLimiterRedis, type RateLimiterRes } from 'rate-limiter-flexible'
import { type RedisClient, reconnect } from './connection.js'

/**
 * A point that is refused is not counted, or those that come back later would free nothing; and none comes back that
 * was not taken, when its window has ended or was cleared meanwhile: it would be one attempt more in the next. The
 * rest is the library's own, with a hash of the key and of what is answered beside that.
 */
const script = `
local function answer(consumed, ttl)
  return {consumed, ttl, redis.sha1hex(KEYS[1] .. ' ' .. consumed .. ' ' .. ttl)}
end
local change, longest, points = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local wanted = tonumber(redis.call('get', KEYS[1]) or '0') + change
if wanted < 0 or (change > 0 and wanted > points) then return answer(wanted, redis.call('pttl', KEYS[1])) end
redis.call('set', KEYS[1], 0, 'EX', longest, 'NX')
local consumed = redis.call('incrby', KEYS[1], change)
local ttl = redis.call('pttl', KEYS[1])
if ttl == -1 then
  redis.call('expire', KEYS[1], longest)
  ttl = 1000 * longest
end
return answer(consumed, ttl)`

export interface CounterOptions {
  readonly keyPrefix: string
  readonly points: number
  readonly duration: number
}

export function redisCounter(redis: RedisClient, options: CounterOptions): RateLimiterRedis {
  return new Counter(redis, { ...options, storeClient: redis, customIncrTtlLuaScript: script })
}

class Counter extends RateLimiterRedis {
  readonly #redis: RedisClient

  constructor(redis: RedisClient, options: IRateLimiterRedisOptions) {
    super(options)
    this.#redis = redis
  }

  /** What the library makes an answer of; whatever it throws is no answer. */
  _getRateLimiterRes(key: string, changed: number, reply: unknown): RateLimiterRes {
    const [consumed, ttl, proof] = Array.isArray(reply) ? reply : []
    const hash = createHash('sha1').update(`${key} ${consumed} ${ttl}`).digest('hex')
    if (proof !== hash) {
      reconnect(this.#redis)
      throw new Error('Redis answered a different request')
    }
    const library = RateLimiterRedis.prototype as unknown as Pick<Counter, '_getRateLimiterRes'>
    return library._getRateLimiterRes.call(this, key, changed, reply)
  }
}
