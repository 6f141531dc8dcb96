// Many sessions of a hundred thousand people at most: live ones all over the table, and a twentieth whose time was over two
// days ago. The bench knows the secret of twenty thousand of the live ones, spread over the whole of it.
import { seedPeople } from './seed.mjs'

const known = 20_000
const roles = { role_sales: { name: 'Sales', permissions: ['orders:read', 'orders:write'] } }

export async function seedGrowth(sql, size, credential) {
  const people = Math.min(size, 100_000)
  await seedPeople(sql, people, roles, ['role_sales'])
  await sql`insert into passwords (user_id, phc) select id, 'none' from users`
  // Ids as random as real ones: the index grows, and is read, in no order.
  await sql`
    insert into sessions (id, user_id, tenant_id, secret_hash, service_epoch, user_epoch, amr, acr, ends_at,
      idle_seconds, user_agent, address, ended_at, ended_reason)
    select translate(left(encode(sha256(convert_to(${credential.id} || u.place || '-' || n, 'utf8')), 'base64'), 21), '+/', '-_') || 'A',
      u.id, u.tenant_id, ${credential.secret.hash()}, g.epoch, u.epoch, '{pwd}', 'aal1',
      now() + case when n % 20 = 7 then interval '-2 days' else interval '29 days' end, 604800,
      'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36', '192.0.2.7',
      case when n % 20 = 7 then now() - interval '2 days' end, case when n % 20 = 7 then 'signed-out' end
    from generate_series(1, ${Math.ceil(size / people)}) n,
      (select u.id, u.epoch, m.tenant_id, row_number() over () as place
        from users u join memberships m on m.user_id = u.id) u, service g
    limit ${size}`
  if (size === people)
    await sql`update sessions set ends_at = now() - interval '2 days', ended_at = now(), ended_reason = 'signed-out'
      where id in (select id from sessions order by id limit ${Math.floor(size / 20)})`
  await sql`vacuum analyze`
  const rows =
    await sql`select id from sessions tablesample bernoulli (${Math.min(100, (known / size) * 130)})
    where ended_at is null limit ${known}`
  const ids = rows.map(({ id }) => id)
  const people20k = await sql`select id from users order by md5(id::text) limit 20000`
  return {
    ids,
    users: people20k.map(({ id }) => id),
    cookies: ids.map(id => `__Host-session=${id}.${credential.secret.reveal()}`),
  }
}
