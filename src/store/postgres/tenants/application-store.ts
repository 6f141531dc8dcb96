/** Applications and their origins in Postgres. */
import { and, eq, notInArray, sql } from 'drizzle-orm'
import type { ClientId } from '../../../core/principal.js'
import {
  type Application,
  type ApplicationStore,
  hostedPages,
  mayGiveGrants,
  type OriginOwner,
} from '../../../tenants/applications.js'
import { auditDone } from '../audit/audit-log.js'
import { changeBy, createBy } from '../authority/authorized-change.js'
import { Abandon, type Database, type Queries } from '../database.js'
import { readPage } from '../page.js'
import { applicationOrigins, applications } from '../schema/tables.js'
import { listOf, secondsOf, textArray } from '../values.js'

const columns = {
  clientId: applications.clientId,
  name: applications.name,
  state: applications.state,
  audiences: listOf(applications.audiences),
  tokenLifetimeSeconds: applications.tokenLifetimeSeconds,
  grants: sql<Application['grants']>`to_json(${applications.grants})`,
  returnAddresses: listOf(applications.returnAddresses),
  origins: sql<string[]>`(select coalesce(json_agg(o.origin order by o.origin), '[]')
    from application_origins o where o.client_id = "applications"."client_id")`,
  createdAt: secondsOf(applications.createdAt),
}

export function postgresApplicationStore(database: Database): ApplicationStore {
  return {
    async origins() {
      const rows = await database.read(db =>
        db
          .select({
            origin: applicationOrigins.origin,
            clientId: sql<ClientId>`${applications.clientId}`,
            name: applications.name,
            grants: sql<OriginOwner['grants']>`to_json(${applications.grants})`,
            returnAddresses: listOf(applications.returnAddresses),
          })
          .from(applicationOrigins)
          .innerJoin(applications, eq(applications.clientId, applicationOrigins.clientId))
          .where(eq(applications.state, 'enabled')),
      )
      return new Map<string, OriginOwner>(rows.map(({ origin, ...owner }) => [origin, owner]))
    },

    create(application, actor) {
      const { clientId, name, origins, tokenLifetimeSeconds } = application
      return createBy(database, actor, async (tx, held) => {
        if (!mayGiveGrants(held, application.grants ?? [])) throw new Abandon('forbidden' as const)
        const created = await tx
          .insert(applications)
          .values({
            clientId,
            name,
            tokenLifetimeSeconds,
            audiences: textArray(application.audiences),
            grants: textArray(application.grants ?? []),
            returnAddresses: textArray(application.returnAddresses),
          })
          .onConflictDoNothing()
          .returning({ clientId: applications.clientId })
        if (created.length === 0) return 'client-id-taken'
        await giveOrigins(tx, clientId, origins)
        await auditDone(tx, 'application.created', actor, { subject: clientId })
        return (await find(tx, clientId)) as Application
      })
    },

    read: clientId => database.read(tx => find(tx, clientId)),

    list: page =>
      database.read(tx =>
        readPage(tx.select(columns).from(applications).$dynamic(), applications.clientId, 'clientId', page),
      ),

    change(clientId, to, actor) {
      const { origins, audiences, grants, returnAddresses, name, state, tokenLifetimeSeconds } = to
      return changeBy(database, actor, async (tx, held) => {
        const set = {
          name,
          state,
          tokenLifetimeSeconds,
          audiences: audiences && textArray(audiences),
          grants: grants && textArray(grants),
          returnAddresses: returnAddresses && textArray(returnAddresses),
        }
        const is = eq(applications.clientId, clientId)
        const [locked] = await tx.select(columns).from(applications).where(is).for('no key update')
        if (!locked) return 'unknown'
        if (!mayGiveGrants(held, [...locked.grants, ...(grants ?? [])])) return 'forbidden'
        if (Object.values(set).some(value => value !== undefined))
          await tx.update(applications).set(set).where(is)
        if (origins !== undefined) {
          // One that it keeps is not touched: losing one ends the tokens of the application.
          const owned = eq(applicationOrigins.clientId, clientId)
          await tx
            .delete(applicationOrigins)
            .where(and(owned, notInArray(applicationOrigins.origin, [...origins])))
          await giveOrigins(tx, clientId, origins)
        }
        await auditDone(tx, 'application.changed', actor, { subject: clientId })
        return (await find(tx, clientId)) as Application
      })
    },

    remove(clientId, actor) {
      return changeBy(database, actor, async (tx, held) => {
        if (clientId === hostedPages) return 'unknown'
        const [removed] = await tx
          .delete(applications)
          .where(eq(applications.clientId, clientId))
          .returning({ grants: columns.grants })
        if (!removed) return 'unknown'
        if (!mayGiveGrants(held, removed.grants)) throw new Abandon('forbidden' as const)
        await auditDone(tx, 'application.deleted', actor, { subject: clientId })
        return 'removed'
      })
    },
  }
}

/** In one order, so that two who want the same ones do not wait for each other. */
async function giveOrigins(tx: Queries, clientId: string, origins: readonly string[]): Promise<void> {
  for (const origin of [...new Set(origins)].sort()) {
    await tx.insert(applicationOrigins).values({ origin, clientId }).onConflictDoNothing()
    const is = and(eq(applicationOrigins.origin, origin), eq(applicationOrigins.clientId, clientId))
    const [owned] = await tx.select({ origin: applicationOrigins.origin }).from(applicationOrigins).where(is)
    if (!owned) throw new Abandon({ originTaken: origin })
  }
}

async function find(tx: Queries, clientId: string): Promise<Application | undefined> {
  const [row] = await tx.select(columns).from(applications).where(eq(applications.clientId, clientId))
  return row as Application | undefined
}
