/** Every method of every store, and the operations beside them: what each adds to the feed. */
import { randomUUID } from 'node:crypto'
import { newServiceCredential } from '../../src/core/service-key.js'
import { keyOf } from '../../src/federation/profile.js'
import { compromise, recovery } from '../../src/keys/compromise.js'
import { maintenance, rotation, signerOf } from '../../src/keys/schedule.js'
import type { Key, Plan, Ring, SealedKey } from '../../src/keys/store.js'
import {
  address,
  byOperator,
  byPerson,
  context,
  goesOn,
  newSession,
  opened,
  random,
  sessionId,
  successor,
} from '../conformance/world.js'
import type { Own, Scene } from './scene.js'

/** What is about to be done, after whatever had to be there for it, and the `kind handle` of all that it kills. */
interface Act {
  readonly dead: readonly string[]
  readonly work: () => Promise<unknown>
}

export interface Operation {
  readonly what: string
  readonly arrange: (scene: Scene) => Promise<Act>
}

/** Reads: they change nothing that a token rests on, and are not tried. `elsewhere`: by another one's expectation. */
export type Expectation = readonly Operation[] | 'reads' | { readonly elsewhere: string }

const kills = (what: string, arrange: Operation['arrange']): Operation => ({ what, arrange })
const nothing = (what: string, arrange: (scene: Scene) => Promise<() => Promise<unknown>>): Operation => ({
  what,
  arrange: async scene => ({ dead: [], work: await arrange(scene) }),
})

const renewal = (own: Own) => {
  const { id, secretHash: provenSecretHash, identity } = own
  return { id, provenSecretHash, next: successor(), identity, context }
}
const serviceKey = () => ({
  ...{ id: newServiceCredential().id, secretHash: random(32), name: 'x', scopes: ['users:read'] as const },
  ...{ audiences: [], tenant: null, lifetimeSeconds: 3600 },
})

export async function sealedKey(): Promise<SealedKey> {
  const kid = random(32).toString('base64url')
  const publicJwk = { kty: 'EC', crv: 'P-256', x: 'x', y: 'y', kid, alg: 'ES256', use: 'sig' }
  return { kid, publicJwk, sealed: random(180), kekId: 'first' } as unknown as SealedKey
}

const ring = ({ world }: Scene, decide: (ring: Ring) => Plan | string) =>
  world.keys.change(decide, sealedKey, byOperator)

/** A signer and a standby, unless they are there. */
export async function founded(scene: Scene): Promise<{ signer: Key; kids: string[] }> {
  await ring(scene, maintenance)
  const { keys, now } = await scene.world.keys.read()
  return { signer: signerOf(keys, now) as Key, kids: keys.map(({ kid }) => kid) }
}

const member = (
  what: string,
  to: { roleIds: readonly string[]; state: 'active' | 'suspended' },
  ends: boolean,
) =>
  kills(what, async ({ of, member, world }) => {
    const { user, tenant } = await member()
    return {
      dead: ends ? [await of.membership(user, tenant)] : [],
      work: () => world.memberships.put({ user, tenant, ...to }, byOperator),
    }
  })

type To = (made: { clientId: string; origins: string[] }) => object
const application = (what: string, to: To, ends: boolean) =>
  kills(what, async ({ of, application, world }) => {
    const made = await application()
    return {
      dead: ends ? [await of.application(made.clientId)] : [],
      work: () => world.applications.change(made.clientId, to(made) as never, byOperator),
    }
  })

const role = (what: string, to: { name: string; permissions: readonly string[] }, ends: boolean) =>
  kills(what, async ({ of, tenant, world }) => {
    const id = await tenant()
    return {
      dead: ends ? [await of.tenant(id)] : [],
      work: () => world.tenants.changeRole(id, { id: 'writer', ...to }, byOperator),
    }
  })

export const expectations: Readonly<Record<string, Expectation>> = {
  'sessions.read': 'reads',
  'sessions.readForMint': 'reads',
  'sessions.open': [
    nothing('a first one', async ({ person, world }) => {
      const { user } = await person()
      return () => world.sessions.open(newSession(user))
    }),
    kills('in place of the one that the browser came with', async ({ signedIn, proved, world }) => {
      const { user, own } = await signedIn()
      return { dead: proved(own), work: () => world.sessions.open(newSession(user, { replaces: own })) }
    }),
    kills('one too many: the one that was not used for the longest', async ({ signedIn, of, world }) => {
      const { user, own } = await signedIn()
      await world.arrange.age(own.id, { idle: 60 })
      return { dead: [of.session(own)], work: () => world.sessions.open(newSession(user, { most: 1 })) }
    }),
  ],
  'sessions.touch': [
    nothing('one that is due', async ({ signedIn, world }) => {
      const { own } = await signedIn()
      await world.arrange.age(own.id, { idle: 300 })
      return () => world.sessions.touch(own.id)
    }),
  ],
  'sessions.renew': [
    kills(
      'a new proof: in Redis the session goes on under another id',
      async ({ signedIn, renamed, world }) => {
        const { own } = await signedIn()
        return { dead: renamed(own), work: () => world.sessions.renew(renewal(own)) }
      },
    ),
  ],
  'sessions.switchTenant': [
    nothing('into a tenant and out of it', async ({ member, world }) => {
      const { user, tenant } = await member()
      const { id, secretHash: provenSecretHash } = await opened(world, user)
      const change = { id, provenSecretHash, actor: user, context }
      return async () => {
        await world.sessions.switchTenant({ ...change, tenant })
        return world.sessions.switchTenant({ ...change, tenant: null })
      }
    }),
  ],
  'sessions.end': [
    kills('a live one', async ({ signedIn, proved, world }) => {
      const { own } = await signedIn()
      return {
        dead: proved(own),
        work: () => world.sessions.end(own.id, own.secretHash, 'signed-out', context),
      }
    }),
    nothing('by a secret that is not its own', async ({ signedIn, world }) => {
      const { own } = await signedIn()
      return () => world.sessions.end(own.id, random(32), 'signed-out', context)
    }),
    nothing('one that has ended', async ({ signedIn, world }) => {
      const { own } = await signedIn()
      const end = () => world.sessions.end(own.id, own.secretHash, 'signed-out', context)
      await end()
      return end
    }),
    kills('refused: one that is not here opens nothing if it comes back', async ({ of, sql, world }) => {
      await sql`update service set sessions_in_redis = true`
      const own = { id: sessionId(), secretHash: random(32) }
      return {
        dead: [of.secret(own)],
        work: async () => {
          const answer = await world.sessions.end(own.id, own.secretHash, 'signed-out', context)
          if (answer === 'ended') throw new Error('there was one')
          await answer.refuse()
          return 'refused'
        },
      }
    }),
  ],
  'revocations.list': 'reads',
  'revocations.endOne': [
    kills('of mine', async ({ signedIn, of, world }) => {
      const { user, own } = await signedIn()
      return { dead: [of.session(own)], work: () => world.revocations.endOne(own.id, user, byPerson(user)) }
    }),
    kills("anyone's, by an operator", async ({ signedIn, of, world }) => {
      const { own } = await signedIn()
      return { dead: [of.session(own)], work: () => world.revocations.endOne(own.id, 'anyone', byOperator) }
    }),
    kills(
      'under the id of before: it ends under the one of now',
      async ({ signedIn, of, world, inRedis }) => {
        const { own } = await signedIn()
        const next = renewal(own)
        const answer = await world.sessions.renew(next)
        if (typeof answer === 'string') throw new Error(answer)
        const now = goesOn(own, next.next, answer.renewed.id)
        return {
          dead: [of.session(inRedis ? now : own)],
          work: () => world.revocations.endOne(own.id, 'anyone', byOperator),
        }
      },
    ),
  ],
  'revocations.endOthers': [
    kills(
      'all of the user: the one that stays is minted for anew',
      async ({ signedIn, of, renamed, world }) => {
        const { user, own } = await signedIn()
        await opened(world, user)
        const { id, secretHash: provenSecretHash } = own
        return {
          dead: [await of.user(user), ...renamed(own)],
          work: () =>
            world.revocations.endOthers({ user, id, provenSecretHash, next: successor() }, byPerson(user)),
        }
      },
    ),
  ],
  'revocations.endAllOf': [
    kills('one value, however many there are', async ({ signedIn, of, world }) => {
      const { user } = await signedIn()
      await opened(world, user)
      return { dead: [await of.user(user)], work: () => world.revocations.endAllOf(user, byOperator) }
    }),
  ],
  'revocations.endAll': [
    kills('one value', async ({ signedIn, of, world }) => {
      await signedIn()
      return { dead: [await of.service()], work: () => world.revocations.endAll(byOperator) }
    }),
  ],

  'accounts.findByEmail': 'reads',
  'accounts.findById': 'reads',
  'accounts.pendingLink': 'reads',
  'accounts.saveLink': [
    nothing('for a reset', async ({ person, link }) => {
      const { email } = await person()
      return () => link('password-reset', email)
    }),
  ],
  'accounts.register': [
    nothing('somebody new', async ({ link, world }) => {
      const hash = await link('sign-up', address())
      return () => world.accounts.register(hash, 'phc', 'Ada', context)
    }),
    kills('an account whose address nobody had verified', async ({ unverified, link, of, world }) => {
      const { user, email } = await unverified()
      const hash = await link('sign-up', email)
      return { dead: [await of.user(user)], work: () => world.accounts.register(hash, 'phc', 'Ada', context) }
    }),
  ],
  'accounts.resetPassword': [
    kills('of an address that was verified', async ({ person, link, of, world }) => {
      const { user, email } = await person()
      const hash = await link('password-reset', email)
      return { dead: [await of.user(user)], work: () => world.accounts.resetPassword(hash, 'phc-2', context) }
    }),
    kills('of one that is verified by it', async ({ unverified, link, of, world }) => {
      const { user, email } = await unverified()
      const hash = await link('password-reset', email)
      return { dead: [await of.user(user)], work: () => world.accounts.resetPassword(hash, 'phc-2', context) }
    }),
  ],
  'accounts.changePassword': [
    kills('all of the user', async ({ signedIn, of, renamed, world }) => {
      const { user, own } = await signedIn()
      const { id: session, secretHash: provenSecretHash } = own
      const change = {
        user,
        session,
        provenSecretHash,
        next: successor(),
        expectedVersion: 1,
        phc: 'phc-2',
        context,
      }
      return {
        dead: [await of.user(user), ...renamed(own)],
        work: () => world.accounts.changePassword(change),
      }
    }),
  ],
  'accounts.recordFailure': [
    nothing('a wrong one', async ({ person, world }) => {
      const { user } = await person()
      return () => world.accounts.recordFailure(user)
    }),
  ],
  'accounts.forgetFailures': [
    nothing('a right one', async ({ person, world }) => {
      const { user } = await person()
      return () => world.accounts.forgetFailures(user)
    }),
  ],
  'accounts.rehash': [
    nothing('the same password', async ({ person, world }) => {
      const { user } = await person()
      return () => world.accounts.rehash(user, 1, 'phc-1', 'phc-1b')
    }),
  ],

  'users.read': 'reads',
  'users.list': 'reads',
  'users.find': 'reads',
  'users.hasAdministrator': 'reads',
  'users.create': [
    nothing(
      'somebody',
      async ({ world }) =>
        () =>
          world.users.create({ email: address(), name: 'Ada', phc: undefined }, byOperator),
    ),
  ],
  'users.change': [
    nothing('the name', async ({ person, world }) => {
      const { user } = await person()
      return () => world.users.change(user, { name: 'Bea' }, byOperator)
    }),
    nothing('platform roles, given and taken', async ({ person, world }) => {
      const { user } = await person()
      return async () => {
        await world.users.change(user, { platformRoles: ['auditor'] }, byOperator)
        return world.users.change(user, { platformRoles: [] }, byOperator)
      }
    }),
    kills('disabled, and renamed', async ({ signedIn, of, world }) => {
      const { user } = await signedIn()
      return {
        dead: [await of.user(user)],
        work: () => world.users.change(user, { state: 'disabled', name: 'Bea' }, byOperator),
      }
    }),
  ],
  'users.disable': [
    kills('all of the user', async ({ signedIn, of, world }) => {
      const { user } = await signedIn()
      return { dead: [await of.user(user)], work: () => world.users.disable(user, byOperator) }
    }),
    kills('again: whatever has happened since', async ({ person, of, world }) => {
      const { user } = await person()
      await world.users.disable(user, byOperator)
      return { dead: [await of.user(user)], work: () => world.users.disable(user, byOperator) }
    }),
  ],
  'users.enable': [
    nothing('who was disabled', async ({ person, world }) => {
      const { user } = await person()
      await world.users.disable(user, byOperator)
      return () => world.users.enable(user, byOperator)
    }),
  ],
  'users.remove': [
    kills('the user, and nothing for all they have', async ({ member, of, world }) => {
      const { user } = await member()
      await opened(world, user)
      return { dead: [await of.user(user)], work: () => world.users.remove(user, byOperator) }
    }),
  ],

  'tenants.read': 'reads',
  'tenants.list': 'reads',
  'tenants.create': [
    nothing(
      'one',
      async ({ world }) =>
        () =>
          world.tenants.create('Acme', byOperator),
    ),
  ],
  'tenants.change': [
    nothing('the name', async ({ tenant, world }) => {
      const id = await tenant()
      return () => world.tenants.change(id, { name: 'Other' }, byOperator)
    }),
    kills('suspended', async ({ tenant, of, world }) => {
      const id = await tenant()
      return {
        dead: [await of.tenant(id)],
        work: () => world.tenants.change(id, { state: 'suspended' }, byOperator),
      }
    }),
    nothing('opened again', async ({ tenant, world }) => {
      const id = await tenant()
      await world.tenants.change(id, { state: 'suspended' }, byOperator)
      return () => world.tenants.change(id, { state: 'active' }, byOperator)
    }),
  ],
  'tenants.remove': [
    kills('the tenant, and nothing for its members', async ({ member, of, world }) => {
      const { tenant } = await member()
      return { dead: [await of.tenant(tenant)], work: () => world.tenants.remove(tenant, byOperator) }
    }),
  ],
  'tenants.createRole': [
    nothing('one more', async ({ tenant, world }) => {
      const id = await tenant()
      return () => world.tenants.createRole(id, { name: 'other', permissions: ['x'] }, byOperator)
    }),
  ],
  'tenants.changeRole': [
    role('gains a permission', { name: 'writer', permissions: ['write', 'read', 'more'] }, false),
    role('the same', { name: 'writer', permissions: ['write', 'read'] }, false),
    role('loses a permission', { name: 'writer', permissions: ['read'] }, true),
    role('is renamed', { name: 'author', permissions: ['read', 'write'] }, true),
  ],
  'tenants.removeRole': [
    kills('for the tenant, and for those who had it', async ({ member, of, world }) => {
      const { user, tenant } = await member()
      return {
        dead: [await of.tenant(tenant), await of.membership(user, tenant)],
        work: () => world.tenants.removeRole(tenant, 'writer', byOperator),
      }
    }),
    kills('that nobody has', async ({ member, of, world }) => {
      const { tenant } = await member(['reader'])
      return {
        dead: [await of.tenant(tenant)],
        work: () => world.tenants.removeRole(tenant, 'writer', byOperator),
      }
    }),
  ],
  'memberships.placesOf': 'reads',
  'memberships.list': 'reads',
  'memberships.of': 'reads',
  'memberships.put': [
    nothing('a new one', async ({ person, tenant, world }) => {
      const [{ user }, place] = [await person(), await tenant()]
      const roleIds = ['reader']
      return () => world.memberships.put({ user, tenant: place, roleIds, state: 'active' }, byOperator)
    }),
    member('the same', { roleIds: ['writer', 'reader'], state: 'active' }, false),
    member('loses a role', { roleIds: ['reader'], state: 'active' }, true),
    member('is suspended', { roleIds: ['reader', 'writer'], state: 'suspended' }, true),
    member('is suspended and loses a role', { roleIds: [], state: 'suspended' }, true),
    nothing('gains a role', async ({ member, world }) => {
      const { user, tenant } = await member(['reader'])
      return () =>
        world.memberships.put({ user, tenant, roleIds: ['reader', 'writer'], state: 'active' }, byOperator)
    }),
    nothing('is let in again', async ({ member, world }) => {
      const { user, tenant } = await member()
      const put = (state: 'active' | 'suspended') =>
        world.memberships.put({ user, tenant, roleIds: ['reader'], state }, byOperator)
      await put('suspended')
      return () => put('active')
    }),
  ],
  'memberships.remove': [
    kills('one', async ({ member, of, world }) => {
      const { user, tenant } = await member()
      return {
        dead: [await of.membership(user, tenant)],
        work: () => world.memberships.remove(tenant, user, byOperator),
      }
    }),
  ],

  'applications.origins': 'reads',
  'applications.read': 'reads',
  'applications.list': 'reads',
  'applications.create': [nothing('one', async ({ application }) => application)],
  'applications.change': [
    application(
      'the name, the lifetime, the grants, the return addresses',
      ({ origins }) => ({
        ...{ name: 'x', tokenLifetimeSeconds: 60, grants: [], returnAddresses: origins },
      }),
      false,
    ),
    application('gains an audience', () => ({ audiences: ['api', 'reports', 'more'] }), false),
    application('another default audience', () => ({ audiences: ['reports', 'api'] }), false),
    application('loses an audience', () => ({ audiences: ['api'] }), true),
    application('is disabled', () => ({ state: 'disabled' }), true),
    application('is enabled as it was', () => ({ state: 'enabled' }), false),
    application('origins as they were', ({ origins }) => ({ origins: [...origins].reverse() }), false),
    application(
      'an origin more',
      ({ origins, clientId }) => ({ origins: [...origins, `https://c.${clientId}.example`] }),
      false,
    ),
    application('an origin less', ({ origins }) => ({ origins: origins.slice(1) }), true),
    application(
      'an origin for another',
      ({ origins, clientId }) => ({ origins: [origins[0], `https://c.${clientId}.example`] }),
      true,
    ),
  ],
  'applications.remove': [
    kills('one, and nothing for its origins', async ({ application, of, world }) => {
      const { clientId } = await application()
      return {
        dead: [await of.application(clientId)],
        work: () => world.applications.remove(clientId, byOperator),
      }
    }),
  ],

  'serviceKeys.find': 'reads',
  'serviceKeys.read': 'reads',
  'serviceKeys.list': 'reads',
  'serviceKeys.create': [
    nothing(
      'one',
      async ({ world }) =>
        () =>
          world.serviceKeys.create(serviceKey(), byOperator),
    ),
  ],
  'serviceKeys.revoke': [
    nothing('no token rests on one', async ({ world }) => {
      const key = serviceKey()
      await world.serviceKeys.create(key, byOperator)
      return () => world.serviceKeys.revoke(key.id, byOperator)
    }),
  ],
  'serviceKeys.touch': [
    nothing('one', async ({ world }) => {
      const key = serviceKey()
      await world.serviceKeys.create(key, byOperator)
      return () => world.serviceKeys.touch(key.id)
    }),
  ],

  'invitations.list': 'reads',
  'invitations.pending': 'reads',
  'invitations.create': [nothing('one', async ({ invitation }) => invitation)],
  'invitations.claimMail': [
    nothing('once', async ({ invitation, world }) => {
      const once = { caller: 'somebody', key: random(8).toString('hex'), requestHash: random(32) }
      const { id, tokenHash } = await invitation(address(), ['reader'], undefined, once)
      return () => world.invitations.claimMail(id, tokenHash, once)
    }),
  ],
  'invitations.withdraw': [
    nothing('one', async ({ invitation, world }) => {
      const { tenant, id } = await invitation()
      return () => world.invitations.withdraw(tenant, id, byOperator)
    }),
  ],
  'invitations.accept': [
    nothing('by who is new there', async ({ person, invitation, world }) => {
      const { user, email } = await person()
      const { tokenHash } = await invitation(email)
      return () => world.invitations.accept(tokenHash, user, byPerson(user))
    }),
    nothing('by a member, who keeps the roles they have', async ({ member, invitation, world }) => {
      const { user, email, tenant } = await member(['reader'])
      const { tokenHash } = await invitation(email, ['writer'], tenant)
      return () => world.invitations.accept(tokenHash, user, byPerson(user))
    }),
  ],
  'invitations.register': [
    nothing('somebody new', async ({ invitation, world }) => {
      const { tokenHash } = await invitation()
      return () => world.invitations.register(tokenHash, 'phc', 'Ada', context)
    }),
    kills('an account whose address nobody had verified', async ({ unverified, invitation, of, world }) => {
      const { user, email } = await unverified()
      const { tokenHash } = await invitation(email)
      return {
        dead: [await of.user(user)],
        work: () => world.invitations.register(tokenHash, 'phc', 'Ada', context),
      }
    }),
  ],

  'authorities.ofUser': 'reads',
  'authorities.find': 'reads',
  'audit.list': 'reads',
  'audit.record': [
    nothing(
      'what was refused',
      async ({ world }) =>
        () =>
          world.audit.record([
            { action: 'session.token', outcome: 'refused', reason: 'tenant_forbidden', context } as never,
          ]),
    ),
  ],

  'keys.feedForks': 'reads',
  'keys.read': 'reads',
  'keys.change': [
    nothing('the first keys, and one more round of maintenance', async scene => () => founded(scene)),
    nothing('a rotation', async scene => {
      await founded(scene)
      return () => ring(scene, rotation)
    }),
    nothing('a compromise that is only tried', async scene => {
      const { signer } = await founded(scene)
      const decide = (ring: Ring) => compromise(ring, { kid: signer.kid }, null)
      return () => scene.world.keys.change(decide, sealedKey, byOperator, true)
    }),
    kills('a compromise of the one that signs', async scene => {
      const { signer } = await founded(scene)
      return {
        dead: [scene.of.key(signer.kid)],
        work: () => ring(scene, all => compromise(all, { kid: signer.kid }, null)),
      }
    }),
    kills('a compromise of all', async scene => {
      await founded(scene)
      const { keys } = await scene.world.keys.read()
      const sound = keys.filter(({ compromised }) => !compromised)
      return {
        dead: sound.map(({ kid }) => scene.of.key(kid)),
        work: () => ring(scene, all => compromise(all, 'all', null)),
      }
    }),
    nothing('what was leaked was so for longer', async scene => {
      const { signer } = await founded(scene)
      await ring(scene, all => compromise(all, { kid: signer.kid }, all.now - 60))
      return () => ring(scene, all => compromise(all, { kid: signer.kid }, null))
    }),
    nothing('a recovery: what was signed stays', async scene => {
      await founded(scene)
      return () => ring(scene, recovery)
    }),
  ],

  'within.spare': { elsewhere: 'revocations.endOthers, accounts.changePassword' },
  'within.end': [
    kills('two of three', async ({ signedIn, of, world }) => {
      const { user, own } = await signedIn()
      const other = await opened(world, user)
      await opened(world, user)
      return {
        dead: [of.session(own), of.session(other)],
        work: () =>
          world.transaction(tx => world.within.end(tx, [own.id, other.id], 'by-provider', byOperator)),
      }
    }),
  ],

  'identities.find': 'reads',
  'identities.isInvited': 'reads',
  'identities.identitiesOf': 'reads',
  'identities.register': [
    nothing('somebody new', async ({ provider, profile, stores }) => {
      const by = await provider()
      return () => stores.identities.register(by.id, profile(by, address()), context)
    }),
  ],
  'identities.link': [
    nothing('one more way in', async ({ signedIn, provider, profile, stores }) => {
      const [{ user }, by] = [await signedIn(), await provider()]
      return () =>
        stores.identities.link(
          by.id,
          profile(by, undefined),
          { user, acr: 'aal1' },
          async () => true,
          byPerson(user),
        )
    }),
    kills('which verifies the address for the first time', async scene => {
      const { unverified, provider, profile, of, stores } = scene
      const [{ user, email }, by] = [await unverified(), await provider()]
      return {
        dead: [await of.user(user)],
        work: () =>
          stores.identities.link(
            by.id,
            profile(by, email),
            { user, acr: 'aal1' },
            async () => true,
            byPerson(user),
          ),
      }
    }),
  ],
  'identities.autoLink': [
    nothing('an account whose address was verified', async ({ signedIn, provider, profile, stores }) => {
      const [{ user, email }, by] = [await signedIn(), await provider()]
      return () => stores.identities.autoLink(by.id, profile(by, email), user, byPerson(user))
    }),
    kills('one whose address nobody had verified', async ({ unverified, provider, profile, of, stores }) => {
      const [{ user, email }, by] = [await unverified(), await provider()]
      return {
        dead: [await of.user(user)],
        work: () => stores.identities.autoLink(by.id, profile(by, email), user, byPerson(user)),
      }
    }),
  ],
  'identities.unlink': [
    kills('the sessions that it had opened, but for one', async ({ federated, of, stores }) => {
      const { user, identity, own, theirs } = await federated()
      return {
        dead: [of.session(theirs)],
        work: () =>
          stores.identities.unlink({ user, session: own.id, acr: 'aal1' }, identity, byPerson(user)),
      }
    }),
    nothing('by the one that stays', async ({ federated, stores }) => {
      const { user, identity, theirs } = await federated()
      return () =>
        stores.identities.unlink({ user, session: theirs.id, acr: 'aal1' }, identity, byPerson(user))
    }),
  ],
  'identities.applyGrants': [
    kills('takes a role that the provider does not say any more', async scene => {
      const { member, provider, profile, of, stores } = scene
      const { user, tenant } = await member()
      const by = await provider({ grants: [{ claim: 'g', value: 'w', tenant, role: 'writer' }] })
      return {
        dead: [await of.membership(user, tenant)],
        work: () => stores.identities.applyGrants(by, profile(by, undefined), user, byPerson(user)),
      }
    }),
    nothing('of a provider that says nothing of it', async ({ member, provider, profile, stores }) => {
      const { user } = await member()
      const by = await provider()
      return async () =>
        !(await stores.identities.applyGrants(by, profile(by, undefined), user, byPerson(user)))
    }),
    nothing('gives one', async ({ member, provider, profile, stores }) => {
      const { user, tenant } = await member(['reader'])
      const by = await provider({ grants: [{ claim: 'g', value: 'w', tenant, role: 'writer' }] })
      const holds = [keyOf({ claim: 'g', value: 'w' })]
      return () => stores.identities.applyGrants(by, profile(by, undefined, holds), user, byPerson(user))
    }),
  ],

  'providers.judge': 'reads',
  'providers.list': 'reads',
  'providers.read': 'reads',
  'providers.create': [nothing('one', async ({ provider }) => provider)],
  'providers.change': [
    nothing('turned off: sessions that it opened live on', async ({ federated, stores }) => {
      const { provider } = await federated()
      return () => stores.providers.change(provider.id, { state: 'disabled' }, undefined, byOperator)
    }),
  ],
  'providers.remove': [
    nothing('with its links: sessions that it opened live on', async ({ federated, stores }) => {
      const { provider } = await federated()
      return () => stores.providers.remove(provider.id, byOperator)
    }),
  ],
  'providers.endSessions': [
    kills('those that it opened', async ({ federated, of, stores }) => {
      const { provider, theirs } = await federated()
      return {
        dead: [of.session(theirs)],
        work: () => stores.providers.endSessions(provider.id, byOperator),
      }
    }),
  ],
  'providers.reseal': [
    nothing('all', async ({ provider, stores }) => {
      await provider()
      return () => stores.providers.reseal(() => ({ kekId: 'second', sealed: random(16) }), byOperator)
    }),
  ],
  'federation.offered': 'reads',
  'federation.provider': 'reads',
  'federation.begin': [
    nothing('a sign-in', async scene => {
      const flow = await flowOf(scene)
      return () => scene.stores.federation.begin(flow)
    }),
  ],
  'federation.consume': [
    nothing('one', async scene => {
      const flow = await flowOf(scene)
      await scene.stores.federation.begin(flow)
      return () => scene.stores.federation.consume(flow.provider, flow.stateHash, flow.browserHash)
    }),
  ],
  'federation.logOut': [
    kills('back-channel logout: what the token names', async ({ federated, of, stores }) => {
      const { provider, profile, theirs } = await federated()
      const { issuer, subject } = profile
      const logout = {
        provider: provider.id,
        issuer,
        jti: randomUUID(),
        subject,
        sid: undefined,
        issuedAt: 0,
      }
      return {
        dead: [of.session(theirs)],
        work: () => stores.federation.logOut(logout, byOperator),
      }
    }),
    nothing('of somebody else', async ({ federated, stores }) => {
      const { provider } = await federated()
      const { id, issuer } = provider
      const logout = { provider: id, issuer, jti: randomUUID(), subject: 'x', sid: undefined, issuedAt: 0 }
      return () => stores.federation.logOut(logout, byOperator)
    }),
  ],
}

async function flowOf({ provider }: Scene) {
  const { id } = await provider()
  return {
    ...{ provider: id, stateHash: random(32), browserHash: random(32), lifetimeSeconds: 600 },
    ...{ purpose: 'sign-in' as const, user: undefined, returnTo: undefined },
  }
}
