/** Recording the server that is trusted, and what must not be believed any more when another one was. */
import { sql } from 'drizzle-orm'
import { noRequest } from '../../audit.js'
import { Outage } from '../../errors.js'
import { recovery } from '../../keyring/compromise.js'
import { signerOf } from '../../keyring/schedule.js'
import type { SealedKey } from '../../keyring/store.js'
import { writeAudit } from './audit-log.js'
import type { Database, Queries } from './database.js'
import { replaceServiceEpoch } from './epochs.js'
import { applyPlan, lockRing } from './key-ring-store.js'
import { timelineNow } from './lineage.js'
import { mailLinks } from './schema.js'

/**
 * Revocations, used links and retired keys may be missing here. So every session ends, every unfinished flow is
 * dropped, and what was a signing key only verifies what it has signed. Passwords that were changed in what is lost
 * are the old ones again: nobody can know which.
 */
export function recover(
  database: Database,
  make: () => Promise<SealedKey>,
): Promise<{ readonly ended: number; readonly links: number }> {
  return database.transaction(async tx => {
    await recordLineage(tx)
    const [live] = await tx.execute<{ count: number }>(sql`
      select count(*)::int as count from sessions s join service g on g.epoch = s.service_epoch
      where s.ended_at is null and s.ends_at > now()`)
    await replaceServiceEpoch(tx)
    const links = await tx.delete(mailLinks).returning({ purpose: mailLinks.purpose })
    await applyPlan(tx, recovery(await lockRing(tx)), make, { actor: undefined, occasion: noRequest })
    const { keys, now } = await lockRing(tx)
    await audit(tx, signerOf(keys, now)?.kid ?? '')
    return { ended: live?.count ?? 0, links: links.length }
  })
}

/** For a switch-over in which no acknowledged commit was lost. */
export function keepLineage(database: Database): Promise<void> {
  return database.transaction(async tx => {
    await recordLineage(tx)
    await audit(tx, 'nothing-lost')
  })
}

async function recordLineage(tx: Queries): Promise<void> {
  const [server] = await tx.execute<{ standby: boolean }>(sql`select pg_is_in_recovery() as standby`)
  if (server?.standby) throw new Outage('nothing', 'this Postgres is a standby: promote it first')
  await tx.execute(sql`update service set timeline = ${sql.raw(timelineNow)},
    system_identifier = (select system_identifier::text from pg_control_system())`)
}

function audit(tx: Queries, subject: string): Promise<void> {
  return writeAudit(tx, { action: 'service.recovered', outcome: 'done', subject, occasion: noRequest })
}
