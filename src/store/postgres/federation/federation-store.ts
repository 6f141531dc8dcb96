/** What is under way with providers, in Postgres: flows consumed once, and the sessions that a provider ends. */
import { and, eq, gt, sql } from 'drizzle-orm'
import type { UserId } from '../../../core/principal.js'
import { providerIdForm } from '../../../federation/provider.js'
import type { FederationStore } from '../../../federation/store.js'
import { auditDone } from '../audit/audit-log.js'
import { isSoundOffer, type OfferedRow } from '../caller-rows.js'
import type { Database, Queries } from '../database.js'
import { answer, type HotReads } from '../hot-reads.js'
import { federatedSessions, federationFlows, providerLogouts, providers } from '../schema/federation.js'
import type { SessionsWithin } from '../sessions-within.js'
import { exactSecondsOf, inSeconds } from '../values.js'
import { sessionsOf } from './federated-sessions.js'
import { withSecret } from './provider-store.js'
import { isEnabled } from './word.js'

/** What users are offered, for pages that anybody may open: one statement that waits for no connection. */
const offeredStatement = `select ${answer('$1::text')},
  (select coalesce(json_agg(json_build_object('id', p.id, 'name', p.name, 'countsAsProof', p.counts_as_proof,
      'reachesAal2', p.counts_as_proof and cardinality(p.aal2) > 0)
    order by p.name, p.id), '[]') from providers p where p.state = 'enabled') as offered
  from service g where g.only`

export function postgresFederationStore(
  database: Database,
  hot: HotReads,
  within: Pick<SessionsWithin, 'end'>,
): FederationStore {
  return {
    async offered() {
      const { offered } = await hot.ask<OfferedRow>('offered', offeredStatement, ['offered'], isSoundOffer)
      return offered
    },

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
          expiresAt: inSeconds(lifetimeSeconds),
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
            beganAt: exactSecondsOf(federationFlows.createdAt),
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

    logOut({ provider, issuer, jti, subject, sid, issuedAt }, actor) {
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
        const ended = await within.end(tx, await sessionsOf(tx, named), 'by-provider', actor)
        await auditDone(tx, 'provider.logout', actor, { subject: provider })
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
