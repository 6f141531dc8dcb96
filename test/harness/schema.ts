/** What the migrated schema says about secrets: the columns that hold hashes of them, and the purposes of links. */
import type postgres from 'postgres'

/** Hashes that are compared but never redeemed: proving a superseded or a refused secret opens nothing. */
const notRedeemable = new Set(['sessions.previous_secret_hash', 'revoked_sessions.secret_hash'])

/** Proved as often as its service calls; what a browser begins several flows with; and a pass, which opens nothing. */
const notSingleUse = new Set([
  'service_keys.secret_hash',
  'federation_flows.browser_hash',
  'passwords.reset_pass_hash',
  'passkey_challenges.holder_hash',
])

export async function singleUseColumns(sql: postgres.Sql): Promise<string[]> {
  return (await secretColumns(sql)).filter(name => !notSingleUse.has(name))
}

/** `table.column` of every hash of something that a client presents. */
export async function secretColumns(sql: postgres.Sql): Promise<string[]> {
  const rows = await sql<{ name: string }[]>`
    select table_name || '.' || column_name as name from information_schema.columns
    where table_schema = 'public' and column_name ~ 'hash|token|secret|code|otp|challenge|nonce|state_id'
    order by 1`
  return rows.map(row => row.name).filter(name => !notRedeemable.has(name) && !notSecret.has(name))
}

/** Columns whose name matches, but which hold no secret. */
const notSecret = new Set([
  'sessions.secret_changed_at',
  'applications.token_lifetime_seconds',
  'idempotent_answers.request_hash',
  // Sealed, and presented by us to the provider.
  'providers.sealed_secret',
  // Sealed: what is presented are codes that follow from it.
  'totp_factors.sealed_secret',
  // A count.
  'factor_failures.totp',
  // Of the id of a credential, which everybody may know.
  'passkey_owners.credential_hash',
])

/** The purposes that the check of mail_links allows. */
export async function singleUsePurposes(sql: postgres.Sql): Promise<string[]> {
  const [row] = await sql<{ definition: string }[]>`
    select pg_get_constraintdef(oid) as definition from pg_constraint where conname = 'mail_links_purpose'`
  const purposes = [...(row?.definition ?? '').matchAll(/'([a-z-]+)'/g)].map(match => String(match[1]))
  if (purposes.length === 0)
    throw new Error('mail_links_purpose lists no purposes: teach this function to read it')
  return purposes
}
