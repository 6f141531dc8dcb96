/** The tables of signing in through providers: who they are, whom they know, and what is under way. */
import { sql } from 'drizzle-orm'
import { boolean, check, index, jsonb, pgTable, primaryKey, text, unique, uuid } from 'drizzle-orm/pg-core'
import type { Purpose } from '../../../federation/flow.js'
import type { ClaimMap, ProviderGrant, ProviderKind, SignUpPolicy } from '../../../federation/provider.js'
import { bytea, instant } from './columns.js'
import { users } from './tables.js'

export const providers = pgTable(
  'providers',
  {
    id: text('id').primaryKey(),
    name: text('name').notNull(),
    kind: text('kind').notNull().$type<ProviderKind>(),
    issuer: text('issuer').notNull().unique(),
    clientId: text('client_id').notNull(),
    /** Sealed like a signing key: it must be read back. */
    sealedSecret: bytea('sealed_secret').notNull(),
    kekId: text('kek_id').notNull(),
    state: text('state').notNull().default('enabled').$type<'enabled' | 'disabled'>(),
    scopes: text('scopes').array().notNull(),
    hosts: text('hosts').array().notNull().default([]),
    directories: text('directories').array().notNull().default([]),
    signUp: text('sign_up').notNull().default('off').$type<SignUpPolicy>(),
    signUpDomains: text('sign_up_domains').array().notNull().default([]),
    authoritativeFor: text('authoritative_for').array().notNull().default([]),
    claims: jsonb('claims').notNull().default({}).$type<ClaimMap>(),
    grants: jsonb('grants').notNull().default([]).$type<readonly ProviderGrant[]>(),
    countsAsProof: boolean('counts_as_proof').notNull().default(false),
    aal2: text('aal2').array().notNull().default([]),
    createdAt: instant('created_at').notNull().defaultNow(),
    changedAt: instant('changed_at').notNull().defaultNow(),
  },
  table => [
    check('providers_id', sql`${table.id} ~ '^[a-z0-9](-?[a-z0-9]){0,31}$'`),
    check('providers_kind', sql`${table.kind} in ('openid', 'github')`),
    check('providers_state', sql`${table.state} in ('enabled', 'disabled')`),
    check('providers_sign_up', sql`${table.signUp} in ('open', 'domains', 'invitation', 'off')`),
  ],
)

/** A user as a provider knows them: by issuer and subject, never by the address. */
export const federatedIdentities = pgTable(
  'federated_identities',
  {
    id: uuid('id').primaryKey().defaultRandom(),
    userId: uuid('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    providerId: text('provider_id')
      .notNull()
      .references(() => providers.id, { onDelete: 'cascade' }),
    issuer: text('issuer').notNull(),
    subject: text('subject').notNull(),
    /** What the provider called them when it was linked: for the user to recognise it, nothing else. */
    label: text('label').notNull(),
    createdAt: instant('created_at').notNull().defaultNow(),
  },
  table => [
    unique('federated_identities_who').on(table.issuer, table.subject),
    index('federated_identities_user').on(table.userId),
    index('federated_identities_provider').on(table.providerId),
  ],
)

/** A sign-in under way: bound to one browser, consumed by one DELETE. What it is proved with is stored in the browser. */
export const federationFlows = pgTable(
  'federation_flows',
  {
    stateHash: bytea('state_hash').primaryKey(),
    browserHash: bytea('browser_hash').notNull(),
    providerId: text('provider_id')
      .notNull()
      .references(() => providers.id, { onDelete: 'cascade' }),
    purpose: text('purpose').notNull().$type<Purpose>(),
    /** Who began to link or to prove themselves again; null for a sign-in. */
    userId: uuid('user_id').references(() => users.id, { onDelete: 'cascade' }),
    returnTo: text('return_to'),
    createdAt: instant('created_at').notNull().defaultNow(),
    expiresAt: instant('expires_at').notNull(),
  },
  table => [
    check('federation_flows_state_hash', sql`octet_length(${table.stateHash}) = 32`),
    check('federation_flows_browser_hash', sql`octet_length(${table.browserHash}) = 32`),
    check('federation_flows_purpose', sql`${table.purpose} in ('sign-in', 'link', 'step-up')`),
    check('federation_flows_user', sql`(${table.userId} is null) = (${table.purpose} = 'sign-in')`),
    index('federation_flows_expires_at').on(table.expiresAt),
  ],
)

/** What a provider said when it opened or renewed a session: of each identity, the last word. The session stays narrow. */
export const federatedSessions = pgTable(
  'federated_sessions',
  {
    sessionId: text('session_id').notNull(),
    identityId: uuid('identity_id').notNull(),
    providerId: text('provider_id').notNull(),
    issuer: text('issuer').notNull(),
    subject: text('subject').notNull(),
    /** The provider's own session (`sid`), for its back-channel logout. */
    providerSession: text('provider_session'),
    acr: text('acr'),
    amr: text('amr').array().notNull().default([]),
    authTime: instant('auth_time'),
    createdAt: instant('created_at').notNull().defaultNow(),
    endsAt: instant('ends_at').notNull(),
  },
  table => [
    primaryKey({ columns: [table.sessionId, table.identityId] }),
    index('federated_sessions_provider').on(table.providerId, table.sessionId),
    index('federated_sessions_subject').on(table.issuer, table.subject),
    index('federated_sessions_identity').on(table.identityId),
    index('federated_sessions_ends_at').on(table.endsAt),
  ],
)

/** Logout tokens that were taken: each once, and no session is opened afterwards by an authentication from before. */
export const providerLogouts = pgTable(
  'provider_logouts',
  {
    issuer: text('issuer').notNull(),
    jti: text('jti').notNull(),
    subject: text('subject'),
    providerSession: text('provider_session'),
    issuedAt: instant('issued_at').notNull(),
    createdAt: instant('created_at').notNull().defaultNow(),
  },
  table => [
    unique('provider_logouts_once').on(table.issuer, table.jti),
    index('provider_logouts_subject').on(table.issuer, table.subject),
    index('provider_logouts_session').on(table.issuer, table.providerSession),
    index('provider_logouts_created_at').on(table.createdAt),
  ],
)
