/** Applications and their origins in Postgres. */
import { eq } from 'drizzle-orm'
import { noRequest } from '../../audit.js'
import type { ApplicationStore, OriginOwner } from '../../directory/applications.js'
import type { ClientId } from '../../principal.js'
import { writeAudit } from './audit-log.js'
import { Abandon, type Database } from './database.js'
import { applicationOrigins, applications } from './schema.js'

export function postgresApplicationStore(database: Database): ApplicationStore {
  return {
    async origins() {
      const rows = await database.read(db =>
        db
          .select({
            origin: applicationOrigins.origin,
            clientId: applications.clientId,
            grants: applications.grants,
          })
          .from(applicationOrigins)
          .innerJoin(applications, eq(applications.clientId, applicationOrigins.clientId))
          .where(eq(applications.state, 'enabled')),
      )
      return new Map<string, OriginOwner>(
        rows.map(({ origin, clientId, grants }) => [origin, { clientId: clientId as ClientId, grants }]),
      )
    },

    create({ clientId, name, origins, audiences, tokenLifetimeSeconds }) {
      return database.transaction(async tx => {
        const created = await tx
          .insert(applications)
          .values({ clientId, name, audiences: [...audiences], tokenLifetimeSeconds })
          .onConflictDoNothing()
          .returning({ clientId: applications.clientId })
        if (created.length === 0) return 'client-id-taken'
        for (const origin of [...origins].sort()) {
          const [owned] = await tx
            .insert(applicationOrigins)
            .values({ origin, clientId })
            .onConflictDoNothing()
            .returning({ origin: applicationOrigins.origin })
          if (!owned) throw new Abandon({ originTaken: origin })
        }
        await writeAudit(tx, {
          action: 'application.created',
          outcome: 'done',
          subject: clientId,
          occasion: noRequest,
        })
        return 'created'
      })
    },
  }
}
