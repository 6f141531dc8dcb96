/** What the environment says of Redis and of where sessions lie: a part of the configuration, with faults of its own. */

export interface RedisSettings {
  /** One server's address, or several nodes of one Cluster with commas between. */
  readonly redisUrl: string | undefined
  readonly sessionStore: 'postgres' | 'redis'
  /** A Redis that forgets sessions by itself is no reason to refuse the start. */
  readonly acceptsUnsafeRedis: boolean
}

type Get = (name: string) => string | undefined

export function redisSettings(get: Get, faults: string[]): RedisSettings {
  const redisUrl = get('REDIS_URL')
  if (redisUrl !== undefined) faults.push(...addressFaults(redisUrl.split(',').map(one => one.trim())))
  const sessionStore = get('SESSION_STORE') ?? 'postgres'
  if (sessionStore !== 'postgres' && sessionStore !== 'redis')
    faults.push(`SESSION_STORE takes postgres or redis, not ${sessionStore}`)
  if (sessionStore === 'redis' && redisUrl === undefined)
    faults.push('SESSION_STORE=redis needs REDIS_URL: name the Redis, or several nodes of a Redis Cluster')
  const unsafe = get('MINTMARK_SESSION_REDIS_UNSAFE')
  if (unsafe !== undefined && unsafe !== 'accepted')
    faults.push('MINTMARK_SESSION_REDIS_UNSAFE takes accepted, or is left out')
  return {
    redisUrl,
    sessionStore: sessionStore === 'redis' ? 'redis' : 'postgres',
    acceptsUnsafeRedis: unsafe === 'accepted',
  }
}

function addressFaults(addresses: readonly string[]): string[] {
  if (!addresses.every(one => URL.canParse(one) && /^rediss?:$/.test(new URL(one).protocol))) {
    return [
      'REDIS_URL is not a Redis address: write redis://host:6379 or rediss://host:6379, nodes of a Cluster with commas between',
    ]
  }
  // The driver takes each for an option of its own, above those that the service asks for.
  const parameters = addresses.flatMap(one => [...new URL(one).searchParams.keys()])
  if (parameters.length > 0) return [`REDIS_URL: the parameter ${parameters[0]} is not taken: remove it`]
  if (addresses.length === 1) {
    const { pathname } = new URL(addresses[0] as string)
    return /^\/?\d*$/.test(pathname)
      ? []
      : [
          'REDIS_URL: what follows the host is the number of a database: write it like redis://host:6379/0, or leave it out',
        ]
  }
  const nodes = addresses.map(one => new URL(one))
  const alike = new Set(
    nodes.map(({ protocol, username, password }) => [protocol, username, password].join(' ')),
  )
  const faults: string[] = []
  if (alike.size > 1)
    faults.push('REDIS_URL names nodes of a Cluster: give all of them the same scheme, user and password')
  if (nodes.some(({ pathname }) => !['', '/', '/0'].includes(pathname)))
    faults.push('REDIS_URL names nodes of a Cluster, which has no database number: remove it')
  return faults
}
