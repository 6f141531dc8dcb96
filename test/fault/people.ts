/** People, tenants, memberships and sessions put straight into the tables: new ones for each run. */
import { createHash, randomUUID } from 'node:crypto'
import { hash } from '@node-rs/argon2'
import type postgres from 'postgres'
import { newCredential } from '../../src/sessions/credential.js'
import type { SessionRows } from '../../src/store/sessions/redis/session-rows.js'
import type { History } from './history.js'

export interface Person {
  readonly id: string
  readonly email: string
  /** What the password may be now: more than one after a change whose outcome is unknown. */
  passwords: string[]
  /** The tenants that this person is in. */
  readonly tenants: readonly string[]
}

export interface SeededSession {
  readonly id: string
  readonly cookie: string
}

const firstPassword = 'several unrelated words here'

let hashed: Promise<string> | undefined
function phc(): Promise<string> {
  // As the service would: argon2id with 19 MiB and two passes.
  hashed ??= hash(firstPassword, { algorithm: 2, memoryCost: 19_456, timeCost: 2, parallelism: 1 })
  return hashed
}

/** With a first password that only this person has, in what the checker sees: it knows passwords by name. */
export async function person(sql: postgres.Sql, tenants: readonly string[] = []): Promise<Person> {
  const id = randomUUID()
  const email = `${id}@example.com`
  await sql`insert into users (id, email, canonical_email) values (${id}, ${email}, ${email})`
  await sql`insert into passwords (user_id, phc) values (${id}, ${await phc()})`
  for (const tenant of tenants) {
    await sql`insert into memberships (user_id, tenant_id, role_ids) values (${id}, ${tenant}, '{v0}')`
  }
  return { id, email, passwords: [firstPassword], tenants }
}

/** Versions of a membership are roles: `v0` is the first, and each change sets the next. */
export async function tenant(sql: postgres.Sql, versions = 400): Promise<string> {
  const id = randomUUID()
  const roles = Object.fromEntries(
    Array.from({ length: versions }, (_, version) => [
      `v${version}`,
      { name: `v${version}`, permissions: [] },
    ]),
  )
  await sql`insert into tenants (id, name, roles) values (${id}, 'Acme', ${sql.json(roles)})`
  return id
}

/** A live session; the history hears of it as of one whose beginning nobody watched. */
export async function session(
  sql: postgres.Sql,
  { id: user, passwords }: Person,
  {
    history,
    tenant,
    rows,
    acr = 'aal1',
  }: { history?: History; tenant?: string; rows?: SessionRows; acr?: 'aal1' | 'aal2' } = {},
): Promise<SeededSession> {
  const { id, secret } = newCredential()
  const start = performance.now()
  if (rows) await inRedis(rows)
  else
    await sql`
    insert into sessions (id, user_id, secret_hash, service_epoch, user_epoch, tenant_id, amr, acr, ends_at,
      idle_seconds, user_agent, address)
    select ${id}, u.id, ${secret.hash()}, g.epoch, u.epoch, ${tenant ?? null}, '{pwd}', ${acr},
      now() + interval '30 days', 604800, 'fault suite', '192.0.2.1'
    from users u, service g where u.id = ${user}`
  history?.add({
    client: 'the tables',
    op: 'seeded',
    start,
    end: performance.now(),
    outcome: 'ok',
    user,
    facts: { opened: id, password: passwordName(user, passwords[0] ?? '') },
  })
  return { id, cookie: `${id}.${secret.reveal()}` }

  /** So long unseen that the first use is worth a touch. */
  async function inRedis(rows: SessionRows): Promise<void> {
    const [row] = await sql<{ row: string; seen: string }[]>`
      select jsonb_strip_nulls(jsonb_build_object('id', ${id}::text, 'user_id', u.id,
          'secret_hash', ${secret.hash()}::bytea, 'secret_changed_at', now(), 'service_epoch', g.epoch,
          'user_epoch', u.epoch, 'tenant_id', ${tenant ?? null}::uuid, 'auth_time', now(), 'amr', '["pwd"]'::jsonb,
          'acr', ${acr}::text, 'created_at', now(), 'ends_at', now() + interval '30 days', 'idle_seconds', 604800,
          'user_agent', 'fault suite', 'address', '192.0.2.1'))::text as row,
        to_char(now() at time zone 'UTC' - interval '2 hours', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as seen
      from users u, service g where u.id = ${user}`
    if (!row) throw new Error(`there is no person ${user}`)
    await rows.write({ id, user, ...row, now: 0, endsAt: 30 * 86_400_000 })
  }
}

/** People may have equal passwords; in a history each has names of its own for them. */
export function passwordName(user: string, password: string): string {
  return createHash('sha256').update(`${user} ${password}`).digest('base64url').slice(0, 8)
}

/** Everyone's sessions that a check would let in, by the tables. */
export async function livingSessions(sql: postgres.Sql, users: readonly string[]): Promise<Set<string>> {
  const rows = await sql<{ id: string }[]>`
    select s.id from sessions s join users u on u.id = s.user_id cross join service g
    where s.user_id = any(${[...users]}::uuid[]) and u.state = 'active' and s.user_epoch = u.epoch
      and s.service_epoch = g.epoch and s.ended_at is null and s.ends_at > now()
      and s.last_seen_at + s.idle_seconds * interval '1 second' > now()`
  return new Set(rows.map(({ id }) => id))
}
