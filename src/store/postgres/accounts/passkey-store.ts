/** Passkeys and their challenges in Postgres. */
import { hash } from 'node:crypto'
import { type SQL, sql } from 'drizzle-orm'
import type { Factor } from '../../../accounts/factors.js'
import type { CredentialDescriptor } from '../../../accounts/passkey-credential.js'
import {
  type ChallengeFor,
  challengeMinutes,
  mostPasskeys,
  type NewPasskey,
  type NotAdded,
  type Passkey,
  type PasskeyStore,
  type RegisterPurpose,
} from '../../../accounts/passkeys.js'
import { type Actor, noRequest } from '../../../audit/events.js'
import type { FactorId, UserId } from '../../../core/principal.js'
import { auditDone } from '../audit/audit-log.js'
import { changeBy } from '../authority/authorized-change.js'
import { Abandon, type Database, type Queries } from '../database.js'
import { textArray } from '../values.js'
import { changeFactors, factorsOf, userHasFactor } from './factor-rows.js'
import { forgive, storeCodes } from './factor-store.js'

interface PasskeyRow extends Passkey, Record<string, unknown> {}
interface DescriptorRow extends CredentialDescriptor, Record<string, unknown> {}

export function postgresPasskeyStore(database: Database): PasskeyStore {
  return {
    of: user => database.read(tx => descriptorsOf(tx, user)),

    find(credentialId) {
      return database.read(async tx => {
        const [row] = await tx.execute<PasskeyRow>(sql`
          select k.id as factor, k.credential_id as id, k.user_id as owner, k.public_key as "publicKey",
            k.counter::float8 as counter, k.backup_eligible as "backupEligible", k.first_step as "firstStep"
          from passkeys k where k.credential_id = ${credentialId}`)
        return row
      })
    },

    begin: (challengeHash, made, by = nobody) => changeBy(database, by, tx => begin(tx, challengeHash, made)),

    take: (challengeHash, made, by = nobody) => changeBy(database, by, tx => take(tx, challengeHash, made)),

    beginRegistration(by, challengeHash, purpose) {
      return changeFactors(database, by, async tx => {
        const all = await descriptorsOf(tx, by.user)
        if (all.length >= mostPasskeys) throw new Abandon('too-many' as const)
        await begin(tx, challengeHash, { purpose, user: by.user, session: by.session })
        return all
      })
    },

    registering(challengeHash, user, session) {
      return database.read(async tx => {
        const [row] = await tx.execute<{ purpose: RegisterPurpose }>(sql`
          select purpose from passkey_challenges
          where challenge_hash = ${challengeHash} and user_id = ${user} and session_id = ${session}
            and purpose in ('register', 'register-first-step') and expires_at > now()`)
        return row?.purpose
      })
    },

    add(by, passkey, { challengeHash, purpose }, codes) {
      const { user, session } = by
      return changeFactors<{ added: Factor; codesStored: boolean } | NotAdded>(database, by, async tx => {
        // The challenge goes with the row that it makes: a refusal leaves it for who tries again.
        if (!(await take(tx, challengeHash, { purpose, user, session })))
          throw new Abandon('no-challenge' as const)
        const had = await userHasFactor(tx, user)
        if ((await descriptorsOf(tx, user)).length >= mostPasskeys) throw new Abandon('too-many' as const)
        if (!(await isTheirs(tx, user, passkey.credential.id))) throw new Abandon('taken' as const)
        const id = await insert(tx, user, passkey)
        if (!id) throw new Abandon('taken' as const)
        if (!had) await storeCodes(tx, user, codes)
        await forgive(tx, user)
        await auditDone(tx, 'factor.added', by.actor, { subject: user })
        const added = (await factorsOf(tx, user)).factors.find(factor => factor.id === id)
        if (!added) throw new Error('an insert left nothing')
        return { added, codesStored: !had }
      })
    },
  }
}

/** What a challenge is bound to, as the row has it. */
function boundTo(made: ChallengeFor) {
  const holder = made.purpose === 'sign-in' ? made.browser : 'pending' in made ? made.pending : null
  return {
    user: 'user' in made ? made.user : null,
    session: 'session' in made ? made.session : null,
    holder,
  }
}

/** A browser that signs in is nobody yet. */
const nobody: Actor = { user: undefined, context: noRequest }

async function begin(tx: Queries, challengeHash: Buffer, made: ChallengeFor): Promise<void> {
  const { user, session, holder } = boundTo(made)
  await tx.execute(sql`
    insert into passkey_challenges (challenge_hash, purpose, user_id, session_id, holder_hash, expires_at)
    values (${challengeHash}, ${made.purpose}, ${user}, ${session}, ${holder},
      now() + ${challengeMinutes} * interval '1 minute')`)
}

async function take(tx: Queries, challengeHash: Buffer, made: ChallengeFor): Promise<boolean> {
  const { user, session, holder } = boundTo(made)
  const taken = await tx.execute(sql`
    delete from passkey_challenges
    where challenge_hash = ${challengeHash} and purpose = ${made.purpose} and expires_at > now()
      and ${same(sql`user_id`, sql`${user}::uuid`)} and ${same(sql`session_id`, sql`${session}::text`)}
      and ${same(sql`holder_hash`, sql`${holder}::bytea`)}
    returning 1`)
  return taken.length === 1
}

const same = (column: SQL, value: SQL): SQL => sql`${column} is not distinct from ${value}`

async function descriptorsOf(tx: Queries, user: UserId): Promise<CredentialDescriptor[]> {
  const rows = await tx.execute<DescriptorRow>(sql`
    select credential_id as id, to_json(transports) as transports from passkeys where user_id = ${user}
    order by created_at, id`)
  return [...rows]
}

/** Of two users at once the second waits for the first, and finds the id taken. */
async function isTheirs(tx: Queries, user: UserId, credentialId: Buffer): Promise<boolean> {
  const credentialHash = hash('sha256', credentialId, 'buffer')
  await tx.execute(sql`insert into passkey_owners (credential_hash, user_id) values (${credentialHash}, ${user})
    on conflict do nothing`)
  const own = await tx.execute(sql`
    select from passkey_owners where credential_hash = ${credentialHash} and user_id = ${user}`)
  return own.length === 1
}

async function insert(
  tx: Queries,
  user: UserId,
  { credential, name, firstStep }: NewPasskey,
): Promise<FactorId | undefined> {
  const { id, publicKey, algorithm, counter, backupEligible, backedUp, transports } = credential
  const [row] = await tx.execute<{ id: FactorId }>(sql`
    insert into passkeys (user_id, credential_id, public_key, algorithm, counter, backup_eligible, backed_up,
      transports, name, first_step)
    values (${user}, ${id}, ${publicKey}, ${algorithm}, ${counter}, ${backupEligible}, ${backedUp},
      ${textArray(transports)}, ${name}, ${firstStep})
    on conflict do nothing returning id`)
  return row?.id
}
