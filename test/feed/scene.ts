/** Every store over one database, and what stands in its rows: for what an operation adds to the feed. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type postgres from 'postgres'
import type { FederatedIdentityId, Identity, SessionId, TenantId, UserId } from '../../src/core/principal.js'
import type { ProviderProfile } from '../../src/federation/profile.js'
import type { ProviderConfig } from '../../src/federation/provider.js'
import { postgresIdentityStore } from '../../src/store/postgres/accounts/identity-store.js'
import type { Database } from '../../src/store/postgres/database.js'
import { postgresFederationStore } from '../../src/store/postgres/federation/federation-store.js'
import { postgresProviderStore } from '../../src/store/postgres/federation/provider-store.js'
import type { HotReads } from '../../src/store/postgres/hot-reads.js'
import type { SessionRows } from '../../src/store/sessions/redis/session-rows.js'
import { address, byOperator, context, opened, person, random, type World } from '../conformance/world.js'
import { root } from '../support/project.mjs'
import { currentValue, ofId, ofSecret } from './dead.js'

export interface Parts {
  readonly world: World
  readonly sql: postgres.Sql
  readonly database: Database
  readonly hot: HotReads
  /** Where sessions are in Redis. */
  readonly rows?: SessionRows
}

export type Scene = ReturnType<typeof sceneOf>
export type Own = Awaited<ReturnType<typeof opened>>

/** By the names under which the expectations speak of them. */
export function storesOf({ world, database, hot }: Parts) {
  const { within } = world
  return {
    sessions: world.sessions,
    revocations: world.revocations,
    accounts: world.accounts,
    users: world.users,
    tenants: world.tenants,
    memberships: world.memberships,
    applications: world.applications,
    invitations: world.invitations,
    serviceKeys: world.serviceKeys,
    authorities: world.authorities,
    factors: world.factors,
    factorResets: world.factorResets,
    pendingSignIns: world.pendingSignIns,
    passkeys: world.passkeys,
    keys: world.keys,
    audit: world.audit,
    within,
    identities: postgresIdentityStore(database, within),
    providers: postgresProviderStore(database, within),
    federation: postgresFederationStore(database, hot, within),
  }
}

/** What makes a store, wherever it is written: one that is in no scene has no expectation either. */
export function factories(): string[] {
  const folder = join(root, 'src/store')
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.ts'))
    .flatMap(name => [
      ...readFileSync(join(folder, name), 'utf8').matchAll(
        /^export (?:function|const) ((?:postgres|redis|sessionsIn)\w+)/gm,
      ),
    ])
    .map(([, name]) => String(name))
    .sort()
}

export const roles = {
  reader: { name: 'reader', permissions: ['read'] },
  writer: { name: 'writer', permissions: ['read', 'write'] },
}

export function sceneOf(parts: Parts) {
  const { world, sql } = parts
  const stores = storesOf(parts)
  const inRedis = parts.rows !== undefined
  const kind =
    (kind: string, column: string, table: string, where: (...ids: string[]) => string) =>
    async (...ids: string[]) =>
      `${kind} ${await currentValue(sql, column, table, where(...ids))}`

  const scene = {
    ...parts,
    stores,
    inRedis,
    /** What tokens of now carry. */
    of: {
      user: kind('user', 'epoch', 'users', user => `id = '${user}'`),
      service: kind('service', 'epoch', 'service', () => 'true'),
      tenant: kind('tenant', 'version', 'tenants', tenant => `id = '${tenant}'`),
      membership: kind(
        'membership',
        'version',
        'memberships',
        (user, tenant) => `user_id = '${user}' and tenant_id = '${tenant}'`,
      ),
      application: kind('application', 'version', 'applications', client => `client_id = '${client}'`),
      session: ({ id }: { readonly id: SessionId }) => `session ${ofId(id)}`,
      secret: ({ secretHash }: { readonly secretHash: Buffer }) => `secret ${ofSecret(secretHash)}`,
      key: (kid: string) => `key ${ofId(kid)}`,
    },
    /** What ends when somebody proves the secret: in Redis, its handle as well. */
    proved: (own: Own) => [scene.of.session(own), ...(inRedis ? [scene.of.secret(own)] : [])],
    /** What ends when a session goes on under a new id, as in Redis. */
    renamed: (own: Own) => (inRedis ? scene.proved(own) : []),

    person: async () => {
      const made = await person(world)
      await world.arrange.verify(made.user)
      return made
    },
    unverified: () => person(world),
    signedIn: async () => {
      const { user, email } = await scene.person()
      return { user, email, own: await opened(world, user) }
    },
    tenant: () => world.arrange.tenant('Acme', roles),
    member: async (roleIds = ['reader', 'writer']) => {
      const { user, email } = await scene.person()
      const tenant = await scene.tenant()
      await world.arrange.member(user, tenant, roleIds)
      return { user, email, tenant }
    },
    application: async () => {
      const clientId = `app-${random(6).toString('hex')}`
      const origins = ['a', 'b'].map(name => `https://${name}.${clientId}.example`)
      const application = {
        ...{ clientId, name: 'Shop', origins, audiences: ['api', 'reports'] },
        ...{ returnAddresses: [], tokenLifetimeSeconds: 300 },
      }
      const made = await world.applications.create(application as never, byOperator)
      if (typeof made === 'string' || !('clientId' in made)) throw new Error(JSON.stringify(made))
      return { clientId, origins }
    },
    invitation: async (email = address(), roleIds = ['reader'], tenant?: TenantId, idempotency?: object) => {
      const tokenHash = random(32)
      const answer = await world.invitations.create(
        { tenant: tenant ?? (await scene.tenant()), email, roleIds, tokenHash, lifetimeSeconds: 600 },
        { ...byOperator, ...(idempotency && { idempotency: idempotency as never }) },
      )
      if (typeof answer === 'string') throw new Error(answer)
      return { tokenHash, ...answer.invitation }
    },
    link: async (purpose: 'sign-up' | 'password-reset', email: ReturnType<typeof address>) => {
      const tokenHash = random(32)
      await world.accounts.saveLink({ purpose, tokenHash, email, lifetimeSeconds: 600 })
      return tokenHash
    },
    provider: async (more: Partial<ProviderConfig> = {}) => {
      const id = `p${random(6).toString('hex')}`
      const config: ProviderConfig = {
        ...{
          id,
          name: 'Acme',
          kind: 'openid',
          issuer: `https://${id}.example`,
          clientId: 'x',
          scopes: ['openid'],
        },
        ...{
          hosts: [],
          directories: [],
          signUp: 'open',
          signUpDomains: [],
          authoritativeFor: ['example.com'],
        },
        ...{ claims: {}, grants: [], countsAsProof: true, aal2: [] },
        ...more,
      } as ProviderConfig
      const made = await stores.providers.create(config, { kekId: 'first', sealed: random(16) }, byOperator)
      if (typeof made === 'string') throw new Error(made)
      return made
    },
    /** Somebody as that provider knows them. */
    profile: (
      provider: { readonly issuer: string },
      email: ReturnType<typeof address> | undefined,
      holds: readonly string[] = [],
    ): ProviderProfile => ({
      ...{ issuer: provider.issuer, subject: random(6).toString('hex'), email, unverified: undefined },
      ...{ name: 'Ada', label: 'ada', holds: new Set(holds) },
      proof: { sid: 'theirs', acr: undefined, amr: [], authTime: undefined, issuedAt: 0 },
    }),
    /** A person who is signed in by a password, and by a provider on another device. */
    federated: async () => {
      const { user, email, own } = await scene.signedIn()
      const provider = await scene.provider()
      const profile = scene.profile(provider, undefined)
      const linked = await stores.identities.link(
        provider.id,
        profile,
        { user, acr: 'aal1' },
        async () => true,
        byOperator,
      )
      if (typeof linked === 'string') throw new Error(linked)
      const theirs = await opened(world, user, {
        identity: scene.identity(user, provider, profile, linked.id),
      })
      return { user, email, own, theirs, provider, profile, identity: linked.id }
    },
    identity: (
      user: UserId,
      { id: provider, issuer }: { readonly id: string; readonly issuer: string },
      { subject, proof }: ProviderProfile,
      identity: FederatedIdentityId,
    ): Identity => ({
      ...{ user, amr: ['fed'], acr: 'aal1' },
      credential: {
        ...{ kind: 'federated', identity, provider, issuer, subject },
        // After whatever was logged out.
        proof: { ...proof, issuedAt: Math.floor(Date.now() / 1000) + 30 },
      },
    }),
    context,
  }
  return scene
}
