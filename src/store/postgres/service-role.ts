/** The role as which the service works on this database: what it may do there, and who may connect at all. */
import { is } from 'drizzle-orm'
import { getTableConfig, PgTable } from 'drizzle-orm/pg-core'
import postgres from 'postgres'
import { MigrationRefused } from '../../core/errors.js'
import * as factors from './schema/factors.js'
import * as federation from './schema/federation.js'
import * as schema from './schema/tables.js'
import * as verifiers from './schema/verifiers.js'
import { serviceRole } from './session-settings.js'

export type Queries = Pick<postgres.Sql, 'unsafe'>

/**
 * The role of releases before, which all databases of a server shared. Instances of those still ask for it, and their
 * migrations name it. A later migration removes it: `drop owned by` in each database, then the role.
 */
const sharedRole = 'mintmark_service'

const everything = ['select', 'insert', 'update', 'delete']

/** What is only added to, or only read: nothing that was recorded can be rewritten by the service. */
const less: Readonly<Record<string, readonly string[]>> = {
  audit_events: ['select', 'insert'],
  key_policy: ['select'],
  revocation_feed: ['select'],
  revocations: ['select'],
  signing_keys: ['select', 'insert', 'update'],
}

/** Functions that run with the rights of their owner. The service may call these. */
const forService = ['sequence_revocations', 'forget_revocations']
/** Nobody may call these, or put them on a table of their own: the owner's triggers run them. */
const forTriggers = ['session', 'listed', 'user', 'service', 'membership', 'tenant', 'application', 'key']
  .map(kind => `revoke_${kind}`)
  .concat('lose_origin', 'begin_feed')

const functions = (names: readonly string[]) => names.map(name => `public.${name}()`).join(', ')

/** Each table of this release and what the service may do with it. A new table needs no line here. */
export const rights: readonly (readonly [table: string, rights: readonly string[]])[] = [
  ...Object.values(schema),
  ...Object.values(federation),
  ...Object.values(factors),
  ...Object.values(verifiers),
].flatMap(table => {
  if (!is(table, PgTable)) return []
  const { name } = getTableConfig(table)
  return [[name, less[name] ?? everything] as const]
})

/** A row for each thing that the service has to do and the current user may not. Takes no lock. */
export const lackingRights = `select t as table, r as right
  from (values ${rights.flatMap(([table, all]) => all.map(right => `('${table}', '${right}')`)).join(', ')}) v(t, r)
  where not coalesce(has_table_privilege(to_regclass('public.' || t), r), false)`

/** Whether the service could write now. */
export const takesWrites = `select current_setting('transaction_read_only') = 'off'
  and not exists(${lackingRights}) as takes`

/** Whether every login of the server may connect to this database. */
export const isOpen = `select exists(
  select from pg_database d, aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a
  where d.datname = current_database() and a.grantee = 0 and a.privilege_type = 'CONNECT') as open`

export interface ServiceRole {
  readonly name: string
  readonly database: string
  /** The login that migrates. */
  readonly owner: string
  /** Anybody who migrates does not own the database, and could not shut it: every login of the server may connect. */
  readonly open: boolean
}

/** Makes the roles that are missing. An owner who may not create any can migrate where somebody else has made them. */
export async function createRoles(owner: Queries): Promise<void> {
  const missing = await owner.unsafe<{ role: string; me: string }[]>(`
    select role, current_user as me from unnest(array['${sharedRole}', ${serviceRole}]) role
    where not exists(select from pg_roles where rolname = role)`)
  const names = missing.map(({ role }) => quoted(role))
  const create = names.map(name => `create role ${name} nologin`)
  const grant = `grant ${names.at(-1)} to ${quoted(missing[0]?.me ?? '')} with admin option`
  const remedy = `let this login create roles (alter role … createrole), or have a superuser run \`${[...create, grant].join('; ')}\``
  for (const statement of create) {
    // Another database of this server may be making the shared one at this moment.
    await unlessDenied(owner.unsafe(statement).catch(unlessThere), remedy)
  }
}

/** What anybody who migrates may not do, somebody else can. */
export async function unlessDenied(work: PromiseLike<unknown>, remedy: string): Promise<void> {
  try {
    await work
  } catch (error) {
    throw isMissingRight(error) ? new MigrationRefused(`${(error as Error).message}: ${remedy}`) : error
  }
}

/**
 * In a transaction: gives the role of this database exactly its rights, and shuts the database to every other login. Done
 * with each migration: a copy of a database brings along the rights of the role that it was copied from, and none of its
 * own.
 */
export async function grantRights(tx: Queries): Promise<ServiceRole> {
  const [here] = await tx.unsafe<ServiceRole[]>(
    `select ${serviceRole} as name, current_database() as database, current_user as owner, o.open
      from (${isOpen}) o`,
  )
  if (!here) throw new Error('Postgres did not report which database this is')
  const role = quoted(here.name)
  await tx.unsafe(`grant usage on schema public, drizzle to ${role}`)
  await tx.unsafe(`grant select on drizzle.__drizzle_migrations to ${role}`)
  const exactly = rights.map(
    ([table, all]) => `revoke all on public.${quoted(table)} from ${role};
      grant ${all.join(', ')} on public.${quoted(table)} to ${role}`,
  )
  await tx.unsafe(exactly.join('; '))
  await tx.unsafe(`revoke all on function ${functions([...forService, ...forTriggers])} from public, ${role};
    grant execute on function ${functions(forService)} to ${role}`)
  await dropRightsOfOthers(tx, here.name, here.database)
  const database = quoted(here.database)
  await tx.unsafe(`grant connect on database ${database} to ${role}`)
  if (here.open) await shut(tx, database)
  // A temporary table of the name of ours would take its place in a statement that does not name the schema.
  await tx.unsafe(`revoke temporary on database ${database} from public`)
  const [after] = await tx.unsafe<{ open: boolean }[]>(isOpen)
  return { ...here, open: after?.open ?? true }
}

/** Anybody who serves from here at this moment, as the release before, goes on: its login came in as one of the public. */
async function shut(tx: Queries, database: string): Promise<void> {
  const serving = await tx.unsafe<{ login: string }[]>(`
    select distinct a.usename as login from pg_stat_activity a join pg_roles r on r.oid = a.usesysid
    where a.datname = current_database() and not r.rolsuper
      and pg_has_role(a.usesysid, '${sharedRole}', 'member')`)
  for (const { login } of serving)
    await tx.unsafe(`grant connect on database ${database} to ${quoted(login)}`)
  await tx.unsafe(`revoke connect on database ${database} from public`)
}

/** Roles of other databases: this one is a copy of theirs, or was restored from their dump. */
async function dropRightsOfOthers(tx: Queries, mine: string, database: string): Promise<void> {
  const others = await tx.unsafe<{ rolname: string }[]>(`
    select distinct r.rolname from pg_roles r
    join pg_shdepend s on s.refclassid = 'pg_authid'::regclass and s.refobjid = r.oid and s.deptype = 'a'
    join pg_database d on d.datname = current_database()
    where r.rolname ~ '^${sharedRole}_[0-9]+_[0-9]+$' and r.rolname <> '${mine}'
      and (s.dbid = d.oid or (s.classid = 'pg_database'::regclass and s.objid = d.oid))`)
  const tables = rights.map(([table]) => `public.${quoted(table)}`).join(', ')
  for (const { rolname } of others) {
    const other = quoted(rolname)
    await tx.unsafe(`revoke all on ${tables}, drizzle.__drizzle_migrations from ${other}`)
    await tx.unsafe(`revoke all on function ${functions(forService)} from ${other}`)
    await tx.unsafe(`revoke all on schema public, drizzle from ${other}`)
    await tx.unsafe(`revoke all on database ${quoted(database)} from ${other}`)
  }
}

export const isMissingRight = (error: unknown) => hasState(error, '42501')

function unlessThere(error: unknown): void {
  if (!hasState(error, '42710') && !hasState(error, '23505')) throw error
}

function hasState(error: unknown, state: string): boolean {
  return error instanceof postgres.PostgresError && error.code === state
}

export function quoted(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`
}
