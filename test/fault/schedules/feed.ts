/** Directed schedules with verifiers that follow the feed: P7, and what may befall the feed on its way. */
import { setTimeout } from 'node:timers/promises'
import type { Device, Token } from '../device.js'
import type { Entry } from '../history.js'
import type { Stage } from '../stage.js'
import type { Watcher } from '../watcher.js'
import { pointAt, recovered } from './failovers.js'
import type { Schedule } from './schedule.js'

/** Again and again, at each of them, for as long as a second and somewhat more, as the checker wants to see it. */
async function keepAsking(watchers: readonly Watcher[], tokens: readonly Token[], milliseconds = 1300) {
  const last: Entry[] = []
  for (const end = performance.now() + milliseconds; performance.now() < end; await setTimeout(15)) {
    last.length = 0
    for (const watcher of watchers) for (const token of tokens) last.push(await watcher.verify(token))
  }
  return last
}

function refused(stage: Stage, says: string, entries: readonly Entry[]) {
  const accepted = entries.filter(({ outcome }) => outcome === 'ok')
  stage.claim(accepted.length === 0 && entries.length > 0, says, ...accepted)
}

function accepted(stage: Stage, says: string, entries: readonly Entry[]) {
  const others = entries.filter(({ outcome }) => outcome !== 'ok')
  stage.claim(others.length === 0 && entries.length > 0, says, ...others)
}

const cookieOf = (device: Device) => device.cookie as NonNullable<Device['cookie']>

/** Both kinds of verifiers of one instance, and two who sign in. */
async function watched(stage: Stage) {
  const watchers = [
    await stage.watcher(stage.at(1), 'required', 5),
    await stage.watcher(stage.at(1), 'preferred', 5),
  ]
  return { watchers, device: await stage.device(), bystander: await stage.device() }
}

export const feed: readonly Schedule[] = [
  {
    rule: 'P7: what was revoked is refused within a second by the verifiers of every instance, and nothing that is minted afterwards',
    patience: 60,
    async play(stage) {
      const watchers = [
        await stage.watcher(stage.at(1)),
        await stage.watcher(stage.at(2)),
        await stage.watcher(stage.at(2), 'preferred'),
      ]
      const tenant = await stage.tenant()
      const { operator } = stage
      const causes: ((device: Device) => Promise<Entry>)[] = [
        device => device.signOut(stage.at(1)),
        device => operator.disable(device.person.id),
        device => operator.changeMembership(device.person.id, tenant),
        device => operator.endAllOf(device.person.id),
        device => device.endAll(stage.at(2)),
      ]
      for (const cause of causes) {
        const device = await stage.device(await stage.person([tenant]))
        const token = await stage.token(device, stage.at(1), tenant)
        for (const watcher of watchers) {
          const entry = await watcher.verify(token)
          stage.need(entry.outcome === 'ok', 'it was accepted before', entry)
        }
        const entry = await cause(device)
        stage.need(entry.outcome === 'ok', 'it was confirmed', entry)
        refused(stage, 'it is refused in the end', await keepAsking(watchers, [token]))
      }
      const device = await stage.device(await stage.person([tenant]))
      for (let round = 0; round < 10; round++) {
        await operator.changeMembership(device.person.id, tenant)
        const token = await stage.token(device, stage.at(1 + (round % 2)), tenant)
        for (const wait of [0, 30, 60, 90]) {
          await setTimeout(wait && 30)
          const entries = await Promise.all(watchers.map(watcher => watcher.verify(token)))
          accepted(stage, 'it was minted afterwards, and is accepted', entries)
        }
      }
    },
  },
  {
    rule: 'what a token says and what it rests on are of one moment: changed in the middle of its mint, it dies with the change',
    exposes: ['feed-handle-by-second-statement'],
    patience: 40,
    async play(stage) {
      const watchers = [await stage.watcher(stage.at(1)), await stage.watcher(stage.at(2))]
      const tenant = await stage.tenant()
      const device = await stage.device(await stage.person([tenant]))
      const reply = stage.at(1).postgres.hold('to-client', device.cookie?.session ?? '')
      const minting = stage.token(device, stage.at(1), tenant)
      await reply.caught
      await stage.operator.changeMembership(device.person.id, tenant)
      reply.release()
      const token = await minting
      stage.need(token.entry.facts.version === 0, 'it shows the role of before', token.entry)
      refused(stage, 'the change took its role', await keepAsking(watchers, [token]))
    },
  },
  {
    rule: 'an instance that stands still between its COMMIT and its news keeps them from nobody',
    patience: 40,
    async play(stage) {
      const beside = await stage.watcher(stage.at(2))
      const own = await stage.watcher(stage.at(1))
      const device = await stage.device()
      const token = await stage.token(device, stage.at(1))
      const answer = stage.at(1).postgres.hold('to-client', 'COMMIT', { after: 'update sessions' })
      const signingOut = device.signOut(stage.at(1))
      await answer.caught
      const over = own.disturbed()
      stage.at(1).stop()
      stage.later(async () => stage.at(1).resume())
      answer.release()
      // Nobody was told yet that it is done, and it is.
      refused(stage, 'the verifiers of another instance know it', await keepAsking([beside], [token]))
      stage.at(1).resume()
      const out = await signingOut
      stage.claim(out.outcome === 'ok', 'it is confirmed when it runs on', out)
      over()
      refused(stage, 'so do its own', await keepAsking([beside, own], [token]))
    },
  },
  {
    rule: 'a verifier whose feed is cut refuses everything when its time is over, and is right again afterwards',
    patience: 60,
    async play(stage) {
      const [short, preferred] = [
        await stage.watcher(stage.at(1), 'required', 5),
        await stage.watcher(stage.at(1), 'preferred', 5),
      ]
      const [device, other] = [await stage.device(), await stage.device()]
      const tokens = [await stage.token(device, stage.at(1)), await stage.token(other, stage.at(2))]
      const overs = [short, preferred].map(watcher => watcher.disturbed())
      await Promise.all([short, preferred].map(({ proxy }) => proxy.refuse()))
      const out = await device.signOut(stage.at(1))
      stage.need(out.outcome === 'ok', 'signing out was confirmed', out)
      const last = await keepAsking([short, preferred], tokens, 5500)
      refused(stage, '`required` accepts nothing', last.slice(0, 2))
      accepted(stage, '`preferred` goes by the lifetime', last.slice(2))
      stage.claim(preferred.health.state === 'stale', 'and says that it is stale')
      await Promise.all([short, preferred].map(({ proxy }) => proxy.heal()))
      for (const over of overs) over()
      for (const watcher of [short, preferred]) {
        await watcher.fresh()
        refused(stage, 'it has heard of it', [await watcher.verify(tokens[0] as Token)])
        accepted(stage, 'the other one lives', [await watcher.verify(tokens[1] as Token)])
      }
    },
  },
  {
    rule: 'an answer that was long on its way is as old as its question',
    patience: 60,
    async play(stage) {
      const watcher = await stage.watcher(stage.at(1), 'required', 5)
      const device = await stage.device()
      const token = await stage.token(device, stage.at(1))
      watcher.disturbed()
      // Each way takes so long that no answer is younger than the half of it, and some are too old when they come.
      watcher.proxy.delayMs = 2800
      await keepAsking([watcher], [token], 12_000)
    },
  },
  {
    rule: 'a relay that gives old answers again makes no verifier fresher, nor forgetful',
    patience: 60,
    async play(stage) {
      const watcher = await stage.watcher(stage.at(1), 'required', 5)
      const [device, other] = [await stage.device(), await stage.device()]
      const dead = await stage.token(device, stage.at(1))
      const token = await stage.token(other, stage.at(1))
      const before = [...watcher.answers]
      const out = await device.signOut(stage.at(1))
      stage.need(out.outcome === 'ok', 'signing out was confirmed', out)
      await watcher.fresh()
      const over = watcher.replay(before)
      const unseen = await other.signOut(stage.at(1))
      stage.need(unseen.outcome === 'ok', 'signing out was confirmed', unseen)
      const last = await keepAsking([watcher], [dead, token], 5500)
      refused(stage, 'it is too old', last)
      stage.claim(last[0]?.code === 'stale_token', 'what it had heard of it knows still', ...last)
      over()
      await watcher.fresh()
      refused(stage, 'and now the rest', await keepAsking([watcher], [dead, token], 100))
    },
  },
  {
    rule: 'after a fail-over that lost a revocation, and `mintmark recover`, verifiers refuse every token of before',
    patience: 90,
    async play(stage) {
      const { watchers, device, bystander } = await watched(stage)
      const [dead, living] = [
        await stage.token(device, stage.at(1)),
        await stage.token(bystander, stage.at(1)),
      ]
      const replica = await stage.cluster.newReplica()
      stage.later(() => replica.stop())
      await replica.disconnect()
      const out = await device.signOut(stage.at(2))
      stage.need(out.outcome === 'ok', 'signing out was confirmed by the primary', out)
      refused(stage, 'they know it', await keepAsking(watchers, [dead]))
      await replica.promote()
      await replica.sql`select pg_switch_wal()`
      await onAnother(stage, replica, watchers, dead, living, device)
    },
  },
  {
    rule: 'after a copy of the data folder was put back, and `mintmark recover`, verifiers refuse every token of before',
    patience: 90,
    async play(stage) {
      const { watchers, device, bystander } = await watched(stage)
      const start = await stage.cluster.primary.snapshot(`${stage.cluster.folder}/snapshot-feed`)
      const [dead, living] = [
        await stage.token(device, stage.at(1)),
        await stage.token(bystander, stage.at(1)),
      ]
      const out = await device.signOut(stage.at(2))
      stage.need(out.outcome === 'ok', 'signing out was confirmed by the primary', out)
      refused(stage, 'they know it', await keepAsking(watchers, [dead]))
      const again = stage.newDevice(device.person)
      for (let round = 0; round < 5; round++) await again.signIn(stage.at(1))
      const copy = await start()
      stage.later(() => copy.stop())
      await onAnother(stage, copy, watchers, dead, living, device)
    },
  },
]

/** Instance 1 is led to a server that has lost a revocation; then it is recovered, and a new generation begins. */
async function onAnother(
  stage: Stage,
  server: Parameters<typeof pointAt>[1],
  watchers: readonly Watcher[],
  dead: Token,
  living: Token,
  device: Device,
): Promise<void> {
  const overs = watchers.map(watcher => watcher.disturbed())
  await pointAt(stage, server)
  const meanwhile = await keepAsking(watchers, [dead])
  refused(stage, 'what they have heard of they do not forget', meanwhile)
  await recovered(stage, server.url(stage.at(1).postgres.port))
  await stage.at(1).ready()
  for (const watcher of watchers) await watcher.fresh(40)
  for (const over of overs) over()
  refused(stage, 'every token of before is over', await keepAsking(watchers, [dead, living], 100))
  const fresh = stage.newDevice(device.person)
  const entry = await fresh.signIn(stage.at(1))
  stage.need(entry.outcome === 'ok', 'somebody signs in again', entry)
  const token = await stage.token(fresh, stage.at(1))
  accepted(stage, 'a token of now is accepted', await keepAsking(watchers, [token], 300))
  const out = await fresh.signOut(stage.at(1), cookieOf(fresh))
  stage.need(out.outcome === 'ok', 'signing out was confirmed', out)
  refused(stage, 'the new generation revokes as well', await keepAsking(watchers, [token]))
  await stage.operator.endAll()
}
