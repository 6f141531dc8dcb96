/** One row in every table, by raw SQL: each test changes them and rolls back. */
import { randomBytes, randomUUID } from 'node:crypto'
import type postgres from 'postgres'
import { deadIn, ofId, ofNumber, ofSecret } from './dead.js'

export type Stage = Awaited<ReturnType<typeof stage>>

const id22 = () => randomBytes(16).toString('base64url')
const hash = () => `'\\x${randomBytes(32).toString('hex')}'::bytea`

export const roles = {
  reader: { name: 'Reader', permissions: ['read'] },
  writer: { name: 'Writer', permissions: ['read', 'write'] },
}

/** The rows by their tables: a condition, and the statement that inserts them. */
export async function stage(sql: postgres.Sql) {
  const user = randomUUID()
  const [loner, stranger] = [randomUUID(), randomUUID()]
  const tenant = randomUUID()
  const empty = randomUUID()
  const identity = randomUUID()
  const session = id22()
  const [expired, justExpired, ended] = [id22(), id22(), id22()]
  const [bySecret, byId] = [randomBytes(32), id22()]
  const kid = randomBytes(32).toString('base64url')
  const client = 'shop'
  const bare = 'bare'
  const person = (id: string) =>
    `insert into users (id, email, canonical_email) values ('${id}', '${id}@a.example', '${id}@a.example')`
  const opened = (id: string, more = `now() + interval '1 hour', null, null`) =>
    `insert into sessions (id, user_id, secret_hash, service_epoch, user_epoch, tenant_id, amr, acr, idle_seconds,
      user_agent, address, ends_at, ended_at, ended_reason)
      select '${id}', u.id, ${hash()}, g.epoch, u.epoch, '${tenant}', '{pwd}', 'aal1', 600, 'x', 'x', ${more}
      from users u, service g where u.id = '${user}'`
  const application = (id: string) =>
    `insert into applications (client_id, name, audiences) values ('${id}', 'x', '{api,reports}')`
  const jwk = JSON.stringify({ kty: 'EC', kid })
  const ago = (minutes: number) => `now() - interval '${minutes} minutes', null, null`

  /** Of each table: which row, and the statements that make it and what it stands beside. */
  const rows: Record<string, { where: string; made: string[] }> = {
    users: { where: `id = '${user}'`, made: [user, loner, stranger].map(person) },
    passwords: {
      where: `user_id = '${user}'`,
      made: [`insert into passwords (user_id, phc) values ('${user}', 'x')`],
    },
    totp_factors: {
      where: `user_id = '${user}'`,
      made: [
        `insert into totp_factors (user_id, name, sealed_secret, kek_id, confirmed_at)
          values ('${user}', 'x', 'x', 'x', now())`,
      ],
    },
    passkeys: {
      where: `user_id = '${user}'`,
      made: [
        `insert into passkeys (user_id, credential_id, public_key, algorithm, backup_eligible, backed_up, transports,
          name, first_step) values ('${user}', 'x', 'x', -7, false, false, '{}', 'x', true)`,
      ],
    },
    passkey_owners: {
      where: `user_id = '${user}'`,
      made: [`insert into passkey_owners (credential_hash, user_id) values (${hash()}, '${user}')`],
    },
    passkey_challenges: {
      where: `user_id = '${user}'`,
      made: [
        `insert into passkey_challenges (challenge_hash, purpose, user_id, session_id, expires_at)
          values (${hash()}, 'step-up', '${user}', 'x', now() + interval '5 minutes')`,
      ],
    },
    recovery_codes: {
      where: `user_id = '${user}'`,
      made: [`insert into recovery_codes (user_id, code_hash) values ('${user}', ${hash()})`],
    },
    factor_failures: {
      where: `user_id = '${user}'`,
      made: [`insert into factor_failures (user_id) values ('${user}')`],
    },
    factor_resets: {
      where: `user_id = '${user}'`,
      made: [`insert into factor_resets (user_id, due_at) values ('${user}', now() + interval '1 day')`],
    },
    pending_sign_ins: {
      where: `user_id = '${user}'`,
      made: [
        `insert into pending_sign_ins (secret_hash, user_id, first_step, user_epoch, service_epoch, expires_at)
          values (${hash()}, '${user}', '{}', 1, 1, now() + interval '10 minutes')`,
      ],
    },
    tenants: {
      where: `id = '${tenant}'`,
      made: [tenant, empty].map(
        id =>
          `insert into tenants (id, name, roles) values ('${id}', 'x', '${JSON.stringify(roles)}'::jsonb)`,
      ),
    },
    memberships: {
      where: `user_id = '${user}' and tenant_id = '${tenant}'`,
      made: [
        `insert into memberships (user_id, tenant_id, role_ids) values ('${user}', '${tenant}', '{reader,writer}')`,
        `insert into memberships (user_id, tenant_id, role_ids) values ('${stranger}', '${tenant}', '{reader}')`,
      ],
    },
    invitations: {
      where: `tenant_id = '${tenant}'`,
      made: [
        `insert into invitations (token_hash, tenant_id, email, canonical_email, role_ids, expires_at)
          values (${hash()}, '${tenant}', 'x', 'x', '{reader}', now() + interval '1 day')`,
      ],
    },
    sessions: {
      where: `id = '${session}'`,
      made: [
        opened(session),
        opened(expired, ago(3)),
        opened(justExpired, ago(1)),
        opened(ended, `now() + interval '1 hour', now(), 'signed-out'`),
      ],
    },
    applications: { where: `client_id = '${client}'`, made: [client, bare].map(application) },
    application_origins: {
      where: `origin = 'https://shop.example'`,
      made: [
        `insert into application_origins (origin, client_id)
          values ('https://shop.example', '${client}'), ('https://www.shop.example', '${client}')`,
      ],
    },
    service_keys: {
      where: `id = '${id22()}'`,
      made: [],
    },
    mail_links: {
      where: 'true',
      made: [
        `insert into mail_links (token_hash, purpose, email, canonical_email, expires_at)
          values (${hash()}, 'sign-up', 'x', 'x', now() + interval '1 hour')`,
      ],
    },
    signing_keys: {
      where: `kid = '${kid}'`,
      made: [
        `insert into signing_keys (kid, public_jwk, sealed, kek_id, exempt)
          values ('${kid}', '${jwk}', '\\x00', 'first', 'recovery')`,
      ],
    },
    audit_events: {
      where: 'true',
      made: [`insert into audit_events (action, outcome) values ('x', 'done')`],
    },
    revoked_sessions: {
      where: `id = '${byId}'`,
      made: [
        `insert into revoked_sessions (id, secret_hash, reason, until)
          values ('${byId}', '\\x${bySecret.toString('hex')}', 'signed-out', now() + interval '1 day')`,
      ],
    },
    idempotent_answers: {
      where: 'true',
      made: [
        `insert into idempotent_answers (caller, key, request_hash, answer) values ('x', 'x', '', '{}')`,
      ],
    },
    providers: {
      where: `id = 'acme'`,
      made: [
        `insert into providers (id, name, kind, issuer, client_id, sealed_secret, kek_id, scopes)
          values ('acme', 'Acme', 'openid', 'https://acme.example', 'x', '', 'first', '{openid}')`,
      ],
    },
    federated_identities: {
      where: `id = '${identity}'`,
      made: [
        `insert into federated_identities (id, user_id, provider_id, issuer, subject, label)
          values ('${identity}', '${user}', 'acme', 'https://acme.example', 'x', 'x')`,
      ],
    },
    federation_flows: {
      where: 'true',
      made: [
        `insert into federation_flows (state_hash, browser_hash, provider_id, purpose, user_id, expires_at)
          values (${hash()}, ${hash()}, 'acme', 'link', '${user}', now() + interval '1 hour')`,
      ],
    },
    federated_sessions: {
      where: `session_id = '${session}'`,
      made: [
        `insert into federated_sessions (session_id, identity_id, provider_id, issuer, subject, ends_at)
          values ('${session}', '${identity}', 'acme', 'https://acme.example', 'x', now() + interval '1 hour')`,
      ],
    },
    provider_logouts: {
      where: 'true',
      made: [
        `insert into provider_logouts (issuer, jti, subject, issued_at) values ('https://acme.example', 'x', 'x', now())`,
      ],
    },
    // The migrations made their one row.
    service: { where: '"only"', made: [] },
    key_policy: { where: '"only"', made: [] },
    revocation_feed: { where: '"only"', made: [] },
    // Of the row above, which is one of revoked_sessions.
    revocations: { where: `session = '${byId}' and kind = 'session'`, made: [] },
  }
  const key = id22()
  rows.service_keys = {
    where: `id = '${key}'`,
    made: [
      `insert into service_keys (id, secret_hash, name, scopes) values ('${key}', ${hash()}, 'x', '{}')`,
    ],
  }
  rows.feed_verifiers = {
    where: `key_id = '${key}'`,
    made: [
      `insert into feed_verifiers (key_id, v, name, mode, max_age_seconds, generation, position, first_seen_at, last_seen_at)
        values ('${key}', 'x', 'x', 'preferred', 15, 1, 1, now(), now())`,
    ],
  }
  rows.feed_waits = { where: 'true', made: [`insert into feed_waits (until) values (now())`] }

  const insertedDead: Record<string, string[]> = {}
  for (const [table, { made }] of Object.entries(rows))
    insertedDead[table] = await deadIn(sql, async () => {
      for (const statement of made) await sql.unsafe(statement)
    })

  const one = async (column: string, table: string, where: string) => {
    const [row] = await sql.unsafe<{ value: string }[]>(
      `select ${column}::text as value from ${table} where ${where}`,
    )
    return ofNumber(row?.value ?? '')
  }
  /** What was in the rows before anybody changed them, as `kind handle`. */
  const old = {
    user: `user ${await one('epoch', 'users', `id = '${user}'`)}`,
    loner: `user ${await one('epoch', 'users', `id = '${loner}'`)}`,
    service: `service ${await one('epoch', 'service', 'true')}`,
    tenant: `tenant ${await one('version', 'tenants', `id = '${tenant}'`)}`,
    empty: `tenant ${await one('version', 'tenants', `id = '${empty}'`)}`,
    membership: `membership ${await one('version', 'memberships', `user_id = '${user}'`)}`,
    stranger: `membership ${await one('version', 'memberships', `user_id = '${stranger}'`)}`,
    application: `application ${await one('version', 'applications', `client_id = '${client}'`)}`,
    bare: `application ${await one('version', 'applications', `client_id = '${bare}'`)}`,
    session: `session ${ofId(session)}`,
    justExpired: `session ${ofId(justExpired)}`,
    key: `key ${ofId(kid)}`,
    listed: [`session ${ofId(byId)}`, `secret ${ofSecret(bySecret)}`],
  }
  return {
    ...{
      user,
      loner,
      stranger,
      tenant,
      empty,
      session,
      expired,
      justExpired,
      ended,
      byId,
      kid,
      client,
      bare,
    },
    ...{ rows, old, insertedDead },
  }
}
