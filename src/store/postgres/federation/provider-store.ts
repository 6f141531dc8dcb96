/** Providers in Postgres, as operators declare them. */
import { and, asc, eq, inArray, notLike, sql } from 'drizzle-orm'
import {
  type ClaimMap,
  directoryPlace,
  mayConfigure,
  type ProviderChange,
  type ProviderGrant,
  type ProviderWithSecret,
} from '../../../federation/provider.js'
import type { ProviderStore } from '../../../federation/store.js'
import { auditDone } from '../audit/audit-log.js'
import { changeBy, createBy, judgeBy } from '../authority/authorized-change.js'
import { DatabaseFault } from '../connection.js'
import { Abandon, type Database, type Queries } from '../database.js'
import { federatedIdentities, federatedSessions, providers } from '../schema/federation.js'
import type { SessionsWithin } from '../sessions-within.js'
import { exactSecondsOf, listOf, textArray } from '../values.js'
import { sessionsOf } from './federated-sessions.js'

/** Sessions that are ended in one transaction. */
const batchOfEnded = 100

const providerColumns = {
  id: providers.id,
  name: providers.name,
  kind: providers.kind,
  issuer: providers.issuer,
  clientId: providers.clientId,
  state: providers.state,
  scopes: listOf(providers.scopes),
  hosts: listOf(providers.hosts),
  directories: listOf(providers.directories),
  signUp: providers.signUp,
  signUpDomains: listOf(providers.signUpDomains),
  authoritativeFor: listOf(providers.authoritativeFor),
  claims: sql<ClaimMap>`${providers.claims}`,
  grants: sql<ProviderGrant[]>`${providers.grants}`,
  countsAsProof: providers.countsAsProof,
  aal2: listOf(providers.aal2),
  createdAt: exactSecondsOf(providers.createdAt),
  changedAt: exactSecondsOf(providers.changedAt),
}

export const withSecret = {
  ...providerColumns,
  sealedSecret: providers.sealedSecret,
  kekId: providers.kekId,
}

export function postgresProviderStore(
  database: Database,
  within: Pick<SessionsWithin, 'end'>,
): ProviderStore {
  return {
    judge: actor => judgeBy(database, actor),

    async create(config, { sealed, kekId }, actor) {
      return createBy(database, actor, async (tx, held) => {
        if (!mayConfigure(held, config)) throw new Abandon('forbidden' as const)
        if (await find(tx, config.id)) return 'id-taken'
        const { id, kind } = config
        const values = { id, kind, sealedSecret: sealed, kekId, ...columnsOf(config) }
        const [row] = await tx
          .insert(providers)
          .values(values as never)
          .onConflictDoNothing()
          .returning(providerColumns)
        if (!row) return 'issuer-taken'
        await auditDone(tx, 'provider.created', actor, { subject: id })
        return row
      })
    },

    list: () =>
      database.read(async tx => [
        ...(await tx.select(providerColumns).from(providers).orderBy(asc(providers.id))),
      ]),

    read: id => database.read(tx => find(tx, id)),

    async change(id, to, secret, actor) {
      const changing = changeBy(database, actor, async (tx, held) => {
        // Anybody who links waits for another issuer, or is seen.
        const before = await lock(tx, id, to.issuer === undefined ? 'no key update' : 'update')
        if (!before) return 'unknown' as const
        if (!mayConfigure(held, before) || !mayConfigure(held, to)) return 'forbidden' as const
        if (to.issuer !== undefined && (await hasOthers(tx, id, to.issuer))) return 'linked' as const
        const set = {
          ...columnsOf(to),
          ...(secret && { sealedSecret: secret.sealed, kekId: secret.kekId }),
          changedAt: sql`clock_timestamp()`,
        }
        const [row] = await tx
          .update(providers)
          .set(set)
          .where(eq(providers.id, id))
          .returning(providerColumns)
        if (!row) return 'unknown' as const
        await auditDone(tx, 'provider.changed', actor, { subject: id })
        return row
      })
      return changing.catch(error => {
        if (error instanceof DatabaseFault && error.sqlState === '23505') return 'issuer-taken' as const
        throw error
      })
    },

    remove(id, actor) {
      return changeBy(database, actor, async (tx, held) => {
        const [gone] = await tx.delete(providers).where(eq(providers.id, id)).returning(providerColumns)
        if (!gone) return 'unknown'
        if (!mayConfigure(held, gone)) throw new Abandon('forbidden' as const)
        await auditDone(tx, 'provider.deleted', actor, { subject: id })
        return 'removed'
      })
    },

    async endSessions(id, actor) {
      const own = eq(federatedSessions.providerId, id)
      for (let all = 0; ; ) {
        // Each batch is a transaction of its own: there may be more than any deadline has time for.
        const { ids, ended } = await database.transaction(async tx => {
          const ids = await sessionsOf(tx, own, batchOfEnded)
          const ended = await within.end(tx, ids, 'by-operator', actor)
          if (ids.length > 0)
            await tx.delete(federatedSessions).where(and(own, inArray(federatedSessions.sessionId, ids)))
          return { ids, ended }
        })
        // One that was renewed meanwhile ended with its line, and is found once more under its next id.
        if (ids.length === 0) return all
        all += ended
      }
    },

    reseal(again, actor) {
      return changeBy(database, actor, async tx => {
        const rows = await tx.select(withSecret).from(providers).orderBy(asc(providers.id)).for('update')
        const done: string[] = []
        for (const { id, sealedSecret, kekId } of rows) {
          const secret = again(id, { sealed: sealedSecret, kekId })
          if (!secret) continue
          const set = { sealedSecret: secret.sealed, kekId: secret.kekId }
          await tx.update(providers).set(set).where(eq(providers.id, id))
          await auditDone(tx, 'provider.changed', actor, { subject: id })
          done.push(id)
        }
        return done
      })
    },
  }
}

/** Locked first and read afterwards. */
async function lock(
  tx: Queries,
  id: string,
  strength: 'update' | 'no key update',
): Promise<ProviderWithSecret | undefined> {
  await tx.select({ id: providers.id }).from(providers).where(eq(providers.id, id)).for(strength)
  return find(tx, id)
}

/** Whether users are linked by another issuer. Under the provider's lock. */
async function hasOthers(tx: Queries, id: string, issuer: string): Promise<boolean> {
  const pattern = issuer.replace(/[\\%_]/g, '\\$&').replace(directoryPlace, '%')
  const linked = await tx
    .select({ id: federatedIdentities.id })
    .from(federatedIdentities)
    .where(and(eq(federatedIdentities.providerId, id), notLike(federatedIdentities.issuer, pattern)))
    .limit(1)
  return linked.length > 0
}

async function find(tx: Queries, id: string): Promise<ProviderWithSecret | undefined> {
  const [row] = await tx.select(withSecret).from(providers).where(eq(providers.id, id))
  return row
}

/** Only what was given; lists as literals, because the drivers fetch no types. */
function columnsOf(to: ProviderChange) {
  const { name, issuer, clientId, state, signUp, countsAsProof, claims, grants } = to
  const list = (values: readonly string[] | undefined) => values && textArray(values)
  return {
    name,
    issuer,
    clientId,
    state,
    signUp,
    countsAsProof,
    claims,
    grants,
    scopes: list(to.scopes),
    hosts: list(to.hosts),
    directories: list(to.directories),
    signUpDomains: list(to.signUpDomains),
    authoritativeFor: list(to.authoritativeFor),
    aal2: list(to.aal2),
  }
}
