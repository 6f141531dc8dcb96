/** Sessions in Postgres: the hot reads, and the few statements that open, touch and end a row. */
import { sql } from 'drizzle-orm'
import type { SessionStore } from '../../session/store.js'
import type { Database } from './database.js'
import type { HotReads } from './hot-reads.js'
import { textArray } from './text-array.js'

export function postgresSessionStore(database: Database, hot: HotReads): SessionStore {
  return {
    read: id => hot.read(id),
    readForMint: (id, question) => hot.readForMint(id, question),

    async open({ id, secretHash, identity, device, idleSeconds, absoluteSeconds, occasion, replaces }) {
      // The epochs are read by the statement that inserts: a disable or a password change that this snapshot did not
      // see has replaced them by the time it returns, and the new row is dead with the old ones.
      const rows = await database.write(db =>
        db.execute<{ now: number; ends_at: number }>(sql`
          with opened as (
            insert into sessions (id, user_id, secret_hash, service_epoch, user_epoch, amr, acr, ends_at,
              idle_seconds, user_agent, address)
            select ${id}, u.id, ${secretHash}, g.epoch, u.epoch, ${textArray(identity.amr)}, ${identity.acr},
              now() + ${absoluteSeconds} * interval '1 second', ${idleSeconds}, ${device.userAgent}, ${device.address}
            from service g, users u join passwords p on p.user_id = u.id
            where u.id = ${identity.user} and u.state = 'active' and p.version = ${identity.credential.version}
            returning ends_at
          ), replaced as (
            update sessions s set ended_at = now(), ended_reason = 'replaced'
            where s.id = ${replaces?.id ?? null} and s.secret_hash = ${replaces?.secretHash ?? null}
              and s.ended_at is null and exists (select from opened)
            returning s.id, s.user_id
          ), audited as (
            insert into audit_events (action, outcome, actor, subject, session, address, request_id)
            select what, 'done', ${identity.user}::uuid, whose, which, ${occasion.address ?? null},
              ${occasion.requestId ?? null}
            from (select 'session.opened', ${identity.user}::text, ${id}::text from opened union all
              select 'session.ended', user_id::text, id from replaced) as done (what, whose, which)
          )
          select extract(epoch from now())::float8 as now, floor(extract(epoch from ends_at))::float8 as ends_at
          from opened`),
      )
      const [row] = rows
      return row ? { opened: { now: row.now, endsAt: row.ends_at } } : 'credential-changed'
    },

    async touch(id) {
      await database.write(db =>
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

    async end(id, secretHash, reason, occasion) {
      await database.write(db =>
        db.execute(sql`
          with ended as (
            update sessions set ended_at = now(), ended_reason = ${reason}
            where id = ${id} and (secret_hash = ${secretHash} or previous_secret_hash = ${secretHash})
              and ended_at is null
            returning user_id
          )
          insert into audit_events (action, outcome, actor, subject, session, address, request_id)
          select 'session.ended', 'done', user_id, user_id::text, ${id}::text, ${occasion.address ?? null},
            ${occasion.requestId ?? null}
          from ended`),
      )
    },
  }
}
