/** Directed schedules with sessions in Redis: it loses, brings back, refuses or moves rows at the worst moment. */
import { until } from '../cluster/postgres.js'
import type { Device } from '../device.js'
import type { Stage } from '../stage.js'
import type { Schedule } from './schedule.js'

const rowOf = (device: Device) => `mintmark:session:{${device.cookie?.id}}`

async function holderOf(stage: Stage, device: Device) {
  const { sessionRedis } = stage.cluster
  const holder = (await sessionRedis?.cluster?.holderOf(rowOf(device))) ?? sessionRedis?.pair?.master
  if (!holder) throw new Error('no Redis has the sessions')
  return holder
}

export const inRedis: readonly Schedule[] = [
  {
    rule: 'a row that is put back after its session ended lets nobody in, however it ended',
    exposes: ['redis-alone'],
    async play(stage) {
      const ends: ((device: Device, other: Device) => Promise<unknown>)[] = [
        device => device.signOut(stage.at(1)),
        async (device, other) => {
          await other.stepUp(stage.at(1))
          return other.endOne(stage.at(1), device.cookie?.id ?? '')
        },
        async (_, other) => {
          await other.stepUp(stage.at(1))
          return other.endOthers(stage.at(1))
        },
        device => device.stepUp(stage.at(1)),
        device => device.changePassword(stage.at(1), `words of ${device.name} and more of them`),
        device => device.signIn(stage.at(1)),
        device => stage.operator.endOne(device.cookie?.id ?? ''),
        device => stage.operator.endAllOf(device.person.id),
      ]
      for (const end of ends) {
        const device = await stage.device()
        const other = await stage.device(device.person)
        const { cookie } = device
        const holder = await holderOf(stage, device)
        const key = rowOf(device)
        const fields = Object.entries((await holder.command('hgetall', key)) as object).flat()
        await end(device, other)
        await holder.command('hset', key, ...fields)
        for (const number of [1, 2]) {
          const entry = await device.check(stage.at(number), cookie)
          stage.claim(entry.status === 401, 'what ended stays ended', entry)
          await device.mint(stage.at(number), undefined, cookie)
        }
      }
    },
  },
  {
    rule: 'signing out while Redis cannot be asked holds when it is back',
    exposes: ['redis-outage-as-401'],
    async play(stage) {
      for (const fault of ['frozen', 'killed'] as const) {
        const device = await stage.device()
        const bystander = await stage.device()
        const { cookie } = device
        const holder = await holderOf(stage, device)
        const theirs = await holderOf(stage, bystander)
        if (fault === 'frozen') holder.freeze()
        else await holder.kill()
        const refused = await device.check(stage.at(2))
        stage.claim(refused.status === 503, 'nobody is told that it is gone', refused)
        const out = await device.signOut(stage.at(1))
        stage.claim(out.outcome === 'ok', 'signing out works', out)
        if (fault === 'frozen') holder.thaw()
        else await holder.start()
        await until(async () => (await device.check(stage.at(2), cookie)).status === 401, 10)
        if (theirs === holder)
          await until(async () => (await bystander.check(stage.at(2))).outcome === 'ok', 10)
      }
    },
  },
  {
    rule: 'a Redis that is full or read-only refuses what writes, and nobody loses a session',
    async play(stage) {
      const device = await stage.device()
      const masters = stage.cluster.sessionRedis?.masters ?? []
      for (const master of masters) await master.command('config', 'set', 'maxmemory', '1')
      const full = [await device.check(stage.at(1)), await device.mint(stage.at(2))]
      for (const entry of full) stage.claim(entry.outcome === 'ok', 'what is there is read', entry)
      const refused = [await device.stepUp(stage.at(1)), await device.signIn(stage.at(1))]
      for (const entry of refused) stage.claim(entry.outcome !== 'ok', 'nothing is written', entry)
      for (const master of masters) await master.command('config', 'set', 'maxmemory', '0')
      const { pair } = stage.cluster.sessionRedis ?? {}
      if (pair) {
        await pair.master.command('replicaof', '127.0.0.1', '1')
        const readOnly = [await device.check(stage.at(1)), await device.stepUp(stage.at(1))]
        stage.claim(readOnly[0]?.status !== 401 && readOnly[1]?.status === 503, 'read-only', ...readOnly)
        const unknown = await stage.newDevice(device.person).signIn(stage.at(2))
        stage.claim(unknown.status === 503, 'nobody is let in without a row', unknown)
        await pair.master.command('replicaof', 'no', 'one')
      }
      const heals = device.cookie && (await device.heals(stage.at(1), device.cookie))
      stage.claim(heals?.outcome === 'ok', 'it lives', ...(heals ? [heals] : []))
    },
  },
  {
    rule: 'a step-up whose COMMIT is lost leaves the cookie of before or none, and no second session',
    async play(stage) {
      const device = await stage.device()
      const { cookie } = device
      const answer = stage
        .at(1)
        .postgres.hold('to-client', 'COMMIT', { after: 'insert into revoked_sessions' })
      const renewing = device.stepUp(stage.at(1))
      await answer.caught
      stage.at(1).postgres.drop()
      answer.release()
      const lost = await renewing
      stage.claim(lost.status === 503, 'nobody knows', lost)
      await until(async () => {
        const entry = await device.check(stage.at(2), cookie)
        return entry.code === 'session_superseded' || entry.outcome === 'ok'
      }, 5)
      await device.signOut(stage.at(2), cookie)
      const left = await stage.operator.list(device.person.id)
      stage.claim(left.length === 0, 'signing out with the cookie of before ends what it went on as')
    },
  },
  {
    rule: 'FLUSHALL signs out, and what is opened afterwards lives',
    async play(stage) {
      const device = await stage.device()
      const start = performance.now()
      for (const server of stage.cluster.sessionRedis?.masters ?? []) await server.empty()
      stage.lost(start)
      const gone = await device.check(stage.at(1))
      stage.claim(gone.status === 401, 'its row is gone', gone)
      const again = await device.signIn(stage.at(2))
      stage.claim(again.outcome === 'ok', 'whoever signs in again is in', again)
      await device.check(stage.at(1))
    },
  },
  {
    rule: 'a fail-over to a replica that lost the last writes brings back no secret, no end and no tenant of before',
    async play(stage) {
      const { sessionRedis } = stage.cluster
      if (!sessionRedis?.pair) return
      const [ended, renewed, living] = [await stage.device(), await stage.device(), await stage.device()]
      const [before, former] = [ended.cookie, renewed.cookie]
      await until(
        async () => String(await sessionRedis.pair?.standby.command('exists', rowOf(living))) === '1',
      )
      const start = performance.now()
      const complete = await sessionRedis.cutOff(stage.cluster.redisProxies)
      await ended.signOut(stage.at(1))
      await renewed.stepUp(stage.at(1))
      const lost = stage.newDevice(living.person)
      await lost.signIn(stage.at(2), undefined, undefined)
      await complete()
      stage.lost(start)
      for (const number of [1, 2]) {
        const kept = living.cookie && (await living.heals(stage.at(number), living.cookie))
        stage.claim(kept?.outcome === 'ok', 'who had not been lost lives', ...(kept ? [kept] : []))
        const entries = [
          await ended.check(stage.at(number), before),
          await renewed.check(stage.at(number), former),
        ]
        for (const entry of entries) stage.claim(entry.status === 401, 'an old row is no yes', entry)
      }
      const gone = await renewed.check(stage.at(1))
      stage.claim(gone.status === 401, 'what was written last is lost', gone)
      await renewed.signOut(stage.at(1))
    },
  },
  {
    rule: 'slots that move while people come and go lose nobody',
    async play(stage) {
      const { sessionRedis } = stage.cluster
      if (!sessionRedis?.cluster) return
      const devices = await Promise.all(Array.from({ length: 8 }, () => stage.device()))
      const moving = (async () => {
        for (const device of devices) await sessionRedis.cluster?.move(rowOf(device))
      })()
      for (let round = 0; round < 4; round++) {
        const entries = await Promise.all(
          devices.map((device, index) => device.check(stage.at((index % 2) + 1))),
        )
        for (const entry of entries)
          stage.claim(entry.status !== 401, 'nobody is told that it is gone', entry)
      }
      await moving
      for (const device of devices) {
        const entry = device.cookie && (await device.heals(stage.at(1), device.cookie))
        stage.claim(entry?.outcome === 'ok', 'it lives', ...(entry ? [entry] : []))
      }
    },
  },
]
