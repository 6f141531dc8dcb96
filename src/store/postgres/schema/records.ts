/** The tables that refer to no other: mailed links, the signing keys, the audit log, and what creations answered. */
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
import type { Exemption, PublicJwk } from '../../../keys/store.js'
import { bytea, instant, type SessionEnd } from './columns.js'

/** Unfinished sign-ups and password resets: rows of their own, consumed by one DELETE. */
export const mailLinks = pgTable(
  'mail_links',
  {
    tokenHash: bytea('token_hash').primaryKey(),
    purpose: text('purpose').notNull().$type<'sign-up' | 'password-reset'>(),
    email: text('email').notNull(),
    canonicalEmail: text('canonical_email').notNull(),
    createdAt: instant('created_at').notNull().defaultNow(),
    expiresAt: instant('expires_at').notNull(),
  },
  table => [
    check('mail_links_purpose', sql`${table.purpose} in ('sign-up', 'password-reset')`),
    check('mail_links_hash', sql`octet_length(${table.tokenHash}) = 32`),
    index('mail_links_address').on(table.canonicalEmail, table.purpose),
    index('mail_links_expires_at').on(table.expiresAt),
  ],
)

/**
 * The times from which the schedule of the key ring follows, in seconds; one row, which the service only reads. A
 * drill compresses this row and nothing else. src/keys/schedule.ts says what each is for.
 */
export const keyPolicy = pgTable(
  'key_policy',
  {
    only: boolean('only').primaryKey().default(true),
    tokenLifetime: integer('longest_lifetime').notNull().default(900),
    skew: integer('skew').notNull().default(60),
    listAge: integer('list_age').notNull().default(3600),
    verifierAge: integer('verifier_age').notNull().default(3900),
    lead: integer('lead').notNull().default(86_400),
    tail: integer('tail').notNull().default(7200),
    rotateEvery: integer('rotate_every').notNull().default(2_592_000),
    /** A rotation comes up to this much of `rotate_every` later, each key's own. */
    jitterPercent: integer('jitter_percent').notNull().default(10),
  },
  ({ only, tokenLifetime, skew, listAge, verifierAge, lead, tail, rotateEvery, jitterPercent }) => [
    check('key_policy_only', sql`${only}`),
    check('key_policy_longest_lifetime', sql`${tokenLifetime} between 1 and 900`),
    check('key_policy_not_negative', sql`least(${skew}, ${listAge}, ${verifierAge}) >= 1`),
    check('key_policy_lead', sql`${lead} >= ${listAge} + ${verifierAge} + ${skew}`),
    check('key_policy_tail', sql`${tail} >= ${listAge} + ${tokenLifetime} + ${skew}`),
    check('key_policy_rotate_every', sql`${rotateEvery} >= ${lead}`),
    check('key_policy_jitter', sql`${jitterPercent} between 0 and 100`),
  ],
)

/**
 * A key's state follows from its times. The signer is the latest that has begun and not ended. A trigger (drizzle/)
 * sets `published_at` and the two least times, and refuses whatever would rewrite what has happened.
 */
export const signingKeys = pgTable(
  'signing_keys',
  {
    kid: text('kid').primaryKey(),
    publicJwk: jsonb('public_jwk').notNull().$type<PublicJwk>(),
    /** Null once it can sign no more: the private half is erased. */
    sealed: bytea('sealed'),
    kekId: text('kek_id'),
    /** Every key-encryption key that it was ever sealed under: backups hold those ciphertexts. */
    kekIds: text('kek_ids').array().notNull().default([]),
    publishedAt: instant('published_at').notNull().defaultNow(),
    /** Null for a standby that no rotation has scheduled. */
    signsFrom: instant('signs_from'),
    signsUntil: instant('signs_until'),
    unpublishedAt: instant('unpublished_at'),
    compromisedAt: instant('compromised_at'),
    /** Since when its signatures must not be believed. Null with `compromised_at`: none of them. */
    compromisedSince: instant('compromised_since'),
    /** Why it may sign before every verifier can know it. */
    exempt: text('exempt').$type<Exemption>(),
    /** Copies of the policy when it was published, in seconds. */
    leastLead: integer('least_lead').notNull(),
    leastTail: integer('least_tail').notNull(),
  },
  table => [
    check('signing_keys_kid', sql`${table.kid} = ${table.publicJwk} ->> 'kid'`),
    check('signing_keys_public', sql`not (${table.publicJwk} ? 'd')`),
    check('signing_keys_order', sql`${table.signsFrom} >= ${table.publishedAt}`),
    check('signing_keys_exempt', sql`${table.exempt} in ('first', 'compromise', 'recovery')`),
    check(
      'signing_keys_lead',
      sql`${table.exempt} is not null or ${table.signsFrom} >= ${table.publishedAt} + ${table.leastLead} * interval '1 second'`,
    ),
    check(
      'signing_keys_until',
      sql`${table.signsUntil} is null or (${table.signsFrom} is not null and ${table.signsUntil} >= ${table.signsFrom})`,
    ),
    check(
      'signing_keys_tail',
      sql`${table.unpublishedAt} is null or ${table.compromisedAt} is not null or ${table.signsFrom} is null
        or (${table.signsUntil} is not null and ${table.unpublishedAt} >= ${table.signsUntil} + ${table.leastTail} * interval '1 second')`,
    ),
    check('signing_keys_sealed', sql`(${table.sealed} is null) = (${table.kekId} is null)`),
    check(
      'signing_keys_erased',
      sql`${table.sealed} is not null or ${table.signsUntil} is not null or ${table.unpublishedAt} is not null`,
    ),
    check(
      'signing_keys_compromised',
      sql`${table.compromisedAt} is null or (${table.sealed} is null and ${table.unpublishedAt} is not null
        and ${table.unpublishedAt} <= ${table.compromisedAt}
        and (${table.signsFrom} is null or (${table.signsUntil} is not null and ${table.signsUntil} <= ${table.compromisedAt})))`,
    ),
    check(
      'signing_keys_since',
      sql`${table.compromisedSince} is null or (${table.compromisedAt} is not null and ${table.compromisedSince} <= ${table.compromisedAt})`,
    ),
    index('signing_keys_signs_from').on(table.signsFrom),
  ],
)

/** Append-only: the service's role may insert and select, nothing else. References nothing, so that it outlives all. */
export const auditEvents = pgTable(
  'audit_events',
  {
    id: bigint('id', { mode: 'bigint' }).primaryKey().generatedAlwaysAsIdentity(),
    at: instant('at').notNull().defaultNow(),
    action: text('action').notNull(),
    outcome: text('outcome').notNull().$type<'done' | 'refused'>(),
    reason: text('reason'),
    actor: uuid('actor'),
    /** The service key that acted, where no user did. */
    serviceKey: text('service_key'),
    /** The tenant it was done in. */
    tenant: uuid('tenant'),
    subject: text('subject'),
    session: text('session'),
    address: text('address'),
    requestId: text('request_id'),
  },
  table => [
    check('audit_events_outcome', sql`${table.outcome} in ('done', 'refused')`),
    check('audit_events_reason', sql`${table.outcome} = 'done' or ${table.reason} is not null`),
    index('audit_events_actor').on(table.actor, table.at),
    index('audit_events_at').on(table.at),
    index('audit_events_tenant').on(table.tenant, table.id),
  ],
)

/**
 * With sessions in Redis: what Redis may still hold, or hold again after a fail-over, and must not be believed about.
 * A row names a session, a secret, or both. It is kept until whatever it refuses would have ended by itself.
 */
export const revokedSessions = pgTable(
  'revoked_sessions',
  {
    number: bigint('number', { mode: 'bigint' }).primaryKey().generatedAlwaysAsIdentity(),
    /** Null where nobody proved whose secret it was: an id is public. */
    id: text('id').unique(),
    secretHash: bytea('secret_hash'),
    reason: text('reason').notNull().$type<SessionEnd>(),
    /** The id under which it goes on. */
    renewedAs: text('renewed_as'),
    revokedAt: instant('revoked_at').notNull().defaultNow(),
    until: instant('until').notNull(),
  },
  table => [
    check('revoked_sessions_what', sql`num_nonnulls(${table.id}, ${table.secretHash}) > 0`),
    check('revoked_sessions_id', sql`length(${table.id}) = 22`),
    check('revoked_sessions_hash', sql`octet_length(${table.secretHash}) = 32`),
    check('revoked_sessions_renewed', sql`(${table.renewedAs} is null) = (${table.reason} <> 'renewed')`),
    index('revoked_sessions_secret').on(table.secretHash),
    index('revoked_sessions_until').on(table.until),
  ],
)

/** What a creation answered, so that repeating it under the same Idempotency-Key creates nothing. */
export const idempotentAnswers = pgTable(
  'idempotent_answers',
  {
    /** Who asked: a user's id or a service key's. */
    caller: text('caller').notNull(),
    key: text('key').notNull(),
    /** SHA-256 of method, path and body. */
    requestHash: bytea('request_hash').notNull(),
    answer: jsonb('answer').notNull(),
    createdAt: instant('created_at').notNull().defaultNow(),
  },
  table => [
    primaryKey({ columns: [table.caller, table.key] }),
    index('idempotent_answers_age').on(table.createdAt),
  ],
)
