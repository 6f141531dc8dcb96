// People with a session each, a hundred to a tenant in which they hold two roles, and an application. The bench knows
// the secret of a thousand of the sessions.
import { createPasswordHasher } from '../dist/accounts/password-hash.js'
import { readPassword } from '../dist/accounts/password-policy.js'

const password = 'several unrelated words here'

export const signInBody = index => JSON.stringify({ email: `person${index + 1}@example.com`, password })

const sessionsKnown = 1000
const permissions = Array.from({ length: 6 }, (_, index) => `orders:action-${index}`)
const roles = {
  role_sales: { name: 'Sales', permissions: permissions.slice(0, 4) },
  role_support: { name: 'Support', permissions: permissions.slice(2) },
  role_unheld: { name: 'Not held', permissions: ['billing:read'] },
}

/** An application, people and tenants, a hundred people in each, who hold some of its roles. */
export async function seedPeople(sql, people, roles, held) {
  await sql`insert into applications (client_id, name, audiences) values ('bench', 'Bench', '{bench-api}')`
  await sql`
    insert into users (email, canonical_email, name)
    select 'person' || n || '@example.com', 'person' || n || '@example.com', 'Person ' || n
    from generate_series(1, ${people}) n`
  await sql`
    insert into tenants (name, roles)
    select 'Tenant ' || n, ${sql.json(roles)} from generate_series(1, ${Math.ceil(people / 100)}) n`
  await sql`
    insert into memberships (user_id, tenant_id, role_ids)
    select u.id, t.id, ${held}
    from (select id, (row_number() over () - 1) / 100 place from users) u
    join (select id, row_number() over () - 1 place from tenants) t using (place)`
}

/** Answers the cookies of the sessions whose secret is known. */
export async function seed(sql, people, credential) {
  const hasher = createPasswordHasher({ concurrency: 1, queueLimit: 1 })
  const phc = await hasher.hash(readPassword(password))
  await seedPeople(sql, people, roles, ['role_sales', 'role_support'])
  await sql`insert into passwords (user_id, phc) select id, ${phc} from users`
  await sql`
    insert into sessions (id, user_id, tenant_id, secret_hash, service_epoch, user_epoch, amr, acr, ends_at, idle_seconds,
      user_agent, address)
    select translate(left(encode(decode(replace(u.id::text, '-', ''), 'hex'), 'base64'), 22), '+/', '-_'), u.id, m.tenant_id,
      decode(repeat('ab', 32), 'hex'), g.epoch, u.epoch, '{pwd}', 'aal1', now() + interval '30 days', 604800,
      'bench', '127.0.0.1'
    from users u join memberships m on m.user_id = u.id, service g`
  const known = await sql`
    update sessions set secret_hash = ${credential.secret.hash()}
    where id in (select id from sessions order by id limit ${sessionsKnown}) returning id`
  await sql`vacuum analyze`
  return known.map(({ id }) => `__Host-session=${id}.${credential.secret.reveal()}`)
}
