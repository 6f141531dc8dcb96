/** Directed schedules against reads that answer from anything but the primary, now, about this one session. */
import { until } from '../cluster/postgres.js'
import type { Device } from '../device.js'
import type { Stage } from '../stage.js'
import type { Schedule } from './schedule.js'

/** It is let in by instance 1: from now on it has something to remember. */
async function letIn(stage: Stage, device: Device): Promise<void> {
  const entry = await device.check(stage.at(1))
  stage.need(entry.outcome === 'ok', 'a live session was let in', entry)
}

async function signOut(stage: Stage, device: Device): Promise<void> {
  const entry = await device.signOut(stage.at(2))
  stage.need(entry.outcome === 'ok', 'signing out was confirmed', entry)
}

export const reads: readonly Schedule[] = [
  {
    rule: 'a yes is not remembered: whoever signs out elsewhere is refused at once',
    exposes: ['cached-yes'],
    async play(stage) {
      const device = await stage.device()
      const { cookie } = device
      await letIn(stage, device)
      await device.mint(stage.at(1))
      await signOut(stage, device)
      await device.check(stage.at(1), cookie)
      await device.mint(stage.at(1), undefined, cookie)
    },
  },
  {
    rule: 'a check does not join a read that was sent before it began',
    exposes: ['joined-read'],
    async play(stage) {
      const device = await stage.device()
      const { cookie } = device
      const reply = stage.at(1).postgres.hold('to-client', cookie?.session ?? '')
      const first = device.check(stage.at(1), cookie)
      await reply.caught
      await signOut(stage, device)
      const second = device.check(stage.at(1), cookie)
      // These go behind it: when they are answered, it has arrived.
      for (let round = 0; round < 3; round++) await stage.newDevice(device.person).check(stage.at(1))
      reply.release()
      await Promise.all([first, second])
    },
  },
  {
    rule: 'the primary is asked, however far a replica is behind',
    exposes: ['replica-read'],
    tells: async cluster => ({ MUTANT_REPLICA: (await cluster.replica()).socket.path }),
    async play(stage) {
      const device = await stage.device()
      const { cookie } = device
      const replica = await stage.cluster.replica()
      await replica.catchUp()
      await letIn(stage, device)
      await replica.pauseReplay()
      stage.later(() => replica.resumeReplay())
      await signOut(stage, device)
      await device.check(stage.at(1), cookie)
    },
  },
  {
    rule: 'each read has a snapshot of its own',
    exposes: ['repeatable-read'],
    async play(stage) {
      const [before, device] = [await stage.device(), await stage.device()]
      const { cookie } = device
      await letIn(stage, before)
      await letIn(stage, before)
      await signOut(stage, device)
      for (let round = 0; round < 4; round++) await device.check(stage.at(1), cookie)
    },
  },
  {
    rule: 'many who ask at once are each answered about themselves',
    exposes: ['answer-of-another'],
    async play(stage) {
      const devices = await Promise.all([stage.device(), stage.device(), stage.device()])
      const asked = Array.from({ length: 20 }, () => devices.map(device => device.check(stage.at(1))))
      await Promise.all(asked.flat())
    },
  },
  {
    rule: 'a session is over when the clock of the database says so, whatever the clock of an instance says',
    exposes: ['application-clock'],
    async play(stage) {
      const [ended, idle, living] = [await stage.device(), await stage.device(), await stage.device()]
      const hours = (session: string | undefined, which: 'ends_at' | 'last_seen_at', interval: string) =>
        stage.sql`update sessions set ${stage.sql(which)} = now() + ${interval}::text::interval where id = ${session ?? ''}`
      await hours(ended.cookie?.session, 'ends_at', '-30 minutes')
      await hours(idle.cookie?.session, 'last_seen_at', '-7 days -30 minutes')
      await hours(living.cookie?.session, 'ends_at', '30 minutes')
      stage.expired(ended.cookie?.session)
      stage.expired(idle.cookie?.session)
      const [behind, ahead] = await Promise.all([
        stage.spare({ clockShiftMs: -3_600_000 }),
        stage.spare({ clockShiftMs: 3_600_000 }),
      ])
      for (const device of [ended, idle]) {
        for (const entry of [await device.check(behind), await device.mint(behind)]) {
          stage.claim(entry.status === 401, 'a session past its end is refused', entry)
        }
      }
      const entry = await living.check(ahead)
      stage.claim(entry.outcome === 'ok', 'a session before its end is accepted', entry)
    },
  },
  {
    rule: 'where the truth cannot be asked nobody is signed out',
    anyStore: true,
    exposes: ['outage-as-401'],
    async play(stage) {
      const device = await stage.device()
      await letIn(stage, device)
      await stage.at(1).postgres.refuse()
      stage.later(() => stage.at(1).postgres.heal())
      const refusals = [await device.check(stage.at(1)), await device.mint(stage.at(1))]
      for (const entry of refusals) stage.claim(entry.status === 503, 'an outage is a 503', entry)
      await stage.at(1).postgres.heal()
      await until(async () => (await device.check(stage.at(1))).outcome === 'ok', 5)
    },
  },
]
