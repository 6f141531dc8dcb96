/** Sessions in Postgres: the hot reads, and the few statements that open, touch and end a row. */
import { type SQL, sql } from 'drizzle-orm'
import type { NewSession, NotOpened, NotRenewed, SessionStore } from '../../../sessions/store.js'
import { auditDone } from '../../postgres/audit/audit-log.js'
import { DatabaseFault } from '../../postgres/connection.js'
import { Abandon, type Database } from '../../postgres/database.js'
import { recordFederated } from '../../postgres/federation/federated-sessions.js'
import type { HotReads } from '../../postgres/hot-reads.js'
import { textArray } from '../../postgres/values.js'
import { isCurrent, lockCredential, provedAt } from '../current-credential.js'
import { isLive, lockOpenings } from '../live.js'
import { mayLieInRedis, refuseUnknown } from '../revoked.js'
import { isEnough, useSecondFactor, whyNotOpened, whyNotRenewed } from '../second-factor.js'

/** `reserved` has connections of its own, so that signing out works while every other is taken. */
export function postgresSessionStore(
  database: Database,
  hot: HotReads,
  reserved: Database = database,
): SessionStore {
  return {
    read: id => hot.read(id),
    readForMint: (id, question) => hot.readForMint(id, question),

    async open(session) {
      const { id, identity, context, replaces } = session
      const open = database.transaction<Opened | NotOpened>(async db => {
        await lockCredential(db, identity)
        if (!(await useSecondFactor(db, identity, context))) throw new Abandon('credential-changed' as const)
        await lockOpenings(db, identity.user)
        const [row] = await db.execute<Opened>(opening(session))
        if (!row) throw new Abandon(await whyNotOpened(db, identity))
        await recordFederated(db, id, identity, row.ends_at)
        if (row.elsewhere && replaces)
          await refuseUnknown(db, replaces.id, replaces.secretHash, 'replaced', context)
        return row
      })
      // The user was deleted while this waited.
      const row = await open.catch(error => {
        if (error instanceof DatabaseFault && error.sqlState === '23503') return 'credential-changed' as const
        throw error
      })
      return typeof row === 'string' ? row : { opened: { now: row.now, endsAt: row.ends_at } }
    },

    async touch(id) {
      await database.transaction(db =>
        db.execute(sql`
          update sessions s set last_seen_at = now()
          where s.id = (
            select l.id from sessions l
            join users u on u.id = l.user_id and u.epoch = l.user_epoch and u.state = 'active'
            join service g on g.epoch = l.service_epoch
            where l.id = ${id} and l.ended_at is null and l.ends_at > now()
              and l.last_seen_at + l.idle_seconds * interval '1 second' > now()
            for no key update of l skip locked)`),
      )
    },

    async renew({ id, provenSecretHash, next, identity, context }) {
      // What is read beside the locked row may be older than a wait for its lock. It is compared with what the row
      // itself carries: a user whose epoch was replaced meanwhile has a dead session, renewed or not.
      const row = await database.transaction<Renewed | NotRenewed>(async db => {
        await lockCredential(db, identity)
        if (!(await useSecondFactor(db, identity, context))) throw new Abandon('superseded' as const)
        const [row] = await db.execute<Renewed>(sql`
          with renewed as (
            update sessions s
            set secret_hash = ${next.secretHash}, previous_secret_hash = s.secret_hash, secret_changed_at = now(),
              auth_time = ${provedAt(identity)}, last_seen_at = now(), amr = ${textArray(identity.amr)}, acr = ${identity.acr}
            from service g, users u
            where s.id = ${id} and s.secret_hash = ${provenSecretHash} and s.user_id = ${identity.user}
              and u.id = s.user_id and u.state = 'active' and u.epoch = s.user_epoch
              and g.epoch = s.service_epoch and ${isCurrent(identity)} and ${isEnough(identity)} and ${isLive}
            returning s.ends_at
          ), audited as (
            insert into audit_events (action, outcome, actor, subject, session, address, request_id)
            select 'session.stepped-up', 'done', ${identity.user}::uuid, ${identity.user}::text, ${id}::text,
              ${context.address ?? null}, ${context.requestId ?? null}
            from renewed
          )
          select extract(epoch from now())::float8 as now, floor(extract(epoch from ends_at))::float8 as ends_at
          from renewed`)
        if (!row) throw new Abandon(await whyNotRenewed(db, identity))
        await recordFederated(db, id, identity, row.ends_at)
        return row
      })
      return typeof row === 'string' ? row : { renewed: { id, now: row.now, endsAt: row.ends_at } }
    },

    switchTenant({ id, provenSecretHash, tenant, actor, context }) {
      return database.transaction(async tx => {
        const [session] = await tx.execute(sql`
          select from sessions s where id = ${id} and user_id = ${actor} and secret_hash = ${provenSecretHash}
            and ${isLive} for no key update`)
        // Asked by a statement of its own: the one that waited may have read beside it what was before.
        const [current] = await tx.execute(sql`
          select from sessions s join users u on u.id = s.user_id and u.epoch = s.user_epoch and u.state = 'active'
            join service g on g.epoch = s.service_epoch where s.id = ${id}`)
        if (!session || !current) throw new Abandon('superseded' as const)
        const switched = await tx.execute(sql`
          update sessions set tenant_id = ${tenant}
          where id = ${id} and (${tenant}::uuid is null or exists (
            select from memberships m join tenants t on t.id = m.tenant_id
            where m.user_id = ${actor} and m.tenant_id = ${tenant} and m.state = 'active' and t.state = 'active'))
          returning id`)
        if (switched.length === 0) throw new Abandon('forbidden' as const)
        const about = { ...(tenant !== null && { subject: tenant }), session: id }
        await auditDone(tx, 'session.tenant', { user: actor, context }, about)
        return 'switched' as const
      })
    },

    async end(id, secretHash, reason, context) {
      const [answer] = await reserved.transaction(db =>
        db.execute<{ elsewhere: boolean }>(sql`
          with ended as (
            update sessions set ended_at = now(), ended_reason = ${reason}
            where id = ${id} and (secret_hash = ${secretHash} or previous_secret_hash = ${secretHash})
              and ended_at is null
            returning user_id
          ), audited as (
            insert into audit_events (action, outcome, actor, subject, session, address, request_id)
            select 'session.ended', 'done', user_id, user_id::text, ${id}::text, ${context.address ?? null},
              ${context.requestId ?? null}
            from ended
          )
          select ${mayLieInRedis(id)} as elsewhere`),
      )
      if (!answer?.elsewhere) return 'ended'
      return { refuse: () => reserved.transaction(tx => refuseUnknown(tx, id, secretHash, reason, context)) }
    },
  }
}

interface Renewed extends Record<string, unknown> {
  readonly now: number
  readonly ends_at: number
}

interface Opened extends Renewed {
  readonly elsewhere: boolean
}

/**
 * The epochs are read by the statement that inserts: a disable or a password change that this snapshot did not see has
 * replaced them by the time it returns, and the new row is dead with the old ones.
 */
function opening(session: NewSession): SQL {
  const { id, secretHash, identity, device, idleSeconds, absoluteSeconds, most, context, replaces } = session
  return sql`
    with opened as (
      insert into sessions (id, user_id, secret_hash, service_epoch, user_epoch, auth_time, amr, acr, ends_at,
        idle_seconds, user_agent, address)
      select ${id}, u.id, ${secretHash}, g.epoch, u.epoch, ${provedAt(identity)}, ${textArray(identity.amr)},
        ${identity.acr},
        now() + ${absoluteSeconds} * interval '1 second', ${idleSeconds}, ${device.userAgent}, ${device.address}
      from service g, users u
      where u.id = ${identity.user} and u.state = 'active' and ${isCurrent(identity)} and ${isEnough(identity)}
      returning ends_at
    ), replaced as (
      update sessions s set ended_at = now(), ended_reason = 'replaced'
      where s.id = ${replaces?.id ?? null} and s.secret_hash = ${replaces?.secretHash ?? null}
        and s.ended_at is null and exists (select from opened)
      returning s.id, s.user_id
    ), crowded as (
      update sessions s set ended_at = now(), ended_reason = 'too-many'
      where s.ended_at is null and exists (select from opened) and s.id in (
        select o.id from sessions o
        where o.user_id = ${identity.user} and o.ended_at is null
          and o.user_epoch = (select epoch from users where id = ${identity.user})
          and (o.id = ${replaces?.id ?? null} and o.secret_hash = ${replaces?.secretHash ?? null}) is not true
        order by o.last_seen_at desc, o.id offset ${most - 1})
      returning s.id, s.user_id, s.ends_at > now() and s.service_epoch = (select epoch from service)
        and s.last_seen_at + s.idle_seconds * interval '1 second' > now() as lived
    ), audited as (
      insert into audit_events (action, outcome, reason, actor, subject, session, address, request_id)
      select what, 'done', why, ${identity.user}::uuid, whose, which, ${context.address ?? null},
        ${context.requestId ?? null}
      from (select 'session.opened', null, ${identity.user}::text, ${id}::text from opened union all
        select 'session.ended', null, user_id::text, id from replaced union all
        select 'session.ended', 'too-many', user_id::text, id from crowded where lived
      ) as done (what, why, whose, which)
    )
    select extract(epoch from now())::float8 as now, floor(extract(epoch from ends_at))::float8 as ends_at,
      ${mayLieInRedis(replaces?.id ?? null)} as elsewhere
    from opened`
}
