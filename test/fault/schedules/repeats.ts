/**
 * Directed schedules with a synchronous standby that is away while something is taken away: that is not confirmed, and
 * visible once its server has crashed or its wait was cancelled. Repeating it proves no more than the standby has.
 */
import { application, serviceKey } from '../../harness/world.js'
import type { Replica } from '../cluster/postgres.js'
import type { Stage } from '../stage.js'
import { verbs } from '../verbs/index.js'
import { nameOf, type Prepared, type Told, type Verb } from '../verbs/verb.js'
import { World } from '../verbs/world.js'
import { pointAt, recover } from './failovers.js'
import type { Schedule } from './schedule.js'

export const repeats: readonly Schedule[] = [
  {
    rule: 'a sign-out that a crash made visible is repeated, and is confirmed once the standby has it',
    anyStore: true,
    exposes: ['unmarked-commit'],
    patience: 60,
    async play(stage) {
      const { primary } = stage.cluster
      const device = await stage.device()
      const { cookie } = device
      const standby = await standbyAway(stage)
      const first = device.signOut(stage.at(2))
      await primary.commitsWaiting()
      await primary.crash()
      const lost = await first
      stage.claim(lost.status === 503, 'it is not confirmed', lost)
      await ready(stage)
      // Every commit that waits is cancelled, the feed's beside it too: only its own tells whether it is answered.
      const repeated = await primary.cancellingCommits(() => device.signOut(stage.at(2), cookie))
      stage.claim(repeated.status === 503, 'it is not confirmed while no standby has it', repeated)
      await standby.reconnect()
      const done = await device.signOut(stage.at(2), cookie)
      stage.claim(done.outcome === 'ok', 'and then it is', done)
      await failOver(stage, standby)
      const entry = await device.check(stage.at(1), cookie)
      stage.claim(entry.status === 401, 'what was confirmed holds after the fail-over', entry)
    },
  },
  {
    rule: 'of two who delete a person at once, the one that found it done is answered no sooner than the other',
    anyStore: true,
    patience: 60,
    async play(stage) {
      const { primary, http } = stage.cluster
      const device = await stage.device()
      const { key: bearer } = await serviceKey(stage.sql)
      const path = `/v1/admin/users/${device.person.id}`
      const remove = (at: number) => http.ask(stage.at(at).port, { method: 'DELETE', path, bearer })
      const standby = await standbyAway(stage)
      const first = remove(1)
      await primary.commitsWaiting()
      // It waits for a row that is gone by the time it has it.
      const second = remove(2)
      await stage.waiting(1)
      const answers = await primary.cancellingCommits(() => Promise.all([first, second]))
      const statuses = answers.map(({ status }) => status)
      const unsure = statuses.every(status => status === 503)
      stage.claim(unsure, `neither is confirmed while no standby has it: ${statuses}`)
      await failOver(stage, standby)
      const entry = await device.check(stage.at(1))
      stage.claim(unsure || entry.status === 401, 'whom somebody was told is deleted stays deleted', entry)
    },
  },
  {
    rule: 'of two operators who delete an application at once, neither is told so while no standby has it',
    anyStore: true,
    exposes: ['mark-without-xid'],
    patience: 60,
    async play(stage) {
      const { primary } = stage.cluster
      await application(stage.sql, { clientId: 'gone' })
      stage.later(() => stage.sql`delete from applications where client_id = 'gone'`)
      await standbyAway(stage)
      const remove = () => stage.operator.deleteApplication('gone')
      const first = remove()
      await primary.commitsWaiting()
      // No lock of its caller goes before: it waits for a row that is gone by the time it has it.
      const second = remove()
      await stage.waiting(1)
      const told = await primary.cancellingCommits(() => Promise.all([first, second]))
      for (const words of told)
        stage.claim(/^Outage/.test(words), `no standby has it, and it is told: ${words}`)
    },
  },
  {
    rule: 'whatever takes something away is confirmed no sooner than the standby has it, however often it is asked for',
    anyStore: true,
    exposes: ['unsettled-refusals'],
    patience: 180,
    play: stage =>
      playVerbs(
        stage,
        verbs.filter(({ everybody }) => !everybody),
      ),
  },
  {
    rule: 'nor is what ends the sessions of everybody',
    anyStore: true,
    patience: 120,
    play: stage =>
      playVerbs(
        stage,
        verbs.filter(({ everybody }) => everybody),
      ),
  },
]

interface Trial extends Prepared {
  readonly name: string
  readonly verb: Verb
}

/** All of them in the same outage: it is asked for, made visible, asked for again, and then looked for elsewhere. */
async function playVerbs(stage: Stage, verbs: readonly Verb[]): Promise<void> {
  const { primary, sessionRedis } = stage.cluster
  const world = await World.make(stage)
  const trials: Trial[] = []
  for (const verb of verbs) {
    if (verb.sessionsIn === 'Redis' && !sessionRedis) continue
    const trial = { verb, name: nameOf(verb), ...(await verb.prepare(world)) }
    stage.need(await trial.stillThere(), `${trial.name}: it was there`)
    trials.push(trial)
  }
  const standby = await standbyAway(stage)

  const first = await primary.cancellingCommits(() => tryAll(world, trials))
  for (const [{ name }, { unconfirmed, says }] of first)
    stage.claim(unconfirmed, `${name}: without a standby it is not confirmed, and can be repeated: ${says}`)
  await primary.crash()
  await ready(stage)
  for (const { verb, name, stillThere } of trials)
    stage.need(verb.inSteps || !(await stillThere()), `${name}: it was made on the primary`)

  const again = await primary.cancellingCommits(() => tryAll(world, trials))
  const tooSoon = again.filter(([, { answered }]) => answered)
  for (const [{ name }, { says }] of tooSoon)
    stage.claim(false, `${name}: it was repeated and answered, though no standby has it: ${says}`)
  if (tooSoon.length === 0) {
    await standby.reconnect()
    for (const [{ name }, { answered, says }] of await tryAll(world, trials))
      stage.claim(answered, `${name}: with its standby it is answered: ${says}`)
  }

  await failOver(stage, standby)
  for (const { name, stillThere } of tooSoon.length === 0 ? trials : tooSoon.map(([trial]) => trial))
    stage.claim(!(await stillThere()), `${name}: it was answered, and is undone by the fail-over`)
}

/** Requests beside each other, commands one after the other. */
async function tryAll(world: World, trials: readonly Trial[]): Promise<(readonly [Trial, Told])[]> {
  const results: (readonly [Trial, Told])[] = []
  const work = async (queue: Trial[]) => {
    for (let trial = queue.shift(); trial; trial = queue.shift())
      results.push([trial, await world.try(trial.ask)] as const)
  }
  const requests = trials.filter(({ ask }) => 'path' in ask)
  const commands = trials.filter(({ ask }) => !('path' in ask))
  await Promise.all([work(commands), ...[1, 2, 3, 4].map(() => work(requests))])
  return results
}

/** A standby that has all of it until now, for which every commit waits, and that is away. */
async function standbyAway(stage: Stage): Promise<Replica> {
  const standby = await stage.cluster.newReplica()
  stage.later(() => standby.stop())
  stage.later(await stage.cluster.primary.waitFor(standby))
  await standby.disconnect()
  return standby
}

/** The instances have found the server again. */
async function ready({ fleet }: Stage): Promise<void> {
  for (const instance of fleet.instances) await instance.ready()
}

/** Nothing that was confirmed is lost, and that is what the operator says. */
async function failOver(stage: Stage, standby: Replica): Promise<void> {
  await standby.disconnect()
  await standby.promote()
  await pointAt(stage, standby)
  await recover(stage, standby.url(stage.at(1).postgres.port), '--nothing-lost')
  await stage.at(1).ready()
}
