/** Recording the server that is trusted, and what must not be believed any more when another one was. */
import { sql } from 'drizzle-orm'
import { noRequest } from '../audit/events.js'
import { Outage } from '../core/errors.js'
import { recovery } from '../keys/compromise.js'
import { signerOf } from '../keys/schedule.js'
import type { SealedKey } from '../keys/store.js'
import type { ServiceKey } from '../tenants/service-keys.js'
import { writeAudit } from './postgres/audit/audit-log.js'
import { timelineNow } from './postgres/cluster-identity.js'
import type { Database, Queries } from './postgres/database.js'
import { replaceServiceEpoch } from './postgres/epochs.js'
import { applyPlan, lockRing } from './postgres/keys/key-ring-store.js'
import { pendingSignIns } from './postgres/schema/factors.js'
import { federationFlows } from './postgres/schema/federation.js'
import { mailLinks } from './postgres/schema/tables.js'
import { workingKeys } from './postgres/tenants/service-key-store.js'

export interface Recovered {
  readonly generation: number
  /** How many there were of each. */
  readonly ended: number
  readonly links: number
  readonly invitations: number
  readonly flows: number
  readonly pending: number
  readonly resets: number
  /** Those that work here, and may have been revoked in what is lost. */
  readonly serviceKeys: readonly ServiceKey[]
}

/**
 * Revocations, used links and retired keys may be missing here. So every session ends, whatever can be redeemed once is
 * dropped, and what was a signing key only verifies what it has signed. Passwords that were changed and service keys
 * that were revoked in what is lost are as before: nobody can know which. `kept` is the highest generation that was
 * trusted where this is run.
 */
export function recover(
  database: Database,
  make: () => Promise<SealedKey>,
  kept: number,
): Promise<Recovered> {
  return database.transaction(async tx => {
    const generation = await recordClusterIdentity(tx, kept)
    const [live] = await tx.execute<{ count: number }>(sql`
      select count(*)::int as count from sessions s join service g on g.epoch = s.service_epoch
      where s.ended_at is null and s.ends_at > now()`)
    await replaceServiceEpoch(tx)
    const links = await tx.delete(mailLinks).returning({ purpose: mailLinks.purpose })
    const invitations = await withdrawAll(tx)
    const flows = await tx.delete(federationFlows).returning({ purpose: federationFlows.purpose })
    const { pending, resets } = await forgetSecondSteps(tx)
    await applyPlan(tx, recovery(await lockRing(tx)), make, { user: undefined, context: noRequest })
    const { keys, now } = await lockRing(tx)
    await audit(tx, signerOf(keys, now)?.kid ?? '')
    const counts = {
      ended: live?.count ?? 0,
      links: links.length,
      invitations,
      flows: flows.length,
      pending,
      resets,
    }
    return { generation, ...counts, serviceKeys: await workingKeys(tx) }
  })
}

/** For a switch-over in which no acknowledged commit was lost. */
export function keepClusterIdentity(database: Database, kept: number): Promise<number> {
  return database.transaction(async tx => {
    const generation = await recordClusterIdentity(tx, kept)
    await audit(tx, 'nothing-lost')
    return generation
  })
}

/**
 * Sign-ins that owe a second factor, challenges of passkeys, apps that are being set up, resets (one may have been stopped), and the codes of apps
 * up to now: any of them may have been used. Recovery codes stay, as passwords do.
 */
async function forgetSecondSteps(tx: Queries): Promise<{ pending: number; resets: number }> {
  const pending = await tx.delete(pendingSignIns).returning({ user: pendingSignIns.userId })
  await tx.execute(sql`delete from passkey_challenges`)
  await tx.execute(sql`delete from totp_factors where confirmed_at is null`)
  await tx.execute(sql`update totp_factors set
    last_step = greatest(last_step, floor(extract(epoch from clock_timestamp()) / 30)::bigint + 1)`)
  const resets = await tx.execute(sql`delete from factor_resets returning 1`)
  return { pending: pending.length, resets: resets.length }
}

/** One that was withdrawn in what is lost would open its tenant again. Each tenant's own log says that it is gone. */
async function withdrawAll(tx: Queries): Promise<number> {
  const [gone] = await tx.execute<{ count: number }>(sql`
    with gone as (delete from invitations returning id, tenant_id),
    audited as (
      insert into audit_events (action, outcome, subject, tenant)
      select 'invitation.withdrawn', 'done', id::text, tenant_id from gone
    )
    select count(*)::int as count from gone`)
  return gone?.count ?? 0
}

/**
 * Raises the generation as well, also where nothing was lost: the server of before goes on by itself, and must not be
 * believed when it comes back. By the time, so that it is higher than any that the lost span may have had.
 */
async function recordClusterIdentity(tx: Queries, kept: number): Promise<number> {
  const [server] = await tx.execute<{ standby: boolean }>(sql`select pg_is_in_recovery() as standby`)
  if (server?.standby) throw new Outage('nothing', 'this Postgres is a standby: promote it first')
  const [recorded] = await tx.execute<{ generation: number }>(sql`
    update service set timeline = ${sql.raw(timelineNow)},
      system_identifier = (select system_identifier::text from pg_control_system()),
      generation = greatest(generation + 1, ${kept}::bigint + 1, floor(extract(epoch from clock_timestamp())))
    returning generation::float8 as generation`)
  if (!recorded) throw new Error('the service row is missing')
  return recorded.generation
}

function audit(tx: Queries, subject: string): Promise<void> {
  return writeAudit(tx, { action: 'service.recovered', outcome: 'done', subject, context: noRequest })
}
