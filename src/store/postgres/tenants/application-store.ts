/** Applications and their origins in Postgres. */
import { asc, eq, gt, sql } from 'drizzle-orm'
import { pageOf } from '../../../core/page.js'
import type { ClientId } from '../../../core/principal.js'
import {
  type Application,
  type ApplicationStore,
  hostedPages,
  type OriginOwner,
} from '../../../tenants/applications.js'
import { auditDone } from '../audit/audit-log.js'
import { createOnce } from '../audit/once.js'
import { changeBy } from '../authority/authorized-change.js'
import { Abandon, type Database, type Queries } from '../database.js'
import { applicationOrigins, applications } from '../schema/tables.js'
import { textArray } from '../text-array.js'

const columns = {
  clientId: applications.clientId,
  name: applications.name,
  state: applications.state,
  audiences: sql<string[]>`to_json(${applications.audiences})`,
  tokenLifetimeSeconds: applications.tokenLifetimeSeconds,
  grants: sql<Application['grants']>`to_json(${applications.grants})`,
  returnAddresses: sql<string[]>`to_json(${applications.returnAddresses})`,
  origins: sql<string[]>`(select coalesce(json_agg(o.origin order by o.origin), '[]')
    from application_origins o where o.client_id = "applications"."client_id")`,
  createdAt: sql<number>`floor(extract(epoch from ${applications.createdAt}))::float8`,
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
            returnAddresses: sql<string[]>`to_json(${applications.returnAddresses})`,
          })
          .from(applicationOrigins)
          .innerJoin(applications, eq(applications.clientId, applicationOrigins.clientId))
          .where(eq(applications.state, 'enabled')),
      )
      return new Map<string, OriginOwner>(rows.map(({ origin, ...owner }) => [origin, owner]))
    },

    create(application, by) {
      const { clientId, name, origins, returnAddresses, audiences, tokenLifetimeSeconds } = application
      return changeBy(database, by, tx =>
        createOnce(tx, by.once, async () => {
          const values = {
            clientId,
            name,
            tokenLifetimeSeconds,
            audiences: textArray(audiences) as never,
            grants: textArray(application.grants ?? []) as never,
            returnAddresses: textArray(returnAddresses) as never,
          }
          const created = await tx
            .insert(applications)
            .values(values)
            .onConflictDoNothing()
            .returning({ clientId: applications.clientId })
          if (created.length === 0) return 'client-id-taken'
          await giveOrigins(tx, clientId, origins)
          await auditDone(tx, 'application.created', by, { subject: clientId })
          return (await find(tx, clientId)) as Application
        }),
      )
    },

    read: clientId => database.read(tx => find(tx, clientId)),

    list({ limit, after }) {
      return database.read(async tx => {
        const rows = await tx
          .select(columns)
          .from(applications)
          .where(after === undefined ? undefined : gt(applications.clientId, after))
          .orderBy(asc(applications.clientId))
          .limit(limit + 1)
        return pageOf(rows as Application[], limit, one => one.clientId)
      })
    },

    change(clientId, to, by) {
      const { origins, returnAddresses, audiences, grants, name, state, tokenLifetimeSeconds } = to
      return changeBy(database, by, async tx => {
        const set = {
          ...(name !== undefined && { name }),
          ...(state !== undefined && { state }),
          ...(tokenLifetimeSeconds !== undefined && { tokenLifetimeSeconds }),
          ...(audiences !== undefined && { audiences: textArray(audiences) as never }),
          ...(grants !== undefined && { grants: textArray(grants) as never }),
          ...(returnAddresses !== undefined && { returnAddresses: textArray(returnAddresses) as never }),
        }
        const is = eq(applications.clientId, clientId)
        const [locked] = await tx.select(columns).from(applications).where(is).for('no key update')
        if (!locked) return 'unknown'
        if (Object.keys(set).length > 0) await tx.update(applications).set(set).where(is)
        if (origins !== undefined) {
          await tx.delete(applicationOrigins).where(eq(applicationOrigins.clientId, clientId))
          await giveOrigins(tx, clientId, origins)
        }
        await auditDone(tx, 'application.changed', by, { subject: clientId })
        return (await find(tx, clientId)) as Application
      })
    },

    remove(clientId, by) {
      return changeBy(database, by, async tx => {
        if (clientId === hostedPages) return 'unknown'
        const removed = await tx
          .delete(applications)
          .where(eq(applications.clientId, clientId))
          .returning({ clientId: applications.clientId })
        if (removed.length === 0) return 'unknown'
        await auditDone(tx, 'application.deleted', by, { subject: clientId })
        return 'removed'
      })
    },
  }
}

/** In one order, so that two who want the same ones do not wait for each other. */
async function giveOrigins(tx: Queries, clientId: string, origins: readonly string[]): Promise<void> {
  for (const origin of [...new Set(origins)].sort()) {
    const [owned] = await tx
      .insert(applicationOrigins)
      .values({ origin, clientId })
      .onConflictDoNothing()
      .returning({ origin: applicationOrigins.origin })
    if (!owned) throw new Abandon({ originTaken: origin })
  }
}

async function find(tx: Queries, clientId: string): Promise<Application | undefined> {
  const [row] = await tx.select(columns).from(applications).where(eq(applications.clientId, clientId))
  return row as Application | undefined
}
