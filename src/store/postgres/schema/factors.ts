/** The tables of second factors: authenticator apps, passkeys, recovery codes, wrong codes, and sign-ins that still need one. */
import { sql } from 'drizzle-orm'
import {
  bigint,
  boolean,
  check,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  uuid,
} from 'drizzle-orm/pg-core'
import type { ChallengePurpose } from '../../../accounts/passkeys.js'
import type { FirstStep } from '../../../accounts/pending-sign-ins.js'
import { bytea, instant } from './columns.js'
import { users } from './tables.js'

const userId = () =>
  uuid('user_id')
    .notNull()
    .references(() => users.id, { onDelete: 'cascade' })

/** Authenticator apps (RFC 6238): of each user at most one that is confirmed, and one that is being set up. */
export const totpFactors = pgTable(
  'totp_factors',
  {
    id: uuid('id').primaryKey().defaultRandom(),
    userId: userId(),
    name: text('name').notNull(),
    /** Sealed for this user and this purpose: it must be read back. */
    sealedSecret: bytea('sealed_secret').notNull(),
    kekId: text('kek_id').notNull(),
    /** Of the session that sets it up: no other sees its secret, or confirms it. */
    sessionId: text('session_id'),
    /** Null: it is no factor yet. */
    confirmedAt: instant('confirmed_at'),
    /** The time step of the last code that was accepted: this one and those before are void. */
    lastStep: bigint('last_step', { mode: 'number' }).notNull().default(0),
    createdAt: instant('created_at').notNull().defaultNow(),
    lastUsedAt: instant('last_used_at'),
    lastUsedAddress: text('last_used_address'),
  },
  table => [
    index('totp_factors_confirmed').on(table.userId).where(sql`${table.confirmedAt} is not null`),
    index('totp_factors_unconfirmed').on(table.createdAt).where(sql`${table.confirmedAt} is null`),
  ],
)

/** Credentials of WebAuthn. */
export const passkeys = pgTable(
  'passkeys',
  {
    id: uuid('id').primaryKey().defaultRandom(),
    userId: userId(),
    credentialId: bytea('credential_id').notNull().unique(),
    /** COSE. */
    publicKey: bytea('public_key').notNull(),
    /** COSE: -7, -8 or -257. */
    algorithm: integer('algorithm').notNull(),
    /** The greatest that it has said. */
    counter: bigint('counter', { mode: 'number' }).notNull().default(0),
    backupEligible: boolean('backup_eligible').notNull(),
    backedUp: boolean('backed_up').notNull(),
    transports: text('transports').array().notNull(),
    name: text('name').notNull(),
    /** It signs its user in by itself: it verified them when it was made, and can be found without an address. */
    firstStep: boolean('first_step').notNull(),
    createdAt: instant('created_at').notNull().defaultNow(),
    lastUsedAt: instant('last_used_at'),
    lastUsedAddress: text('last_used_address'),
  },
  table => [index('passkeys_user').on(table.userId)],
)

/** Whose a credential is, for ever: this row outlives the passkey and its user, so that nobody else gets the id. */
export const passkeyOwners = pgTable(
  'passkey_owners',
  {
    /** SHA-256 of the credential id. */
    credentialHash: bytea('credential_hash').primaryKey(),
    userId: uuid('user_id').notNull(),
  },
  table => [check('passkey_owners_hash', sql`octet_length(${table.credentialHash}) = 32`)],
)

/** What an authenticator is asked to sign: each once, for one purpose, by the one that it was made for. */
export const passkeyChallenges = pgTable(
  'passkey_challenges',
  {
    challengeHash: bytea('challenge_hash').primaryKey(),
    purpose: text('purpose').notNull().$type<ChallengePurpose>(),
    /** Null at a sign-in: nobody knows yet who it is. */
    userId: uuid('user_id').references(() => users.id, { onDelete: 'cascade' }),
    /** The session that registers a passkey or steps up. */
    sessionId: text('session_id'),
    /** Of the secret in the cookie: of the pending sign-in, or of the browser that signs in. */
    holderHash: bytea('holder_hash'),
    expiresAt: instant('expires_at').notNull(),
  },
  table => [
    check('passkey_challenges_hash', sql`octet_length(${table.challengeHash}) = 32`),
    check(
      'passkey_challenges_bound',
      sql`case ${table.purpose}
        when 'sign-in' then ${table.holderHash} is not null and num_nonnulls(${table.userId}, ${table.sessionId}) = 0
        when 'second-factor' then num_nonnulls(${table.userId}, ${table.holderHash}) = 2 and ${table.sessionId} is null
        when 'step-up' then num_nonnulls(${table.userId}, ${table.sessionId}) = 2 and ${table.holderHash} is null
        when 'register' then num_nonnulls(${table.userId}, ${table.sessionId}) = 2 and ${table.holderHash} is null
        when 'register-first-step' then num_nonnulls(${table.userId}, ${table.sessionId}) = 2 and ${table.holderHash} is null
        else false end`,
    ),
    index('passkey_challenges_user').on(table.userId),
    index('passkey_challenges_expires_at').on(table.expiresAt),
  ],
)

/** Codes that stand in for a lost factor, each once. They are no factor by themselves. */
export const recoveryCodes = pgTable(
  'recovery_codes',
  { userId: userId(), codeHash: bytea('code_hash').notNull(), usedAt: instant('used_at') },
  table => [
    primaryKey({ columns: [table.userId, table.codeHash] }),
    check('recovery_codes_hash', sql`octet_length(${table.codeHash}) = 32`),
  ],
)

/** Wrong codes of an app in a row, of one user, whatever the session, the address or the instance. */
export const factorFailures = pgTable('factor_failures', {
  userId: userId().primaryKey(),
  totp: integer('totp').notNull().default(0),
})

/** An operator removes the factors of a user at this time, unless the user stops it before. */
export const factorResets = pgTable('factor_resets', {
  userId: userId().primaryKey(),
  dueAt: instant('due_at').notNull(),
  createdAt: instant('created_at').notNull().defaultNow(),
})

/** Who has proved the first factor and owes the second: bound to one browser, consumed by the session that it becomes. */
export const pendingSignIns = pgTable(
  'pending_sign_ins',
  {
    secretHash: bytea('secret_hash').primaryKey(),
    userId: userId(),
    firstStep: jsonb('first_step').notNull().$type<FirstStep>(),
    userEpoch: bigint('user_epoch', { mode: 'bigint' }).notNull(),
    serviceEpoch: bigint('service_epoch', { mode: 'bigint' }).notNull(),
    attempts: integer('attempts').notNull().default(0),
    createdAt: instant('created_at').notNull().defaultNow(),
    expiresAt: instant('expires_at').notNull(),
  },
  table => [
    check('pending_sign_ins_hash', sql`octet_length(${table.secretHash}) = 32`),
    index('pending_sign_ins_user').on(table.userId),
    index('pending_sign_ins_expires_at').on(table.expiresAt),
  ],
)
