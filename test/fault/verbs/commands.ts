/** Verbs of operators, by command. */
import type { Verb } from './verb.js'

export const verbsOfOperators: readonly Verb[] = [
  {
    covers: 'users disable',
    async prepare(world) {
      const me = await world.person()
      const { cookie } = await world.session(me)
      return { ask: ['users', 'disable', me.email], stillThere: () => world.lives(cookie) }
    },
  },
  {
    covers: 'users change',
    when: 'platform roles',
    async prepare(world) {
      const { me, cookie } = await world.administrator()
      return {
        ask: ['users', 'change', me.id, '--no-platform-roles'],
        stillThere: () => world.administers({ cookie }),
      }
    },
  },
  {
    covers: 'users delete',
    async prepare(world) {
      const me = await world.person()
      const { cookie } = await world.session(me)
      return { ask: ['users', 'delete', me.email], stillThere: () => world.lives(cookie) }
    },
  },
  {
    covers: 'sessions end',
    async prepare(world) {
      const { id, cookie } = await world.session(await world.person())
      return { ask: ['sessions', 'end', id], stillThere: () => world.lives(cookie) }
    },
  },
  {
    covers: 'sessions end-all',
    async prepare(world) {
      const me = await world.person()
      const { cookie } = await world.session(me)
      return { ask: ['sessions', 'end-all', me.email], stillThere: () => world.lives(cookie) }
    },
  },
  {
    covers: 'sessions end-all',
    when: 'everybody’s',
    everybody: true,
    async prepare(world) {
      const { cookie } = await world.session(await world.person())
      return { ask: ['sessions', 'end-all', '--everybody'], stillThere: () => world.lives(cookie) }
    },
  },
  {
    covers: 'tenants suspend',
    async prepare(world) {
      const { acme, cookie } = await world.worker()
      return { ask: ['tenants', 'suspend', acme], stillThere: () => world.mayRead(cookie) }
    },
  },
  {
    covers: 'tenants delete',
    async prepare(world) {
      const { acme, cookie } = await world.worker()
      return { ask: ['tenants', 'delete', acme], stillThere: () => world.mayRead(cookie) }
    },
  },
  {
    covers: 'roles change',
    when: 'permissions removed',
    async prepare(world) {
      const { acme, cookie } = await world.worker()
      return {
        ask: ['roles', 'change', acme, 'reader', '--no-permissions'],
        stillThere: () => world.mayRead(cookie),
      }
    },
  },
  {
    covers: 'roles delete',
    async prepare(world) {
      const { acme, cookie } = await world.worker()
      return { ask: ['roles', 'delete', acme, 'reader'], stillThere: () => world.mayRead(cookie) }
    },
  },
  {
    covers: 'members set',
    when: 'roles removed',
    async prepare(world) {
      const { acme, me, cookie } = await world.worker()
      return {
        ask: ['members', 'set', acme, me.email, '--no-roles'],
        stillThere: () => world.mayRead(cookie),
      }
    },
  },
  {
    covers: 'members set',
    when: 'suspended',
    async prepare(world) {
      const { acme, me, cookie } = await world.worker()
      return {
        ask: ['members', 'set', acme, me.id, '--role', 'reader', '--suspended'],
        stillThere: () => world.mayRead(cookie),
      }
    },
  },
  {
    covers: 'members remove',
    async prepare(world) {
      const { acme, me, cookie } = await world.worker()
      return { ask: ['members', 'remove', acme, me.email], stillThere: () => world.mayRead(cookie) }
    },
  },
  {
    covers: 'applications disable',
    async prepare(world) {
      const { client, mints } = await world.application()
      return { ask: ['applications', 'disable', client], stillThere: mints }
    },
  },
  {
    covers: 'applications change',
    when: 'an audience removed',
    async prepare(world) {
      const { client, mints } = await world.application()
      return { ask: ['applications', 'change', client, '--audience', 'api'], stillThere: mints }
    },
  },
  {
    covers: 'applications delete',
    async prepare(world) {
      const { client, mints } = await world.application()
      return { ask: ['applications', 'delete', client], stillThere: mints }
    },
  },
  {
    covers: 'invitations withdraw',
    async prepare(world) {
      const { acme, me } = await world.worker()
      const { id, isOpen } = await world.invitation(acme, `new-${me.email}`)
      return { ask: ['invitations', 'withdraw', acme, id], stillThere: isOpen }
    },
  },
  {
    covers: 'invitations create',
    when: 'an earlier one of this address',
    async prepare(world) {
      const { acme, me } = await world.worker()
      const email = `new-${me.email}`
      const { isOpen } = await world.invitation(acme, email)
      return { ask: ['invitations', 'create', acme, email, '--role', 'member'], stillThere: isOpen }
    },
  },
  {
    covers: 'providers disable',
    async prepare(world) {
      const { id } = await world.signedInByProvider()
      return {
        ask: ['providers', 'disable', id],
        stillThere: async () => (await world.offers(id)) !== undefined,
      }
    },
  },
  {
    covers: 'providers disable',
    when: 'with the sessions that it opened',
    inSteps: true,
    async prepare(world) {
      const { id, cookie } = await world.signedInByProvider()
      return { ask: ['providers', 'disable', id, '--end-sessions'], stillThere: () => world.lives(cookie) }
    },
  },
  {
    covers: 'providers change',
    when: 'counts for step-up',
    async prepare(world) {
      const { id } = await world.signedInByProvider()
      return {
        ask: ['providers', 'change', id, '--no-counts-as-proof'],
        stillThere: async () => (await world.offers(id))?.counts_as_proof === true,
      }
    },
  },
  {
    covers: 'providers delete',
    async prepare(world) {
      const { id } = await world.signedInByProvider()
      return {
        ask: ['providers', 'delete', id],
        stillThere: async () => (await world.offers(id)) !== undefined,
      }
    },
  },
  {
    covers: 'service-keys revoke',
    async prepare(world) {
      const { id, key } = await world.serviceKey()
      return { ask: ['service-keys', 'revoke', id], stillThere: () => world.administers({ bearer: key }) }
    },
  },
  {
    covers: 'keys rotate',
    when: 'a key that has leaked',
    async prepare(world) {
      const kid = (await world.signingKeys()).find(({ state }) => state === 'standby')?.kid
      return {
        ask: ['keys', 'rotate', '--compromised', String(kid)],
        stillThere: async () =>
          (await world.signingKeys()).some(key => key.kid === kid && key.state !== 'compromised'),
      }
    },
  },
]
