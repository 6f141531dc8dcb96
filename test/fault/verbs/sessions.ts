/** Verbs of people about themselves, by the JSON routes: sessions, passwords, links, ways in. */
import { link } from '../../harness/world.js'
import type { Verb } from './verb.js'
import type { World } from './world.js'

const password = 'several unrelated words here'
export const another = 'quite other words now'

/** The row of a session in Redis, where it can be lost and come back. */
async function rowInRedis({ stage }: World, id: string) {
  const key = `mintmark:session:{${id}}`
  const { cluster, pair } = stage.cluster.sessionRedis ?? {}
  const holder = (await cluster?.holderOf(key)) ?? pair?.master
  if (!holder) throw new Error('no Redis has the sessions')
  const fields = Object.entries((await holder.command('hgetall', key)) as object).flat()
  return {
    lose: () => holder.command('del', key),
    putBack: () => holder.command('hset', key, ...fields),
  }
}

export const verbsOfPeople: readonly Verb[] = [
  {
    covers: 'DELETE /v1/session',
    async prepare(world) {
      const { cookie } = await world.session(await world.person())
      return {
        ask: { method: 'DELETE', path: '/v1/session', cookie },
        stillThere: () => world.lives(cookie),
      }
    },
  },
  {
    covers: 'DELETE /v1/session',
    when: 'of a session that Redis has lost',
    sessionsIn: 'Redis',
    inSteps: true,
    async prepare(world) {
      const { id, cookie } = await world.session(await world.person())
      const row = await rowInRedis(world, id)
      await row.lose()
      return {
        ask: { method: 'DELETE', path: '/v1/session', cookie },
        async stillThere() {
          await row.putBack()
          const lives = await world.lives(cookie)
          await row.lose()
          return lives
        },
      }
    },
  },
  {
    covers: 'DELETE /v1/sessions/:id',
    async prepare(world) {
      const { one, other } = await world.twoDevices()
      return {
        ask: { method: 'DELETE', path: `/v1/sessions/${other.id}`, cookie: one.cookie },
        stillThere: () => world.lives(other.cookie),
      }
    },
  },
  {
    covers: 'DELETE /v1/sessions/:id',
    when: 'the session that asks',
    async prepare(world) {
      const { id, cookie } = await world.session(await world.person())
      return {
        ask: { method: 'DELETE', path: `/v1/sessions/${id}`, cookie },
        stillThere: () => world.lives(cookie),
      }
    },
  },
  {
    covers: 'DELETE /v1/sessions',
    async prepare(world) {
      const { one, other } = await world.twoDevices()
      return {
        ask: { method: 'DELETE', path: '/v1/sessions', cookie: one.cookie },
        stillThere: () => world.lives(other.cookie),
      }
    },
  },
  {
    covers: 'DELETE /v1/sessions',
    when: 'all',
    async prepare(world) {
      const { one, other } = await world.twoDevices()
      return {
        ask: { method: 'DELETE', path: '/v1/sessions?scope=all', cookie: one.cookie },
        stillThere: async () => (await world.lives(one.cookie)) || world.lives(other.cookie),
      }
    },
  },
  {
    covers: 'POST /v1/session',
    when: 'over a session',
    async prepare(world) {
      const me = await world.person()
      const { cookie } = await world.session(me)
      return {
        ask: { method: 'POST', path: '/v1/session', cookie, body: { email: me.email, password } },
        stillThere: () => world.lives(cookie),
      }
    },
  },
  {
    covers: 'POST /v1/session/step-up',
    when: 'the secret before',
    async prepare(world) {
      const { cookie } = await world.session(await world.person())
      return {
        ask: { method: 'POST', path: '/v1/session/step-up', cookie, body: { password } },
        stillThere: () => world.lives(cookie),
      }
    },
  },
  {
    covers: 'PUT /v1/password',
    async prepare(world) {
      const { one, other } = await world.twoDevices()
      const body = { current_password: password, new_password: another }
      return {
        ask: { method: 'PUT', path: '/v1/password', cookie: one.cookie, body },
        stillThere: () => world.lives(other.cookie),
      }
    },
  },
  {
    covers: 'POST /v1/password/reset',
    async prepare(world) {
      const me = await world.person()
      const { cookie } = await world.session(me)
      const body = { token: await link(world.sql, 'password-reset', me.email), password: another }
      return {
        ask: { method: 'POST', path: '/v1/password/reset', body },
        stillThere: () => world.lives(cookie),
      }
    },
  },
  {
    covers: 'DELETE /v1/identities/:id',
    async prepare(world) {
      const { me, identity, cookie } = await world.signedInByProvider()
      const elsewhere = await world.session(me)
      return {
        ask: { method: 'DELETE', path: `/v1/identities/${identity}`, cookie: elsewhere.cookie },
        stillThere: () => world.lives(cookie),
      }
    },
  },
  {
    covers: 'POST /v1/invitations/accept',
    when: 'the invitation',
    async prepare(world) {
      const { acme } = await world.worker()
      const me = await world.person()
      const { cookie } = await world.session(me)
      const { token, isOpen } = await world.invitation(acme, me.email)
      return {
        ask: { method: 'POST', path: '/v1/invitations/accept', cookie, body: { token } },
        stillThere: isOpen,
      }
    },
  },
  {
    covers: 'POST /v1/invitations/sign-up',
    when: 'the invitation',
    async prepare(world) {
      const { acme, me } = await world.worker()
      const { token, isOpen } = await world.invitation(acme, `new-${me.email}`)
      const body = { token, password: another }
      return { ask: { method: 'POST', path: '/v1/invitations/sign-up', body }, stillThere: isOpen }
    },
  },
  {
    covers: 'POST /v1/federation/:provider/back-channel-logout',
    async prepare(world) {
      const { id, at, cookie } = await world.signedInByProvider()
      const logout_token = await at.logoutToken({ sid: 'theirs' })
      return {
        ask: {
          method: 'POST',
          path: `/v1/federation/${id}/back-channel-logout`,
          form: { logout_token },
        },
        stillThere: () => world.lives(cookie),
      }
    },
  },
]
