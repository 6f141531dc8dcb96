/** The tables. `npx drizzle-kit generate` turns a change here into a migration in drizzle/. */
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
import type { AddressVerification } from '../../../accounts/address-verification.js'
import type { PlatformRole } from '../../../core/authority.js'
import { bytea, epoch, instant, type SessionEnd, version } from './columns.js'

export * from './feed.js'
export * from './records.js'

/** One row: what is true of the whole service. */
export const service = pgTable(
  'service',
  {
    only: boolean('only').primaryKey().default(true),
    epoch: epoch(),
    /** The server that is trusted: `pg_control_system()`'s identifier, and the timeline as in a WAL file's name. */
    systemIdentifier: text('system_identifier').notNull().default(''),
    timeline: text('timeline').notNull().default(''),
    /** Raised by `mintmark recover` alone: anybody who has trusted a higher one knows this for a server of before. */
    generation: bigint('generation', { mode: 'number' }).notNull().default(0),
    /** Whether sessions have ever lain in Redis: what the table lacks may be there, and come back from it. */
    sessionsInRedis: boolean('sessions_in_redis').notNull().default(false),
    passkeyRpId: text('passkey_rp_id'),
  },
  table => [check('service_one_row', sql`${table.only}`)],
)

export const users = pgTable(
  'users',
  {
    id: uuid('id').primaryKey().defaultRandom(),
    /** As the user typed it, for mail. */
    email: text('email').notNull(),
    canonicalEmail: text('canonical_email').notNull().unique(),
    name: text('name'),
    /** Of the release before, which took a provider's word for it: written for its sake, and read by nothing. */
    addressProved: boolean('address_proved').notNull().default(false),
    /** How somebody first showed that the mailbox is theirs (`earlier`: under that release). Null: nobody has. */
    addressVerifiedBy: text('address_verified_by').$type<AddressVerification | 'earlier'>(),
    state: text('state').notNull().default('active').$type<'active' | 'disabled'>(),
    epoch: epoch(),
    /** Beside all tenants: what an operator may do here (src/core/authority.ts). */
    platformRoles: text('platform_roles').array().notNull().default([]).$type<PlatformRole[]>(),
    createdAt: instant('created_at').notNull().defaultNow(),
  },
  table => [
    check('users_state', sql`${table.state} in ('active', 'disabled')`),
    check(
      'users_address_verified_by',
      sql`${table.addressVerifiedBy} in ('sign-up', 'password-reset', 'invitation', 'provider', 'earlier')`,
    ),
    check('users_platform_roles', sql`${table.platformRoles} <@ array['administrator', 'auditor']`),
  ],
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
  /** A reset that nobody has signed in after: SHA-256 of the pass that its browser was given, its network, its end. */
  resetPassHash: bytea('reset_pass_hash'),
  resetNetwork: text('reset_network'),
  resetFreshUntil: instant('reset_fresh_until'),
})

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
    version: version(),
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
    version: version(),
  },
  table => [
    primaryKey({ columns: [table.userId, table.tenantId] }),
    index('memberships_tenant').on(table.tenantId),
    check('memberships_state', sql`${table.state} in ('active', 'suspended')`),
  ],
)

/** A place in a tenant that is offered by mail: consumed by one DELETE, bound to the address. */
export const invitations = pgTable(
  'invitations',
  {
    id: uuid('id').primaryKey().defaultRandom(),
    tokenHash: bytea('token_hash').notNull().unique(),
    tenantId: uuid('tenant_id')
      .notNull()
      .references(() => tenants.id, { onDelete: 'cascade' }),
    email: text('email').notNull(),
    canonicalEmail: text('canonical_email').notNull(),
    roleIds: text('role_ids').array().notNull(),
    /** Null: an operator's command or a service key, which need no standing in the tenant. */
    inviter: uuid('inviter').references(() => users.id, { onDelete: 'cascade' }),
    createdAt: instant('created_at').notNull().defaultNow(),
    expiresAt: instant('expires_at').notNull(),
  },
  table => [
    check('invitations_hash', sql`octet_length(${table.tokenHash}) = 32`),
    index('invitations_tenant').on(table.tenantId),
    index('invitations_expires_at').on(table.expiresAt),
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
    endedReason: text('ended_reason').$type<SessionEnd>(),
    userAgent: text('user_agent').notNull(),
    address: text('address').notNull(),
  },
  table => [
    index('sessions_user').on(table.userId),
    // For a user's list, and for how many they have: what has ended is kept for days, and may be any number.
    index('sessions_unended').on(table.userId, table.userEpoch).where(sql`${table.endedAt} is null`),
    // For clean-up. A touch does not change it, so that it stays a heap-only update.
    index('sessions_ends_at').on(table.endsAt),
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
    /** Where the hosted pages may send a user back to, by exact match. */
    returnAddresses: text('return_addresses').array().notNull().default([]),
    createdAt: instant('created_at').notNull().defaultNow(),
    version: version(),
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

/** Keys by which internal services call: the id is public, of the secret only SHA-256 is stored. */
export const serviceKeys = pgTable(
  'service_keys',
  {
    id: text('id').primaryKey(),
    secretHash: bytea('secret_hash').notNull(),
    name: text('name').notNull(),
    /** Platform permissions, and `introspect`. */
    scopes: text('scopes').array().notNull(),
    /** Whose tokens it may introspect. */
    audiences: text('audiences').array().notNull().default([]),
    /** Null: for all tenants. */
    tenantId: uuid('tenant_id').references(() => tenants.id, { onDelete: 'cascade' }),
    createdAt: instant('created_at').notNull().defaultNow(),
    expiresAt: instant('expires_at'),
    revokedAt: instant('revoked_at'),
    lastUsedAt: instant('last_used_at'),
    /** With the scope `feed`: what its verifiers do without the feed. Null: `preferred`, and 15. */
    feedMode: text('feed_mode').$type<'required' | 'preferred'>(),
    feedMaxAgeSeconds: integer('feed_max_age_seconds'),
  },
  table => [
    check('service_keys_feed', sql`feed_mode in ('required', 'preferred') and feed_max_age_seconds > 0`),
    check('service_keys_id', sql`length(${table.id}) = 22`),
    check('service_keys_hash', sql`octet_length(${table.secretHash}) = 32`),
  ],
)
