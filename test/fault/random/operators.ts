/** Operators of a random run: they end sessions, disable and enable people, change memberships, and age sessions. */
import { setTimeout } from 'node:timers/promises'
import type { Stage } from '../stage.js'
import type { Chance } from './prng.js'

/** One operator at a time changes memberships and accounts, so that each change has a known predecessor. */
export async function operate(stage: Stage, chance: Chance, until: number): Promise<void> {
  const { operator, people } = stage
  const suspended = new Set<string>()
  while (performance.now() < until) {
    await setTimeout(chance.between(10, 120))
    const { id, tenants } = chance.of(people)
    const tenant = chance.of(tenants)
    const living = stage.livingDevices()
    const target = living.length === 0 ? undefined : chance.of(living).cookie?.id
    await chance.weighted<() => Promise<unknown>>([
      [10, () => operator.changeMembership(id, tenant)],
      [
        3,
        () =>
          operator.changeMembership(id, tenant, suspended.has(`${id}|${tenant}`) ? 'active' : 'suspended'),
      ],
      [4, async () => target && operator.endOne(target)],
      [2, () => operator.endAllOf(id)],
      [0.7, () => operator.endAll()],
      [2, () => disableForAWhile(stage, chance, id)],
    ])()
    await age(stage)
  }
}

async function disableForAWhile({ operator }: Stage, chance: Chance, user: string): Promise<void> {
  await operator.disable(user)
  await setTimeout(chance.between(0, 300))
  await enable()

  /** Until it is confirmed: nobody stays disabled for the rest of the run. */
  async function enable(): Promise<void> {
    for (let tries = 0; tries < 20; tries++) {
      if ((await operator.enable(user)).outcome === 'ok') return
    }
  }
}

/** So long unseen that the next use is worth a touch. */
async function age({ sql, people, cluster }: Stage): Promise<void> {
  // In Redis they are so from the start.
  if (cluster.sessionRedis) return
  await sql`update sessions set last_seen_at = now() - interval '2 hours'
    where id in (select id from sessions where user_id = any(${people.map(({ id }) => id)}::uuid[])
      and ended_at is null and random() < 0.3 for no key update skip locked)`
}
