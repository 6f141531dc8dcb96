/** The tables. `npx drizzle-kit generate` turns a change here into a migration in drizzle/. */
import { sql } from 'drizzle-orm'
import {
  bigint,
  boolean,
  check,
  customType,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  timestamp,
  uuid,
} from 'drizzle-orm/pg-core'
import type { PublicJwk } from '../../keyring/store.js'

const bytea = customType<{ data: Buffer }>({ dataType: () => 'bytea' })
const instant = (name: string) => timestamp(name, { withTimezone: true, mode: 'date' })
/** A random 64-bit value, compared for equality only: replacing it ends whatever carries the old one. */
const epoch = () => bigint('epoch', { mode: 'bigint' }).notNull().default(randomEpoch)
const randomEpoch = sql`('x' || left(replace(gen_random_uuid()::text, '-', ''), 12) || right(replace(gen_random_uuid()::text, '-', ''), 4))::bit(64)::bigint`

/** One row: what is true of the whole service. */
export const service = pgTable(
  'service',
  {
    only: boolean('only').primaryKey().default(true),
    epoch: epoch(),
    /** The server that is trusted: `pg_control_system()`'s identifier, and the timeline as in a WAL file's name. */
    systemIdentifier: text('system_identifier').notNull().default(''),
    timeline: text('timeline').notNull().default(''),
  },
  table => [check('service_one_row', sql`${table.only}`)],
)

export const users = pgTable(
  'users',
  {
    id: uuid('id').primaryKey().defaultRandom(),
    /** As the person typed it, for mail. */
    email: text('email').notNull(),
    canonicalEmail: text('canonical_email').notNull().unique(),
    name: text('name'),
    state: text('state').notNull().default('active').$type<'active' | 'disabled'>(),
    epoch: epoch(),
    createdAt: instant('created_at').notNull().defaultNow(),
  },
  table => [check('users_state', sql`${table.state} in ('active', 'disabled')`)],
)

export const passwords = pgTable('passwords', {
  userId: uuid('user_id')
    .primaryKey()
    .references(() => users.id, { onDelete: 'cascade' }),
  /** argon2id as a PHC string, parameters and salt included. */
  phc: text('phc').notNull(),
  /** Rises when the password changes, never for a re-hash. */
  version: integer('version').notNull().default(1),
  /** Wrong passwords in a row. */
  failures: integer('failures').notNull().default(0),
  changedAt: instant('changed_at').notNull().defaultNow(),
})

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
  ],
)

export const tenants = pgTable(
  'tenants',
  {
    id: uuid('id').primaryKey().defaultRandom(),
    name: text('name').notNull(),
    state: text('state').notNull().default('active').$type<'active' | 'suspended'>(),
    /** Role id -> { name, permissions }. Ids are never reused. Here, so that a check joins one row. */
    roles: jsonb('roles')
      .notNull()
      .default({})
      .$type<Record<string, { name: string; permissions: string[] }>>(),
    createdAt: instant('created_at').notNull().defaultNow(),
  },
  table => [
    check('tenants_state', sql`${table.state} in ('active', 'suspended')`),
    check(
      'tenants_roles',
      sql`not jsonb_path_exists(${table.roles}, '$.* ? (!(exists(@.name) && exists(@.permissions)))')`,
    ),
  ],
)

export const memberships = pgTable(
  'memberships',
  {
    userId: uuid('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    tenantId: uuid('tenant_id')
      .notNull()
      .references(() => tenants.id, { onDelete: 'cascade' }),
    state: text('state').notNull().default('active').$type<'active' | 'suspended'>(),
    roleIds: text('role_ids').array().notNull().default([]),
    createdAt: instant('created_at').notNull().defaultNow(),
  },
  table => [
    primaryKey({ columns: [table.userId, table.tenantId] }),
    index('memberships_tenant').on(table.tenantId),
    check('memberships_state', sql`${table.state} in ('active', 'suspended')`),
  ],
)

export const sessions = pgTable(
  'sessions',
  {
    id: text('id').primaryKey(),
    userId: uuid('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    secretHash: bytea('secret_hash').notNull(),
    previousSecretHash: bytea('previous_secret_hash'),
    secretChangedAt: instant('secret_changed_at').notNull().defaultNow(),
    /** The epochs that the session was made under. */
    serviceEpoch: bigint('service_epoch', { mode: 'bigint' }).notNull(),
    userEpoch: bigint('user_epoch', { mode: 'bigint' }).notNull(),
    /** Kept when the tenant is deleted: a lost tenant is refused, it does not become none. */
    tenantId: uuid('tenant_id'),
    authTime: instant('auth_time').notNull().defaultNow(),
    amr: text('amr').array().notNull(),
    acr: text('acr').notNull(),
    createdAt: instant('created_at').notNull().defaultNow(),
    /** The absolute end. */
    endsAt: instant('ends_at').notNull(),
    idleSeconds: integer('idle_seconds').notNull(),
    /** Not indexed: a touch stays a heap-only update. */
    lastSeenAt: instant('last_seen_at').notNull().defaultNow(),
    endedAt: instant('ended_at'),
    endedReason: text('ended_reason').$type<'signed-out' | 'replaced' | 'by-person' | 'by-operator'>(),
    userAgent: text('user_agent').notNull(),
    address: text('address').notNull(),
  },
  table => [
    index('sessions_user').on(table.userId),
    check('sessions_id', sql`length(${table.id}) = 22`),
    check('sessions_hash', sql`octet_length(${table.secretHash}) = 32`),
    check('sessions_ended', sql`(${table.endedAt} is null) = (${table.endedReason} is null)`),
  ],
)

export const applications = pgTable(
  'applications',
  {
    clientId: text('client_id').primaryKey(),
    name: text('name').notNull(),
    state: text('state').notNull().default('enabled').$type<'enabled' | 'disabled'>(),
    /** The first is the default. */
    audiences: text('audiences').array().notNull(),
    tokenLifetimeSeconds: integer('token_lifetime_seconds').notNull().default(300),
    grants: text('grants').array().notNull().default([]).$type<('account' | 'admin')[]>(),
    createdAt: instant('created_at').notNull().defaultNow(),
  },
  table => [
    check('applications_state', sql`${table.state} in ('enabled', 'disabled')`),
    check('applications_lifetime', sql`${table.tokenLifetimeSeconds} between 60 and 900`),
    check('applications_grants', sql`${table.grants} <@ array['account', 'admin']`),
  ],
)

/** An origin belongs to one application. */
export const applicationOrigins = pgTable('application_origins', {
  origin: text('origin').primaryKey(),
  clientId: text('client_id')
    .notNull()
    .references(() => applications.clientId, { onDelete: 'cascade' }),
})

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
  ],
)
