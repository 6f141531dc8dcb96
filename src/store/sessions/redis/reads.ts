/** A check, a mint and an introspection with the row from Redis: it is read first, then one statement decides on it. */
import { handleOfSecret } from '../../../core/handle.js'
import type { SessionId } from '../../../core/principal.js'
import type { MintQuestion, MintReading, Reading, SessionRow } from '../../../sessions/store.js'
import type { IntrospectionStore } from '../../../tokens/introspection.js'
import {
  columns,
  type HotReads,
  joins,
  mintReading,
  mintStatementFrom,
  sessionRow,
} from '../../postgres/hot-reads.js'
import {
  type CheckRow,
  type IntrospectRow,
  isSoundCheck,
  isSoundIntrospection,
  isSoundMint,
  isSoundRevoked,
  type MintRow,
  type Revoked,
} from '../../postgres/hot-row.js'
import { introspections, introspectStatementFrom } from '../introspections.js'
import type { SessionRows, StoredRow } from './session-rows.js'

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

type Given = CheckRow & Revoked

/** A row of ours that lacks a column is not one to conclude anything from: null is never a no to "is it over?". */
const isSound = (row: Given) => isSoundCheck(row) && isSoundRevoked(row)

export class RedisReads {
  readonly #hot: HotReads
  readonly #rows: SessionRows

  constructor(hot: HotReads, rows: SessionRows) {
    this.#hot = hot
    this.#rows = rows
  }

  async read(id: SessionId): Promise<Reading & { readonly stored: StoredRow | undefined }> {
    const stored = await this.#rows.read(id)
    const row = await this.#hot.ask<Given>(id, checkStatement, [id, ...parametersOf(stored)], isSound)
    return { now: row.now, row: sessionFromRedis(row), stored }
  }

  async readForMint(id: SessionId, { tenant, client, origin }: MintQuestion): Promise<MintReading> {
    const stored = await this.#rows.read(id)
    const asked = [id, tenant ?? null, client, origin ?? null, ...parametersOf(stored)]
    const isSoundHere = (row: Given & MintRow) => isSoundMint(row) && isSoundRevoked(row)
    const row = await this.#hot.ask<Given & MintRow>(id, mintStatement, asked, isSoundHere)
    const reading = mintReading(row, sessionFromRedis(row))
    if (!row.found) return reading
    const { generation, handles } = reading.basis
    // A sign-out while Redis cannot be asked knows the secret alone.
    return { ...reading, basis: { generation, handles: [...handles, handleOfSecret(row.secret_hash)] } }
  }
}

export function redisIntrospections(hot: HotReads, rows: SessionRows): IntrospectionStore {
  return introspections<Given & IntrospectRow>(hot, {
    statement: introspectStatement,
    given: async session => parametersOf(session && (await rows.read(session))),
    isSound: row => isSoundIntrospection(row) && isSoundRevoked(row),
    session: sessionFromRedis,
  })
}

function parametersOf(stored: StoredRow | undefined): [string | null, string | null] {
  return [stored?.row ?? null, stored?.changes ?? null]
}

/** What Postgres says of it stands above what is stored in Redis. */
function sessionFromRedis(row: Given): SessionRow | undefined {
  // Its user was deleted.
  const session = row.user_id === null ? undefined : sessionRow(row)
  if (!session) return undefined
  if (row.revoked_reason === 'renewed')
    return { ...session, ended: 'renewed', secretAgeSeconds: row.revoked_age }
  const over = row.revoked_reason !== null || row.secret_refused || row.over_in_table
  return over ? { ...session, ended: 'ended' } : session
}
