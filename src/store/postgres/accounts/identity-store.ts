/** Identities at providers in Postgres: each belongs to one user, and the last way in stays. */
import { and, asc, eq, gt, sql } from 'drizzle-orm'
import type { IdentityStore } from '../../../accounts/identities.js'
import type { CanonicalEmail } from '../../../core/email-address.js'
import type { FederatedIdentityId, UserId } from '../../../core/principal.js'
import { auditDone } from '../audit/audit-log.js'
import { changeTaking } from '../authority/authorized-change.js'
import { Abandon, type Database, type Queries } from '../database.js'
import { sessionsOf } from '../federation/federated-sessions.js'
import { federatedIdentities, federatedSessions, providers } from '../schema/federation.js'
import { invitations, users } from '../schema/tables.js'
import type { SessionsWithin } from '../sessions-within.js'
import { secondsOf } from '../values.js'
import { isWeak } from './factor-rows.js'
import { applyGrants } from './grants.js'
import { autoLink, link, register } from './identity-links.js'
import { hasWayIn } from './ways-in.js'

const identityColumns = {
  id: sql<FederatedIdentityId>`${federatedIdentities.id}`,
  provider: federatedIdentities.providerId,
  providerName: providers.name,
  providerEnabled: sql<boolean>`${providers.state} = 'enabled'`,
  label: federatedIdentities.label,
  createdAt: secondsOf(federatedIdentities.createdAt),
}

export function postgresIdentityStore(
  database: Database,
  within: Pick<SessionsWithin, 'end'>,
): IdentityStore {
  return {
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

    register: (provider, profile, context) =>
      database.transaction(tx => register(tx, provider, profile, context)),
    link: (provider, profile, who, stillSignedIn, actor) =>
      database.transaction(tx => link(tx, provider, profile, who, stillSignedIn, actor)),
    autoLink: (provider, profile, user, actor) =>
      database.transaction(tx => autoLink(tx, provider, profile, user, actor)),
    applyGrants: (provider, profile, user, actor) =>
      database.transaction(tx => applyGrants(tx, provider, profile, user, actor)),

    identitiesOf: user => database.read(tx => identitiesOf(tx, user)),

    unlink({ user, session: keeping, acr }, identity, actor) {
      return changeTaking(database, actor, { person: user }, async tx => {
        // The user first: of two unlinked at once the second sees what the first has left.
        await tx.select({ id: users.id }).from(users).where(eq(users.id, user)).for('no key update')
        if (await isWeak(tx, { user, acr })) throw new Abandon('weak' as const)
        const all = await identitiesOf(tx, user)
        const gone = all.find(({ id }) => id === identity)
        if (!gone) return 'unknown'
        await tx.delete(federatedIdentities).where(eq(federatedIdentities.id, identity))
        if (!(await hasWayIn(tx, user))) throw new Abandon('last-way-in' as const)
        const proved = await sessionsOf(tx, eq(federatedSessions.identityId, identity))
        const ended = proved.filter(id => id !== keeping)
        await within.end(tx, ended, 'unlinked', actor)
        await auditDone(tx, 'identity.unlinked', actor, { subject: user })
        return { unlinked: gone }
      })
    },
  }
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
