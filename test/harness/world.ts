/** People, sessions, links, applications and tenants put straight into a test's database: quick, and in any state. */
import { randomUUID } from 'node:crypto'
import type postgres from 'postgres'
import { createPasswordHasher } from '../../src/accounts/password-hash.js'
import { NormalisedPassword } from '../../src/accounts/password-policy.js'
import { builtInRoles, platformPermissions } from '../../src/core/authority.js'
import { newSecret } from '../../src/core/secret.js'
import { newServiceCredential, revealServiceCredential } from '../../src/core/service-key.js'
import { newCredential } from '../../src/sessions/credential.js'
import { goodPassword, lightArgon2 } from '../support/service.js'

export interface Person {
  readonly id: string
  readonly email: string
  /** The value of the cookie, and its two halves. */
  readonly cookie: string
  readonly session: string
  readonly secret: string
}

let hashed: Promise<string> | undefined
/** The hash of `goodPassword`, made once: nothing here is about passwords. */
export function goodPhc(): Promise<string> {
  hashed ??= createPasswordHasher({ concurrency: 1, queueLimit: 100, parameters: lightArgon2 }).hash(
    NormalisedPassword.read(goodPassword) as NormalisedPassword,
  )
  return hashed
}

/** A person with `goodPassword` and a live session, who has opened our mail. */
export async function person(sql: postgres.Sql): Promise<Person> {
  const id = randomUUID()
  const email = `${id}@example.com`
  await sql`insert into users (id, email, canonical_email, address_verified_by)
    values (${id}, ${email}, ${email}, 'sign-up')`
  await sql`insert into passwords (user_id, phc) values (${id}, ${await goodPhc()})`
  return { id, email, ...(await session(sql, id)) }
}

/** A person who may use every admin route. */
export async function administrator(sql: postgres.Sql): Promise<Person> {
  const me = await person(sql)
  await sql`update users set platform_roles = '{administrator}' where id = ${me.id}`
  return me
}

/** One more session of a person. */
export async function session(sql: postgres.Sql, user: string) {
  const { id, secret } = newCredential()
  await sql`
    insert into sessions (id, user_id, secret_hash, service_epoch, user_epoch, amr, acr, ends_at, idle_seconds,
      user_agent, address)
    select ${id}, u.id, ${secret.hash()}, g.epoch, u.epoch, '{pwd}', 'aal1', now() + interval '30 days', 604800,
      'test', '127.0.0.1'
    from users u, service g where u.id = ${user}`
  return { cookie: `${id}.${secret.reveal()}`, session: id as string, secret: secret.reveal() }
}

/** A second factor of a user, of whose app nobody has the secret. */
export async function factor(sql: postgres.Sql, user: string): Promise<string> {
  const [row] = await sql`insert into totp_factors (user_id, name, sealed_secret, kek_id, confirmed_at)
    values (${user}, 'Phone', 'x', 'none', now()) returning id`
  return row?.id
}

/** The token of a fresh link to this address. */
export async function link(sql: postgres.Sql, purpose: string, email: string): Promise<string> {
  const token = newSecret()
  await sql`
    insert into mail_links (token_hash, purpose, email, canonical_email, expires_at)
    values (${token.hash()}, ${purpose}, ${email}, ${email}, now() + interval '30 minutes')`
  return token.reveal()
}

/** The token of a fresh invitation of this address into a tenant. */
export async function invitation(sql: postgres.Sql, email: string): Promise<string> {
  const token = newSecret()
  await sql`
    insert into invitations (token_hash, tenant_id, email, canonical_email, role_ids, expires_at)
    values (${token.hash()}, ${await tenant(sql)}, ${email}, ${email}, '{member}', now() + interval '1 day')`
  return token.reveal()
}

/** A provider that nobody can reach. */
export async function provider(sql: postgres.Sql): Promise<string> {
  await sql`insert into providers (id, name, kind, issuer, client_id, sealed_secret, kek_id, scopes)
    values ('silent', 'Silent', 'openid', 'https://silent.example', 'x', 'x', 'none', '{openid}')
    on conflict do nothing`
  return 'silent'
}

/** An account there, linked to a person. */
export async function identity(sql: postgres.Sql, user: string): Promise<string> {
  await provider(sql)
  const [row] = await sql`insert into federated_identities (user_id, provider_id, issuer, subject, label)
    values (${user}, 'silent', 'https://silent.example', ${randomUUID()}, 'somebody') returning id`
  return row?.id
}

export function freshAddress(): string {
  return `${randomUUID()}@example.com`
}

export interface Application {
  readonly clientId: string
  readonly origins?: readonly string[]
  readonly audiences?: readonly string[]
  readonly grants?: readonly string[]
  readonly lifetime?: number
  readonly returnAddresses?: readonly string[]
}

export async function application(sql: postgres.Sql, wanted: Application): Promise<void> {
  const { clientId, origins = [], audiences = ['api'], grants = [], lifetime = 300 } = wanted
  const { returnAddresses = [] } = wanted
  await sql`
    insert into applications (client_id, name, audiences, grants, token_lifetime_seconds, return_addresses)
    values (${clientId}, ${clientId}, ${[...audiences]}, ${[...grants]}, ${lifetime}, ${[...returnAddresses]})`
  for (const origin of origins)
    await sql`insert into application_origins (origin, client_id) values (${origin}, ${clientId})`
}

/** A role of the tenant's own, which permits nothing. */
export const ownRole = '11111111-1111-4111-8111-111111111111'

/** A tenant with the built-in roles, two of its own, `reader` (r1) and `writer` (r2), and one that permits nothing. */
export async function tenant(sql: postgres.Sql): Promise<string> {
  const id = randomUUID()
  const roles = {
    ...builtInRoles,
    [ownRole]: { name: 'guest', permissions: [] },
    r1: { name: 'reader', permissions: ['doc:read'] },
    r2: { name: 'writer', permissions: ['doc:write', 'doc:read'] },
  }
  await sql`insert into tenants (id, name, roles) values (${id}, 'Acme', ${sql.json(roles)})`
  return id
}

export async function member(sql: postgres.Sql, user: string, tenant: string, ...roleIds: string[]) {
  await sql`insert into memberships (user_id, tenant_id, role_ids) values (${user}, ${tenant}, ${roleIds})`
}

/** A person whose session is in the tenant, where they have these roles. */
export async function workingMember(
  sql: postgres.Sql,
  tenant: string,
  ...roleIds: string[]
): Promise<Person> {
  const me = await person(sql)
  await member(sql, me.id, tenant, ...roleIds)
  await sql`update sessions set tenant_id = ${tenant} where id = ${me.session}`
  return me
}

export interface KeyOf {
  readonly scopes?: readonly string[]
  readonly audiences?: readonly string[]
  readonly tenant?: string
  readonly name?: string
  readonly feedMode?: 'required' | 'preferred'
}

/** A service key that works: the key itself, and its public id. */
export async function serviceKey(sql: postgres.Sql, wanted: KeyOf = {}) {
  const { scopes = platformPermissions, audiences = ['api'], tenant = null, name = 'A service' } = wanted
  const { feedMode = null } = wanted
  const credential = newServiceCredential()
  await sql`
    insert into service_keys (id, secret_hash, name, scopes, audiences, tenant_id, feed_mode)
    values (${credential.id}, ${credential.secret.hash()}, ${name}, ${[...scopes]}, ${[...audiences]}, ${tenant},
      ${feedMode})`
  return { id: credential.id as string, key: revealServiceCredential(credential) }
}

/** One hash over every row of every table that a request could change: equal before and after means nothing changed. */
export async function fingerprint(sql: postgres.Sql): Promise<string> {
  const tables = await sql<{ name: string }[]>`
    select table_name as name from information_schema.tables
    where table_schema = 'public' and table_type = 'BASE TABLE' order by 1`
  const parts: string[] = []
  for (const { name } of tables) {
    // An instance numbers what was revoked when it comes to it.
    if (name === 'revocation_feed') continue
    const [row] = await sql.unsafe(`select md5(coalesce(string_agg(r::text, '|' order by r::text), '')) as sum
      from ${name === 'revocations' ? '(select handle, kind from revocations)' : `"${name}"`} r`)
    parts.push(`${name}=${row?.sum}`)
  }
  return parts.join('\n')
}
