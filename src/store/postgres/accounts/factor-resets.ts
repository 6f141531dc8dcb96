/** Resets of second factors in Postgres. */
import { eq, sql } from 'drizzle-orm'
import { type FactorResets, resetDays } from '../../../accounts/factor-resets.js'
import type { Actor } from '../../../audit/events.js'
import { auditDone } from '../audit/audit-log.js'
import { changeTaking } from '../authority/authorized-change.js'
import { Abandon, type Database, type Queries } from '../database.js'
import { replaceEpoch } from '../epochs.js'
import { users } from '../schema/tables.js'
import { inSeconds, secondsOf } from '../values.js'
import { mayHelp } from './above.js'
import { type LockedUser, lockUser } from './address-verification.js'
import { userHasFactor } from './factor-rows.js'
import { removeFactors } from './factor-store.js'

export function postgresFactorResets(database: Database): FactorResets {
  return {
    request(user, delaySeconds, actor) {
      return changeTaking(database, actor, { person: user }, async (tx, held) => {
        const may = await mayHelp(tx, held, user, actor)
        if (may !== 'yes') throw new Abandon(may)
        const person = await lockUser(tx, eq(users.id, user))
        if (!person) throw new Abandon('unknown' as const)
        if (!(await userHasFactor(tx, user))) throw new Abandon('no-factor' as const)
        const { email } = person
        if (delaySeconds === 0) {
          await reset(tx, person, actor)
          return { email, dueAt: null }
        }
        const [row] = await tx.execute<{ due: number }>(sql`
          insert into factor_resets (user_id, due_at) values (${user}, ${inSeconds(delaySeconds)})
          on conflict (user_id) do update set due_at = factor_resets.due_at
          returning ${secondsOf(sql`due_at`)} as due`)
        if (!row) throw new Error('an insert returned nothing')
        await auditDone(tx, 'factors.reset-requested', actor, { subject: user })
        return { email, dueAt: row.due }
      })
    },

    carryOut(user, actor) {
      return database.transaction(async tx => {
        const person = await lockUser(tx, eq(users.id, user))
        const due = await tx.execute(
          sql`select from factor_resets
            where user_id = ${user} and due_at between now() - ${resetDays} * interval '1 day' and now()`,
        )
        if (!person || due.length === 0) throw new Abandon(undefined)
        await reset(tx, person, actor)
        return { email: person.email }
      })
    },

    stop(user, actor) {
      return changeTaking(database, actor, { person: user }, async tx => {
        const person = await lockUser(tx, eq(users.id, user))
        const stopped = await tx.execute(sql`delete from factor_resets where user_id = ${user} returning 1`)
        if (!person || stopped.length === 0) throw new Abandon(undefined)
        await auditDone(tx, 'factors.reset-stopped', actor, { subject: user })
        return { email: person.email }
      })
    },
  }
}

async function reset(tx: Queries, { id }: LockedUser, actor: Actor): Promise<void> {
  await removeFactors(tx, id)
  await replaceEpoch(tx, id)
  await auditDone(tx, 'factors.reset', actor, { subject: id })
}
