/** The statements by which the primary is asked, on connections of their own that pipeline; introspection has its own file. */
import { handlesIn } from '../../core/handle.js'
import type { SessionId } from '../../core/principal.js'
import type { MintQuestion, MintReading, Reading, SessionRow, TokenBasis } from '../../sessions/store.js'
import { isWhole } from './answer.js'
import {
  type ClusterIdentityRow,
  clusterColumns,
  clusterStatement,
  type Seen,
  Trust,
} from './cluster-identity.js'
import { type Address, SharedConnection } from './connection.js'
import { type CheckRow, isSoundCheck, isSoundMint, type MintRow } from './hot-row.js'
import type { Answer } from './row-shape.js'
import { takesWrites } from './service-role.js'

/** Milliseconds. A frozen server holds a check or a mint this long and no longer. */
export const deadlines = { lock: 500, statement: 1500, connect: 1500, caller: 2000 }

/** Two, so that a stall of one does not stop everything. */
const connections = 2

/**
 * One plan for any parameter, made once: planning these joins costs more than running them. It must not depend on
 * how full the tables were at that moment, so only index look-ups are left to choose from.
 */
export const hotSettings = {
  plan_cache_mode: 'force_generic_plan',
  enable_seqscan: 'off',
  enable_hashjoin: 'off',
  enable_mergejoin: 'off',
  jit: 'off',
}

const seconds = (instant: string) => `extract(epoch from ${instant})::float8`

/** `Answer`, from a row `g` of the service. */
export const answer = (asked: string) => `
  ${asked} as asked,
  ${clusterColumns}`

/** Always one row, found or not: with what was asked for, which server answers, and its clock. */
export const columns = (asked: string) => `${answer(asked)},
  ${seconds('now()')} as now,
  s.id is not null as found,
  s.secret_hash,
  s.previous_secret_hash,
  ${seconds('now() - s.secret_changed_at')} as secret_age,
  s.ended_at is not null as ended,
  s.service_epoch = g.epoch and s.user_epoch = u.epoch as epochs_current,
  s.ends_at <= now() as past_absolute,
  s.last_seen_at + s.idle_seconds * interval '1 second' <= now() as past_idle,
  u.state = 'active' as user_active,
  floor(${seconds('s.created_at')}) as created_at,
  floor(${seconds('s.ends_at')}) as ends_at,
  floor(${seconds('s.last_seen_at')}) + s.idle_seconds as idle_ends_at,
  ${seconds('now() - s.last_seen_at')} as last_seen_age,
  s.idle_seconds,
  floor(${seconds('s.auth_time')}) as auth_time,
  to_json(s.amr) as amr,
  s.acr,
  u.id as user_id,
  u.email,
  u.name,
  w.id is not null as tenant_wanted,
  t.id as tenant_id,
  t.name as tenant_name,
  to_json(m.role_ids) as role_ids,
  t.roles`

export function sessionInTable(id: string): string {
  return `sessions s on s.id = ${id}`
}

/** `session` is where the row `s` is: in its table, or in a parameter. */
export const joins = (tenantWanted: string, session = sessionInTable('$1')) => `
  from service g
  left join ${session}
  left join users u on u.id = s.user_id
  left join lateral (select ${tenantWanted} as id) w on true
  left join memberships m on m.user_id = s.user_id and m.tenant_id = w.id and m.state = 'active'
  left join tenants t on t.id = m.tenant_id and t.state = 'active'`

/** A check: one parameter, the session id. */
export const checkStatement = `select ${columns('$1::text')} ${joins('s.tenant_id')} where g.only`

/** The key that signs now. */
export const signingKid = `(select k.kid from signing_keys k
    where k.signs_from <= now() and (k.signs_until is null or k.signs_until > now())
    order by k.signs_from desc limit 1)`

/** Of what a token rests on, beside its session; null where it has no user or no application. */
export const handles = `int8send(g.epoch) || int8send(u.epoch) || int8send(a.version)
    || coalesce(int8send(m.version) || int8send(t.version), '')`

/** A mint: session id, tenant or null, client id, origin or null. */
export const mintStatement = mintStatementFrom(sessionInTable('$1'))

/** `more` are columns of the caller's own. */
export function mintStatementFrom(session: string, more = ''): string {
  return `select ${columns('$1::text')}${more},
  a.client_id is not null as application_found,
  to_json(a.audiences) as audiences,
  ${handles} as handles,
  least(a.token_lifetime_seconds, (select longest_lifetime from key_policy)) as token_lifetime_seconds,
  ${signingKid} as kid
  ${joins('coalesce($2::uuid, s.tenant_id)', session)}
  left join applications a on a.client_id = $3 and a.state = 'enabled' and ($4::text is null or exists
    (select from application_origins o where o.origin = $4 and o.client_id = a.client_id))
  where g.only`
}

export class HotReads {
  readonly #clients: readonly SharedConnection[]
  /** Servers whose system identifier was looked at. One that is new here, or restarted, is looked at first. */
  readonly #examined = new Set<number>()
  readonly #trust: Trust

  constructor(address: Address, trust = new Trust(), count = connections) {
    this.#trust = trust
    const client = () => new SharedConnection({ address, deadlines, settings: hotSettings })
    this.#clients = Array.from({ length: count }, client)
  }

  async read(id: SessionId): Promise<Reading> {
    const row = await this.ask<CheckRow>(id, checkStatement, [id], isSoundCheck)
    return { now: row.now, row: sessionRow(row) }
  }

  async readForMint(id: SessionId, { tenant, client, origin }: MintQuestion): Promise<MintReading> {
    const parameters = [id, tenant ?? null, client, origin ?? null]
    const row = await this.ask<MintRow>(id, mintStatement, parameters, isSoundMint)
    return mintReading(row, sessionRow(row))
  }

  /**
   * Throws `Outage` unless the primary answers on these connections, and `takesWrites` is whether it would take what the
   * service writes. Nothing is written for that: Postgres refuses a change in recovery, in a read-only transaction or
   * without the right to it, and all of these are asked for. Every connection has the settings that this one has.
   */
  async probe(): Promise<{ readonly takesWrites: boolean }> {
    await this.read('' as SessionId)
    const isSound = ({ takes }: { takes: unknown }) => typeof takes === 'boolean'
    const { takes } = await this.#send<{ takes: boolean }>(takesWrites, [], isSound)
    return { takesWrites: takes }
  }

  /** Reads that wait for an answer now. */
  get pending(): number {
    return this.#clients.reduce((sum, client) => sum + client.pending, 0)
  }

  async close(): Promise<void> {
    await Promise.all(this.#clients.map(client => client.close()))
  }

  /** An answer that is not one sound row about what was asked, from the trusted primary, is no answer. */
  async ask<Row extends Answer>(
    asked: string,
    statement: string,
    parameters: (string | null)[],
    isSound: (row: Row) => boolean,
  ) {
    const { highest } = this.#trust
    const row = await this.#send<Row>(statement, parameters, row => row.asked === asked && isSound(row))
    const examined = this.#examined.has(row.server) || (await this.#examine(row.server, highest))
    this.#trust.assert({ ...row, system_trusted: examined }, highest)
    return row
  }

  async #examine(server: number, whenAsked: Seen): Promise<boolean> {
    const row = await this.#send<ClusterIdentityRow>(clusterStatement, [], () => true)
    this.#trust.assert(row, whenAsked)
    if (row.server !== server) return false
    this.#examined.add(server)
    return true
  }

  /** On the connection with the shorter queue. */
  async #send<Row extends object>(
    statement: string,
    parameters: (string | null)[],
    isSound: (row: Row) => boolean,
  ): Promise<Row> {
    const client = this.#clients.reduce((least, other) => (other.pending < least.pending ? other : least))
    const [row] = await client.run(
      sql => sql.unsafe<Row[]>(statement, parameters, { prepare: true }),
      rows => isWhole(rows) && rows.length === 1 && isSound(rows[0] as Row),
    )
    return row as Row
  }
}

export function basisOf({ generation, handles }: Pick<MintRow, 'generation' | 'handles'>): TokenBasis {
  return { generation, handles: handles ? handlesIn(handles) : [] }
}

export function mintReading(row: MintRow, session: SessionRow | undefined): MintReading {
  const application = row.audiences && {
    audiences: row.audiences,
    tokenLifetimeSeconds: row.token_lifetime_seconds,
  }
  return {
    now: row.now,
    row: session,
    application: application ?? undefined,
    kid: row.kid ?? undefined,
    basis: basisOf(row),
  }
}

export function sessionRow(row: CheckRow): SessionRow | undefined {
  if (!row.found) return undefined
  return {
    secretHash: row.secret_hash,
    previousSecretHash: row.previous_secret_hash,
    secretAgeSeconds: row.secret_age,
    ended: row.ended && 'ended',
    epochsCurrent: row.epochs_current,
    pastAbsolute: row.past_absolute,
    pastIdle: row.past_idle,
    userActive: row.user_active,
    createdAt: row.created_at,
    endsAt: row.ends_at,
    idleEndsAt: row.idle_ends_at,
    lastSeenAgeSeconds: row.last_seen_age,
    idleSeconds: row.idle_seconds,
    // 1970 in the column is read as never.
    authTime: row.auth_time > 0 ? row.auth_time : undefined,
    amr: row.amr,
    acr: row.acr,
    user: { id: row.user_id, email: row.email, name: row.name },
    tenant: tenantStanding(row),
  }
}

function tenantStanding(row: CheckRow): SessionRow['tenant'] {
  if (!row.tenant_wanted) return 'none'
  if (row.tenant_id === null) return 'lost'
  return { id: row.tenant_id, name: row.tenant_name, roleIds: row.role_ids, roles: row.roles }
}
