/** The statement of introspection: who asks and what is asked about, as both are in one moment. */
import type { SessionId } from '../../core/principal.js'
import type { KeyRow } from '../../core/service-key.js'
import type { SessionRow } from '../../sessions/store.js'
import type { IntrospectionReading, IntrospectionStore, PublishedKey } from '../../tokens/introspection.js'
import { basisOf, columns, type HotReads, handles, joins } from '../postgres/hot-reads.js'
import type { IntrospectRow } from '../postgres/hot-row.js'

/** How a store of sessions takes part in it. */
export interface Source<Row extends IntrospectRow> {
  readonly statement: string
  /** Parameters behind those of the question, where the row lies elsewhere. */
  readonly given: (session: SessionId | undefined) => Promise<readonly (string | null)[]>
  readonly isSound: (row: Row) => boolean
  readonly session: (row: Row) => SessionRow | undefined
}

export function introspections<Row extends IntrospectRow>(
  hot: HotReads,
  { statement, given, isSound, session }: Source<Row>,
): IntrospectionStore {
  return {
    async read({ key, token }) {
      const about = [token?.session, token?.tenant, token?.client, token?.kid].map(value => value ?? null)
      const parameters = [key, ...about, ...(await given(token?.session))]
      const row = await hot.ask<Row>(`${key} ${token?.session ?? '-'}`, statement, parameters, isSound)
      return introspectReading(row, session(row))
    },
  }
}

/**
 * Its parameters are the key that asks; then the token's session, tenant, client and kid, each null where there is not one.
 * `session` is where the row `s` is, `more` are columns of the caller's own.
 */
export function introspectStatementFrom(session: string, more = ''): string {
  return `select ${columns(`$1::text || ' ' || coalesce($2, '-')`)}${more},
  k.id is not null as key_found,
  k.secret_hash as key_hash,
  k.revoked_at is not null as key_revoked,
  coalesce(k.expires_at <= now(), false) as key_expired,
  to_json(k.scopes) as key_scopes,
  to_json(k.audiences) as key_audiences,
  k.tenant_id as key_tenant,
  coalesce(kt.state = 'active', false) as key_tenant_active,
  coalesce(k.last_used_at <= now() - interval '1 minute', true) as key_use_due,
  a.client_id is not null as application_found,
  to_json(a.audiences) as audiences,
  ${handles} as handles,
  j.kid is not null as jwk_found,
  j.public_jwk,
  floor(extract(epoch from j.signs_from))::float8 as signs_from,
  ceil(extract(epoch from j.signs_until))::float8 as signs_until
  ${joins('$3::uuid', session)}
  left join service_keys k on k.id = $1
  left join tenants kt on kt.id = k.tenant_id
  left join applications a on a.client_id = $4 and a.state = 'enabled'
  left join signing_keys j on j.kid = $5 and (j.unpublished_at is null or j.unpublished_at > now())
  where g.only`
}

function introspectReading(row: IntrospectRow, session: SessionRow | undefined): IntrospectionReading {
  return {
    now: row.now,
    row: session,
    key: keyRow(row),
    application: row.audiences ? { audiences: row.audiences } : undefined,
    publishedKey: publishedKey(row),
    basis: basisOf(row),
  }
}

function publishedKey({
  public_jwk: publicJwk,
  signs_from,
  signs_until,
}: IntrospectRow): PublishedKey | undefined {
  return publicJwk ? { publicJwk, from: signs_from ?? undefined, until: signs_until ?? undefined } : undefined
}

function keyRow(row: IntrospectRow): KeyRow | undefined {
  if (!row.key_found) return undefined
  return {
    secretHash: row.key_hash,
    revoked: row.key_revoked,
    expired: row.key_expired,
    scopes: row.key_scopes,
    audiences: row.key_audiences,
    tenant: row.key_tenant,
    tenantActive: row.key_tenant_active,
    useDue: row.key_use_due,
  }
}
