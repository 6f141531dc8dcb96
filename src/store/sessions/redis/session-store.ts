/** Sessions in Redis: a row written once for each proof, and a list in Postgres of what must not be believed any more. */
import { type SQL, sql } from 'drizzle-orm'
import { Outage } from '../../../core/errors.js'
import type { SessionId, UserId } from '../../../core/principal.js'
import type { NewSession, NotOpened, NotRenewed, SessionStore } from '../../../sessions/store.js'
import { auditDone } from '../../postgres/audit/audit-log.js'
import { Abandon, type Database, type Queries } from '../../postgres/database.js'
import { recordFederated } from '../../postgres/federation/federated-sessions.js'
import { lockSession } from '../../postgres/sessions-within.js'
import { textArray } from '../../postgres/values.js'
import { isCurrent, lockCredential, provedAt } from '../current-credential.js'
import { lockOpenings } from '../live.js'
import { endListed, refuseSecret, refuseUnknown, renewAs, revoke, revokeLine } from '../revoked.js'
import { isEnough, useSecondFactor, whyNotOpened, whyNotRenewed } from '../second-factor.js'
import { endCrowded } from './crowded.js'
import type { RedisReads } from './reads.js'
import { type SessionRows, type StoredRow, timestampOf } from './session-rows.js'
import { forRedis, isSecret, live, type Made, made, ownerOf, proof, renewed } from './stored-row.js'

/** `reserved` has connections of its own, so that signing out works while every other is taken. */
export function redisSessionStore(
  database: Database,
  reads: RedisReads,
  rows: SessionRows,
  reserved: Database = database,
): SessionStore {
  return {
    read: id => reads.read(id),
    readForMint: (id, question) => reads.readForMint(id, question),

    async open(session) {
      const { id, identity, replaces, context } = session
      const { user } = identity
      const before = replaces && { ...replaces, row: await rows.read(replaces.id).catch(unreachable) }
      const opened = await database.transaction<Opened | NotOpened>(async tx => {
        await lockCredential(tx, identity)
        if (!(await useSecondFactor(tx, identity, context))) throw new Abandon('credential-changed' as const)
        await lockOpenings(tx, user)
        const [row] = await tx.execute<Made>(opening(session))
        if (!row) throw new Abandon(await whyNotOpened(tx, identity))
        await recordFederated(tx, id, identity, row.ends_at)
        const actor = { user, context }
        await auditDone(tx, 'session.opened', actor, { subject: user, session: id })
        const replaced = before && (await replace(tx, before))
        if (replaced) {
          const about = { subject: replaced.user, session: replaced.id }
          await auditDone(tx, 'session.ended', actor, about)
        }
        const crowded = await endCrowded(tx, rows, session)
        // Last of all: what can still fail is the COMMIT, and then nobody is told the secret of this row.
        await rows.write({ id, ...forRedis(row) })
        return { ...row, replaced, crowded }
      })
      if (typeof opened === 'string') return opened
      if (opened.replaced) await rows.retire(opened.replaced.id, opened.replaced.user)
      await Promise.all(opened.crowded.map(id => rows.retire(id, user)))
      return { opened: { now: opened.now, endsAt: Math.floor(opened.ends_at) } }
    },

    async touch(id) {
      const { row, stored, now } = await reads.read(id)
      if (!row || !stored || row.ended || !row.epochsCurrent || !row.userActive) return
      if (row.pastAbsolute || row.pastIdle) return
      await rows.touch(id, stored, timestampOf(now))
    },

    async renew({ id, provenSecretHash, next, identity, context }) {
      const row = await rows.read(id)
      if (!row) return 'superseded'
      const { user } = identity
      const answer = await database.transaction<Made | NotRenewed>(async tx => {
        await lockCredential(tx, identity)
        if (!(await useSecondFactor(tx, identity, context))) throw new Abandon('superseded' as const)
        await lockSession(tx, id)
        // It carries the epochs of the row before: a user whose epoch was replaced meanwhile has a dead session.
        const [own] = await tx.execute<Made>(sql`
          select ${made(renewed(next, proof(identity)), sql`s.user_id`, sql`s.ends_at`)}
          from ${live(row)} and s.secret_hash = ${provenSecretHash} and s.user_id = ${user}
            and ${isCurrent(identity)} and ${isEnough(identity)}`)
        if (!own) throw new Abandon(await whyNotRenewed(tx, identity))
        await renewAs(tx, { id, secretHash: provenSecretHash, endsAt: own.ends_at }, next.id)
        await recordFederated(tx, next.id, identity, own.ends_at)
        await auditDone(tx, 'session.stepped-up', { user, context }, { subject: user, session: id })
        await rows.write({ id: next.id, ...forRedis(own) })
        return own
      })
      if (typeof answer === 'string') return answer
      await rows.unlist(user, id)
      return { renewed: { id: next.id, now: answer.now, endsAt: Math.floor(answer.ends_at) } }
    },

    async switchTenant({ id, provenSecretHash, tenant, actor: user, context }) {
      const row = await rows.read(id)
      if (!row) return 'superseded'
      return database.transaction(async tx => {
        await lockSession(tx, id)
        const [session] = await tx.execute(sql`
          select from ${live(row)} and s.secret_hash = ${provenSecretHash} and s.user_id = ${user}`)
        if (!session) throw new Abandon('superseded' as const)
        const [place] = await tx.execute<{ open: boolean }>(sql`
          select ${tenant}::uuid is null or exists (
            select from memberships m join tenants t on t.id = m.tenant_id
            where m.user_id = ${user} and m.tenant_id = ${tenant} and m.state = 'active' and t.state = 'active'
          ) as open`)
        if (!place?.open) throw new Abandon('forbidden' as const)
        const about = { ...(tenant !== null && { subject: tenant }), session: id }
        await auditDone(tx, 'session.tenant', { user, context }, about)
        if (!(await rows.place(id, row, tenant))) throw new Abandon('superseded' as const)
        return 'switched' as const
      })
    },

    async end(id, secretHash, reason, context) {
      const row = await rows.read(id).catch(unreachable)
      const ended = await reserved.transaction(async tx => {
        await lockSession(tx, id)
        if (!row) return (await endListed(tx, id, secretHash, reason)) ? undefined : ('not here' as const)
        const mine = await ownerOf(tx, row, isSecret(secretHash, { orBefore: true }))
        const at = mine && (await revokeLine(tx, { id, secretHash, reason, until: mine.until }))
        if (!mine || at === undefined) return undefined
        const actor = { user: mine.user, context }
        await auditDone(tx, 'session.ended', actor, { subject: mine.user, session: at })
        return { at, user: mine.user }
      })
      if (ended !== 'not here') {
        if (ended) await rows.retire(ended.at, ended.user)
        return 'ended'
      }
      return {
        refuse: () => reserved.transaction(tx => refuseUnknown(tx, id, secretHash, reason, context)),
      }
    },
  }
}

/** The row of a new session, while its user is active and its credential current. */
function opening({ id, secretHash, identity, device, idleSeconds, absoluteSeconds }: NewSession): SQL {
  // The epochs are read by this statement: a change that its snapshot did not see has replaced them by the time it
  // returns, and the row that carries them is dead.
  const endsAt = sql`(now() + ${absoluteSeconds} * interval '1 second')`
  const row = sql`jsonb_build_object('id', ${id}::text, 'user_id', u.id, 'secret_hash', ${secretHash}::bytea,
    'secret_changed_at', now(), 'service_epoch', g.epoch, 'user_epoch', u.epoch, 'auth_time', ${provedAt(identity)},
    'amr', ${textArray(identity.amr)}, 'acr', ${identity.acr}::text, 'created_at', now(), 'ends_at', ${endsAt},
    'idle_seconds', ${idleSeconds}::int, 'user_agent', ${device.userAgent}::text, 'address', ${device.address}::text)`
  return sql`select ${made(row, sql`u.id`, endsAt)} from service g, users u
    where u.id = ${identity.user} and u.state = 'active' and ${isCurrent(identity)} and ${isEnough(identity)}`
}

interface Opened extends Made {
  readonly crowded: readonly SessionId[]
  readonly replaced: { readonly id: SessionId; readonly user: UserId } | undefined
}

interface Before {
  readonly id: SessionId
  readonly secretHash: Buffer
  readonly row: StoredRow | undefined
}

/** The session that a browser came with to a sign-in. One that Redis lacks is refused by its secret, if it comes back. */
async function replace(tx: Queries, { id, secretHash, row }: Before) {
  await lockSession(tx, id)
  if (!row) {
    await refuseSecret(tx, id, secretHash, 'replaced')
    return undefined
  }
  const mine = await ownerOf(tx, row, isSecret(secretHash))
  const ended = mine && (await revoke(tx, { id, secretHash, reason: 'replaced', until: mine.until }))
  return ended ? { id, user: mine.user } : undefined
}

/** That Redis cannot be asked is for these no reason to fail. */
function unreachable(error: unknown): undefined {
  if (error instanceof Outage) return undefined
  throw error
}
