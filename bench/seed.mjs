// Ten thousand people with a session each, an application, and one session whose secret the bench knows.
import { createPasswordHasher } from '../dist/login/password-hash.js'
import { readPassword } from '../dist/login/password-policy.js'

const password = 'several unrelated words here'

export const signInBody = index => JSON.stringify({ email: `person${index + 1}@example.com`, password })

export async function seed(sql, credential) {
  const hasher = createPasswordHasher({ concurrency: 1, queueLimit: 1 })
  const phc = await hasher.hash(readPassword(password))
  await sql`insert into applications (client_id, name, audiences) values ('bench', 'Bench', '{bench-api}')`
  await sql`
    insert into users (email, canonical_email, name)
    select 'person' || n || '@example.com', 'person' || n || '@example.com', 'Person ' || n
    from generate_series(1, 10000) n`
  await sql`insert into passwords (user_id, phc) select id, ${phc} from users`
  await sql`
    insert into sessions (id, user_id, secret_hash, service_epoch, user_epoch, amr, acr, ends_at, idle_seconds,
      user_agent, address)
    select translate(left(encode(decode(replace(u.id::text, '-', ''), 'hex'), 'base64'), 22), '+/', '-_'), u.id,
      decode(repeat('ab', 32), 'hex'), g.epoch, u.epoch, '{pwd}', 'aal1', now() + interval '30 days', 604800,
      'bench', '127.0.0.1'
    from users u, service g`
  await sql`
    update sessions set id = ${credential.id}, secret_hash = ${credential.secret.hash()}
    where user_id = (select id from users where canonical_email = 'person1@example.com')`
  await sql`vacuum analyze`
}
