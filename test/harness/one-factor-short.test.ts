/** Every way to a session, for accounts that have a second factor: none opens or renews one that rests on less. */
import { type Test, test } from 'tap'
import { redisServer, skipWithoutRedis } from '../support/redis.js'
import { type Way, type WaysWorld, ways, waysWorld } from './ways.js'

/** When an account gets its factor: as it is made, or as soon as its first session is opened. */
const moments = {
  'from its first moment': `
    create function enrol() returns trigger language plpgsql as $$ begin
      insert into totp_factors (user_id, name, sealed_secret, kek_id, confirmed_at)
        values (new.id, 'Phone', 'x', 'none', now());
      return new;
    end $$;
    create trigger enrol after insert on users for each row execute function enrol()`,
  'from its first session on': `
    create function enrol() returns trigger language plpgsql as $$ begin
      if new.action = 'session.opened' and new.outcome = 'done' then
        insert into totp_factors (user_id, name, sealed_secret, kek_id, confirmed_at)
          select new.actor, 'Phone', 'x', 'none', now()
          where not exists (select from totp_factors f where f.user_id = new.actor);
      end if;
      return new;
    end $$;
    create trigger enrol after insert on audit_events for each row execute function enrol()`,
} as const

const stores = [
  ['Postgres', false, async () => ({})],
  [
    'Redis',
    skipWithoutRedis,
    async (t: Test) => {
      const redis = await redisServer(t)
      redis.start()
      await redis.ready()
      return { SESSION_STORE: 'redis', REDIS_URL: redis.url, MINTMARK_SESSION_REDIS_UNSAFE: 'accepted' }
    },
  ],
] as const

/** How many sessions each user has opened, and how many were renewed by a proof. */
async function doneBy(world: WaysWorld) {
  return world.service.database.sql<{ action: string; actor: string; count: number }[]>`
    select action, actor, count(*)::int as count from audit_events
    where outcome = 'done' and action in ('session.opened', 'session.stepped-up') group by 1, 2`
}

for (const [store, skip, env] of stores)
  for (const [moment, trigger] of Object.entries(moments))
    test(`sessions in ${store}: no way opens one for an account that has a factor ${moment}`, {
      skip,
    }, async t => {
      const world = await waysWorld(t, { env: await env(t) })
      const { sql } = world.service.database
      await sql.unsafe(trigger)
      const first = moment === 'from its first session on' ? 1 : 0
      for (const way of ways) {
        // One that the harness itself puts into the table rests on nothing.
        if (way.inTable) continue
        await sql`delete from users`
        await sql`alter table audit_events disable trigger user`
        await sql`delete from audit_events`
        await sql`alter table audit_events enable trigger user`
        await walk(world, way)
        for (const { action, actor, count } of await doneBy(world)) {
          const may = action === 'session.opened' ? first : 0
          if (await isStrong(world, way, actor)) continue
          t.ok(count <= may, `${way.way}: ${action} ${count}`)
        }
      }
    })

/** It may fail anywhere: what it has done by then counts. */
async function walk(world: WaysWorld, way: Way): Promise<void> {
  await way.go(world).catch(() => {})
}

/** What a provider said stands for a second factor, because the operator says so, or a code was proved. */
async function isStrong({ service }: WaysWorld, { acr }: Way, user: string): Promise<boolean> {
  if (acr !== 'aal2') return false
  const [row] = await service.database.sql`select from users where id = ${user}`
  return row !== undefined
}

test('the triggers do what they say: without a factor every way opens a session', async t => {
  const world = await waysWorld(t)
  for (const way of ways) {
    if (way.inTable) continue
    await way.go(world)
    const opened = (await doneBy(world)).length
    t.ok(opened > 0, way.way)
  }
})
