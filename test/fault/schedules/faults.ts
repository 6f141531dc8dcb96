/** Directed schedules in which something breaks at the worst moment, with no planted bug: what must hold nevertheless. */
import { until } from '../cluster/postgres.js'
import type { Schedule } from './schedule.js'

export const faults: readonly Schedule[] = [
  {
    rule: 'a backend that ends before COMMIT has revoked nothing, and nobody was told otherwise',
    async play(stage) {
      const device = await stage.device()
      const { cookie } = device
      const updated = stage.at(1).postgres.hold('to-client', 'SELECT 1', { after: 'update sessions' })
      const signingOut = device.signOut(stage.at(1))
      await updated.caught
      await stage.cluster.primary.terminate()
      updated.release()
      const lost = await signingOut
      stage.claim(lost.status === 503, 'it is not confirmed', lost)
      const still = await device.heals(stage.at(2), cookie ?? never())
      stage.claim(still.outcome === 'ok', 'it lives', still)
      const again = await device.signOut(stage.at(2))
      stage.claim(again.outcome === 'ok', 'it can be repeated', again)
      await device.check(stage.at(1), cookie)
    },
  },
  {
    rule: 'a backend that ends after COMMIT has revoked, and it can be repeated',
    async play(stage) {
      const device = await stage.device()
      const { cookie } = device
      const answer = stage.at(1).postgres.hold('to-client', 'COMMIT', { after: 'update sessions' })
      const signingOut = device.signOut(stage.at(1))
      await answer.caught
      stage.at(1).postgres.drop()
      answer.release()
      const lost = await signingOut
      stage.claim(lost.code === 'not_confirmed', 'nobody knows', lost)
      const gone = await device.heals(stage.at(2), cookie ?? never())
      stage.claim(gone.status === 401, 'it was made', gone)
      const again = await device.signOut(stage.at(2))
      stage.claim(again.outcome === 'ok', 'it can be repeated', again)
    },
  },
  {
    rule: 'connections that are cut in the middle of changes end no instance, and mix no change with another',
    async play(stage) {
      const { postgres } = stage.at(1)
      for (let round = 0; round < 6; round++) {
        const devices = await Promise.all(Array.from({ length: 6 }, () => stage.device()))
        const caught = postgres.hold('to-client', 'SELECT 1', { after: 'update sessions' })
        const cookies = devices.map(({ cookie }) => cookie)
        const ending = devices.map((device, number) =>
          number % 2 === 0 ? device.signOut(stage.at(1)) : device.switchTenant(stage.at(1), null),
        )
        await caught.caught
        // One half by the network, the other by the server.
        if (round % 2 === 0) postgres.drop()
        else await stage.cluster.primary.terminate()
        caught.release()
        const entries = await Promise.all(ending)
        const bad = entries.filter(({ status }) => status !== 204 && status !== 200 && status !== 503)
        stage.claim(bad.length === 0, 'each is done, or nobody knows', ...bad)
        for (const [number, device] of devices.entries()) await device.check(stage.at(2), cookies[number])
        await until(async () => (await (await stage.device()).check(stage.at(1))).outcome === 'ok', 5)
      }
      stage.claim(stage.at(1).alive, 'the instance lives')
    },
  },
  {
    rule: 'a locked session is still checked and minted from; ending it is not confirmed until it is done',
    async play(stage) {
      const device = await stage.device()
      const { cookie } = device
      await stage.sql`update sessions set last_seen_at = now() - interval '1 hour' where id = ${cookie?.session ?? ''}`
      const release = await stage.lock('sessions', cookie?.session ?? '')
      const entries = [await device.check(stage.at(1)), await device.mint(stage.at(2))]
      for (const entry of entries) stage.claim(entry.outcome === 'ok', 'reading waits for no lock', entry)
      const refused = await device.signOut(stage.at(1))
      stage.claim(refused.status === 503, 'it gave up on the lock', refused)
      await release()
      const done = await device.signOut(stage.at(1), cookie)
      stage.claim(done.outcome === 'ok', 'and then it worked', done)
      await device.check(stage.at(2), cookie)
    },
  },
  {
    rule: 'ending a session works while every ordinary connection of the instance is taken',
    exposes: ['no-reserved-connections'],
    async play(stage) {
      const device = await stage.device()
      const fresh = await device.stepUp(stage.at(2))
      stage.need(fresh.outcome === 'ok', 'the proof is fresh', fresh)
      const other = await stage.device(device.person)
      // Of one person four requests are under way at once, so these are many.
      const devices = await Promise.all(Array.from({ length: 20 }, () => stage.device()))
      const release = await stage.lock('sessions', ...devices.map(({ cookie }) => cookie?.session ?? ''))
      // Each waits for its row, with a connection of its own.
      const drained = Promise.all(devices.map(one => one.switchTenant(stage.at(1), null)))
      await stage.waiting(8)
      const one = await device.endOne(stage.at(1), other.cookie?.id ?? '')
      stage.claim(one.outcome === 'ok', 'one session was ended', one)
      // A lock is waited for 2 s: had it waited for a connection, it would have taken longer than that.
      stage.claim(one.end - one.start < 1500, 'it waited for none of those', one)
      await other.check(stage.at(1))
      const { cookie } = device
      const out = await device.signOut(stage.at(1))
      stage.claim(out.outcome === 'ok', 'signing out works', out)
      await device.check(stage.at(1), cookie)
      await release()
      await drained
    },
  },
  {
    rule: 'an instance that was stopped in the middle of a request accepts nothing that ended meanwhile',
    async play(stage) {
      const device = await stage.device()
      const { cookie } = device
      const reply = stage.at(1).postgres.hold('to-client', cookie?.session ?? '')
      const minting = device.mint(stage.at(1))
      await reply.caught
      stage.at(1).stop()
      stage.later(async () => stage.at(1).resume())
      await device.signOut(stage.at(2), cookie)
      const late = device.check(stage.at(1), cookie)
      reply.release()
      stage.at(1).resume()
      await Promise.all([minting, late])
      await device.mint(stage.at(1), undefined, cookie)
    },
  },
  {
    rule: 'Redis emptied, frozen and gone while sessions end: nobody is let in late, and nobody is refused',
    needsRedis: true,
    async play(stage) {
      const { redis } = stage.cluster
      stage.need(redis !== undefined, 'there is a Redis')
      if (!redis) return
      const befall = [
        () => redis.empty(),
        async () => redis.freeze(),
        async () => redis.thaw(),
        () => redis.kill(),
        () => redis.start(),
      ]
      for (const fault of befall) {
        const [device, bystander] = [await stage.device(), await stage.device()]
        const { cookie } = device
        await fault()
        const out = await device.signOut(stage.at(2))
        stage.claim(out.outcome === 'ok', 'signing out needs no Redis', out)
        await Promise.all([device.check(stage.at(1), cookie), device.mint(stage.at(1), undefined, cookie)])
        const living = await bystander.check(stage.at(1))
        stage.claim(living.outcome === 'ok', 'nor does a check', living)
        const signedIn = await bystander.signIn(stage.at(1))
        stage.claim(signedIn.outcome === 'ok', 'nor does signing in', signedIn)
      }
    },
  },
  {
    rule: 'an instance killed right after COMMIT has revoked everywhere',
    async play(stage) {
      const device = await stage.device()
      const { cookie } = device
      const spare = await stage.spare({})
      const answer = spare.postgres.hold('to-client', 'COMMIT', { after: 'update sessions' })
      const signingOut = device.signOut(spare)
      await answer.caught
      await spare.kill()
      const lost = await signingOut
      stage.claim(lost.outcome === 'unknown', 'nobody was answered', lost)
      for (const number of [1, 2]) {
        const entry = await device.check(stage.at(number), cookie)
        stage.claim(entry.status === 401, 'it is refused', entry)
      }
    },
  },
]

function never(): never {
  throw new Error('a device without a cookie')
}
