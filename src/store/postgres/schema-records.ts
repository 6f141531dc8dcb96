/** The tables that refer to no other: the signing keys, the audit log, and what creations answered. */
import { sql } from 'drizzle-orm'
import { bigint, check, index, jsonb, pgTable, primaryKey, text, uuid } from 'drizzle-orm/pg-core'
import type { PublicJwk } from '../../keyring/store.js'
import { bytea, instant } from './schema-columns.js'

/** A key's state follows from its times. The signer is the latest whose `signs_from` has come. */
export const signingKeys = pgTable(
  'signing_keys',
  {
    kid: text('kid').primaryKey(),
    publicJwk: jsonb('public_jwk').notNull().$type<PublicJwk>(),
    sealed: bytea('sealed').notNull(),
    kekId: text('kek_id').notNull(),
    publishedAt: instant('published_at').notNull().defaultNow(),
    /** Null for a standby that no rotation has scheduled. */
    signsFrom: instant('signs_from'),
    unpublishedAt: instant('unpublished_at'),
  },
  table => [
    check('signing_keys_kid', sql`${table.kid} = ${table.publicJwk} ->> 'kid'`),
    check('signing_keys_order', sql`${table.signsFrom} >= ${table.publishedAt}`),
    check('signing_keys_public', sql`not (${table.publicJwk} ? 'd')`),
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
    /** The service key that acted, where no person did. */
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
    check('audit_events_reason', sql`(${table.outcome} = 'refused') = (${table.reason} is not null)`),
    index('audit_events_actor').on(table.actor, table.at),
    index('audit_events_at').on(table.at),
    index('audit_events_tenant').on(table.tenant, table.id),
  ],
)

/** What a creation answered, so that repeating it under the same Idempotency-Key creates nothing. */
export const idempotentAnswers = pgTable(
  'idempotent_answers',
  {
    /** Who asked: a person's id or a service key's. */
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
