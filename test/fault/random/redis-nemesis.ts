/** What befalls a Redis that has the sessions: it stops, forgets, refuses, moves, is replaced, and is written to by others. */
import type { RedisServer } from '../cluster/redis.js'
import type { SessionRedis } from '../cluster/session-redis.js'
import type { Stage } from '../stage.js'
import type { Fault } from './nemesis.js'
import type { Chance } from './prng.js'

const nothing = () => {}

/** Most seconds pass with all rows there: in a run that loses them at once little can be let in late. */
export function redisFaults({ pair, cluster }: SessionRedis): readonly Fault[] {
  const common = [gone, frozen, full, planted, planted, broughtBack, broughtBack, emptied]
  if (cluster) return [...common, frozen, slotsMoved, slotsMoved]
  return pair ? [...common, unreachable, readOnly, failedOver, failedOver] : []
}

function one(stage: Stage, chance: Chance): RedisServer {
  return chance.of(stage.cluster.sessionRedis?.masters ?? [])
}

/** It keeps what it has, and says LOADING for a while when it is back. */
const gone: Fault = {
  name: 'a Redis gone',
  lasts: [50, 1200],
  async begin(stage, _, chance) {
    const server = one(stage, chance)
    await server.kill()
    return () => server.start()
  },
}

const frozen: Fault = {
  name: 'a Redis frozen',
  lasts: [50, 1500],
  begin(stage, _, chance) {
    const server = one(stage, chance)
    server.freeze()
    return () => server.thaw()
  },
}

const unreachable: Fault = {
  name: 'Redis unreachable from one instance',
  lasts: [50, 1200],
  async begin(_, { redis }) {
    await redis?.refuse()
    return () => redis?.heal()
  },
}

const full: Fault = {
  name: 'a Redis full',
  lasts: [50, 1000],
  async begin(stage, _, chance) {
    const server = one(stage, chance)
    await server.command('config', 'set', 'maxmemory', '1').catch(nothing)
    return () => server.command('config', 'set', 'maxmemory', '0').catch(nothing)
  },
}

/** As after a fail-over that the route has not noticed. */
const readOnly: Fault = {
  name: 'Redis read-only',
  lasts: [50, 1000],
  async begin({ cluster: { sessionRedis } }) {
    const server = sessionRedis?.pair?.master
    await server?.command('replicaof', '127.0.0.1', '1').catch(nothing)
    return () => server?.command('replicaof', 'no', 'one').catch(nothing)
  },
}

const failedOver: Fault = {
  name: 'Redis failed over to a replica that lost the last writes',
  lasts: [50, 900],
  async begin(stage) {
    const start = performance.now()
    const { cluster } = stage
    const complete = await cluster.sessionRedis?.cutOff(cluster.redisProxies).catch(() => nothing)
    return async () => {
      await complete?.()
      stage.lost(start)
    }
  },
}

const emptied: Fault = {
  name: 'a Redis emptied',
  lasts: [0, 0],
  async begin(stage, _, chance) {
    const start = performance.now()
    await one(stage, chance).empty()
    stage.lost(start)
    return nothing
  },
}

const slotsMoved: Fault = {
  name: 'slots moved',
  lasts: [0, 200],
  async begin(stage, _, chance) {
    const living = stage.livingDevices().flatMap(({ cookie }) => cookie ?? [])
    for (let count = chance.between(1, 4); count > 0 && living.length > 0; count--) {
      const { id } = chance.of(living)
      await stage.cluster.sessionRedis?.cluster?.move(`mintmark:session:{${id}}`).catch(nothing)
    }
    return nothing
  },
}

/** What is ours at that moment, put back later over whatever is there by then. */
const broughtBack: Fault = {
  name: 'rows of before brought back',
  lasts: [100, 1500],
  async begin(stage, _, chance) {
    const server = one(stage, chance)
    const rows = await rowsOf(server)
    return async () => {
      for (const [key, fields] of rows) await server.command('hset', key, ...fields).catch(nothing)
    }
  },
}

/** Rows of one session under the ids of others that are not there, and rows that nobody of ours has written. */
const planted: Fault = {
  name: 'rows planted',
  lasts: [0, 0],
  async begin(stage, _, chance) {
    const server = one(stage, chance)
    const rows = await rowsOf(server)
    if (rows.length === 0) return nothing
    const ids = stage.history.entries.slice(-200).flatMap(({ session }) => session ?? [])
    for (let count = 0; count < 6 && ids.length > 0; count++) {
      const key = `mintmark:session:{${chance.of(ids)}}`
      const [, fields] = chance.of(rows)
      const junk = chance.next() < 0.3 ? ['row', '{}', 'mac', 'x'.repeat(50), 'seen', 'now'] : fields
      if ((await server.command('exists', key).catch(() => 1)) === 1) continue
      await server.command('hset', key, ...junk).catch(nothing)
    }
    return nothing
  },
}

async function rowsOf(server: RedisServer): Promise<[string, string[]][]> {
  const keys = (await server.command('keys', 'mintmark:session:*').catch(() => [])) as string[]
  const rows: [string, string[]][] = []
  for (const key of keys.slice(-40)) {
    const fields = Object.entries((await server.command('hgetall', key).catch(() => ({}))) as object).flat()
    if (fields.length > 0) rows.push([key, fields])
  }
  return rows
}
