/** What must hold of a session, wherever its row is: as conditions on a row `s` of type `sessions`. */
import { sql } from 'drizzle-orm'
import type { UserId } from '../../core/principal.js'
import { lockAlone } from '../postgres/advisory-locks.js'
import type { Queries } from '../postgres/database.js'

/** What must hold of a row `s` so that it may be used now. */
export const isLive = sql`s.ended_at is null and s.ends_at > now()
  and s.last_seen_at + s.idle_seconds * interval '1 second' > now()`

/** Joined to a row `s`: only one whose epochs its user, who is active, and the service still have. */
export const ofTheLiving = sql`
  join users u on u.id = s.user_id and u.epoch = s.user_epoch and u.state = 'active'
  join service g on g.epoch = s.service_epoch`

/** Sign-ins of one user come one after the other: each counts the sessions that were opened before it. */
export const lockOpenings = (tx: Queries, user: UserId) => lockAlone(tx, 'openings', user)
