/** The registry of verifiers in Postgres: one statement writes what an instance has seen of all of them. */
import { sql } from 'drizzle-orm'
import type { ServiceKeyId } from '../../../core/principal.js'
import { defaultFeedTerms } from '../../../core/service-key.js'
import type { RegistryReading, Verifier, VerifierStore } from '../../../feed/verifiers.js'
import { auditDone } from '../audit/audit-log.js'
import { changeBy } from '../authority/authorized-change.js'
import type { Database } from '../database.js'
import { feedVerifiers, feedWaits } from '../schema/verifiers.js'
import { exactSecondsOf, inSeconds } from '../values.js'

/** Of one key: who has it cannot fill the table with names that it makes up. */
const mostOfKey = 10_000

interface Row extends Omit<Verifier, 'applied'> {
  readonly generation: number | null
  readonly position: number | null
}

type Reading = Omit<RegistryReading, 'verifiers'> & Record<string, unknown>

const { mode, maxAgeSeconds } = defaultFeedTerms

export function postgresVerifierStore(database: Database): VerifierStore {
  return {
    async write(sightings) {
      // In one order: two instances may write the same rows.
      const sorted = [...sightings].sort((a, b) => (a.key + a.v < b.key + b.v ? -1 : 1))
      const rows = sorted.map(({ key, v, jwks, applied, seenAgo, leftAgo }) => ({
        ...{ key, v, jwks, ...applied },
        ...{ seen_ago: seenAgo, left_ago: leftAgo },
      }))
      await database.transaction(tx =>
        tx.execute(sql`
          insert into feed_verifiers as f (key_id, v, name, mode, max_age_seconds, jwks, generation, position,
            first_seen_at, last_seen_at, left_at)
          select k.id, u.v, k.name, coalesce(k.feed_mode, ${mode}),
            coalesce(k.feed_max_age_seconds, ${maxAgeSeconds}::int), u.jwks, u.generation, u.position,
            now() - u.seen_ago * interval '1 second', now() - u.seen_ago * interval '1 second',
            now() - u.left_ago * interval '1 second'
          from jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb) as u(key text, v text, jwks text,
            generation bigint, position bigint, seen_ago float8, left_ago float8)
          join service_keys k on k.id = u.key
          where (select count(*) from feed_verifiers o where o.key_id = u.key) < ${mostOfKey}
            or exists (select from feed_verifiers o where o.key_id = u.key and o.v = u.v)
          order by k.id, u.v
          on conflict (key_id, v) do update set name = excluded.name, mode = excluded.mode,
            max_age_seconds = excluded.max_age_seconds, jwks = excluded.jwks, generation = excluded.generation,
            position = excluded.position, last_seen_at = excluded.last_seen_at, left_at = excluded.left_at
          where excluded.last_seen_at >= f.last_seen_at - interval '5 milliseconds'`),
      )
    },

    async read() {
      return database.read(async tx => {
        const [reading] = await tx.execute<Reading>(sql`
          select extract(epoch from now())::float8 as now, s.generation::float8 as generation, f.head::float8 as head,
            p.longest_lifetime::int as "longestLifetime"
          from service s, revocation_feed f, key_policy p where s.only and f.only and p.only`)
        if (!reading) throw new Error('the rows of the service are missing')
        const verifiers = await tx
          .select({
            key: sql<ServiceKeyId>`${feedVerifiers.keyId}`,
            v: feedVerifiers.v,
            name: feedVerifiers.name,
            mode: feedVerifiers.mode,
            maxAgeSeconds: feedVerifiers.maxAgeSeconds,
            jwks: feedVerifiers.jwks,
            generation: feedVerifiers.generation,
            position: feedVerifiers.position,
            firstSeenAt: exactSecondsOf(feedVerifiers.firstSeenAt),
            lastSeenAt: exactSecondsOf(feedVerifiers.lastSeenAt),
            leftAt: exactSecondsOf(feedVerifiers.leftAt),
          })
          .from(feedVerifiers)
          .orderBy(feedVerifiers.name, feedVerifiers.keyId, feedVerifiers.v)
        return { ...reading, verifiers: verifiers.map(verifierOf) }
      })
    },

    async givenAt(position) {
      const [row] = await database.read(tx =>
        tx.execute<{ at: number }>(
          sql`select extract(epoch from sequenced_at)::float8 as at from revocations where position = ${position}`,
        ),
      )
      return row?.at
    },

    async announceWait(seconds) {
      await database.transaction(tx => tx.insert(feedWaits).values({ until: inSeconds(seconds) }))
    },

    forget: (key, v, actor) =>
      changeBy(database, actor, async tx => {
        const gone = await tx.execute(
          sql`delete from feed_verifiers where key_id = ${key} and v = ${v} returning name`,
        )
        if (gone.length === 0) return 'unknown'
        await auditDone(tx, 'feed.verifier-forgotten', actor, { subject: `${key}/${v}` })
        return 'removed'
      }),
  }
}

function verifierOf({ generation, position, ...row }: Row): Verifier {
  const applied = generation === null || position === null ? undefined : { generation, position }
  return { ...row, applied }
}
