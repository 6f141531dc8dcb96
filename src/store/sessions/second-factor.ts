/** Whether a user owes a second factor, and using one up: part of the transaction that opens or renews their session. */
import { type SQL, sql } from 'drizzle-orm'
import { counterHasRegressed } from '../../accounts/passkey-credential.js'
import type { RequestContext } from '../../audit/events.js'
import type { FactorProof, Identity, PasskeyUse, UserId } from '../../core/principal.js'
import type { NotOpened, NotRenewed } from '../../sessions/store.js'
import { hasFactor } from '../postgres/accounts/factor-rows.js'
import { auditDone } from '../postgres/audit/audit-log.js'
import type { Queries } from '../postgres/database.js'
import { isCurrent } from './current-credential.js'

/** Of the user in a row `u`: nobody who has a second factor is let in without one, whatever the way. */
export function isEnough({ acr }: Identity): SQL {
  return acr === 'aal2' ? sql`true` : sql`not ${hasFactor(sql`u.id`)}`
}

/** All else is as it must be: the factor it is. It may have been removed since then. */
export async function whyNotOpened(tx: Queries, identity: Identity): Promise<NotOpened> {
  const rest = identity.acr !== 'aal2' && (await isOne(tx, identity, sql`true`))
  return rest ? 'second-factor-required' : 'credential-changed'
}

export async function whyNotRenewed(tx: Queries, identity: Identity): Promise<NotRenewed> {
  const owes = identity.acr !== 'aal2' && (await isOne(tx, identity, hasFactor(sql`u.id`)))
  return owes ? 'second-factor-required' : 'superseded'
}

async function isOne(tx: Queries, identity: Identity, more: SQL): Promise<boolean> {
  const found = await tx.execute(sql`
    select from users u
    where u.id = ${identity.user} and u.state = 'active' and ${isCurrent(identity)} and ${more}`)
  return found.length === 1
}

/** False: another has used it, or it is no longer good. Then nothing of the transaction may be kept. */
export async function useSecondFactor(
  tx: Queries,
  { user, second }: Identity,
  context: RequestContext,
): Promise<boolean> {
  if (!second) return true
  if (second.pending && !(await usePending(tx, user, second.pending))) return false
  return useProof(tx, user, second.proof, context)
}

/** It carries the epochs of when it was begun: what has ended the sessions since has ended it too. */
async function usePending(tx: Queries, user: UserId, hash: Buffer): Promise<boolean> {
  const used = await tx.execute(sql`
    delete from pending_sign_ins p using users u, service g
    where p.secret_hash = ${hash} and p.user_id = ${user} and p.expires_at > now()
      and u.id = p.user_id and u.epoch = p.user_epoch and g.epoch = p.service_epoch
    returning 1`)
  return used.length === 1
}

async function useProof(
  tx: Queries,
  user: UserId,
  proof: FactorProof,
  context: RequestContext,
): Promise<boolean> {
  if (!(await isUsed(tx, user, proof, context))) return false
  await tx.execute(sql`delete from factor_failures where user_id = ${user}`)
  // A recovery code is what is left to who has lost the factors.
  if (proof.kind !== 'recovery-code') await tx.execute(sql`delete from factor_resets where user_id = ${user}`)
  return true
}

async function isUsed(
  tx: Queries,
  user: UserId,
  proof: FactorProof,
  context: RequestContext,
): Promise<boolean> {
  if (proof.kind === 'passkey') return usePasskey(tx, user, proof, context)
  const used =
    proof.kind === 'totp'
      ? await tx.execute(sql`
          update totp_factors set last_step = ${proof.step}, last_used_at = now(),
            last_used_address = ${context.address ?? null}
          where id = ${proof.factor} and user_id = ${user} and confirmed_at is not null and last_step < ${proof.step}
          returning 1`)
      : await tx.execute(sql`
          update recovery_codes set used_at = now()
          where user_id = ${user} and code_hash = ${proof.hash} and used_at is null and ${hasFactor(user)}
          returning 1`)
  return used.length === 1
}

/** A counter that has regressed is recorded, and nobody is refused for it. Compared under the row's lock: of two at once one is the later. */
async function usePasskey(
  tx: Queries,
  user: UserId,
  { factor, counter, backedUp }: PasskeyUse,
  context: RequestContext,
): Promise<boolean> {
  const [before] = await tx.execute<{ counter: number }>(sql`
    select counter::float8 as counter from passkeys where id = ${factor} and user_id = ${user} for update`)
  if (!before) return false
  await tx.execute(sql`
    update passkeys set counter = greatest(counter, ${counter}), backed_up = ${backedUp}, last_used_at = now(),
      last_used_address = ${context.address ?? null}
    where id = ${factor}`)
  if (counterHasRegressed(before.counter, counter))
    await auditDone(tx, 'passkey.counter-regressed', { user, context }, { subject: factor })
  return true
}
