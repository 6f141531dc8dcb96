/** Whether a Redis may keep sessions: one that evicts them, or keeps nothing on disk, signs users out by itself. */
import { Cluster, type Redis } from 'ioredis'
import { type Away, closed } from '../../redis/away.js'
import { connectRedis, type RedisClient, whyAway } from '../../redis/connection.js'
import { inTime } from '../../redis/in-time.js'
import { indexKey, rowKey } from './session-rows.js'

export interface Fitness {
  /** What no setting makes good. */
  readonly faults: readonly string[]
  /** What signs users out, and may be accepted. Each with its fix. */
  readonly risks: readonly string[]
  /** What could not be looked at. */
  readonly unknown: readonly string[]
}

/** Milliseconds for all of it. */
const patience = 8000

export async function examineRedis(addresses: string): Promise<Fitness> {
  const redis = connectRedis(addresses, null)
  // What `connect` rejects with says only that the connection closed, and not that a password was wrong.
  let away: Away | undefined
  redis.on('error', () => {
    away = whyAway(redis).parts()
  })
  const look = async () => {
    await redis.connect()
    const masters = redis instanceof Cluster ? redis.nodes('master') : [redis]
    const each = await Promise.all(masters.map(master => examine(master, redis instanceof Cluster)))
    return [...each, await tryOut(redis)]
  }
  try {
    const each = await inTime(look(), patience)
    // A database of that number, which it goes on without.
    if (away && !(redis instanceof Cluster)) throw new Error(away.reason)
    const all = (of: (one: Fitness) => readonly string[]) => [...new Set(each.flatMap(of))]
    return { faults: all(one => one.faults), risks: all(one => one.risks), unknown: all(one => one.unknown) }
  } catch (error) {
    const { message } = error as Error
    const now = whyAway(redis).parts()
    const { reason, remedy } = away ?? (message === closed ? now : { ...now, reason: message })
    const why = `Redis cannot be reached (${reason}): ${remedy}`
    return { faults: [why], risks: [], unknown: [] }
  } finally {
    redis.disconnect()
  }
}

async function examine(redis: Redis, asNode: boolean): Promise<Fitness> {
  const where = `the Redis at ${redis.options.host}:${redis.options.port}`
  const told = await redis.info().catch(error => {
    // The other nodes of a Cluster serve without this one.
    if (asNode) return undefined
    throw error
  })
  if (told === undefined)
    return {
      faults: [],
      risks: [],
      unknown: [`${where} cannot be reached at the moment: check that it is running`],
    }
  const info = fields(told)
  const faults: string[] = []
  if (info.get('role') !== 'master') faults.push(`${where} is a replica: set REDIS_URL to the master`)
  if (!asNode && info.get('cluster_enabled') === '1')
    faults.push(`${where} is a node of a Cluster: set REDIS_URL to several of its nodes, separated by commas`)
  const settings = await settingsOf(redis)
  const setting = (name: string, field: string) => settings?.get(name) ?? info.get(field)
  const risks: string[] = []
  const unknown: string[] = []
  const policy = setting('maxmemory-policy', 'maxmemory_policy')
  if (setting('maxmemory', 'maxmemory') !== '0' && policy !== 'noeviction')
    risks.push(`${where} evicts keys when it is full (maxmemory-policy ${policy}): set it to noeviction`)
  const appends = settings ? settings.get('appendonly') === 'yes' : info.get('aof_enabled') === '1'
  if (!appends && settings && !settings.get('save'))
    risks.push(
      `${where} does not persist to disk, so a restart signs everybody out: set appendonly yes, or save`,
    )
  if (!appends && !settings)
    unknown.push(
      `${where} does not allow CONFIG GET, so its persistence cannot be checked: check it yourself`,
    )
  return { faults, risks, unknown }
}

/** Each command that sessions need, on keys such as theirs: a user who may not is told so now, not by each sign-in. */
const trial = `
redis.call('hset', KEYS[1], 'row', 'x', 'seen', 'x')
redis.call('hget', KEYS[1], 'row') redis.call('hmget', KEYS[1], 'row') redis.call('hstrlen', KEYS[1], 'row')
redis.call('hdel', KEYS[1], 'seen') redis.call('type', KEYS[1]) redis.call('exists', KEYS[1])
redis.call('pexpire', KEYS[1], 1000) redis.call('pttl', KEYS[1]) redis.call('del', KEYS[1])
redis.call('zadd', KEYS[2], 1, 'x') redis.call('zrevrange', KEYS[2], 0, 0) redis.call('zrem', KEYS[2], 'x')
redis.call('zremrangebyscore', KEYS[2], '-inf', 1) redis.call('del', KEYS[2])`

async function tryOut(redis: RedisClient): Promise<Fitness> {
  const keys = [rowKey('start-check'), indexKey('start-check')]
  const told = await redis.call('EVAL', trial, String(keys.length), ...keys).then(
    () => '',
    error => (error as Error).message,
  )
  if (!/NOPERM|no permissions|can't run this command/.test(told))
    return { faults: [], risks: [], unknown: [] }
  const fault = `Redis does not let this user do what sessions need (${told.slice(0, 120)}): see docs/sessions-in-redis.md`
  return { faults: [fault], risks: [], unknown: [] }
}

/** Undefined where CONFIG is not allowed, as at many hosters. */
async function settingsOf(redis: Redis): Promise<ReadonlyMap<string, string> | undefined> {
  try {
    const answers = await Promise.all(
      ['maxmemory', 'maxmemory-policy', 'appendonly', 'save'].map(name => redis.config('GET', name)),
    )
    return new Map(answers.map(answer => (answer as string[]).slice(0, 2) as [string, string]))
  } catch {
    return undefined
  }
}

function fields(info: string): ReadonlyMap<string, string> {
  return new Map(info.split('\r\n').map(line => line.split(':', 2) as [string, string]))
}
