/** The key ring in Postgres. The database's clock says what is published and what signs. */
import { asc, isNull, or, sql } from 'drizzle-orm'
import { noRequest } from '../../audit.js'
import type { KeyRingStore } from '../../keyring/store.js'
import type { Kid } from '../../principal.js'
import { writeAudit } from './audit-log.js'
import type { Database } from './database.js'
import { signingKeys } from './schema.js'

/** Any number that nothing else in this database uses as an advisory lock. */
const foundingLock = 7_351_946_001n

export function postgresKeyRingStore(database: Database): KeyRingStore {
  return {
    async read() {
      const rows = await database.read(db =>
        db
          .select({
            kid: signingKeys.kid,
            publicJwk: signingKeys.publicJwk,
            sealed: signingKeys.sealed,
            kekId: signingKeys.kekId,
            signsFrom: sql<number | null>`extract(epoch from ${signingKeys.signsFrom})::float8`,
            age: sql<number | null>`extract(epoch from now() - ${signingKeys.signsFrom})::float8`,
            signing: sql<boolean>`coalesce(${signingKeys.signsFrom} <= now(), false)`,
          })
          .from(signingKeys)
          .where(or(isNull(signingKeys.unpublishedAt), sql`${signingKeys.unpublishedAt} > now()`))
          .orderBy(asc(signingKeys.publishedAt), asc(signingKeys.kid)),
      )
      const keys = rows.map(({ signing: _, age: __, ...key }) => ({ ...key, kid: key.kid as Kid }))
      const [signer] = rows.filter(row => row.signing).sort((a, b) => (b.signsFrom ?? 0) - (a.signsFrom ?? 0))
      return { keys, signer: signer?.kid as Kid | undefined, signerAgeSeconds: signer?.age ?? undefined }
    },

    found({ signer, standby }) {
      return database.transaction(async tx => {
        await tx.execute(sql`select pg_advisory_xact_lock(${foundingLock})`)
        const [any] = await tx.select({ kid: signingKeys.kid }).from(signingKeys).limit(1)
        if (any) return 'already-founded'
        await tx.insert(signingKeys).values([{ ...signer, signsFrom: sql`now()` }, standby])
        await writeAudit(tx, {
          action: 'keys.founded',
          outcome: 'done',
          subject: signer.kid,
          occasion: noRequest,
        })
        return 'founded'
      })
    },
  }
}
