/** The key ring in Postgres: rows read with the database's clock, and changed by one at a time. */
import { asc, eq, sql } from 'drizzle-orm'
import type { Actor, AuditAction } from '../../../audit/events.js'
import type { Kid } from '../../../core/principal.js'
import type { Alteration, Key, KeyRingStore, Plan, Policy, Ring, SealedKey } from '../../../keys/store.js'
import { auditDone } from '../audit/audit-log.js'
import { changeBy } from '../authority/authorized-change.js'
import type { Database, Queries } from '../database.js'
import { keyPolicy, signingKeys } from '../schema/tables.js'
import { exactSecondsOf, listOf } from '../values.js'

/** Any number that nothing else in this database uses as an advisory lock. */
const ringLock = 7_351_946_001n

/** Carries the answer of a dry run out of the transaction that it rolls back. */
class DryRun extends Error {
  readonly ring: Ring

  constructor(ring: Ring) {
    super('a dry run')
    this.ring = ring
  }
}

export function postgresKeyRingStore(database: Database): KeyRingStore {
  return {
    read: () => database.read(readRing),

    feedForks: () =>
      database.read(async tx => {
        const [row] = await tx.execute<{ forks: number }>(sql`
          select count(*) filter (where action = 'feed.forked' and at > recovered)::int as forks
          from audit_events, (select coalesce(max(at), '-infinity') as recovered from audit_events
            where action = 'service.recovered' and at > now() - interval '1 day') r
          where at > now() - interval '1 day'`)
        return row?.forks ?? 0
      }),

    async change(decide, make, actor, dryRun = false) {
      try {
        return await changeBy(database, actor, async tx => {
          const plan = await decide(await lockRing(tx))
          if (typeof plan === 'string') return plan
          await applyPlan(tx, plan, make, actor)
          const ring = await readRing(tx)
          if (dryRun) throw new DryRun(ring)
          return ring
        })
      } catch (error) {
        if (error instanceof DryRun) return error.ring
        throw error
      }
    },
  }
}

/** From here to the end of the transaction nobody else changes the ring. */
export async function lockRing(tx: Queries): Promise<Ring> {
  await tx.execute(sql`select pg_advisory_xact_lock(${ringLock})`)
  return readRing(tx)
}

export async function applyPlan(
  tx: Queries,
  { publish, alter }: Plan,
  make: () => Promise<SealedKey>,
  actor: Actor,
): Promise<void> {
  for (const alteration of alter) await alterKey(tx, alteration, actor)
  for (const { signsFrom, exempt } of publish) {
    const key = await make()
    await tx
      .insert(signingKeys)
      .values({ ...key, signsFrom: instantOf(signsFrom), exempt, leastLead: 0, leastTail: 0 })
    await auditDone(tx, exempt === 'first' ? 'keys.bootstrapped' : 'keys.published', actor, {
      subject: key.kid,
    })
  }
}

async function alterKey(tx: Queries, { kid, compromised, sealed, ...times }: Alteration, actor: Actor) {
  await tx
    .update(signingKeys)
    .set({
      signsFrom: instantOf(times.signsFrom),
      signsUntil: instantOf(times.signsUntil),
      unpublishedAt: instantOf(times.unpublishedAt),
      exempt: times.exempt,
      compromisedAt: instantOf(compromised?.at),
      compromisedSince: instantOf(compromised?.since),
      ...(sealed === 'erased' ? { sealed: null, kekId: null } : sealed),
    })
    .where(eq(signingKeys.kid, kid))
  const actions: [unknown, AuditAction][] = [
    [times.signsFrom && times.exempt !== 'recovery', 'keys.scheduled'],
    [compromised, 'keys.compromised'],
    [sealed && sealed !== 'erased', 'keys.resealed'],
    [sealed === 'erased' && !compromised, 'keys.erased'],
  ]
  for (const [done, action] of actions) if (done) await auditDone(tx, action, actor, { subject: kid })
}

/** What is undefined stays as it is. */
const instantOf = <None extends null | undefined>(at: number | None) =>
  typeof at === 'number' ? sql`to_timestamp(${at}::float8)` : at

/** The clock is read after the locks, not at the transaction's begin. */
async function readRing(tx: Queries): Promise<Ring> {
  const [{ now, feedPosition, ...policy } = { now: 0, feedPosition: '' }] = await tx
    .select({
      // Before the rows: a kill that this does not cover may be missing in them.
      feedPosition: sql<string>`(select g.generation || '.' || f.head from service g, revocation_feed f)`,
      now: sql<number>`extract(epoch from clock_timestamp())::float8`,
      tokenLifetime: keyPolicy.tokenLifetime,
      skew: keyPolicy.skew,
      listAge: keyPolicy.listAge,
      verifierAge: keyPolicy.verifierAge,
      lead: keyPolicy.lead,
      tail: keyPolicy.tail,
      rotateEvery: keyPolicy.rotateEvery,
      jitterPercent: keyPolicy.jitterPercent,
    })
    .from(keyPolicy)
  const rows = await tx
    .select({
      kid: signingKeys.kid,
      publicJwk: signingKeys.publicJwk,
      sealed: signingKeys.sealed,
      kekId: signingKeys.kekId,
      kekIds: listOf(signingKeys.kekIds),
      publishedAt: exactSecondsOf(signingKeys.publishedAt),
      signsFrom: exactSecondsOf(signingKeys.signsFrom),
      signsUntil: exactSecondsOf(signingKeys.signsUntil),
      unpublishedAt: exactSecondsOf(signingKeys.unpublishedAt),
      compromisedAt: exactSecondsOf(signingKeys.compromisedAt),
      compromisedSince: exactSecondsOf(signingKeys.compromisedSince),
      exempt: signingKeys.exempt,
      leastLead: signingKeys.leastLead,
    })
    .from(signingKeys)
    // The first two are as old as each other: the one that signs is first, and stays it.
    .orderBy(asc(signingKeys.publishedAt), asc(signingKeys.signsFrom), asc(signingKeys.kid))
  const keys = rows.map(({ compromisedAt, compromisedSince, ...row }): Key => {
    const compromised = compromisedAt === null ? null : { at: compromisedAt, since: compromisedSince }
    return { ...row, kid: row.kid as Kid, compromised }
  })
  return { now, policy: policy as Policy, keys, feedPosition }
}
