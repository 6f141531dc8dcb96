/** Directed schedules against changes that are answered before they are made, or that bring back what was ended. */
import { until } from '../cluster/postgres.js'
import type { Schedule } from './schedule.js'

export const changes: readonly Schedule[] = [
  {
    rule: 'a touch that arrives late does not revive a session',
    exposes: ['touch-revives'],
    async play(stage) {
      const device = await stage.device()
      const { cookie } = device
      await stage.sql`update sessions set last_seen_at = now() - interval '1 hour' where id = ${cookie?.session ?? ''}`
      const { postgres } = stage.at(1)
      const touch = postgres.hold('to-server', 'set last_seen_at = now()')
      const done = postgres.hold('to-client', 'COMMIT', { after: 'set last_seen_at = now()' })
      const checked = await device.check(stage.at(1))
      stage.need(checked.outcome === 'ok', 'a live session was let in', checked)
      await touch.caught
      await device.signOut(stage.at(2))
      touch.release()
      await done.caught
      done.release()
      await device.check(stage.at(1), cookie)
    },
  },
  {
    rule: 'signing out is answered when it is committed, not before',
    exposes: ['answer-before-commit'],
    async play(stage) {
      const device = await stage.device()
      const { cookie } = device
      const release = await stage.lock('sessions', cookie?.session ?? '')
      const signingOut = device.signOut(stage.at(2), cookie)
      await Promise.race([signingOut, stage.waiting(1)])
      // While it waits nothing is confirmed, and this is let in; had it been answered, this would be too late.
      await device.check(stage.at(1), cookie)
      await release()
      await signingOut
      await device.check(stage.at(1), cookie)
    },
  },
  {
    rule: 'a commit whose standby is gone is not confirmed, though Postgres calls it a success',
    anyStore: true,
    exposes: ['cancelled-commit'],
    async play(stage) {
      const device = await stage.device()
      const restore = await stage.cluster.primary.loseSynchronousStandby()
      stage.later(restore)
      const signingOut = device.signOut(stage.at(2))
      await stage.cluster.primary.cancelWaitingCommit()
      const entry = await signingOut
      const unsure = entry.status === 503 && entry.code === 'not_confirmed'
      stage.claim(unsure, 'a revocation that no standby has is not confirmed', entry)
      stage.claim(device.cookie !== undefined, 'the cookie is kept', entry)
      await restore()
      const again = await device.signOut(stage.at(2))
      stage.claim(entry.outcome === 'ok' || again.outcome === 'ok', 'it can be repeated', again)
    },
  },
  {
    rule: 'a commit that waits for a standby is given up at its deadline, and is not confirmed',
    anyStore: true,
    async play(stage) {
      const device = await stage.device()
      const restore = await stage.cluster.primary.loseSynchronousStandby()
      stage.later(restore)
      const entry = await device.signOut(stage.at(2))
      stage.claim(entry.code === 'not_confirmed', 'nobody knows', entry)
      stage.claim(entry.end - entry.start < 8000, 'it is answered by a deadline', entry)
      await restore()
    },
  },
  {
    rule: 'a secret that was replaced opens nothing, and does not sign its session out',
    anyStore: true,
    exposes: ['superseded-secret'],
    async play(stage) {
      const device = await stage.device()
      const { cookie } = device
      const renewed = await device.stepUp(stage.at(1))
      stage.need(renewed.outcome === 'ok' && device.cookie !== cookie, 'the secret was replaced', renewed)
      const old = await device.check(stage.at(2), cookie)
      stage.claim(old.code === 'session_superseded', 'the client is told to try again', old)
      await device.mint(stage.at(1), undefined, cookie)
      const now = await device.check(stage.at(2))
      stage.claim(now.outcome === 'ok', 'the new secret opens', now)
    },
  },
  {
    rule: 'a sign-in by the old password does not outlive the change of it',
    async play(stage) {
      const changing = await stage.device()
      const device = stage.newDevice(changing.person)
      const password = changing.person.passwords[0] ?? ''
      const insert = stage.at(1).postgres.hold('to-server', 'insert into sessions')
      const signingIn = device.signIn(stage.at(1), password)
      await insert.caught
      const changed = await changing.changePassword(stage.at(2), 'entirely different words')
      stage.need(changed.outcome === 'ok', 'the password was changed', changed)
      insert.release()
      const signedIn = await signingIn
      stage.claim(signedIn.outcome === 'refused', 'the old password opens nothing any more', signedIn)
      if (device.cookie) await device.check(stage.at(2))
    },
  },
  {
    rule: 'a change of roles is seen by the next check and the next token',
    anyStore: true,
    exposes: ['roles-remembered'],
    async play(stage) {
      const tenant = await stage.tenant()
      const person = await stage.person([tenant])
      const device = await stage.device(person, tenant)
      const before = await device.check(stage.at(1))
      stage.need(before.facts.version === 0, 'the roles are seen', before)
      await stage.operator.changeMembership(person.id, tenant)
      const seen = [await device.check(stage.at(1)), await device.mint(stage.at(2), tenant)]
      for (const entry of seen) stage.claim(entry.facts.version === 1, 'the new roles are seen', entry)
      await stage.operator.changeMembership(person.id, tenant, 'suspended')
      const refused = await device.mint(stage.at(1), tenant)
      stage.claim(refused.code === 'tenant_forbidden', 'a suspended member gets nothing', refused)
      await until(async () => (await device.check(stage.at(2))).outcome === 'ok', 1)
    },
  },
]
