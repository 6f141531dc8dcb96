/** How Redis is spoken to: short time-outs, nothing queued while it is away, reconnecting for as long as we run. */
import { Redis } from 'ioredis'

/** `retryEveryMs: null`: one attempt, for a command that ends anyway. */
export function connectRedis(url: string, retryEveryMs: number | null = 500): Redis {
  const redis = new Redis(url, {
    lazyConnect: true,
    enableOfflineQueue: false,
    // Not what an attempt may lose: the limiter, which is on its way, has a shorter patience of its own.
    commandTimeout: 1000,
    connectTimeout: 1000,
    maxRetriesPerRequest: 0,
    autoResubscribe: false,
    retryStrategy: () => retryEveryMs,
  })
  // It retries by itself; without a listener it would print to the console.
  redis.on('error', () => {})
  return redis
}
