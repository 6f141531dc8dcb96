/** Verbs of administrators, by the admin API: about people, sessions, tenants, applications and keys. */
import type { Verb } from './verb.js'

export const verbsOfAdministrators: readonly Verb[] = [
  {
    covers: 'PATCH /v1/admin/users/:user',
    when: 'disabled',
    async prepare(world) {
      const me = await world.person()
      const { cookie } = await world.session(me)
      const path = `/v1/admin/users/${me.id}`
      return {
        ask: world.asAdmin({ method: 'PATCH', path, body: { state: 'disabled' } }),
        stillThere: () => world.lives(cookie),
      }
    },
  },
  {
    covers: 'PATCH /v1/admin/users/:user',
    when: 'disabled, whoever asks',
    async prepare(world) {
      const { me, cookie } = await world.administrator()
      const path = `/v1/admin/users/${me.id}`
      return {
        ask: { method: 'PATCH', path, cookie, body: { state: 'disabled' } },
        stillThere: () => world.lives(cookie),
      }
    },
  },
  {
    covers: 'PATCH /v1/admin/users/:user',
    when: 'platform roles',
    async prepare(world) {
      const { me, cookie } = await world.administrator()
      const path = `/v1/admin/users/${me.id}`
      return {
        ask: world.asAdmin({ method: 'PATCH', path, body: { platform_roles: [] } }),
        stillThere: () => world.administers({ cookie }),
      }
    },
  },
  {
    covers: 'PATCH /v1/admin/users/:user',
    when: 'platform roles, whoever asks',
    async prepare(world) {
      const { me, cookie } = await world.administrator()
      const path = `/v1/admin/users/${me.id}`
      return {
        ask: { method: 'PATCH', path, cookie, body: { platform_roles: [] } },
        stillThere: () => world.administers({ cookie }),
      }
    },
  },
  {
    covers: 'DELETE /v1/admin/users/:user',
    async prepare(world) {
      const me = await world.person()
      const { cookie } = await world.session(me)
      return {
        ask: world.asAdmin({ method: 'DELETE', path: `/v1/admin/users/${me.id}` }),
        stillThere: () => world.lives(cookie),
      }
    },
  },
  {
    covers: 'DELETE /v1/admin/users/:user/sessions',
    async prepare(world) {
      const me = await world.person()
      const { cookie } = await world.session(me)
      return {
        ask: world.asAdmin({ method: 'DELETE', path: `/v1/admin/users/${me.id}/sessions` }),
        stillThere: () => world.lives(cookie),
      }
    },
  },
  {
    covers: 'DELETE /v1/admin/sessions/:session',
    async prepare(world) {
      const { id, cookie } = await world.session(await world.person())
      return {
        ask: world.asAdmin({ method: 'DELETE', path: `/v1/admin/sessions/${id}` }),
        stillThere: () => world.lives(cookie),
      }
    },
  },
  {
    covers: 'DELETE /v1/admin/sessions',
    everybody: true,
    async prepare(world) {
      const { cookie } = await world.session(await world.person())
      return {
        ask: world.asAdmin({ method: 'DELETE', path: '/v1/admin/sessions' }),
        stillThere: () => world.lives(cookie),
      }
    },
  },
  {
    covers: 'PATCH /v1/admin/tenants/:tenant',
    when: 'suspended',
    async prepare(world) {
      const { acme, cookie } = await world.worker()
      const path = `/v1/admin/tenants/${acme}`
      return {
        ask: world.asAdmin({ method: 'PATCH', path, body: { state: 'suspended' } }),
        stillThere: () => world.mayRead(cookie),
      }
    },
  },
  {
    covers: 'DELETE /v1/admin/tenants/:tenant',
    async prepare(world) {
      const { acme, cookie } = await world.worker()
      return {
        ask: world.asAdmin({ method: 'DELETE', path: `/v1/admin/tenants/${acme}` }),
        stillThere: () => world.mayRead(cookie),
      }
    },
  },
  {
    covers: 'PUT /v1/admin/tenants/:tenant/roles/:role',
    when: 'permissions removed',
    async prepare(world) {
      const { acme, reader, cookie } = await world.worker()
      const path = `/v1/admin/tenants/${acme}/roles/${reader}`
      return {
        ask: world.asAdmin({ method: 'PUT', path, body: { name: 'reader', permissions: [] } }),
        stillThere: () => world.mayRead(cookie),
      }
    },
  },
  {
    covers: 'DELETE /v1/admin/tenants/:tenant/roles/:role',
    async prepare(world) {
      const { acme, reader, cookie } = await world.worker()
      return {
        ask: world.asAdmin({ method: 'DELETE', path: `/v1/admin/tenants/${acme}/roles/${reader}` }),
        stillThere: () => world.mayRead(cookie),
      }
    },
  },
  {
    covers: 'PUT /v1/admin/tenants/:tenant/members/:user',
    when: 'suspended',
    async prepare(world) {
      const { acme, me, reader, cookie } = await world.worker()
      const path = `/v1/admin/tenants/${acme}/members/${me.id}`
      return {
        ask: world.asAdmin({ method: 'PUT', path, body: { roles: [reader], state: 'suspended' } }),
        stillThere: () => world.mayRead(cookie),
      }
    },
  },
  {
    covers: 'PUT /v1/admin/tenants/:tenant/members/:user',
    when: 'roles removed',
    async prepare(world) {
      const { acme, me, cookie } = await world.worker()
      const path = `/v1/admin/tenants/${acme}/members/${me.id}`
      return {
        ask: world.asAdmin({ method: 'PUT', path, body: { roles: [] } }),
        stillThere: () => world.mayRead(cookie),
      }
    },
  },
  {
    covers: 'DELETE /v1/admin/tenants/:tenant/members/:user',
    async prepare(world) {
      const { acme, me, cookie } = await world.worker()
      return {
        ask: world.asAdmin({ method: 'DELETE', path: `/v1/admin/tenants/${acme}/members/${me.id}` }),
        stillThere: () => world.mayRead(cookie),
      }
    },
  },
  {
    covers: 'DELETE /v1/admin/tenants/:tenant/invitations/:invitation',
    async prepare(world) {
      const { acme, me } = await world.worker()
      const { id, isOpen } = await world.invitation(acme, `new-${me.email}`)
      const path = `/v1/admin/tenants/${acme}/invitations/${id}`
      return { ask: world.asAdmin({ method: 'DELETE', path }), stillThere: isOpen }
    },
  },
  {
    covers: 'POST /v1/admin/tenants/:tenant/invitations',
    when: 'an earlier one of this address',
    async prepare(world) {
      const { acme, me } = await world.worker()
      const email = `new-${me.email}`
      const { isOpen } = await world.invitation(acme, email)
      const path = `/v1/admin/tenants/${acme}/invitations`
      return {
        ask: world.asAdmin({ method: 'POST', path, body: { email, roles: ['member'] } }),
        stillThere: isOpen,
      }
    },
  },
  {
    covers: 'PATCH /v1/admin/providers/:provider',
    when: 'disabled',
    async prepare(world) {
      const { id } = await world.signedInByProvider()
      return {
        ask: world.asAdmin({
          method: 'PATCH',
          path: `/v1/admin/providers/${id}`,
          body: { state: 'disabled' },
        }),
        stillThere: async () => (await world.offers(id)) !== undefined,
      }
    },
  },
  {
    covers: 'PATCH /v1/admin/providers/:provider',
    when: 'disabled, with the sessions that it opened',
    inSteps: true,
    async prepare(world) {
      const { id, cookie } = await world.signedInByProvider()
      const path = `/v1/admin/providers/${id}?end_sessions=true`
      return {
        ask: world.asAdmin({ method: 'PATCH', path, body: { state: 'disabled' } }),
        stillThere: () => world.lives(cookie),
      }
    },
  },
  {
    covers: 'PATCH /v1/admin/providers/:provider',
    when: 'counts for step-up',
    async prepare(world) {
      const { id } = await world.signedInByProvider()
      const path = `/v1/admin/providers/${id}`
      return {
        ask: world.asAdmin({ method: 'PATCH', path, body: { counts_as_proof: false } }),
        stillThere: async () => (await world.offers(id))?.counts_as_proof === true,
      }
    },
  },
  {
    covers: 'DELETE /v1/admin/providers/:provider',
    async prepare(world) {
      const { id } = await world.signedInByProvider()
      return {
        ask: world.asAdmin({ method: 'DELETE', path: `/v1/admin/providers/${id}` }),
        stillThere: async () => (await world.offers(id)) !== undefined,
      }
    },
  },
  {
    covers: 'PATCH /v1/admin/applications/:client',
    when: 'disabled',
    async prepare(world) {
      const { client, mints } = await world.application()
      const path = `/v1/admin/applications/${client}`
      return {
        ask: world.asAdmin({ method: 'PATCH', path, body: { state: 'disabled' } }),
        stillThere: mints,
      }
    },
  },
  {
    covers: 'PATCH /v1/admin/applications/:client',
    when: 'an audience removed',
    async prepare(world) {
      const { client, mints } = await world.application()
      const path = `/v1/admin/applications/${client}`
      return {
        ask: world.asAdmin({ method: 'PATCH', path, body: { audiences: ['api'] } }),
        stillThere: mints,
      }
    },
  },
  {
    covers: 'DELETE /v1/admin/applications/:client',
    async prepare(world) {
      const { client, mints } = await world.application()
      return {
        ask: world.asAdmin({ method: 'DELETE', path: `/v1/admin/applications/${client}` }),
        stillThere: mints,
      }
    },
  },
  {
    covers: 'DELETE /v1/admin/service-keys/:key',
    async prepare(world) {
      const { id, key } = await world.serviceKey()
      return {
        ask: world.asAdmin({ method: 'DELETE', path: `/v1/admin/service-keys/${id}` }),
        stillThere: () => world.administers({ bearer: key }),
      }
    },
  },
  {
    covers: 'DELETE /v1/admin/service-keys/:key',
    when: 'the key that asks',
    async prepare(world) {
      const { id, key } = await world.serviceKey()
      return {
        ask: { method: 'DELETE', path: `/v1/admin/service-keys/${id}`, bearer: key },
        stillThere: () => world.administers({ bearer: key }),
      }
    },
  },
  {
    covers: 'POST /v1/admin/signing-keys/compromise',
    async prepare(world) {
      const kid = (await world.signingKeys()).find(({ state }) => state === 'signing')?.kid
      return {
        ask: world.asAdmin({ method: 'POST', path: '/v1/admin/signing-keys/compromise', body: { kid } }),
        stillThere: async () =>
          (await world.signingKeys()).some(key => key.kid === kid && key.state !== 'compromised'),
      }
    },
  },
]
