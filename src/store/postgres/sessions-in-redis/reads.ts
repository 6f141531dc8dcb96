/** A check, a mint and an introspection with the row from Redis: it is read first, then one statement decides on it. */
import type { SessionId } from '../../../principal.js'
import type { MintQuestion, MintReading, Reading, SessionRow } from '../../../session/store.js'
import type { IntrospectionStore } from '../../../token/introspection.js'
import type { SessionRows, StoredRow } from '../../redis/session-rows.js'
import {
  type CheckRow,
  columns,
  type HotReads,
  joins,
  type MintRow,
  mintReading,
  mintStatementFrom,
  sessionRow,
} from '../hot-reads.js'
import {
  type IntrospectRow,
  introspectQuestion,
  introspectReading,
  introspectStatementFrom,
} from '../introspect-read.js'
import type { SessionEnd } from '../schema-columns.js'

/** The row `s` from two parameters, what was revoked of it, and the row of this id in the table, if sessions moved. */
const sessionGiven = (id: string, row: string, changes: string) => `lateral (
    select given.* from jsonb_populate_record(null::sessions, ${row}::text::jsonb || ${changes}::text::jsonb) given
    where given.id = ${id}) s on true
  left join revoked_sessions r on r.id = s.id
  left join sessions o on o.id = s.id`

const more = `,
  r.reason as revoked_reason,
  extract(epoch from now() - r.revoked_at)::float8 as revoked_age,
  exists (select from revoked_sessions h where h.secret_hash = s.secret_hash) as secret_refused,
  coalesce(o.ended_at is not null or o.secret_hash <> s.secret_hash, false) as over_in_table`

const checkStatement = `select ${columns('$1::text')}${more}
  ${joins('s.tenant_id', sessionGiven('$1', '$2', '$3'))} where g.only`

const mintStatement = mintStatementFrom(sessionGiven('$1', '$5', '$6'), more)

const introspectStatement = introspectStatementFrom(sessionGiven('$2', '$6', '$7'), more)

interface Given extends CheckRow {
  readonly revoked_reason: SessionEnd | null
  readonly revoked_age: number
  readonly secret_refused: boolean
  readonly over_in_table: boolean
}

export class RedisReads {
  readonly #hot: HotReads
  readonly #rows: SessionRows

  constructor(hot: HotReads, rows: SessionRows) {
    this.#hot = hot
    this.#rows = rows
  }

  async read(id: SessionId): Promise<Reading & { readonly stored: StoredRow | undefined }> {
    const stored = await this.#rows.read(id)
    const row = await this.#hot.ask<Given>(id, checkStatement, [id, ...parametersOf(stored)])
    return { now: row.now, row: sessionFromRedis(row), stored }
  }

  async readForMint(id: SessionId, { tenant, client, origin }: MintQuestion): Promise<MintReading> {
    const stored = await this.#rows.read(id)
    const asked = [id, tenant ?? null, client, origin ?? null, ...parametersOf(stored)]
    const row = await this.#hot.ask<Given & MintRow>(id, mintStatement, asked)
    return mintReading(row, sessionFromRedis(row))
  }
}

export function redisIntrospections(hot: HotReads, rows: SessionRows): IntrospectionStore {
  return {
    async read(question) {
      const { session } = question.token ?? {}
      const stored = session && (await rows.read(session))
      const { asked, parameters } = introspectQuestion(question)
      const all = [...parameters, ...parametersOf(stored)]
      const row = await hot.ask<Given & IntrospectRow>(asked, introspectStatement, all)
      return introspectReading(row, sessionFromRedis(row))
    },
  }
}

function parametersOf(stored: StoredRow | undefined): [string | null, string | null] {
  return [stored?.row ?? null, stored?.changes ?? null]
}

/** What Postgres says of it stands above what lies in Redis. */
function sessionFromRedis(row: Given): SessionRow | undefined {
  const session = isWhole(row) ? sessionRow(row) : undefined
  if (!session) return undefined
  if (row.revoked_reason === 'renewed')
    return { ...session, ended: 'renewed', secretAgeSeconds: row.revoked_age }
  const over = row.revoked_reason !== null || row.secret_refused || row.over_in_table
  return over ? { ...session, ended: 'ended' } : session
}

/** No column of the row may be missing, and so none of what is concluded from them: null is never a no to "is it over?". */
function isWhole(row: Given): boolean {
  if (!row.found || row.user_id === null) return false
  const { secret_hash, epochs_current, past_absolute, past_idle, auth_time, acr, amr } = row
  const needed = [secret_hash, epochs_current, past_absolute, past_idle, auth_time, acr, amr]
  return needed.every(value => value !== null && value !== undefined)
}
