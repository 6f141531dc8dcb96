/** How Redis is spoken to: short time-outs, nothing queued while it is away, reconnecting for as long as we run. */
import { Cluster, Redis } from 'ioredis'
import { Contact } from './away.js'
import { NotAReply } from './reply-bounds.js'
import './wire.js'

export type RedisClient = Redis | Cluster

/** Not what an attempt may lose: anybody who is on somebody's way has a shorter patience of its own (in-time.ts). */
const common = { commandTimeout: 1000, connectTimeout: 1000, maxRetriesPerRequest: 0, autoResubscribe: false }

/** One address is a server, several are nodes of a Cluster. `retryEveryMs: null`: one attempt, for a command that ends anyway. */
export function connectRedis(addresses: string, retryEveryMs: number | null = 500): RedisClient {
  const urls = addresses.split(',').map(one => one.trim())
  const contact = new Contact(urls[0] as string)
  const redis =
    urls.length === 1
      ? server(urls[0] as string, retryEveryMs, contact)
      : cluster(urls, retryEveryMs, contact)
  // It retries by itself; without a listener it would print to the console.
  const remember = (error: Error & { lastNodeError?: Error }) => contact.failed(error.lastNodeError ?? error)
  redis.on('error', remember)
  redis.on('node error', remember)
  redis.on('ready', () => contact.ready())
  contacts.set(redis, contact)
  return redis
}

/** Said for each connection that was dropped because nonsense came on it. */
export function onNonsense(redis: RedisClient, say: (problem: string) => void): RedisClient {
  const hear = (error: Error) => {
    if (error instanceof NotAReply) say(`${error.message}: reconnecting`)
  }
  redis.on('error', hear)
  redis.on('node error', hear)
  return redis
}

const contacts = new WeakMap<RedisClient, Contact>()

/** Why it is not connected, and what to do, for the log. */
export function whyAway(redis: RedisClient): Contact {
  return contacts.get(redis) as Contact
}

/** A connection that was given up on stays `ready` until it has closed, which a Redis that hangs puts off. */
export function answers(redis: RedisClient): boolean {
  return redis.status === 'ready' && (!(redis instanceof Redis) || redis.stream.writable)
}

/** After no answer in time: anybody who comes next fails at once, until it answers again. Nodes of a Cluster fail alone. */
export function giveUpOn(redis: RedisClient): void {
  if (redis instanceof Redis && answers(redis)) redis.disconnect(true)
}

/**
 * After a reply that is not one to what was asked: which reply belongs to whom is not known any more. A Cluster does not
 * tell which node it was.
 */
export function reconnect(redis: RedisClient): void {
  for (const one of redis instanceof Redis ? [redis] : redis.nodes('all'))
    if (answers(one)) one.disconnect(true)
}

function server(url: string, retryEveryMs: number | null, { connector }: Contact): Redis {
  return new Redis(url, {
    ...common,
    Connector: connector,
    lazyConnect: true,
    enableOfflineQueue: false,
    retryStrategy: () => retryEveryMs,
  })
}

function cluster(urls: readonly string[], retryEveryMs: number | null, { connector }: Contact): Cluster {
  const { username, password, protocol } = new URL(urls[0] as string)
  return new Cluster([...urls], {
    lazyConnect: true,
    enableOfflineQueue: false,
    clusterRetryStrategy: () => retryEveryMs,
    // A node that hangs closes nothing and moves nothing: only looking tells who has taken its slots over.
    slotsRefreshInterval: 1000,
    slotsRefreshTimeout: 1000,
    retryDelayOnFailover: 20,
    retryDelayOnClusterDown: 20,
    retryDelayOnTryAgain: 20,
    // Each costs little, and anybody who waits has a patience of its own.
    maxRedirections: 16,
    // Certificates are for names.
    dnsLookup: (name, answer) => answer(null, name),
    redisOptions: {
      ...common,
      Connector: connector,
      ...(username !== '' && { username: decodeURIComponent(username) }),
      ...(password !== '' && { password: decodeURIComponent(password) }),
      ...(protocol === 'rediss:' && { tls: {} }),
    },
  })
}
