/** Directed schedules against ending more than one session at once, while others come and go. */
import type { Schedule } from './schedule.js'

export const sets: readonly Schedule[] = [
  {
    rule: 'ending all others judges its own session by what is true once it has the lock',
    anyStore: true,
    exposes: ['stale-join'],
    async play(stage) {
      const device = await stage.device()
      const { cookie, person } = device
      const release = await stage.lock('sessions', cookie?.session ?? '')
      const others = device.endOthers(stage.at(1))
      await stage.waiting(1)
      const all = stage.operator.endAllOf(person.id)
      await Promise.race([all, stage.waiting(2)])
      await release()
      await Promise.all([others, all])
      stage.need((await all).outcome === 'ok', 'the operator ended all of them')
      await device.check(stage.at(2), cookie)
    },
  },
  {
    rule: 'of two devices that end each other one wins',
    anyStore: true,
    exposes: ['others-without-reread'],
    async play(stage) {
      const one = await stage.device()
      const two = await stage.device(one.person)
      const release = await stage.lock('users', one.person.id)
      const ending = [one.endOthers(stage.at(1)), two.endOthers(stage.at(2))]
      await stage.waiting(2)
      await release()
      const entries = await Promise.all(ending)
      const won = entries.filter(({ outcome }) => outcome === 'ok')
      stage.claim(won.length === 1, 'exactly one is told that it ended the other', ...entries)
      await Promise.all([one.check(stage.at(2)), two.check(stage.at(1))])
    },
  },
  {
    rule: 'disabling a person ends the session that is being opened meanwhile, also once they are enabled again',
    exposes: ['collect-then-delete'],
    async play(stage) {
      const person = await stage.person()
      const device = stage.newDevice(person)
      // The row is inserted and not committed while its instance waits for this answer.
      const inserted = stage.at(1).postgres.hold('to-client', 'SELECT 1', { after: 'insert into sessions' })
      const signingIn = device.signIn(stage.at(1))
      await inserted.caught
      const disabling = stage.operator.disable(person.id)
      await Promise.race([disabling, stage.waiting(1)])
      inserted.release()
      await signingIn
      const disabled = await disabling
      stage.need(disabled.outcome === 'ok', 'the person was disabled')
      await stage.operator.enable(person.id)
      if (device.cookie) await device.check(stage.at(2))
    },
  },
  {
    rule: 'enabling a person again resurrects no session',
    anyStore: true,
    exposes: ['enable-resurrects'],
    async play(stage) {
      const device = await stage.device()
      const { id } = device.person
      const disabled = await stage.operator.disable(id)
      stage.need(disabled.outcome === 'ok', 'the person was disabled', disabled)
      const signIn = await stage.newDevice(device.person).signIn(stage.at(2))
      stage.claim(signIn.code === 'invalid_credentials', 'a disabled person does not sign in', signIn)
      const enabled = await stage.operator.enable(id)
      stage.need(enabled.outcome === 'ok', 'the person was enabled', enabled)
      await device.check(stage.at(1))
      const again = await stage.newDevice(device.person).signIn(stage.at(1))
      stage.claim(again.outcome === 'ok', 'an enabled person signs in', again)
    },
  },
  {
    rule: 'one, all of a person and all there are end for everybody who asks afterwards',
    async play(stage) {
      const device = await stage.device()
      const [second, third, foreign] = [
        await stage.device(device.person),
        await stage.device(device.person),
        await stage.device(),
      ]
      const fresh = await device.stepUp(stage.at(1))
      stage.need(fresh.outcome === 'ok', 'the proof is fresh', fresh)
      await device.endOne(stage.at(1), second.cookie?.id ?? '')
      const unknown = await device.endOne(stage.at(1), foreign.cookie?.id ?? '')
      stage.claim(unknown.status === 404, 'a session of another is unknown', unknown)
      for (const one of [second, third, foreign]) await one.check(stage.at(2))
      await device.endAll(stage.at(2))
      for (const one of [device, third, foreign]) await one.check(stage.at(1))
      await stage.operator.endAllOf(foreign.person.id)
      await foreign.check(stage.at(2))
      const last = await stage.device()
      await stage.operator.endAll()
      await last.mint(stage.at(1))
    },
  },
]
