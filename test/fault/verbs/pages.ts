/** The same verbs as forms of the hosted pages. */
import { link } from '../../harness/world.js'
import { another } from './sessions.js'
import type { Verb } from './verb.js'

const password = 'several unrelated words here'

export const verbsOfPages: readonly Verb[] = [
  {
    covers: 'POST /sign-out',
    async prepare(world) {
      const { cookie } = await world.session(await world.person())
      return {
        ask: { method: 'POST', path: '/sign-out', cookie, form: {} },
        stillThere: () => world.lives(cookie),
      }
    },
  },
  {
    covers: 'POST /devices/end',
    async prepare(world) {
      const { one, other } = await world.twoDevices()
      return {
        ask: { method: 'POST', path: '/devices/end', cookie: one.cookie, form: { session: other.id } },
        stillThere: () => world.lives(other.cookie),
      }
    },
  },
  {
    covers: 'POST /devices/end-others',
    async prepare(world) {
      const { one, other } = await world.twoDevices()
      return {
        ask: { method: 'POST', path: '/devices/end-others', cookie: one.cookie, form: {} },
        stillThere: () => world.lives(other.cookie),
      }
    },
  },
  {
    covers: 'POST /sign-in',
    when: 'over a session',
    async prepare(world) {
      const me = await world.person()
      const { cookie } = await world.session(me)
      return {
        ask: { method: 'POST', path: '/sign-in', cookie, form: { email: me.email, password } },
        stillThere: () => world.lives(cookie),
      }
    },
  },
  {
    covers: 'POST /step-up',
    when: 'the secret before',
    async prepare(world) {
      const { cookie } = await world.session(await world.person())
      return {
        ask: { method: 'POST', path: '/step-up', cookie, form: { password } },
        stillThere: () => world.lives(cookie),
      }
    },
  },
  {
    covers: 'POST /password',
    async prepare(world) {
      const { one, other } = await world.twoDevices()
      const form = { current_password: password, new_password: another }
      return {
        ask: { method: 'POST', path: '/password', cookie: one.cookie, form },
        stillThere: () => world.lives(other.cookie),
      }
    },
  },
  {
    covers: 'POST /password/reset',
    async prepare(world) {
      const me = await world.person()
      const { cookie } = await world.session(me)
      const form = { token: await link(world.sql, 'password-reset', me.email), password: another }
      return {
        ask: { method: 'POST', path: '/password/reset', form },
        stillThere: () => world.lives(cookie),
      }
    },
  },
  {
    covers: 'POST /sign-in-methods/unlink',
    async prepare(world) {
      const { me, identity, cookie } = await world.signedInByProvider()
      const elsewhere = await world.session(me)
      return {
        ask: {
          method: 'POST',
          path: '/sign-in-methods/unlink',
          cookie: elsewhere.cookie,
          form: { identity },
        },
        stillThere: () => world.lives(cookie),
      }
    },
  },
  {
    covers: 'POST /invitations/accept',
    when: 'the invitation',
    async prepare(world) {
      const { acme } = await world.worker()
      const me = await world.person()
      const { cookie } = await world.session(me)
      const { token, isOpen } = await world.invitation(acme, me.email)
      return {
        ask: { method: 'POST', path: '/invitations/accept', cookie, form: { token } },
        stillThere: isOpen,
      }
    },
  },
  {
    covers: 'POST /invitations/sign-up',
    when: 'the invitation',
    async prepare(world) {
      const { acme, me } = await world.worker()
      const { token, isOpen } = await world.invitation(acme, `new-${me.email}`)
      const form = { token, password: another, name: '' }
      return { ask: { method: 'POST', path: '/invitations/sign-up', form }, stillThere: isOpen }
    },
  },
]
