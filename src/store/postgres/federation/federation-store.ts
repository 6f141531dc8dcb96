/** Signing in through providers, in Postgres: flows consumed once, identities that belong to one person. */
import { and, asc, eq, gt, sql } from 'drizzle-orm'
import type { CanonicalEmail } from '../../../core/email-address.js'
import type { FederatedIdentityId, UserId } from '../../../core/principal.js'
import { providerIdForm } from '../../../federation/provider.js'
import type { FederationStore } from '../../../federation/store.js'
import type { SessionsWithin } from '../../sessions/table/sessions-within.js'
import { adopt, isEnabled, link, register } from '../accounts/identity-links.js'
import { auditDone } from '../audit/audit-log.js'
import { Abandon, type Database, type Queries } from '../database.js'
import type { HotReads } from '../hot-reads.js'
import {
  federatedIdentities,
  federatedSessions,
  federationFlows,
  providerLogouts,
  providers,
} from '../schema/federation.js'
import { invitations, passwords, users } from '../schema/tables.js'
import { changeTaking } from '../tenants/authorized-change.js'
import { sessionsOf } from './federated-sessions.js'
import { applyGrants } from './grants.js'
import { offeredProviders } from './offered-read.js'
import { withSecret } from './provider-store.js'

const identityColumns = {
  id: sql<FederatedIdentityId>`${federatedIdentities.id}`,
  provider: federatedIdentities.providerId,
  providerName: providers.name,
  providerEnabled: sql<boolean>`${providers.state} = 'enabled'`,
  label: federatedIdentities.label,
  createdAt: sql<number>`floor(extract(epoch from ${federatedIdentities.createdAt}))::float8`,
}

export function postgresFederationStore(
  database: Database,
  hot: HotReads,
  within: Pick<SessionsWithin, 'end'>,
): FederationStore {
  return {
    offered: () => offeredProviders(hot),

    provider: async id => {
      // Postgres takes no NUL, not even to say that it knows none.
      if (!providerIdForm.test(id)) return undefined
      return database.read(tx => enabled(tx, id))
    },

    async begin({ provider, stateHash, browserHash, purpose, user, returnTo, lifetimeSeconds }) {
      return database.transaction(async tx => {
        // It may have been deleted while its document was read.
        if (!(await isEnabled(tx, provider))) return 'unknown-provider'
        await tx.insert(federationFlows).values({
          stateHash,
          browserHash,
          providerId: provider,
          purpose,
          userId: user ?? null,
          returnTo: returnTo ?? null,
          expiresAt: sql`now() + ${lifetimeSeconds} * interval '1 second'`,
        })
        return 'begun'
      })
    },

    async consume(id, stateHash, browserHash) {
      if (!providerIdForm.test(id)) return undefined
      return database.transaction(async tx => {
        const [flow] = await tx
          .delete(federationFlows)
          .where(
            and(
              eq(federationFlows.stateHash, stateHash),
              eq(federationFlows.browserHash, browserHash),
              eq(federationFlows.providerId, id),
              gt(federationFlows.expiresAt, sql`now()`),
            ),
          )
          .returning({
            purpose: federationFlows.purpose,
            user: federationFlows.userId,
            returnTo: federationFlows.returnTo,
            beganAt: sql<number>`extract(epoch from ${federationFlows.createdAt})::float8`,
          })
        const found = await enabled(tx, id)
        if (!flow || !found) return undefined
        const { beganAt, purpose, user, returnTo } = flow
        return {
          flow: { purpose, user: (user ?? undefined) as UserId | undefined, returnTo: returnTo ?? undefined },
          beganAt,
          ...found,
        }
      })
    },

    find(issuer, subject) {
      return database.read(async tx => {
        const [row] = await tx
          .select({
            id: sql<FederatedIdentityId>`${federatedIdentities.id}`,
            user: sql<UserId>`${users.id}`,
            active: sql<boolean>`${users.state} = 'active'`,
            email: sql<CanonicalEmail>`${users.canonicalEmail}`,
            verifiedBy: users.addressVerifiedBy,
          })
          .from(federatedIdentities)
          .innerJoin(users, eq(users.id, federatedIdentities.userId))
          .where(and(eq(federatedIdentities.issuer, issuer), eq(federatedIdentities.subject, subject)))
        if (!row) return undefined
        const { email, verifiedBy, ...identity } = row
        return { ...identity, unverifiedEmail: verifiedBy === null ? email : undefined }
      })
    },

    isInvited(email) {
      return database.read(async tx => {
        const rows = await tx
          .select({ id: invitations.id })
          .from(invitations)
          .where(and(eq(invitations.canonicalEmail, email), gt(invitations.expiresAt, sql`now()`)))
          .limit(1)
        return rows.length > 0
      })
    },

    register: (provider, claimed, occasion) =>
      database.transaction(tx => register(tx, provider, claimed, occasion)),
    link: (provider, claimed, user, stillSignedIn, by) =>
      database.transaction(tx => link(tx, provider, claimed, user, stillSignedIn, by)),
    adopt: (provider, claimed, user, by) =>
      database.transaction(tx => adopt(tx, provider, claimed, user, by)),
    applyGrants: (provider, claimed, user, by) =>
      database.transaction(tx => applyGrants(tx, provider, claimed, user, by)),

    identitiesOf: user => database.read(tx => identitiesOf(tx, user)),

    unlink(user, identity, keeping, by) {
      return changeTaking(database, by, { person: user }, async tx => {
        // The person first: of two unlinked at once the second sees what the first has left.
        await tx.select({ id: users.id }).from(users).where(eq(users.id, user)).for('no key update')
        const all = await identitiesOf(tx, user)
        const gone = all.find(({ id }) => id === identity)
        if (!gone) return 'unknown'
        const others = all.filter(({ id, providerEnabled }) => id !== identity && providerEnabled)
        if (others.length === 0 && !(await hasPassword(tx, user))) throw new Abandon('last-way-in' as const)
        await tx.delete(federatedIdentities).where(eq(federatedIdentities.id, identity))
        const proved = await sessionsOf(tx, eq(federatedSessions.identityId, identity))
        const ended = proved.filter(id => id !== keeping)
        await within.end(tx, ended, 'unlinked', by)
        await auditDone(tx, 'identity.unlinked', by, { subject: user })
        return { unlinked: gone }
      })
    },

    logOut({ provider, issuer, jti, subject, sid, issuedAt }, by) {
      return database.transaction(async tx => {
        // Sign-ins under way hold this row: they are over when it is ours, or begin after it.
        await tx.select({ id: providers.id }).from(providers).where(eq(providers.id, provider)).for('update')
        const [taken] = await tx
          .insert(providerLogouts)
          .values({
            issuer,
            jti,
            subject: subject ?? null,
            providerSession: sid ?? null,
            issuedAt: sql`to_timestamp(${issuedAt}::float8)`,
          })
          .onConflictDoNothing()
          .returning({ jti: providerLogouts.jti })
        if (!taken) return 0
        const named = and(
          eq(federatedSessions.issuer, issuer),
          sid === undefined ? undefined : eq(federatedSessions.providerSession, sid),
          subject === undefined ? undefined : eq(federatedSessions.subject, subject),
        )
        const ended = await within.end(tx, await sessionsOf(tx, named), 'by-provider', by)
        await auditDone(tx, 'provider.logout', by, { subject: provider })
        return ended
      })
    },
  }
}

async function enabled(tx: Queries, id: string) {
  const [row] = await tx
    .select({ ...withSecret, now: sql<number>`extract(epoch from now())::float8` })
    .from(providers)
    .where(and(eq(providers.id, id), eq(providers.state, 'enabled')))
  if (!row) return undefined
  const { now, ...provider } = row
  return { provider, now }
}

async function identitiesOf(tx: Queries, user: UserId) {
  const rows = await tx
    .select(identityColumns)
    .from(federatedIdentities)
    .innerJoin(providers, eq(providers.id, federatedIdentities.providerId))
    .where(eq(federatedIdentities.userId, user))
    .orderBy(asc(federatedIdentities.createdAt), asc(federatedIdentities.id))
  return [...rows]
}

async function hasPassword(tx: Queries, user: UserId): Promise<boolean> {
  const rows = await tx.select({ user: passwords.userId }).from(passwords).where(eq(passwords.userId, user))
  return rows.length > 0
}
